import { bytes, count, duration, money, pretty } from './format';

describe('numbers for people', () => {
  it('have a unit that fits', () => {
    expect([0, 999, 1000, 1550, 41234, 999_600, 12_345_678].map(bytes)).toEqual([
      '0 B',
      '999 B',
      '1 kB',
      '1.6 kB',
      '41.2 kB',
      '1000 kB',
      '12.3 MB',
    ]);
    expect([0.8, 12.4, 1500, 61_000].map(duration)).toEqual(['0.8 ms', '12 ms', '1.5 s', '1 min 1 s']);
    expect([0, 0.00000014, 0.00006, 6.25].map(money)).toEqual(['$0', '$0.00000014', '$0.000060', '$6.25']);
    expect([count(1, 'row'), count(100_000, 'row')]).toEqual(['1 row', '100,000 rows']);
  });

  it('leave text as it is', () => {
    expect(pretty('a')).toBe('a');
    expect(pretty({ a: 1 })).toBe('{\n  "a": 1\n}');
  });
});
