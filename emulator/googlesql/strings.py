"""Strings: places in them, regular expressions, FORMAT, as templates of DuckDB SQL."""
from __future__ import annotations

import re
from string import ascii_lowercase, ascii_uppercase

from .. import values
from ..errors import ApiError
from . import python_functions, types
from .casts import CASTS, casted
from .expressions import PLACEHOLDER, Call, NoRule
from .runtime import raised_text

WHITESPACE = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(133) || chr(160) || chr(8232) || chr(8233) || chr(12288)"
AT_MOST = "CASE WHEN {n} > 4294967295 THEN 4294967295 ELSE {n} END"  # DuckDB's limit of places in a text


class Texts(Call):
    """A call over BYTES as one over STRINGs that have a character for each byte."""

    def __init__(self, call: Call):
        self.__dict__.update(call.__dict__)
        self.kinds = ["STRING" if kind == "BYTES" else kind for kind in call.kinds]

    def literal(self, i: int):
        value = super().literal(i)
        return value.decode("latin-1") if isinstance(value, bytes) else value

    def edge(self) -> str:
        made = PLACEHOLDER.sub("\x03\\1\x04", super().edge())  # it takes the arguments as they are
        return converted(made, self.type, "VARCHAR", "of_bytes")

    def argument(self, i: int) -> str:
        if isinstance(super().literal(i), bytes):
            return types.string_literal(self.literal(i))
        return converted("{%d}" % i, self.protos[i], "VARCHAR", "of_bytes")


def converted(x: str, proto, result: str, function: str) -> str:
    """SQL of BYTES, or an array of them, by a function of texts.py; of any other type as it is."""
    kind = types.sql_name(proto)
    if kind == "ARRAY<BYTES>":
        return python_functions.call(f"{result}[]", f"texts.{function}_list", x)
    return python_functions.call(result, f"texts.{function}", x) if kind == "BYTES" else x


def of_both(entry):
    """A rule of a function of STRINGs, for BYTES too."""
    def rule(call: Call) -> str:
        if "BYTES" not in call.kinds and types.sql_name(call.protos[0]) != "ARRAY<BYTES>":
            return entry(call) if callable(entry) else entry
        texts = Texts(call)
        made = PLACEHOLDER.sub(lambda found: texts.argument(int(found[1])), entry(texts) if callable(entry) else entry)
        return converted(made, call.type, "BLOB", "to_bytes").replace("\x03", "{").replace("\x04", "}")
    return rule


def substring(call: Call) -> str:
    start = call.literal(1)
    if isinstance(start, int) and 0 < start < 2**32:
        place = "{1}"
    else:
        place = "CASE WHEN {1} = 0 OR {1} < -length({0}) THEN 1 WHEN {1} < 0 THEN length({0}) + {1} + 1 ELSE " + AT_MOST.replace("{n}", "{1}") + " END"
    if len(call.args) == 2:
        return f"substring({{0}}, {place})"
    length = call.literal(2)
    short = isinstance(length, int) and length < 2**32
    cut = f"substring({{0}}, {place}, {'{2}' if short else AT_MOST.replace('{n}', '{2}')})"
    if isinstance(length, int) and length >= 0:
        return cut
    return f"CASE WHEN {{2}} < 0 THEN {raised_text('Third argument in SUBSTR() cannot be negative')} ELSE {cut} END"


def end_of_text(name: str) -> str:
    failed = raised_text(f"Second argument in {name.upper()}() cannot be negative")
    return f"CASE WHEN {{1}} < 0 THEN {failed} ELSE {name}({{0}}, {AT_MOST.replace('{n}', '{1}')}) END"


def trimmed(name: str):
    def rule(call: Call) -> str:
        return f"{name}({{0}}, {{1}})" if len(call.args) > 1 else f"{name}({{0}}, {WHITESPACE})"
    return rule


def padded(name: str):
    def rule(call: Call) -> str:
        pad = "{2}" if len(call.args) > 2 else "' '"
        return f"CASE WHEN {{1}} < 0 OR {pad} = '' THEN {call.edge()} ELSE {name}({{0}}, ({{1}})::INTEGER, {pad}) END"
    return rule


