import { audience, view } from './answer';

describe('what an answer is', () => {
  it('is text unless it is JSON', () => {
    expect(view('Created table t.')).toEqual({ kind: 'text', text: 'Created table t.' });
    expect(view('{not json}')).toEqual({ kind: 'text', text: '{not json}' });
    expect(view('')).toEqual({ kind: 'text', text: '' });
  });

  it('is rows with columns in the order of the schema', () => {
    const answer = JSON.stringify({
      rows: [
        [
          ['url', 'a'],
          ['views', 3],
        ],
        [
          ['url', 'b'],
          ['views', 2],
        ],
      ],
      schema: ['url', 'views'],
    });
    expect(view(answer)).toEqual({
      kind: 'rows',
      columns: ['url', 'views'],
      rows: [
        ['a', 3],
        ['b', 2],
      ],
      numeric: [1],
    });
  });

  it('can be plotted where a column has at least two numbers and nothing else but nulls', () => {
    const rows = [
      [
        ['a', 1],
        ['b', 1],
        ['c', null],
      ],
      [
        ['a', null],
        ['b', 'x'],
        ['c', null],
      ],
      [
        ['a', 2],
        ['b', 2],
        ['c', 5],
      ],
    ];
    expect(view(JSON.stringify({ rows, schema: ['a', 'b', 'c'] }))).toMatchObject({ numeric: [0] });
    expect(view(JSON.stringify({ rows: [], schema: ['a'] }))).toMatchObject({ kind: 'rows', numeric: [] });
  });

  it('is a policy', () => {
    expect(view('{"bindings": [{"role": "roles/viewer", "members": ["allUsers"]}]}')).toMatchObject({ kind: 'policy' });
    expect(view('{"bindings": [{"role": 1}]}')).toMatchObject({ kind: 'json' });
  });

  it('is any other JSON, indented', () => {
    expect(view('[1]')).toEqual({ kind: 'json', text: '[\n  1\n]' });
  });
});

describe('a member of a policy', () => {
  it('is flagged when it stands for everybody', () => {
    expect(audience('allUsers').open).toContain('internet');
    expect(audience('allAuthenticatedUsers').open).toContain('Google account');
    expect(audience('user:ada@example.com')).toEqual({ name: 'ada@example.com', kind: 'user', open: null });
  });
});
