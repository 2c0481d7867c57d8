import { Binding } from '../contract';

/** What an answer is, so that it can be shown as that. */
export type View =
  | { kind: 'text'; text: string }
  | { kind: 'json'; text: string }
  | { kind: 'policy'; bindings: Binding[] }
  | { kind: 'rows'; columns: string[]; rows: unknown[][]; numeric: number[] };

export function view(answer: string): View {
  const start = answer.trimStart()[0];
  if (start !== '{' && start !== '[') return { kind: 'text', text: answer };
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch {
    return { kind: 'text', text: answer };
  }
  if (isRows(value)) {
    const rows = value.rows.map((row) => row.map((cell) => cell[1]));
    return { kind: 'rows', columns: value.schema, rows, numeric: numericColumns(value.schema.length, rows) };
  }
  if (isPolicy(value)) return { kind: 'policy', bindings: value.bindings };
  return { kind: 'json', text: JSON.stringify(value, null, 2) };
}

function isRows(value: unknown): value is { rows: [string, unknown][][]; schema: string[] } {
  const { rows, schema } = (value ?? {}) as { rows?: unknown; schema?: unknown };
  return Array.isArray(schema) && Array.isArray(rows) && rows.every((row) => Array.isArray(row) && row.every(Array.isArray));
}

function isPolicy(value: unknown): value is { bindings: Binding[] } {
  const { bindings } = (value ?? {}) as { bindings?: unknown };
  return Array.isArray(bindings) && bindings.every((binding) => typeof binding?.role === 'string' && Array.isArray(binding.members));
}

/** The columns whose every value is a number or absent, with at least two numbers. */
function numericColumns(count: number, rows: unknown[][]): number[] {
  return Array.from({ length: count }, (_, column) => column).filter((column) => {
    let numbers = 0;
    return rows.every((row) => row[column] === null || (typeof row[column] === 'number' && ++numbers)) && numbers > 1;
  });
}

export interface Audience {
  name: string;
  kind: string;
  /** What letting this member in means; null for a single person, group or service account. */
  open: string | null;
}

/** A member of a policy, `type:name` or one of the two that stand for everybody. */
export function audience(member: string): Audience {
  if (member === 'allUsers') return { name: member, kind: 'public', open: 'Anyone on the internet, signed in or not' };
  if (member === 'allAuthenticatedUsers') return { name: member, kind: 'public', open: 'Anyone with a Google account' };
  const colon = member.indexOf(':');
  return { name: member.slice(colon + 1), kind: colon < 0 ? '' : member.slice(0, colon), open: null };
}
