import { Injectable, computed, inject, signal } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { Call, Change, RunData, LiveEvent, Report, RequestRecord, RequestSummary, Status } from '../contract';
import { Answer, LabApi } from '../lab-api';
import { LiveStore } from '../live/live-store';
import { FormStore } from './form-store';
import { NEVER_BY_ITSELF } from './operations';

/** One press of Submit, or a request that came from elsewhere. */
export interface Run {
  key: number;
  /** The backend's number; null before it is known, and after a restart of the backend. */
  request: number | null;
  own: boolean;
  operation: string | null;
  version: number | null;
  hash: string | null;
  data: Partial<RunData>;
  status: Status;
  began: number;
  ms: number | null;
  answer: string | null;
  /** Why there is no answer, in the backend's words. */
  failure: string | null;
  error: Report | null;
  printed: string[];
  calls: Call[];
  changes: Change[];
  /** Whether the backend's record has been read. */
  complete: boolean;
}

interface Printed {
  request: number | null;
  line: string;
}

const KEPT = 50; // runs
const LINES = 5000; // printed ones that are shown
const FRAME = 16; // ms

/** What was run: the history, the run that is looked at, and running it. */
@Injectable({ providedIn: 'root' })
export class Runs {
  private readonly api = inject(LabApi);
  private readonly live = inject(LiveStore);
  private readonly form = inject(FormStore);
  private readonly all = signal<readonly Run[]>([]);
  private readonly chosen = signal<number | null>(null);
  private keys = 0;
  private boot: string | null = null;

  /** Newest last. */
  readonly history = this.all.asReadonly();
  /** The run that is shown: the one chosen from the history, else the newest of this page, else the newest. */
  readonly shown = computed(() => {
    const runs = this.all();
    return runs.find((run) => run.key === this.chosen()) ?? runs.findLast((run) => run.own) ?? runs.at(-1) ?? null;
  });
  /** This page's run that has not ended. */
  readonly running = computed(() => this.all().find((run) => run.own && run.status === 'running') ?? null);
  readonly stale = computed(() => {
    const [run, hash] = [this.shown(), this.live.hash()];
    return !!run && run.status !== 'running' && !!run.hash && !!hash && run.hash !== hash;
  });
  /** Counts runs that have ended, whoever started them: what the page shows of the tables may be old. */
  readonly ended = signal(0);
  readonly againOnSave = signal(false);
  /** Lines of the whole backend, newest last. */
  readonly output = signal<readonly Printed[]>([]);
  private readonly lines: Printed[] = [];

  constructor() {
    this.live.events.pipe(takeUntilDestroyed()).subscribe((event) => this.follow(event));
  }

  /** Run what is on with the form's data. Does nothing while a run of this page is at work. */
  async submit(): Promise<void> {
    if (this.running() || !this.form.valid()) return;
    const data = this.form.data();
    const { operation, version, hash } = this.live.lab();
    const run = this.add({ own: true, operation, version, hash, data });
    this.chosen.set(run.key);
    const answer = await this.api.submit(data);
    this.answered(run.key, answer);
  }

  async cancel(): Promise<void> {
    const run = this.running();
    if (run?.request) await this.api.cancel(run.request).catch(() => undefined);
  }

  choose(run: Run): void {
    this.chosen.set(run.key);
    void this.complete(run);
  }

  private add(run: Partial<Run>): Run {
    const added: Run = {
      key: ++this.keys,
      request: null,
      own: false,
      operation: null,
      version: null,
      hash: null,
      data: {},
      status: 'running',
      began: Date.now(),
      ms: null,
      answer: null,
      failure: null,
      error: null,
      printed: [],
      calls: [],
      changes: [],
      complete: false,
      ...run,
    };
    this.all.update((runs) => [...runs, added].slice(-KEPT));
    return added;
  }

  private change(which: (run: Run) => boolean, how: (run: Run) => Partial<Run>): void {
    this.all.update((runs) => runs.map((run) => (which(run) ? { ...run, ...how(run) } : run)));
  }

