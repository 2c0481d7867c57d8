import { DestroyRef, Injectable, computed, inject, signal } from '@angular/core';
import { Subject } from 'rxjs';
import { Changed, Engine, LiveEvent, Report } from '../contract';

/** What became of the last save that this page has seen; turned: whether another operation is on since. */
export type Save =
  { state: 'none' } | { state: 'reloading' } | { state: 'reloaded'; ms: number; changed: Changed; turned: boolean } | { state: 'broken' };

/** What the page knows about the lab, from the live stream alone. */
export interface LabState {
  link: 'connecting' | 'up' | 'down';
  boot: string | null;
  engine: Engine;
  project: string | null;
  cloud: boolean;
  file: string;
  version: number | null;
  hash: string | null;
  operation: string | null;
  on: string[];
  broken: Report | null;
  save: Save;
}

export const UNKNOWN: LabState = {
  link: 'connecting',
  boot: null,
  engine: 'starting',
  project: null,
  cloud: false,
  file: 'tables.py',
  version: null,
  hash: null,
  operation: null,
  on: [],
  broken: null,
  save: { state: 'none' },
};

/** The lab's state after one more event. */
export function follow(lab: LabState, event: LiveEvent): LabState {
  switch (event.event) {
    case 'snapshot': {
      // After a broken connection the last save may be another one than this page has seen.
      const seen = event.hash === lab.hash && lab.save.state === 'reloaded';
      const save: Save = event.broken ? { state: 'broken' } : seen ? lab.save : { state: 'none' };
      return { ...UNKNOWN, ...event, link: 'up', save };
    }
    case 'reloading':
      return { ...lab, save: { state: 'reloading' } };
    case 'reloaded': {
      // The first version of all is the start of the backend, not a save.
      const turned = event.operation !== lab.operation;
      const { total_ms: ms, changed } = event;
      const save: Save = lab.version === null ? { state: 'none' } : { state: 'reloaded', ms, changed, turned };
      return { ...lab, ...event, broken: null, save };
    }
    case 'broken':
      return { ...lab, version: event.version, broken: event, save: { state: 'broken' } };
    case 'engine':
      return { ...lab, engine: event.state };
    default:
      return lab;
  }
}

const LONGEST_WAIT = 2000;

/** The live stream: one WebSocket that connects again by itself, and what it says as signals. */
@Injectable({ providedIn: 'root' })
export class LiveStore {
  private readonly state = signal(UNKNOWN);
  private socket: WebSocket | undefined;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** Every event, after the state has followed it. */
  readonly events = new Subject<LiveEvent>();
  readonly lab = this.state.asReadonly();
  readonly link = computed(() => this.state().link);
  readonly operation = computed(() => this.state().operation);
  readonly hash = computed(() => this.state().hash);

  constructor() {
    inject(DestroyRef).onDestroy(() => this.close());
    this.connect();
  }

  /** Try to connect now instead of after the wait. */
  retry(): void {
    clearTimeout(this.timer);
    this.connect();
  }

  private connect(): void {
    const url = new URL('live', document.baseURI);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = (this.socket = new WebSocket(url));
    socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.state.update((lab) => ({ ...lab, link: 'down' }));
      this.timer = setTimeout(() => this.connect(), Math.min(LONGEST_WAIT, 250 * 2 ** this.failures++));
    };
  }

  private take(event: LiveEvent): void {
    this.failures = 0;
    this.state.update((lab) => follow(lab, event));
    this.events.next(event);
  }

  private close(): void {
    const socket = this.socket;
    this.socket = undefined;
    clearTimeout(this.timer);
    socket?.close();
  }
}
