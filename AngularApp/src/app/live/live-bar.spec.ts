import { told } from './live-bar';

describe('what a save changed', () => {
  it('is told in a few words', () => {
    expect(told({ added: [], changed: ['my_bigquery_client.env'], removed: [] })).toBe('Changed env');
    expect(told({ added: ['my_bigquery_client.rows'], changed: ['helper'], removed: ['old'] })).toBe(
      'Changed helper; added rows; removed old',
    );
    expect(told({ added: ['a', 'b'], changed: [], removed: [] })).toBe('Added a, b');
    expect(told({ removed: ['a', 'b', 'c', 'd', 'e'] })).toBe('Removed a, b, c and 2 more');
    expect(told({})).toBe('Nothing that runs was changed');
  });
});
