import { TestBed } from '@angular/core/testing';
import { LiveEvent, Report } from '../contract';
import { LabState, LiveStore, UNKNOWN, follow } from './live-store';

const REPORT: Report = {
  kind: 'SyntaxError',
  message: 'invalid syntax',
  file: 'tables.py',
  line: 3,
  column: 1,
  traceback: '',
  frame: [],
  marks: null,
};
const SNAPSHOT: LiveEvent & { event: 'snapshot' } = {
  event: 'snapshot',
  boot: 'a',
  version: 1,
  hash: 'h1',
  operation: 'create',
  on: ['create'],
  operations: ['create', 'delete'],
  broken: null,
  engine: 'up',
  project: 'lab-project',
  cloud: false,
  file: 'tables.py',
};
const RELOADED: LiveEvent = {
  event: 'reloaded',
  version: 2,
  hash: 'h2',
  operation: 'delete',
  on: ['delete'],
  operations: ['create', 'delete'],
  changed: { added: [], changed: ['my_bigquery_client.env'], removed: [] },
  total_ms: 4,
};

function after(...events: LiveEvent[]): LabState {
  return events.reduce(follow, UNKNOWN);
}

describe('the lab as the live stream tells it', () => {
  it('is up after the snapshot', () => {
    expect(after(SNAPSHOT)).toMatchObject({ link: 'up', operation: 'create', version: 1, save: { state: 'none' } });
  });

  it('follows a save', () => {
    expect(after(SNAPSHOT, { event: 'reloading' }).save).toEqual({ state: 'reloading' });
    expect(after(SNAPSHOT, { event: 'reloading' }, RELOADED)).toMatchObject({
      operation: 'delete',
      hash: 'h2',
      save: { state: 'reloaded', ms: 4, turned: true },
    });
  });

  it('takes the first version of a backend that starts for no save', () => {
    expect(after({ ...SNAPSHOT, version: null, hash: null, operation: null, on: [] }, RELOADED)).toMatchObject({
      version: 2,
      save: { state: 'none' },
    });
  });

  it('keeps the version that serves when the file is broken, and the next good save clears it', () => {
    const broken = after(SNAPSHOT, { event: 'broken', ...REPORT, version: 1 });
    expect(broken).toMatchObject({ version: 1, operation: 'create', broken: { line: 3 }, save: { state: 'broken' } });
    expect(follow(broken, RELOADED).broken).toBeNull();
  });

  it('still says what the last save did after a short break of the connection, unless it was missed', () => {
    const saved = after(SNAPSHOT, RELOADED);
    expect(follow(saved, { ...SNAPSHOT, hash: 'h2', version: 2 }).save.state).toBe('reloaded');
    expect(follow(saved, { ...SNAPSHOT, hash: 'h3', version: 3 }).save.state).toBe('none');
    expect(follow(saved, { ...SNAPSHOT, broken: REPORT }).save.state).toBe('broken');
  });
});

class Socket {
  static made: Socket[] = [];
  onmessage?: (event: { data: string }) => void;
  onclose?: () => void;
  closed = false;
  constructor(readonly url: URL) {
    Socket.made.push(this);
  }
  close() {
    this.closed = true;
    this.onclose?.();
  }
}

describe('LiveStore', () => {
  beforeEach(() => {
    Socket.made = [];
    vi.stubGlobal('WebSocket', Socket);
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('connects again by itself, waiting longer after each failure', () => {
    const live = TestBed.inject(LiveStore);
    expect(String(Socket.made[0].url)).toMatch(/^ws:.*\/live$/);
    Socket.made[0].onmessage!({ data: JSON.stringify(SNAPSHOT) });
    expect(live.link()).toBe('up');
    Socket.made[0].onclose!();
    expect(live.link()).toBe('down');
    expect(live.lab().operation).toBe('create');
    vi.advanceTimersByTime(250);
    Socket.made[1].onclose!();
    vi.advanceTimersByTime(250);
    expect(Socket.made).toHaveLength(2);
    vi.advanceTimersByTime(250);
    Socket.made[2].onmessage!({ data: JSON.stringify(SNAPSHOT) });
    expect(live.link()).toBe('up');
  });

  it('closes with the page and does not come back', () => {
    TestBed.inject(LiveStore);
    TestBed.resetTestingModule();
    vi.advanceTimersByTime(10_000);
    expect(Socket.made).toHaveLength(1);
    expect(Socket.made[0].closed).toBe(true);
  });
});
