"""Legacy SQL, as much of it as has the same meaning in GoogleSQL: one SELECT over tables with flat columns.

A text is read by a grammar of its own and written anew. What the grammar has no rule for is refused by name, never passed on.
Source: BigQuery's "Legacy SQL functions and operators" and "Migrating to GoogleSQL".
"""
from __future__ import annotations

import re

from . import values
from .errors import ApiError, unsupported

TOKEN = re.compile(r"""\s+|--[^\n]*|\#[^\n]*|//[^\n]*|/\*.*?\*/|(?P<string>r?'(?:[^'\\]|\\.)*'|r?"(?:[^"\\]|\\.)*")|\[(?P<bracket>[^\]\n]+)\]
    |(?P<number>\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)|(?P<sign><>|!=|<=|>=|==|[-+*/%=<>(),.;])""", re.X | re.S)
DIRECTIVE = re.compile(r"\s*#\s*(standard|legacy)sql\b", re.I)
TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "STRING": "STRING", "BOOLEAN": "BOOL", "BYTES": "BYTES", "TIMESTAMP": "TIMESTAMP"}
# Functions that mean the same in both; what takes another form has a template of its arguments, by their number.
SAME = set("""ABS ACOS ACOSH ASIN ASINH ATAN ATANH ATAN2 AVG CEIL COALESCE CONCAT COS COSH CURRENT_TIMESTAMP EXP FLOOR IF IFNULL IS_INF IS_NAN LEFT LENGTH LN LOG
    LOG10 LOWER LPAD LTRIM MAX MIN POW RAND REGEXP_EXTRACT REGEXP_REPLACE REPLACE RIGHT ROUND RPAD RTRIM SIN SINH SQRT STDDEV STDDEV_POP STDDEV_SAMP SUBSTR SUM
    TAN TANH UPPER VARIANCE VAR_POP VAR_SAMP""".split())
