import { Component, computed, inject, linkedSignal, resource, signal } from '@angular/core';
import { LabApi } from '../lab-api';
import { LiveStore } from '../live/live-store';
import { Code } from '../shared/code';
import { CodeFrame } from '../shared/code-frame';
import { Copy } from '../shared/copy';
import { clock, count, duration } from '../shared/format';
import { Icon, IconName } from '../shared/icon';
import { Tabs } from '../tabs';
import { View, view } from './answer';
import { Plot } from './plot';
import { Policy } from './policy';
import { RowsTable } from './rows-table';
import { Run, Runs } from './runs';

const STATUS: Record<Run['status'], { icon: IconName; word: string }> = {
  running: { icon: 'spin', word: 'Running' },
  done: { icon: 'check', word: 'Done' },
  failed: { icon: 'stop', word: 'Failed' },
  cancelled: { icon: 'cross', word: 'Cancelled' },
};

/** The run that is looked at: its answer as what it is, what it printed, or why it failed. */
@Component({
  selector: 'lab-result',
  imports: [Code, CodeFrame, Copy, Icon, Plot, Policy, RowsTable],
  templateUrl: './result.html',
})
export class Result {
  protected readonly runs = inject(Runs);
  protected readonly tabs = inject(Tabs);
  protected readonly lab = inject(LiveStore).lab;
  private readonly api = inject(LabApi);
  protected readonly clock = clock;
  protected readonly count = count;
  protected readonly duration = duration;

  protected readonly run = this.runs.shown;
  protected readonly status = computed(() => STATUS[this.run()?.status ?? 'running']);
  private readonly answer = computed(() => this.run()?.answer ?? null);
  /** While a run is at work the last answer keeps its place, so that nothing jumps. */
  protected readonly view = linkedSignal<Run | null, View | null>({
    source: this.run,
    computation: (run, previous) => {
      if (run?.status === 'running') return previous?.value ?? null;
      if (run && run.answer !== null && run.answer === previous?.source?.answer) return previous.value;
      return run?.answer == null ? null : view(run.answer);
    },
  });
  /** A new result starts as a table. */
  protected readonly plotted = linkedSignal({ source: this.answer, computation: () => false });
  protected readonly printed = computed(() => this.run()?.printed.join('\n') ?? '');

  /** What the run did, in a few words that lead to the whole story. */
  protected readonly did = computed(() => {
    const { calls, changes } = this.run() ?? { calls: [], changes: [] };
    const parts = [calls.length && count(calls.length, 'API call'), changes.length && count(changes.length, 'change')];
    return parts.filter(Boolean).join(', ');
  });

  protected readonly comparing = signal(false);
  protected readonly diff = resource({
    params: () => {
      const [from, to] = [this.run()?.version, this.lab().version];
      return this.comparing() && from && to ? { from, to } : undefined;
    },
    loader: ({ params }) => this.api.diff(params.from, params.to).catch(() => 'That version is not kept any more.'),
  });
}
