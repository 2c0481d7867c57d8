/** A piece of code and what it is: '' for anything without a colour of its own. */
export interface Token {
  kind: '' | 'comment' | 'string' | 'number' | 'keyword' | 'name';
  text: string;
}

const PYTHON =
  'False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield match case';
const SQL =
  'ALL AND AS ASC BETWEEN BY CASE CAST CREATE CROSS DELETE DESC DISTINCT DROP ELSE END EXISTS FALSE FOR FROM FULL GROUP HAVING IN INNER INSERT INTERVAL INTO IS JOIN LEFT LIKE LIMIT MERGE NOT NULL OF ON OR ORDER OUTER OVER PARTITION RIGHT SELECT SET STRUCT SYSTEM_TIME TABLE THEN TRUE UNION UNNEST UPDATE USING VALUES VIEW WHEN WHERE WITH';

const STRINGS = String.raw`(?:\b[rRbBfFuU]{1,2})?(?:"""[\s\S]*?(?:"""|(?![\s\S]))|'''[\s\S]*?(?:'''|(?![\s\S]))|"(?:\\.|[^"\\\n])*(?:"|(?=\n)|$)|'(?:\\.|[^'\\\n])*(?:'|(?=\n)|$))`;
const NUMBERS = String.raw`\b\d[\w.]*`;

/** Tolerant of code that is not complete, as code in an editor is: what it can't read is left without a colour. */
const LANGUAGES: Record<string, RegExp> = {
  python: language('#.*', PYTHON, String.raw`(?<=\b(?:def|class)\s+)\w+`),
  sql: language('--.*|#.*', SQL, '`[^`\n]*`?', 'i'),
  json: language('(?!)', 'true false null', String.raw`"(?:\\.|[^"\\])*"(?=\s*:)`),
  shell: language('(?<=^|\\s)#.*', '', '(?!)'),
};

function language(comment: string, keywords: string, name: string, flags = ''): RegExp {
  const words = keywords ? `\\b(?:${keywords.replaceAll(' ', '|')})\\b` : '(?!)';
  return new RegExp(
    `(?<name>${name})|(?<comment>${comment})|(?<string>${STRINGS})|(?<keyword>${words})|(?<number>${NUMBERS})`,
    'g' + flags,
  );
}

export function tokens(code: string, language: string): Token[] {
  const found: Token[] = [];
  let end = 0;
  const add = (kind: Token['kind'], text: string) => text && found.push({ kind, text });
  for (const match of LANGUAGES[language] ? code.matchAll(LANGUAGES[language]) : []) {
    const [kind] = Object.entries(match.groups!).find(([, text]) => text !== undefined)!;
    add('', code.slice(end, match.index));
    add(kind as Token['kind'], match[0]);
    end = match.index + match[0].length;
  }
  add('', code.slice(end));
  return found;
}