def concatenated(call: Call) -> str:
    joined = "(" + " || ".join("{%d}" % i for i in range(len(call.args))) + ")"
    return joined if call.kind == "ARRAY" else f"{joined}::{types.duckdb_type(call.type)}"  # DuckDB forgets the type of a constant NULL


def split(call: Call) -> str:
    return "CASE WHEN {1} IS NOT NULL THEN string_split({0}, {1}) END" if len(call.args) > 1 else "string_split({0}, ',')"


def repeated(call: Call) -> str:
    return f"CASE WHEN {{1}} < 0 THEN {call.edge()} ELSE repeat({{0}}, {{1}}) END"


def or_else(template: str):
    """A template, and Google's own words where it fails."""
    return lambda call: f"CASE WHEN {{0}} IS NOT NULL THEN coalesce(TRY({template}), {call.edge()}) END"


def character(call: Call) -> str:
    return f"CASE WHEN {{0}} BETWEEN 0 AND 55295 OR {{0}} BETWEEN 57344 AND 1114111 THEN chr(({{0}})::INTEGER) WHEN {{0}} IS NOT NULL THEN {call.edge()} END"


def translated(call: Call) -> str:
    letters = call.literal(1)
    if isinstance(letters, str) and len(set(letters)) == len(letters):
        return "translate({0}, {1}, {2})"
    return f"CASE WHEN len(list_distinct(string_split({{1}}, ''))) < length({{1}}) THEN {call.edge()} ELSE translate({{0}}, {{1}}, {{2}}) END"


def regexp_replace(call: Call) -> str:
    pattern, rewrite = call.literal(1), call.literal(2)
    if isinstance(rewrite, str) and re.search(r"\\(?![\\\d])|\\\d", rewrite):
        known = isinstance(pattern, str)
        if re.search(r"\\(?![\\\d])", rewrite) or not known or max(int(digit) for digit in re.findall(r"\\(\d)", rewrite)) > groups(pattern):
            raise NoRule("REGEXP_REPLACE with such a replacement")
    return "regexp_replace({0}, {1}, {2}, 'g')"


def position(call: Call) -> str:
    """INSTR(value, part [, from [, occurrence]])."""
    if len(call.args) == 2:
        return "CASE WHEN {1} = '' THEN " + call.edge() + " ELSE strpos({0}, {1}) END" if call.literal(1) in ("", None) else "strpos({0}, {1})"
    occurrence = "{3}" if len(call.args) > 3 else "1"
    found = python_functions.call("BIGINT", "texts.instr", "{0}", "{1}", "{2}", occurrence)
    return f"CASE WHEN {{2}} = 0 OR {occurrence} < 1 OR {{1}} = '' THEN {call.edge()} ELSE {found} END"


def groups(pattern: str) -> int:
    """The number of capturing groups in a regular expression."""
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "", pattern)
    return len(re.findall(r"\((?!\?)|\(\?P?<", plain))


def group_of(call: Call) -> int:
    count = groups(call.text(1))
    if count > 1:
        raise ApiError("invalidQuery", "Regular expressions passed into extraction functions must not have more than 1 capturing group", "query")
    return count


def regexp_extract(call: Call) -> str:
    group = group_of(call)
    if len(call.args) == 2:
        return f"CASE WHEN regexp_matches({{0}}, {{1}}) THEN regexp_extract({{0}}, {{1}}, {group}) END"
    occurrence = "{3}" if len(call.args) > 3 else "1"
    checks = f"WHEN {{2}} < 1 THEN {raised_text('Position must be positive')} WHEN {occurrence} < 1 AND {{2}} IS NOT NULL THEN {raised_text('Occurrence must be positive')}"
    return f"CASE {checks} ELSE (regexp_extract_all(substring({{0}}, {AT_MOST.replace('{n}', '{2}')}), {{1}}, {group}))[{occurrence}] END"


