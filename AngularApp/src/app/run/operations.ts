import { environment } from '../../environments/environment';

/** The parts of the form that an operation shows. */
export interface Fields {
  name: 'table' | 'bucket' | null;
  emails: boolean;
  browse: boolean;
}

export interface Operation extends Fields {
  title: string;
  about: string;
}

const TABLE: Fields = { name: 'table', emails: false, browse: false };

export const OPERATIONS: Record<string, Operation> = {
  create: { ...TABLE, title: 'Create a table', about: 'Makes an empty table with four columns in Tables_Dataset.' },
  setIAM: {
    ...TABLE,
    emails: true,
    title: 'Set who has access',
    about: 'Makes the people below owners of the table; everyone else may edit or view.',
  },
  getIAM: { ...TABLE, title: 'See who has access', about: 'Shows the roles that the table’s policy gives, and to whom.' },
  updateDesc: { ...TABLE, title: 'Change the description', about: 'Writes a description to the table and checks it.' },
  updateExpiration: { ...TABLE, title: 'Let it expire', about: 'Makes the table expire five days from now.' },
  copySingle: { ...TABLE, title: 'Copy a table', about: 'Copies the table to Copied_Table.' },
  copyMultiple: { ...TABLE, title: 'Merge two tables', about: 'Appends the table and a public one into Merged_Table.' },
  delete: { ...TABLE, title: 'Delete a table', about: 'Deletes the table. For seven days it can be recovered.' },
  recover: { ...TABLE, title: 'Recover a table', about: 'Deletes the table, then brings it back as Recovered_Table by time travel.' },
  querySDK: {
    name: null,
    emails: false,
    browse: true,
    title: 'Browse rows',
    about: 'Reads a public table without SQL, in one of five ways.',
  },
  querySQL: {
    name: null,
    emails: false,
    browse: false,
    title: 'Query with SQL',
    about: 'The ten most viewed questions about BigQuery on Stack Overflow.',
  },
  export: {
    name: 'bucket',
    emails: false,
    browse: false,
    title: 'Export to a bucket',
    about: 'Writes a public table as CSV to Cloud Storage.',
  },
};

export const BROWSING = [
  { value: 'All Rows', about: 'Iterate over every row and print it' },
  { value: 'Count Rows', about: 'Download all rows and count them' },
  { value: '10 Rows', about: 'Ten rows as JSON, shown as a table' },
  { value: 'Selected Fields', about: 'The first two columns of ten rows, printed' },
  { value: 'Pretty Print', about: 'Ten rows in aligned columns, printed' },
] as const;

export const MEMBER_TYPES = ['user', 'group', 'serviceAccount'] as const;

/** Operations that must never run without being asked for: they destroy, or let people in. */
export const NEVER_BY_ITSELF = new Set(['delete', 'recover', 'setIAM']);

/** Whether the code of an operation may send SQL: querySQL's does, and one of the learner's own may. */
export function mayHoldSql(key: string): boolean {
  return key === 'querySQL' || !(key in OPERATIONS);
}

/** The panel that is pinned by hand in src/environments, or null. */
export function pinned(tables: typeof environment.regularTables = environment.regularTables): Operation | null {
  const title = 'Pinned form';
  const about = 'Chosen in src/environments; the operation that is on in tables.py still decides what runs.';
  if (tables.setIAM || tables.IAM) return { ...TABLE, emails: tables.setIAM, title, about };
  if (tables.browse) return { name: null, emails: false, browse: !tables.query, title, about };
  return tables.default ? { ...TABLE, title, about } : null;
}

/** How an operation is shown that the page has no words for. */
export function operation(key: string): Operation {
  return OPERATIONS[key] ?? { ...TABLE, title: key, about: 'An operation of your own.' };
}