TEMPLATES = {
    "INTEGER": "SAFE_CAST({0} AS INT64)", "FLOAT": "SAFE_CAST({0} AS FLOAT64)", "STRING": "CAST({0} AS STRING)", "BOOLEAN": "CAST({0} AS BOOL)",
    "NVL": "IFNULL({0}, {1})", "INSTR": "STRPOS({0}, {1})", "LOG2": "LOG({0}, 2)", "PI": "ACOS(-1)", "DEGREES": "({0} * 180 / ACOS(-1))",
    "RADIANS": "({0} * ACOS(-1) / 180)", "EXACT_COUNT_DISTINCT": "COUNT(DISTINCT {0})", "GROUP_CONCAT_UNQUOTED": "STRING_AGG({0})",
    "REGEXP_MATCH": "REGEXP_CONTAINS({0}, {1})", "NOW": "UNIX_MICROS(CURRENT_TIMESTAMP())", "CURRENT_DATE": "FORMAT_TIMESTAMP('%F', CURRENT_TIMESTAMP())",
    "DATE": "FORMAT_TIMESTAMP('%F', {0})", "TIMESTAMP": "TIMESTAMP({0})", "DATEDIFF": "DATE_DIFF(DATE({0}), DATE({1}), DAY)",
    "USEC_TO_TIMESTAMP": "TIMESTAMP_MICROS({0})", "MSEC_TO_TIMESTAMP": "TIMESTAMP_MILLIS({0})", "SEC_TO_TIMESTAMP": "TIMESTAMP_SECONDS({0})",
    "TIMESTAMP_TO_USEC": "UNIX_MICROS({0})", "TIMESTAMP_TO_MSEC": "UNIX_MILLIS({0})", "TIMESTAMP_TO_SEC": "UNIX_SECONDS({0})",
    **{part: f"EXTRACT({part} FROM {{0}})" for part in ("YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "DAYOFWEEK", "DAYOFYEAR")}}
WORDS = set("SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT AS ON JOIN INNER LEFT RIGHT FULL OUTER CROSS EACH ASC DESC AND OR NOT IN IS NULL BETWEEN CONTAINS LIKE "
            "CASE WHEN THEN ELSE END TRUE FALSE CAST OMIT WITHIN OVER IGNORE UNION SEMI ANTI".split())


def asked(config: dict) -> bool:
    """Whether a query is in legacy SQL: the text's first line says so, else its configuration, which does unless told otherwise."""
    if found := DIRECTIVE.match(config.get("query") or ""):
        return found[1].lower() == "legacy"
    return config.get("useLegacySql", True)


def translate(text: str) -> str:
    """A query in GoogleSQL; ApiError notImplemented names what is not supported."""
    reader = Reader(text)
    query = reader.query()
    reader.takes(";")
    if reader.at < len(reader.tokens):
        raise reader.refused()
    return query


def check_flat(statement) -> None:
    """ApiError notImplemented where columns are nested or repeated, which legacy SQL flattens."""
    for table in statement.tables:
        if any(values.repeated(field) or field.get("fields") for field in table.fields):
            raise unsupported("legacy SQL over nested or repeated columns")


class Reader:
    """The tokens of a text, (kind, text) each, read from left to right."""

    def __init__(self, text: str):
        self.tokens, self.at, place = [], 0, 0
        while place < len(text.rstrip()):
            found = TOKEN.match(text, place)
            if not found:
                raise unsupported(f"legacy SQL with {text[place:place + 10]!r}")
            if found.lastgroup:
                self.tokens.append((found.lastgroup, found[found.lastgroup]))
            place = found.end()

    @property
    def next(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def sees(self, *words: str) -> bool:
        following = [text.upper() for kind, text in self.tokens[self.at:self.at + len(words)] if kind in ("name", "sign")]
        return following == list(words)

    def takes(self, *words: str) -> bool:
        """Whether these words follow; they are then read."""
        if found := self.sees(*words):
            self.at += len(words)
        return found

    def need(self, word: str) -> str:
        if not self.takes(word):
            raise self.refused()
        return word

    def refused(self) -> ApiError:
        return unsupported(f"legacy SQL with {self.next[1] or 'such an end'!r} at this place")

    # Queries --------------------------------------------------------------------------------------

    def query(self) -> str:
        self.need("SELECT")
        items, joined = self.many(self.item), False
        made = f"SELECT {', '.join(items)}"
        if self.takes("FROM"):
            source, joined = self.source()
            made += f" FROM {source}"
        if joined and "*" in items:
            raise unsupported("legacy SQL with * over joined tables")
        if self.takes("WHERE"):
            made += f" WHERE {self.either()}"
        if self.takes("GROUP", "EACH", "BY") or self.takes("GROUP", "BY"):
            made += f" GROUP BY {', '.join(self.many(self.either))}"
        if self.takes("HAVING"):
            made += f" HAVING {self.either()}"
        if self.takes("ORDER", "BY"):
            made += f" ORDER BY {', '.join(self.many(self.ordered))}"
        if self.takes("LIMIT"):
            made += f" LIMIT {self.number()}"
        return made

    def many(self, read) -> list[str]:
        found = [read()]
        while self.takes(","):
            found.append(read())
        return found

    def item(self) -> str:
        if self.takes("*"):
            return "*"
        before = self.at
        made = self.either()
        path = [text for kind, text in self.tokens[before:self.at] if text != "."]
        if self.takes("AS") or self.is_name():
            return f"{made} AS {self.name()}"
        plain = len(path) > 1 and all(kind == "name" or text == "." for kind, text in self.tokens[before:self.at])
        return f"{made} AS `{'_'.join(path)}`" if plain and path[0].upper() not in WORDS else made

    def ordered(self) -> str:
        made = self.either()
        return made + (" DESC" if self.takes("DESC") else "" if not self.takes("ASC") else " ASC")

    def source(self) -> tuple[str, bool]:
        made, joined = self.table(), False
        if self.sees(","):
            raise unsupported("legacy SQL with a comma between tables")
        while True:
            kind = next((kind for kind in ("INNER", "LEFT OUTER", "LEFT", "RIGHT OUTER", "RIGHT", "FULL OUTER", "CROSS", "") if
                         self.sees(*kind.split(), "JOIN")), None)
            if kind is None:
                return made, joined
            self.at += len(kind.split()) + 1
            self.takes("EACH")
            made, joined = f"{made} {kind} JOIN {self.table()}", True
            if kind != "CROSS":
                self.need("ON")
                made += f" ON {self.either()}"

    def table(self) -> str:
        if self.takes("("):
            made = f"({self.query()}{self.need(')')}"
        elif self.next[0] == "bracket":
            made = self.bracketed()
        else:
            made = self.path()
        if self.takes("AS") or self.is_name():
            made += f" AS {self.name()}"
        return made

    def bracketed(self) -> str:
        """[project:dataset.table]"""
        text = self.tokens[self.at][1]
        self.at += 1
        if not re.fullmatch(r"(?:[\w.-]+:)?[\w.-]+", text):
            raise unsupported(f"legacy SQL with the table [{text}]")
        return f"`{text.replace(':', '.')}`"

    # Expressions ----------------------------------------------------------------------------------

    def either(self) -> str:
        made = self.both()
        while self.takes("OR"):
            made = f"({made} OR {self.both()})"
        return made

    def both(self) -> str:
        made = self.negated()
        while self.takes("AND"):
            made = f"({made} AND {self.negated()})"
        return made

    def negated(self) -> str:
        return f"(NOT {self.negated()})" if self.takes("NOT") else self.compared()

    def compared(self) -> str:
        made = self.sum()
        if self.takes("IS"):
            no = " NOT" if self.takes("NOT") else ""
            return f"({made} IS{no} {self.need('NULL')})"
        no = " NOT" if self.takes("NOT") else ""
        if self.takes("IN"):
            self.need("(")
            inner = self.query() if self.sees("SELECT") else ", ".join(self.many(self.either))
            return f"({made}{no} IN ({inner}{self.need(')')})"
        if self.takes("BETWEEN"):
            least = self.sum()
            self.need("AND")
            return f"({made}{no} BETWEEN {least} AND {self.sum()})"
        if self.takes("LIKE"):
            return f"({made}{no} LIKE {self.sum()})"
        if self.takes("CONTAINS"):
            return f"({'NOT ' if no else ''}STRPOS({made}, {self.sum()}) > 0)"
        if no:
            raise self.refused()
        for sign in ("=", "==", "!=", "<>", "<=", ">=", "<", ">"):
            if self.takes(sign):
                return f"({made} {'=' if sign == '==' else sign} {self.sum()})"
        return made

    def sum(self) -> str:
        made = self.product()
        while self.sees("+") or self.sees("-"):
            sign = self.tokens[self.at][1]
            self.at += 1
            made = f"({made} {sign} {self.product()})"
        return made

    def product(self) -> str:
        made = self.signed()
        while self.sees("*") or self.sees("/") or self.sees("%"):
            sign = self.tokens[self.at][1]
            self.at += 1
            other = self.signed()
            made = f"MOD({made}, {other})" if sign == "%" else f"({made} {sign} {other})"
        return made

    def signed(self) -> str:
        return f"(-{self.signed()})" if self.takes("-") else self.primary()

    def primary(self) -> str:
        kind, text = self.next
        if self.takes("("):
            return f"({self.either()}{self.need(')')}"
        if kind == "string":
            self.at += 1
            return text
        if kind == "number":
            return self.number()
        if kind == "bracket":  # a column whose name needs it
            self.at += 1
            return ".".join(f"`{part}`" for part in text.split("."))
        for word in ("TRUE", "FALSE", "NULL"):
            if self.takes(word):
                return word
        if self.takes("CASE"):
            return self.case()
        if self.takes("CAST"):
            return self.cast()
        if kind == "name" and self.tokens[self.at + 1:self.at + 2] == [("sign", "(")]:
            return self.call()
        return self.path()

    def case(self) -> str:
        made = "CASE" if self.sees("WHEN") else f"CASE {self.either()}"
        while self.takes("WHEN"):
            made += f" WHEN {self.either()}"
            self.need("THEN")
            made += f" THEN {self.either()}"
        if self.takes("ELSE"):
            made += f" ELSE {self.either()}"
        return f"{made} {self.need('END')}"

    def cast(self) -> str:
        self.need("(")
        made = self.either()
        self.need("AS")
        kind = TYPES.get(self.next[1].upper())
        if kind is None:
            raise self.refused()
        self.at += 1
        return f"CAST({made} AS {kind}{self.need(')')}"

    def call(self) -> str:
        name = self.tokens[self.at][1].upper()
        self.at += 2
        if name == "COUNT":
            distinct = "DISTINCT " if self.takes("DISTINCT") else ""
            made = f"COUNT({distinct}{'*' if self.takes('*') else self.either()}{self.need(')')}"
        elif name in SAME or name in TEMPLATES:
            given = [] if self.sees(")") else self.many(self.either)
            self.need(")")
            form = TEMPLATES.get(name)
            if form and len(given) != len(set(re.findall(r"\{\d\}", form))):
                raise unsupported(f"legacy SQL with {name} of {len(given)} arguments")
            made = form.format(*given) if form else f"{name}({', '.join(given)})"
        else:
            raise unsupported(f"legacy SQL with the function {name}")
        if self.sees("OVER") or self.sees("WITHIN"):
            raise self.refused()
        return made

    def number(self) -> str:
        kind, text = self.next
        if kind != "number":
            raise self.refused()
        self.at += 1
        return text

    def is_name(self) -> bool:
        kind, text = self.next
        return kind == "bracket" or kind == "name" and text.upper() not in WORDS

    def name(self) -> str:
        if not self.is_name():
            raise self.refused()
        self.at += 1
        return f"`{self.tokens[self.at - 1][1]}`"

    def path(self) -> str:
        parts = [self.name()]
        while self.takes("."):
            parts.append(self.name())
        return ".".join(parts)
