import { HttpClient, HttpErrorResponse, HttpResponse, httpResource } from '@angular/common/http';
import { Injectable, Signal, inject } from '@angular/core';
import { firstValueFrom } from 'rxjs';
import { Catalog, RunData, GuideStep, Priced, RequestRecord, RequestSummary, TableDetail } from './contract';

/** What POST / answered. */
export interface Answer {
  ok: boolean;
  /** The text that `execute` returned, or the sentence that says why it did not. */
  text: string;
  /** 0: no answer came at all. */
  status: number;
  request: number | null;
}

/** The HTTP calls to the backend. Resources are to be made in an injection context. */
@Injectable({ providedIn: 'root' })
export class LabApi {
  private readonly http = inject(HttpClient);

  /** Names this page, so that it finds its own requests in the live stream. */
  readonly client = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');

  /** Run `execute` with the form's data. Never throws. */
  async submit(data: RunData): Promise<Answer> {
    const headers = { 'X-Lab-Client': this.client };
    try {
      return answered(await firstValueFrom(this.http.post('/', data, { headers, observe: 'response', responseType: 'text' })));
    } catch (error) {
      return answered(error as HttpErrorResponse);
    }
  }

  /** The record of one request; without the answer where the page has it. */
  request(number: number, withAnswer: boolean): Promise<RequestRecord> {
    return firstValueFrom(this.http.get<RequestRecord>(`/lab/requests/${number}${withAnswer ? '' : '?answer=no'}`));
  }

  async requests(): Promise<RequestSummary[]> {
    return (await firstValueFrom(this.http.get<{ requests: RequestSummary[] }>('/lab/requests'))).requests;
  }

  cancel(number: number): Promise<unknown> {
    return firstValueFrom(this.http.post(`/lab/requests/${number}/cancel`, null, { responseType: 'text' }));
  }

  price(data: RunData): Promise<{ statements: Priced[] }> {
    return firstValueFrom(this.http.post<{ statements: Priced[] }>('/lab/price', { data }));
  }

  reset(to: 'start' | 'final'): Promise<{ backup: string }> {
    return firstValueFrom(this.http.post<{ backup: string }>('/lab/reset', { to }));
  }

  /** What changed between two versions of the file, as a unified diff. */
  diff(from: number, to: number): Promise<string> {
    return firstValueFrom(this.http.get('/lab/diff', { params: { from, to }, responseType: 'text' }));
  }

  readonly catalog = () => httpResource<Catalog>(() => '/lab/catalog');

  readonly guide = () => httpResource<{ steps: GuideStep[] }>(() => '/lab/guide');

  /** A table, as it is or as it was at a moment (ms since 1970). */
  readonly table = (name: Signal<string | null>, at: Signal<number | null>) =>
    httpResource<TableDetail>(() => {
      const table = name();
      return table === null ? undefined : { url: '/lab/table', params: { name: table, ...(at() === null ? {} : { at: at()! }) } };
    });
}

function answered(reply: HttpResponse<string> | HttpErrorResponse): Answer {
  const request = Number(reply.headers.get('X-Lab-Request')) || null;
  const text = reply instanceof HttpResponse ? (reply.body ?? '') : typeof reply.error === 'string' ? reply.error : '';
  return { ok: reply.ok, text, status: reply.status, request };
}

/** The sentence of a failed call, for the page to show. */
export function sentence(error: unknown): string {
  if (!(error instanceof HttpErrorResponse)) return String(error);
  if (error.status === 0) return 'The backend did not answer.';
  return typeof error.error === 'string' && error.error ? error.error : `The backend answered ${error.status}.`;
}