  private answered(key: number, { ok, text, status, request }: Answer): void {
    const failure = status === 0 ? 'The backend went away before it answered. The form is as you left it.' : text;
    this.change(
      (run) => run.key === key,
      (run) => ({
        ...(ok ? { answer: text } : { failure }),
        request: request ?? run.request,
        status: ok ? 'done' : run.status === 'cancelled' ? 'cancelled' : 'failed',
        ms: run.ms ?? Date.now() - run.began,
      }),
    );
    const run = this.all().find((run) => run.key === key);
    if (run) void this.complete(run);
  }

  /** Read the backend's record of a run that has ended. */
  private async complete(run: Run): Promise<void> {
    if (run.complete || run.request === null || run.status === 'running') return;
    const boot = this.boot;
    const record = await this.api.request(run.request, run.answer === null).catch(() => null);
    if (!record || boot !== this.boot) return;
    this.change(
      (other) => other.key === run.key,
      (other) => recorded(other, record),
    );
  }

  private follow(event: LiveEvent): void {
    switch (event.event) {
      case 'snapshot':
        return void this.catchUp(event.boot);
      case 'started':
        return this.started(event);
      case 'printed':
        if (this.lines.push(event) === 1) setTimeout(() => this.flush(), FRAME);
        return;
      case 'call':
        return this.change(
          (run) => run.request === event.request && !run.complete,
          (run) => ({ calls: [...run.calls, event.call] }),
        );
      case 'finished':
        this.flush();
        this.ended.update((count) => count + 1);
        return this.finished(event.request, event.status, event.ms);
      case 'reloaded':
        return this.reloaded(event.operation);
    }
  }

  /** Show the lines that were printed since the last time: a program may print faster than a page can be drawn. */
  private flush(): void {
    const lines = this.lines.splice(0);
    if (!lines.length) return;
    this.output.update((all) => [...all, ...lines].slice(-LINES));
    const printing = new Set(lines.map(({ request }) => request));
    this.change(
      (run) => run.request !== null && printing.has(run.request) && !run.complete,
      (run) => ({
        printed: [...run.printed, ...lines.filter(({ request }) => request === run.request).map(({ line }) => line)].slice(-LINES),
      }),
    );
  }

  private started({ request, client, operation, version, hash, time }: LiveEvent & { event: 'started' }): void {
    const mine = client === this.api.client ? this.running() : null;
    if (!mine) return void this.add({ request, operation, version, hash, began: time * 1000 });
    this.change(
      (run) => run.key === mine.key,
      () => ({ request, operation, version, hash }),
    );
  }

  private finished(request: number, status: Status, ms: number): void {
    // The answer of an own run is still on its way; it ends the run.
    this.change(
      (run) => run.request === request,
      (run) => (run.own && status !== 'cancelled' ? { ms } : { status, ms }),
    );
    const run = this.all().find((run) => run.request === request);
    if (run && run.status !== 'running' && (run.own || run === this.shown())) void this.complete(run);
  }

  private reloaded(operation: string | null): void {
    const last = this.all().findLast((run) => run.own);
    if (this.againOnSave() && operation && last?.operation === operation && !NEVER_BY_ITSELF.has(operation)) void this.submit();
  }

  /** After a new connection: read the list, and forget numbers that a restarted backend gives anew. */
  private async catchUp(boot: string): Promise<void> {
    if (this.boot !== null && this.boot !== boot) {
      this.change(
        () => true,
        (run) => ({ request: null, status: run.status === 'running' && !run.own ? 'failed' : run.status }),
      );
    }
    this.boot = boot;
    const list = await this.api.requests().catch((): RequestSummary[] => []);
    const known = new Set(this.all().map((run) => run.request));
    for (const { time, ...summary } of list) {
      if (!known.has(summary.request)) this.add({ ...summary, began: time * 1000 });
    }
    this.all.update((runs) => [...runs].sort((one, other) => one.began - other.began));
    const shown = this.shown();
    if (shown) void this.complete(shown);
  }
}

function recorded(run: Run, record: RequestRecord): Partial<Run> {
  const { answer, error, printed, calls, changes, operation, version, hash, ms } = record;
  // The answer may be here before its record is closed; the end of the request is told, and the record read once more.
  const complete = record.status !== 'running';
  const status = complete ? record.status : run.status;
  return { answer: run.answer ?? answer, error, printed, calls, changes, operation, version, hash, status, ms: ms ?? run.ms, complete };
}
