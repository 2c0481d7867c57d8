import { Catalog } from '../contract';
import { filtered } from './catalog';

const table = (name: string) => ({ table: name, type: 'TABLE', rows: 0, bytes: 0, expires: null });
const CONTENTS: Catalog = {
  projects: [
    {
      project: 'p',
      datasets: [
        { dataset: 'Tables_Dataset', tables: [table('states'), table('Copied_Table')] },
        { dataset: 'other', tables: [] },
      ],
    },
  ],
  buckets: [{ bucket: 'my-bucket', files: [{ name: 'shakespeare.csv', bytes: 1, updated: '' }] }],
};

describe('filtering the catalog', () => {
  it('shows everything without a text', () => {
    expect(filtered(CONTENTS, '')).toBe(CONTENTS);
  });

  it('keeps what has the text in its name, and what it lies in', () => {
    const found = filtered(CONTENTS, 'copied')!;
    expect(found.projects[0].datasets.map(({ dataset, tables }) => [dataset, tables.map(({ table }) => table)])).toEqual([
      ['Tables_Dataset', ['Copied_Table']],
    ]);
    expect(found.buckets).toEqual([]);
  });

  it('shows a dataset or a bucket whole when its own name has the text', () => {
    expect(filtered(CONTENTS, 'dataset')!.projects[0].datasets[0].tables).toHaveLength(2);
    expect(filtered(CONTENTS, 'bucket')!.buckets[0].files).toHaveLength(1);
    expect(filtered(CONTENTS, 'nothing')).toEqual({ projects: [], buckets: [] });
  });
});
