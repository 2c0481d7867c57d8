/** What the backend says: the events of the live stream and the answers over HTTP. */

export type Engine = 'starting' | 'up' | 'down' | 'cloud';

export interface FrameLine {
  number: number;
  text: string;
  current: boolean;
}

/** An exception, of a file that can't be loaded or of a request that failed. */
export interface Report {
  kind: string;
  message: string;
  file: string;
  line: number | null;
  column: number | null;
  traceback: string;
  frame: FrameLine[];
  /** Columns of the fault in the current line, counted from 1: the first, and the one after the last. */
  marks: [number, number] | null;
  hint?: string | null;
}

export interface Changed {
  added: string[];
  changed: string[];
  removed: string[];
}

export interface Snapshot {
  boot: string;
  version: number | null;
  hash: string | null;
  operation: string | null;
  on: string[];
  operations: string[];
  broken: Report | null;
  engine: Engine;
  project: string | null;
  cloud: boolean;
  file: string;
}

export type LiveEvent =
  | ({ event: 'snapshot' } & Snapshot)
  | { event: 'reloading' }
  | {
      event: 'reloaded';
      version: number;
      hash: string;
      operation: string | null;
      on: string[];
      operations: string[];
      changed: Changed;
      total_ms: number;
    }
  | ({ event: 'broken'; version: number | null } & Report)
  | { event: 'engine'; state: Engine }
  | { event: 'started'; time: number; request: number; client: string | null; operation: string | null; version: number; hash: string }
  | { event: 'finished'; request: number; client: string | null; status: Status; ms: number }
  | { event: 'printed'; request: number | null; line: string }
  | { event: 'call'; request: number; call: Call };

export type Status = 'running' | 'done' | 'failed' | 'cancelled';

/** What the form sends; the wire contract of POST /. */
export interface RunData {
  tableName: string;
  emails: [type: string, address: string][];
  browse: string;
}

/** One REST call that a request made. */
export interface Call {
  number: number;
  method: string;
  path: string;
  status: number;
  at_ms: number;
  ms: number;
  request_bytes: number;
  reply_bytes: number;
  request?: unknown;
  reply?: unknown;
  truncated?: boolean;
}

export interface Change {
  resource: string;
  what: string;
  before: unknown;
  after: unknown;
}

/** One request in the backend's list of the last fifty. */
export interface RequestSummary {
  request: number;
  operation: string | null;
  version: number;
  hash: string;
  data: Partial<RunData>;
  status: Status;
  time: number;
  ms: number | null;
}

export interface RequestRecord extends RequestSummary {
  answer: string | null;
  error: Report | null;
  printed: string[];
  calls: Call[];
  changes: Change[];
}

export interface CatalogTable {
  table: string;
  type: string;
  rows: number | null;
  bytes: number | null;
  expires: string | null;
}

export interface Catalog {
  projects: { project: string; datasets: { dataset: string; tables: CatalogTable[] }[] }[];
  buckets: { bucket: string; files: { name: string; bytes: number; updated: string }[] }[];
}

export interface SchemaField {
  name: string;
  type: string;
  mode?: string;
  description?: string;
  fields?: SchemaField[];
}

export interface Binding {
  role: string;
  members: string[];
}

export interface TableDetail {
  name: string;
  type: string;
  schema: SchemaField[];
  details: Record<string, string | number | null>;
  policy: { bindings?: Binding[] } | null;
  preview: { fields: string[]; rows: unknown[][] } | null;
  snapshots: { time_ms: number; what: string }[];
  exists_now: boolean;
}

export interface Priced {
  sql: string;
  line: number | null;
  bytes: number | null;
  price_usd: number | null;
  billed: 'would be' | 'real';
  error: string | null;
}

export type Block =
  | { kind: 'p' | 'note'; text: string }
  | { kind: 'list'; items: string[] }
  | { kind: 'code'; code: string; language: string }
  | { kind: 'table'; head: string[]; rows: string[][] };

export interface GuideStep {
  id: string;
  title: string;
  text: Block[];
  operation: string | null;
  snippet: string | null;
  place: string | null;
  permissions: string[];
  roles: string[];
  done: boolean | null;
  check: { ok: boolean; message: string }[];
}