def regexp_position(call: Call) -> str:
    """REGEXP_INSTR(text, pattern): as far as the shortest text before a match, which the evaluator judges if it is empty. A group in the pattern would be what is found."""
    if call.kinds[0] != "STRING" or len(call.args) > 2 or groups(call.text(1)):
        raise NoRule("REGEXP_INSTR of such arguments")
    before = "length(regexp_extract({0}, '(?s:^(.*?))(?:' || {1} || ')', 1)) + 1"
    return (f"CASE WHEN NOT regexp_matches({{0}}, {{1}}) THEN 0 WHEN regexp_extract({{0}}, {{1}}) = '' THEN {call.edge()} "
            f"WHEN {{0}} IS NOT NULL THEN {before} END")


def regexp_extract_all(call: Call) -> str:
    # A match of nothing at the end counts for DuckDB alone.
    return f"CASE WHEN {{0}} <> '' AND regexp_matches('', {{1}}) THEN {call.edge()} ELSE regexp_extract_all({{0}}, {{1}}, {group_of(call)}) END"


# What the standard says of single characters and DuckDB does not: the lower form of some is a character and a mark, the upper form of some two letters.
SPECIAL_UPPER = "[" + "".join(c for c in map(chr, range(0x80, 0xFB18)) if len(c.upper()) > 1) + "]"


def lower(call: Call) -> str:
    if call.kinds[0] == "BYTES":
        return of_both(f"translate({{0}}, '{ascii_uppercase}', '{ascii_lowercase}')")(call)
    return of_letters("lower", "[İΣ]")


def upper(call: Call) -> str:
    if call.kinds[0] == "BYTES":
        return of_both(f"translate({{0}}, '{ascii_lowercase}', '{ascii_uppercase}')")(call)
    return of_letters("upper", SPECIAL_UPPER)


def of_letters(name: str, special: str) -> str:
    """LOWER or UPPER: of letters that become several, or another one at a word's end, as Python has it."""
    whole = f"CASE WHEN regexp_matches({{0}}, '{special}') THEN {python_functions.call('VARCHAR', f'texts.{name}', '{0}')} ELSE {name}({{0}}) END"
    return f"CASE WHEN strlen({{0}}) = length({{0}}) THEN {name}({{0}}) ELSE {whole} END"


# DuckDB's own function keeps a letter and its accents together.
REVERSE = "CASE WHEN strlen({0}) = length({0}) AND NOT contains({0}, chr(13)) THEN reverse({0}) ELSE array_to_string((string_split({0}, ''))[:-:-1], '') END"


# BigQuery forgives spaces and a missing end.
FROM_BASE64 = "from_base64(rpad(regexp_replace({0}, '[ =]', '', 'g'), ((length(regexp_replace({0}, '[ =]', '', 'g')) + 3) // 4 * 4)::INTEGER, '='))"
INITCAP = ("(array_to_string(list_transform(regexp_extract_all({0}, '%s'), lambda w: replace(upper(w[1]), 'ẞ', 'ß') || lower(w[2:])), '') || '')"
           % r"""[\s\[\](){}/|<>!?@"^#$&~_,.:;*%+-]+|[^\s\[\](){}/|<>!?@"^#$&~_,.:;*%+-]+""".replace("'", "''"))

SPECIFIER = re.compile(r"%(?P<flags>[-+ #0']*)(?P<width>\d*)(?:\.(?P<precision>\d+))?(?P<letter>[diuoxXeEfFgGaAcspPtT%])")


def formatted(call: Call) -> str:
    """FORMAT(format, ...): each element by its own SQL; NULL in any but %t and %T makes the whole NULL."""
    pattern, pieces, at, used = call.text(0), [], 0, 1
    for found in SPECIFIER.finditer(pattern):
        if "%" in pattern[at:found.start()]:
            raise NoRule("this format of FORMAT")
        pieces.append(values.string(pattern[at:found.start()]))
        at = found.end()
        if found["letter"] == "%":
            pieces.append("'%'")
            continue
        if used >= len(call.args):
            raise NoRule("FORMAT with too few arguments")
        pieces.append(format_element(call, used, found))
        used += 1
    if "%" in pattern[at:] or used != len(call.args):
        raise NoRule("this format of FORMAT")
    pieces.append(values.string(pattern[at:]))
    return "(" + " || ".join(p for p in pieces if p != "''" or len(pieces) == 1) + ")" if any(p != "''" for p in pieces) else "''"


