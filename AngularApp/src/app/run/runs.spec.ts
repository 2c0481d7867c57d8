import { provideHttpClient } from '@angular/common/http';
import { HttpTestingController, provideHttpClientTesting } from '@angular/common/http/testing';
import { signal } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import { Subject } from 'rxjs';
import { LiveEvent } from '../contract';
import { LabApi } from '../lab-api';
import { LabState, LiveStore, UNKNOWN } from '../live/live-store';
import { Runs } from './runs';

const LAB: LabState = { ...UNKNOWN, link: 'up', version: 1, hash: 'h1', operation: 'create', on: ['create'] };

function lab() {
  sessionStorage.clear();
  const state = signal(LAB);
  const events = new Subject<LiveEvent>();
  const live = { lab: state, events, operation: () => state().operation, hash: () => state().hash };
  TestBed.configureTestingModule({ providers: [provideHttpClient(), provideHttpClientTesting(), { provide: LiveStore, useValue: live }] });
  const [runs, http, api] = [TestBed.inject(Runs), TestBed.inject(HttpTestingController), TestBed.inject(LabApi)];
  const started = (request: number, client: string | null = api.client) =>
    events.next({ event: 'started', time: 1, request, client, operation: state().operation, version: 1, hash: 'h1' });
  const record = async (request: number, more: object = {}) => {
    await settled();
    http
      .expectOne((call) => call.url.startsWith(`/lab/requests/${request}`))
      .flush({
        request,
        operation: 'create',
        version: 1,
        hash: 'h1',
        data: {},
        status: 'done',
        time: 1,
        ms: 3,
        answer: null,
        error: null,
        printed: [],
        calls: [],
        changes: [],
        ...more,
      });
    await settled();
  };
  const answer = async (text: string, options: object = {}) => {
    http.expectOne('/').flush(text, { headers: { 'X-Lab-Request': '1' }, ...options });
    await settled();
  };
  return { state, events, runs, http, started, record, answer };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe('Runs', () => {
  it('sends one request however often it is asked to', async () => {
    const { runs, http } = lab();
    void runs.submit();
    void runs.submit();
    expect(http.match('/')).toHaveLength(1);
    expect(runs.running()).not.toBeNull();
  });

  it('shows the answer, then what the backend recorded', async () => {
    const { runs, answer, started, record } = lab();
    void runs.submit();
    started(1);
    await answer('Created.');
    expect(runs.shown()).toMatchObject({ status: 'done', answer: 'Created.', request: 1 });
    await record(1, { printed: ['a'], changes: [{ resource: 't', what: 'created', before: null, after: null }] });
    expect(runs.shown()).toMatchObject({ complete: true, answer: 'Created.', printed: ['a'], changes: [{ what: 'created' }] });
  });

  it('shows what is printed while it runs, and reads a record that was not closed once more', async () => {
    const { runs, events, started, answer, record, http } = lab();
    void runs.submit();
    started(1);
    events.next({ event: 'printed', request: 1, line: 'one' });
    events.next({ event: 'printed', request: null, line: 'elsewhere' });
    await vi.waitFor(() => expect(runs.shown()!.printed).toEqual(['one']));
    expect(runs.output().map(({ line }) => line)).toEqual(['one', 'elsewhere']);
    await answer('Created.');
    await record(1, { status: 'running', ms: null });
    expect(runs.shown()).toMatchObject({ status: 'done', complete: false });
    events.next({ event: 'finished', request: 1, client: null, status: 'done', ms: 7 });
    await record(1, { printed: ['one'], ms: 7 });
    expect(runs.shown()).toMatchObject({ status: 'done', complete: true, ms: 7 });
    http.verify();
  });

  it('shows an error as what it is', async () => {
    const { runs, answer, record } = lab();
    void runs.submit();
    await answer('Traceback', { status: 500, statusText: 'x' });
    await record(1, { status: 'failed', error: { kind: 'KeyError', message: "'a'" } });
    expect(runs.shown()).toMatchObject({ status: 'failed', failure: 'Traceback', error: { kind: 'KeyError' } });
  });

  it('never waits for ever for a backend that is gone', async () => {
    const { runs, http } = lab();
    void runs.submit();
    http.expectOne('/').error(new ProgressEvent('error'));
    await settled();
    expect(runs.running()).toBeNull();
    expect(runs.shown()!.failure).toContain('went away');
  });

  it('cancels by the number that the live stream told', async () => {
    const { runs, http, started, events, answer } = lab();
    void runs.submit();
    started(1);
    void runs.cancel();
    http.expectOne('/lab/requests/1/cancel').flush('', { status: 202, statusText: 'x' });
    events.next({ event: 'finished', request: 1, client: null, status: 'cancelled', ms: 5 });
    await answer('The request was cancelled.', { status: 499, statusText: 'x' });
    expect(runs.shown()).toMatchObject({ status: 'cancelled' });
  });

  it('lists requests from elsewhere without showing them instead of its own', async () => {
    const { runs, started, answer } = lab();
    void runs.submit();
    started(1);
    await answer('Mine.');
    started(2, null);
    expect(runs.history().map(({ request, own }) => [request, own])).toEqual([
      [1, true],
      [2, false],
    ]);
    expect(runs.shown()!.request).toBe(1);
  });

  it('marks a result stale while other code is live, and not when that code comes back', async () => {
    const { runs, state, answer } = lab();
    void runs.submit();
    await answer('Created.');
    expect(runs.stale()).toBe(false);
    state.update((lab) => ({ ...lab, hash: 'h2' }));
    expect(runs.stale()).toBe(true);
    state.update((lab) => ({ ...lab, hash: 'h1' }));
    expect(runs.stale()).toBe(false);
  });

  it.each([
    ['create', 1],
    ['delete', 0],
  ])('runs %s again on save %i times', async (operation, times) => {
    const { runs, state, events, answer, http, started } = lab();
    state.update((lab) => ({ ...lab, operation }));
    void runs.submit();
    started(1);
    await answer('Done.');
    runs.againOnSave.set(true);
    const changed = { added: [], changed: [], removed: [] };
    events.next({ event: 'reloaded', version: 2, hash: 'h2', operation, on: [operation], operations: [], changed, total_ms: 1 });
    expect(http.match('/')).toHaveLength(times);
  });

  it('takes no old number for a new one after the backend began anew', async () => {
    const { runs, events, http, answer } = lab();
    const snapshot = (boot: string) => events.next({ event: 'snapshot', ...LAB, boot, operations: [], engine: 'up' });
    snapshot('a');
    http.expectOne('/lab/requests').flush({ requests: [] });
    void runs.submit();
    await answer('Created.');
    snapshot('b');
    http
      .expectOne('/lab/requests')
      .flush({ requests: [{ request: 1, operation: 'delete', version: 1, hash: 'h1', data: {}, status: 'done', time: 9e9, ms: 1 }] });
    await settled();
    expect(runs.history().map(({ operation, request }) => [operation, request])).toEqual([
      ['create', null],
      ['delete', 1],
    ]);
  });
});
