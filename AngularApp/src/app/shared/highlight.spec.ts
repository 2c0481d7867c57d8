import { tokens } from './highlight';

const kinds = (code: string, language: string) =>
  tokens(code, language)
    .filter(({ kind }) => kind)
    .map(({ kind, text }) => [kind, text]);

describe('highlighting', () => {
  it('loses no character', () => {
    for (const code of ['', 'def f(', '"open', "f'''a\nb", 'x = 1 # "no string"', 'ग्राहक = 00_お客様', '`']) {
      for (const language of ['python', 'sql', 'json', 'shell', 'text']) {
        expect(
          tokens(code, language)
            .map(({ text }) => text)
            .join(''),
        ).toBe(code);
      }
    }
  });

  it('reads Python, complete or not', () => {
    expect(kinds('def execute(self): # why', 'python')).toEqual([
      ['keyword', 'def'],
      ['name', 'execute'],
      ['comment', '# why'],
    ]);
    expect(kinds('f"a # b" + 1_000', 'python')).toEqual([
      ['string', 'f"a # b"'],
      ['number', '1_000'],
    ]);
    expect(kinds('"""a\nb""" if', 'python')).toEqual([
      ['string', '"""a\nb"""'],
      ['keyword', 'if'],
    ]);
    expect(kinds('"open\nif', 'python')).toEqual([
      ['string', '"open'],
      ['keyword', 'if'],
    ]);
  });

  it('reads SQL and JSON', () => {
    expect(kinds('select 1 from `p.d.t` -- all', 'sql')).toEqual([
      ['keyword', 'select'],
      ['number', '1'],
      ['keyword', 'from'],
      ['name', '`p.d.t`'],
      ['comment', '-- all'],
    ]);
    expect(kinds('{"a": "b", "c": null}', 'json')).toEqual([
      ['name', '"a"'],
      ['string', '"b"'],
      ['name', '"c"'],
      ['keyword', 'null'],
    ]);
  });
});