def format_element(call: Call, i: int, found: re.Match) -> str:
    letter, kind, x = found["letter"], call.kinds[i], "{%d}" % i
    flags, width, precision = found["flags"], found["width"], found["precision"]
    if "'" in flags or "#" in flags:
        if letter in "di" and flags == "'" and not width:
            return f"format('{{:,}}', {x})".replace("{:,}", "{:,}")
        raise NoRule("this flag of FORMAT")
    if letter in "xXo" and kind == "INTEGER":
        if flags or width:
            raise NoRule("this flag of FORMAT")
        return f"(CASE WHEN {x} < 0 THEN '-' ELSE '' END || printf('%{letter}', abs({x}::HUGEINT)::UBIGINT))"
    if letter in "diu" and kind == "INTEGER" and precision is None:
        return f"printf('%{flags}{width}{letter if letter != 'i' else 'd'}', {x})"
    if letter in "fFeEgG" and kind in ("FLOAT", "NUMERIC", "BIGNUMERIC"):
        spec = f"'%{flags}{width}.{precision or 6}{letter}'"
        large = python_functions.call("VARCHAR", "texts.formatted_float", spec, f"{x}::DOUBLE")  # DuckDB fills up with zeros
        return f"CASE WHEN abs({x}) < 1e15 THEN printf({spec}, {x}::DOUBLE + 0e0) ELSE {large} END"  # -0.0 is printed as 0
    if letter == "s" and kind == "STRING" or letter in "tT":
        text = literal_text(call, i) if letter == "T" else ("{%d}" % i if kind == "STRING" else plain_text(call, i))
        text = f"coalesce({text}, 'NULL')" if letter in "tT" else text
        text = f"left({text}, {precision})" if precision else text
        if width:
            text = f"rpad({text}, greatest(length({text}), {width})::INTEGER, ' ')" if "-" in flags else f"lpad({text}, greatest(length({text}), {width})::INTEGER, ' ')"
        return text
    raise NoRule(f"the format element %{letter} for {kind}")


def plain_text(call: Call, i: int) -> str:
    """%t: a value's text, as a cast to STRING has it."""
    if (call.kinds[i], "STRING") not in CASTS or call.kinds[i] == "BYTES":
        raise NoRule(f"%t of {call.kinds[i]}")
    if call.kinds[i] == "FLOAT":
        return "CASE WHEN {%d} = trunc({%d}) AND abs({%d}) < 1e15 THEN {%d}::VARCHAR ELSE %s END" % (i, i, i, i, casted(call, i, "STRING"))
    return casted(call, i, "STRING")


# In single quotes where that spares the escapes.
TEXT_LITERAL = ("CASE WHEN regexp_matches({0}, '[[:cntrl:]]') THEN " + python_functions.call("VARCHAR", "texts.quoted", "{0}") + " WHEN contains({0}, '\"') AND NOT contains({0}, chr(39)) THEN chr(39) || replace((to_json({0})::VARCHAR)[2:-2], '\\\"', '\"') || chr(39) "
                "ELSE to_json({0})::VARCHAR END")


def literal_text(call: Call, i: int) -> str:
    """%T: a value as GoogleSQL writes it."""
    kind, x = call.kinds[i], "{%d}" % i
    if kind == "FLOAT":
        return f"CASE WHEN isfinite({x}) THEN {plain_text(call, i)} WHEN {x} IS NOT NULL THEN 'CAST(\"' || {x}::VARCHAR || '\" AS FLOAT64)' END"
    if kind in ("INTEGER", "BOOLEAN"):
        return plain_text(call, i)
    if kind == "STRING":
        return TEXT_LITERAL.replace("{0}", x)
    if kind in ("DATE", "DATETIME", "TIME", "TIMESTAMP", "NUMERIC"):
        return f"('{kind} \"' || {plain_text(call, i)} || '\"')".replace('NUMERIC "\'', 'NUMERIC "\'')
    raise NoRule(f"%T of {kind}")


# Text analysis ------------------------------------------------------------------------------------

def text_analyze(call: Call) -> str:
    return python_functions.call("VARCHAR[]", "text_analysis.analyzed", *named_arguments(call, ("", "analyzer", "analyzer_options")))


def text_search(call: Call) -> str:
    """SEARCH over a STRING, an array of them, JSON, or all STRINGs of a STRUCT."""
    _, query, scope, analyzer, options = named_arguments(call, ("", "", "json_scope", "analyzer", "analyzer_options"))
    return python_functions.call("BOOLEAN", "text_analysis.search", texts_of(call.protos[0], "{0}", scope, False), query, analyzer, options)


def named_arguments(call: Call, names: tuple[str, ...]) -> list[str]:
    """The places of a call's arguments in the order of names, NULL for one that is left out."""
    given = iter(range(len(call.args)))
    present = [argument.options.argument_name if argument.options.argument_name else "" for argument in call.signature if argument.num_occurrences]
    found = dict(zip([name or f"#{i}" for i, name in enumerate(present)], given))
    return ["{%d}" % found[key] if (key := name or f"#{i}") in found else "NULL" for i, name in enumerate(names)]


def texts_of(proto, x: str, scope: str, all_types: bool) -> str:
    """SQL of the texts in a value: of its STRINGs, or of whatever there is."""
    kind = types.kind_name(proto)
    if kind == "STRING":
        return f"[{x}]"
    if kind == "JSON":
        leaf = "NOT IN ('OBJECT', 'ARRAY', 'NULL')" if all_types else "= 'VARCHAR'"
        values_in = f"list_filter(list_transform(json_extract({x}, '$..*') || [{x}], lambda j: CASE WHEN json_type(j) {leaf} THEN json_extract_string(j, '$') END), lambda t: t IS NOT NULL)"
        keys = f"regexp_extract_all({x}::VARCHAR, '\"((?:[^\"\\\\]|\\\\.)*)\":', 1)"
        chosen = f"CASE coalesce({scope}, 'JSON_VALUES') WHEN 'JSON_KEYS' THEN {keys} WHEN 'JSON_KEYS_AND_VALUES' THEN list_concat({keys}, {values_in}) ELSE {values_in} END"
        return f"CASE WHEN {x} IS NULL THEN [NULL] ELSE {chosen} END"
    if kind == "ARRAY":
        element = proto.array_type.element_type
        return x if types.kind_name(element) == "STRING" else f"flatten(list_transform({x}, lambda e: {texts_of(element, 'e', scope, all_types)}))"
    if kind == "RECORD":
        parts = [texts_of(part.field_type, f"struct_extract({x}, {values.string(name)})", scope, all_types) for name, part in zip(types.struct_names(proto), proto.struct_type.field)]
        return f"flatten([{', '.join(parts)}])"
    if not all_types:
        return "[]::VARCHAR[]"
    return f"[{x}::VARCHAR]" if (kind, "STRING") not in CASTS or kind == "BYTES" else f"[{CASTS[kind, 'STRING'].replace('{0}', x)}]"


def contains_substr(call: Call) -> str:
    value, part, scope = named_arguments(call, ("", "", "json_scope"))
    found = python_functions.call("BOOLEAN", "text_analysis.contains_substr", texts_of(call.protos[0], value, scope, True), part)
    if call.kinds[0] != "STRING":
        return found
    return f"CASE WHEN strlen({value}) = length({value}) AND strlen({part}) = length({part}) THEN contains(lower({value}), lower({part})) ELSE {found} END"


def tf_idf(call: Call) -> str:
    most, threshold = (call.args[i] if i < len(call.args) else default for i, default in ((1, "32000"), (2, "5")))
    weights = python_functions.call("VARCHAR[]", "text_analysis.tf_idf", "list({0}){over}", most, threshold)
    return f"list_transform([({weights})[row_number(){{over}}]::JSON], lambda made: {values.from_json(types.rest_field(call.type), 'made')})[1]"


BAG_OF_WORDS = ("(CASE WHEN list_count({0}) < len({0}) THEN [struct_pack(term := NULL::VARCHAR, \"count\" := len({0}) - list_count({0}))] ELSE [] END"
                " || list_transform(list_sort(map_entries(list_histogram({0}))), lambda e: struct_pack(term := e.key, \"count\" := e.value::BIGINT)))")
