"""The table of SQL functions: how DuckDB says each of BigQuery's.

No template is a macro of DuckDB as a whole (list_reverse(x), array_to_string(x, y)): as an argument that is bound, it would lose
its name in a correlated subquery.

FUNCTIONS, AGGREGATES, WINDOWS: name -> a template over its arguments ({0}, {1}), or a dict from the
first argument's type to one, or a function from the Call to one: python() of a function of Python,
evaluator for Google's own. An operator's name begins with $.
"""
from __future__ import annotations

import re

from .. import values
from ..errors import ApiError
from . import dates, json_values, python_functions, strings, types
from .casts import CASTS
from .collations import FOLDED
from .expressions import FEW, FIRSTS, LITERAL, VOLATILE, Call, NoRule, fill, isolated, no
from .json_values import json_array, json_query, json_scalar, json_value
from .runtime import raised, raised_text
from .strings import concatenated, of_both


def register(connection) -> None:
    """Make a connection fit for compiled SQL: UTC, so that a TIMESTAMP's text and parts are BigQuery's; functions of Python."""
    connection.execute("SET TimeZone='UTC'")
    python_functions.register(connection)


python = python_functions.python


def evaluator(call: Call):
    """The entry of a function that the reference evaluator computes; others come here for the types and forms without a template."""
    raise NoRule(f"the function {call.name.upper()}")


# Operators ----------------------------------------------------------------------------------------

def logical(word: str):
    def rule(call: Call) -> str:
        return "(" + f" {word} ".join("{%d}" % i for i in range(len(call.args))) + ")"
    return rule


# Which side's NaN makes DuckDB, to which NaN is the largest number, find what BigQuery does not.
NAN_SIDE = {"=": 0, "<>": 0, ">": 0, ">=": 0, "<": 1, "<=": 1}


def is_number(literal) -> bool:
    return literal is not None and literal == literal


def compare(operator: str):
    def rule(call: Call) -> str:
        if call.kinds[0] == "RECORD" and operator in ("=", "<>"):
            same = same_record(call.protos[0], "{0}", "{1}")
            return same if operator == "=" else f"(NOT {same})"
        plain = f"({{0}} {operator} {{1}})"
        side = NAN_SIDE[operator]
        constant = is_number(call.literal(side)) or operator in ("=", "<>") and is_number(call.literal(1 - side))
        if call.kinds[side] != "FLOAT" or constant:
            return plain
        return f"({plain} OR isnan({{{side}}}))" if operator == "<>" else f"({plain} AND NOT isnan({{{side}}}))"
    return rule


def between(call: Call) -> str:
    """NaN, in DuckDB the largest number, is between none."""
    unsure = [i for i in (0, 2) if call.kinds[0] == "FLOAT" and not is_number(call.literal(i))]
    return "({0} BETWEEN {1} AND {2}" + "".join(" AND NOT isnan({%d})" % i for i in unsure) + ")"


def same_record(proto, a: str, b: str) -> str:
    """Equality of two structs, NULL where a field decides that is NULL; DuckDB takes NULLs in them for equal."""
    pairs = []
    for name, part in zip(types.struct_names(proto), proto.struct_type.field):
        x, y = (f"struct_extract({value}, {values.string(name)})" for value in (a, b))
        pairs.append(same_record(part.field_type, x, y) if types.kind_name(part.field_type) == "RECORD" else f"{x} = {y}")
    return f"({' AND '.join(pairs) or f'{a} IS NOT NULL AND {b} IS NOT NULL'})"


# What is not tested for overflow, because the test would compute it twice.
COSTLY = re.compile(r"SELECT |lambda |py_|random\(|\{")
LONG = 400


def finite(call: Call, operator: str) -> str:
    """Arithmetic of FLOAT64 that fails where finite numbers make one that is not.

    A sum, difference or product passes an infinity on, so a tree of them is tested once, at its top.
    """
    plain = f"({{0}} {operator} {{1}})"
    if call.safe:
        return f"CASE WHEN NOT isfinite({plain}) AND isfinite({{0}}) AND isfinite({{1}}) THEN {call.edge()} ELSE {plain} END"
    trees = [call.compiler.arithmetic.get(arg, (arg, (arg,))) for arg in call.args]
    if operator == "/":
        trees[1] = (call.args[1], (call.args[1],))
    whole = f"({trees[0][0]} {operator} {trees[1][0]})"
    if len(whole) > LONG or COSTLY.search(whole):
        return plain
    operands = tuple(dict.fromkeys(trees[0][1] + trees[1][1]))
    tested = "".join(f" AND isfinite({operand})" for operand in operands if not LITERAL.fullmatch(operand))
    sql = f"CASE WHEN NOT isfinite({whole}){tested} THEN {fill(call.edge(), call.args)} ELSE {whole} END"
    if operator != "/":
        call.compiler.arithmetic[sql] = whole, operands
    return sql


# Of NUMERICs, in integers of 10^-9; one digit more than is kept tells how to round.
QUOTIENT = ("CASE WHEN abs({0}) < 1e19 THEN ((replace({0}::VARCHAR, '.', '')::HUGEINT * 10000000000 // replace({1}::VARCHAR, '.', '')::HUGEINT"
            " + CASE WHEN ({0} < 0) <> ({1} < 0) THEN -5 ELSE 5 END) // 10)::DECIMAL(38,0) * 0.000000001::DECIMAL(10,9)"
            f" ELSE {python_functions.call('VARCHAR', 'bignumeric.numeric_quotient', '{0}', '{1}')}::DECIMAL(38,9) END")


def divided(call: Call) -> str:
    plain = [f"regexp_replace({{{i}}}::VARCHAR, '[.]0+$', '')" for i in (0, 1)]
    zero = raised("'division by zero: '", plain[0], "' / '", plain[1])
    if call.kind == "FLOAT":
        return f"CASE WHEN {{1}} = 0 THEN {zero} ELSE {finite(call, '/')} END"
    if call.kind == "INTERVAL":
        return evaluator(call)
    if call.kind == "BIGNUMERIC":
        return python("BLOB", "bignumeric.divide")(call)
    return f"CASE WHEN {{1}} = 0 THEN {zero} ELSE {QUOTIENT} END"


# What surely is an INTERVAL of BigQuery's; the evaluator judges what is near the ends.
INTERVAL_RANGE = "datepart('year', {x}) BETWEEN -9999 AND 9999 AND datepart('day', {x}) BETWEEN -3659999 AND 3659999 AND datepart('hour', {x}) BETWEEN -87839999 AND 87839999"


def added(sign: str):
    def rule(call: Call) -> str:
        first, second = call.kinds
        if sign == "-" and first == "DATE" and second == "DATE":
            return "to_days(({0} - {1})::INTEGER)"
        if sign == "-" and first == second and first in ("TIMESTAMP", "DATETIME"):
            micros = "(epoch_us({0}) - epoch_us({1}))"
            day = dates.MICROS["DAY"]
            return f"to_microseconds{micros}" if first == "TIMESTAMP" else f"(to_days(({micros} // {day})::INTEGER) + to_microseconds({micros} % {day}))"
        if "DATE" in (first, second) and "INTEGER" in (first, second):
            moved = f"({{0}} {sign} ({{1}})::INTEGER)" if first == "DATE" else f"({{1}} {sign} ({{0}})::INTEGER)"
            excess = dates.many(call, 0 if first == "INTEGER" else 1, "DAY")
            return f"CASE WHEN {excess} THEN {call.edge()} ELSE {dates.in_range(call, moved)} END" if excess else dates.in_range(call, moved)
        if second == "INTERVAL" or first == "INTERVAL":
            moved = f"({{0}} {sign} {{1}})"
            return dates.in_range(call, moved) if call.kind != "INTERVAL" else f"CASE WHEN {INTERVAL_RANGE.replace('{x}', moved)} THEN {moved} WHEN {moved} IS NOT NULL THEN {call.edge()} END"
        if call.kind == "NUMERIC":
            return f"({{0}} {sign} {{1}})::DECIMAL(38,9)"
        if call.kind == "BIGNUMERIC":
            return python("BLOB", "bignumeric.add" if sign == "+" else "bignumeric.subtract")(call)
        return finite(call, sign) if call.kind == "FLOAT" else f"({{0}} {sign} {{1}})"
    return rule


def multiplied(call: Call) -> str:
    if call.kind == "NUMERIC":
        # The product of two has eighteen places in DuckDB, and so twenty before the point.
        large = python_functions.call("VARCHAR", "bignumeric.numeric_product", "{0}", "{1}") + "::DECIMAL(38,9)"
        return f"coalesce(TRY(({{0}} * {{1}})::DECIMAL(38,9)), {large})"
    if call.kind == "BIGNUMERIC":
        return python("BLOB", "bignumeric.multiply")(call)
    return finite(call, "*") if call.kind == "FLOAT" else "({0} * {1})"


def case(call: Call) -> str:
    """CASE value WHEN x THEN y ... ELSE z."""
    whens = "".join(f" WHEN {{{i}}} THEN {{{i + 1}}}" for i in range(1, len(call.args) - 1, 2))
    return f"CASE {{0}}{whens}{otherwise(call, 1)} END"


def case_when(call: Call) -> str:
    whens = "".join(f" WHEN {{{i}}} THEN {{{i + 1}}}" for i in range(0, len(call.args) - 1, 2))
    return f"CASE{whens}{otherwise(call, 0)} END"


def otherwise(call: Call, before: int) -> str:
    return " ELSE {%d}" % (len(call.args) - 1) if (len(call.args) - before) % 2 else ""


def member(call: Call) -> str:
    return "({0} IN (" + ", ".join("{%d}" % i for i in range(1, len(call.args))) + "))"


def array(call: Call) -> str:
    return "[" + ", ".join("{%d}" % i for i in range(len(call.args))) + f"]::{types.duckdb_type(call.type)}"


def element_at(base: int, safe: bool):
    """array[OFFSET(i)] and its kin; an index outside is an error, or NULL where safe."""
    def rule(call: Call) -> str:
        if call.kinds[0] != "ARRAY":
            raise NoRule("a subscript of JSON" if call.kinds[0] == "JSON" else "such a subscript")
        index = "{1} + 1" if base == 0 else "{1}"
        found = f"({{0}})[{index}]"
        inside = f"{{1}} >= {base} AND {index} <= len({{0}})"
        if safe:
            return f"CASE WHEN {inside} THEN {found} END"
        failed = raised("'Array index '", "{1}::VARCHAR", f"CASE WHEN {{1}} < {base} THEN ' is out of bounds (underflow)' ELSE ' is out of bounds (overflow)' END")
        return f"CASE WHEN {inside} THEN {found} WHEN {{0}} IS NULL OR {{1}} IS NULL THEN NULL ELSE {failed} END"
    return rule


def json_subscript(call: Call) -> str:
    if call.kinds[0] != "JSON":
        return element_at(0, False)(call)
    if call.kinds[1] == "INTEGER":
        return "CASE WHEN {1} >= 0 THEN json_extract({0}, '$[' || {1} || ']') END"
    return values.json_member("{0}", call.text(1))


def extreme(name: str):
    """GREATEST and LEAST: NULL if any argument is; NaN wins over numbers."""
    def rule(call: Call) -> str:
        places = ["{%d}" % i for i in range(len(call.args))]
        null = " OR ".join(f"{place} IS NULL" for place in places)
        nan = " OR ".join(f"isnan({place})" for place in places)
        nan = f"WHEN {nan} THEN 'nan'::DOUBLE " if call.kind == "FLOAT" else ""
        return f"CASE WHEN {null} THEN NULL {nan}ELSE {name}({', '.join(places)}) END"
    return rule


CATCHING = {"iferror", "iserror", "nulliferror"}


def catching(template: str):
    """What becomes of an error; {0}: a struct with the value, NULL for an error. TRY takes no subqueries."""
    def rule(call: Call) -> str:
        if "SELECT " in call.args[0] or VOLATILE.search(call.args[0]):
            raise NoRule(f"{call.name.upper()} of a subquery")
        call.args[0] = isolated(call.args[0], lambda arg: f"TRY(struct_pack(v := {arg}))")
        return template
    return rule


# Numbers ------------------------------------------------------------------------------------------

def rounded(name: str):
    """ROUND and TRUNC [to n digits]."""
    def rule(call: Call) -> str:
        kind = types.duckdb_type(call.type)
        if len(call.args) > 2 or call.kind == "BIGNUMERIC":
            raise NoRule("ROUND with a mode")
        if len(call.args) == 1:
            return f"{name}({{0}})::{kind}"
        if call.kind == "FLOAT":
            return float_digits(name)
        digits = call.literal(1)
        if not isinstance(digits, int) or not -29 <= digits <= 38 or name == "trunc" and not 0 <= digits < 9:
            raise NoRule(f"{call.name.upper()} of {call.kind} to such a number of digits")
        if name == "round":
            return f"round({{0}}, {digits})::{kind}"
        unit = 10 ** (9 - digits)
        return f"((replace({{0}}::VARCHAR, '.', '')::HUGEINT // {unit} * {unit})::DECIMAL(38,0) * 0.000000001::DECIMAL(10,9))"
    return rule


def float_digits(name: str) -> str:
    """ROUND or TRUNC of a FLOAT64 to a number of digits, which may be beyond what a double has."""
    made = "round({0}, ({1})::INTEGER)" if name == "round" else "trunc({0} * pow(10e0, {1})) / pow(10e0, {1})"
    fits = "isfinite({0})" if name == "round" else "isfinite({0} * pow(10e0, {1}))"
    return (f"CASE WHEN {fits} AND {{1}} BETWEEN -308 AND 308 THEN {made} "
            "WHEN {1} IS NOT NULL THEN CASE WHEN {1} < -308 AND isfinite({0}) THEN 0 ELSE {0} END END")


def distance(value: str):
    """Of two vectors without NULLs, of one length and, where their angle counts, none of them zero."""
    def rule(call: Call) -> str:
        if types.sql_name(call.protos[0]) != "ARRAY<FLOAT64>":
            raise NoRule(f"{call.name.upper()} of such vectors")
        sound = "len({0}) = len({1}) AND len({0}) > 0 AND list_count({0}) = len({0}) AND list_count({1}) = len({1})"
        nonzero = f"CASE WHEN {sound} THEN list_inner_product({{0}}, {{0}}) > 0 AND list_inner_product({{1}}, {{1}}) > 0 END" if "sqrt" in value else sound
        return f"CASE WHEN {nonzero} THEN {value} WHEN {{0}} IS NOT NULL AND {{1}} IS NOT NULL THEN {call.edge()} END"
    return rule


def safe_arithmetic(operator: str):
    def rule(call: Call) -> str:
        call.safe = True
        return {"+": added("+"), "-": added("-"), "*": multiplied, "/": divided, "": lambda _: "(-{0})"}[operator](call)
    return rule


def domain(condition: str, value: str, message: str) -> str:
    """A value where the condition holds, else an error."""
    return f"CASE WHEN {condition} THEN {value} WHEN {{0}} IS NOT NULL THEN {raised_text(message)} END"


def of_angle(value: str, condition: str = "", name: str = "") -> str:
    """A trigonometric function: NaN for what is not finite, an error outside its domain."""
    outside = f" WHEN NOT ({condition}) THEN {raised_text(f'Floating point error in function: {name}')}" if condition else ""
    return f"CASE WHEN NOT isfinite({{0}}) THEN 'nan'::DOUBLE{outside} ELSE {value} END"


def logarithm(call: Call) -> str:
    if call.kind != "FLOAT":
        raise NoRule("LOG of NUMERIC")
    if len(call.args) == 1:
        return FUNCTIONS["ln"](call)
    return f"CASE WHEN {{0}} > 0 AND {{1}} > 0 AND {{1}} <> 1 AND isfinite({{0}}) AND isfinite({{1}}) THEN ln({{0}}) / ln({{1}}) WHEN {{0}} + {{1}} IS NOT NULL THEN {call.edge()} END"


def float_only(template: str):
    return lambda call: template if call.kind == "FLOAT" else no(f"{call.name.upper()} of NUMERIC")


def integer_division(call: Call) -> str:
    zero = raised("'division by zero: '", "{0}::VARCHAR", "' / '", "{1}::VARCHAR")
    if call.kind == "INTEGER":
        return f"CASE WHEN {{1}} = 0 THEN {zero} ELSE {{0}} // {{1}} END"
    whole = "(replace({0}::VARCHAR, '.', '')::HUGEINT // replace({1}::VARCHAR, '.', '')::HUGEINT)::DECIMAL(38,0)::DECIMAL(38,9)"
    return f"CASE WHEN {{1}} = 0 THEN {call.edge()} ELSE {whole} END"


def modulo(call: Call) -> str:
    zero = raised("'division by zero: MOD('", "{0}::VARCHAR", "', '", "{1}::VARCHAR", "')'")
    least = " WHEN {1} = -1 THEN {0} - {0}" if call.kind == "INTEGER" else ""  # the least integer by -1 is too much for DuckDB
    return f"CASE WHEN {{1}} = 0 THEN {zero}{least} ELSE {{0}} % {{1}} END"


def shifted(call: Call) -> str:
    operator = "<<" if call.name == "$bitwise_left_shift" else ">>"
    if call.kinds[0] != "INTEGER":
        raise NoRule("a shift of BYTES")
    if operator == "<<":
        number, by = call.literal(0), call.literal(1)
        if not isinstance(number, int) or not isinstance(by, int) or by < 0:
            raise NoRule("<< by a number that is not constant, or negative")
        return f"({wrapped(number << min(by, 64))})::BIGINT"
    return f"CASE WHEN {{0}} >= 0 AND {{1}} >= 0 THEN {{0}} >> least({{1}}, 63) WHEN {{0}} + {{1}} IS NOT NULL THEN {call.edge()} END"


def wrapped(number: int) -> int:
    """An integer in 64 bits, as two's complement."""
    number &= 2**64 - 1
    return number - 2**64 if number >= 2**63 else number


# Arrays -------------------------------------------------------------------------------------------

def generate_array(call: Call) -> str:
    step = "{2}" if len(call.args) > 2 else "1"
    if call.kinds[0] != "INTEGER":
        if call.kinds[0] == "FLOAT":
            step = "{2}" if len(call.args) > 2 else "1e0"
            count = f"floor(({{1}} - {{0}}) / {step})::BIGINT"
            return f"list_transform(generate_series(0, {count}), lambda g: {{0}} + g * {step})"
        raise NoRule("GENERATE_ARRAY of NUMERIC")
    series = f"generate_series({{0}}, {{1}}, {step})"
    if step == "1" or call.literal(2):
        return series
    return f"CASE WHEN {{2}} = 0 THEN {raised_text('Sequence step cannot be 0.')} ELSE {series} END"


def array_concat(call: Call) -> str:
    places = ["{%d}" % i for i in range(len(call.args))]
    null = " OR ".join(f"{place} IS NULL" for place in places)
    return f"CASE WHEN {null} THEN NULL ELSE list_concat({', '.join(places)}) END" if len(places) > 1 else "{0}"


BETWEEN_ITEMS = "'\x02between\x03items\x02'"  # DuckDB's function takes a constant; no text has this


def array_to_string(call: Call) -> str:
    items = "{0}"
    if len(call.args) > 2:
        items = "list_transform({0}, lambda a: coalesce(a, {2}))"
    given = " AND ".join("{%d} IS NOT NULL" % i for i in range(len(call.args)))
    joined = f"array_to_string({items}, {{1}})" if isinstance(call.literal(1), str) else f"replace(array_to_string({items}, {BETWEEN_ITEMS}), {BETWEEN_ITEMS}, {{1}})"
    return f"CASE WHEN {given} THEN coalesce({joined}, '') END"  # DuckDB has NULL where all items are


def end_of_array(name: str, place: str, word: str) -> str:
    return f"CASE WHEN len({{0}}) = 0 THEN {raised_text(f'{name} cannot get the {word} element of an empty array')} ELSE ({{0}})[{place}] END"


def edit_distance(call: Call) -> str:
    """Of ASCII; DuckDB counts the bytes of other letters. A limit is what a larger distance comes down to."""
    given = len(call.args) > 2 and call.args[2] != "NULL::BIGINT"
    made = "least(levenshtein({0}, {1}), {2})" if given else "levenshtein({0}, {1})"
    negative = " AND {2} >= 0" if given else ""
    return f"CASE WHEN strlen({{0}}) = length({{0}}) AND strlen({{1}}) = length({{1}}){negative} THEN {made} WHEN {{0}} IS NOT NULL AND {{1}} IS NOT NULL THEN {call.edge()} END"


def range_bucket(call: Call) -> str:
    found = "len(list_filter({1}, lambda b: b <= {0}))"
    return f"CASE WHEN {{0}} IS NULL THEN NULL WHEN {{1}} IS NOT DISTINCT FROM list_sort({{1}}) THEN {found} ELSE {call.edge()} END"


# Geography ----------------------------------------------------------------------------------------

# The type that DuckDB gets -> functions of geography.py and geography_formats.py.
GEOGRAPHY = {
    "VARCHAR": "st_asgeojson st_boundary st_buffer st_bufferwithtolerance st_centroid st_closestpoint st_convexhull st_difference st_endpoint st_exteriorring "
               "st_geogfrom st_geogfromgeojson st_geogfromtext st_geogfromwkb st_geogpointfromgeohash st_geohash st_geometrytype st_intersection "
               "st_lineinterpolatepoint st_linesubstring st_makeline st_makepolygon st_makepolygonoriented st_pointn st_simplify st_snaptogrid st_startpoint st_union",
    "BLOB": "st_asbinary",
    "BIGINT": "s2_cellidfrompoint st_dimension st_numgeometries st_numpoints",
    "DOUBLE": "st_angle st_area st_azimuth st_distance st_hausdorffdistance st_length st_linelocatepoint st_maxdistance st_perimeter st_x st_y",
    "BOOLEAN": "st_contains st_coveredby st_covers st_disjoint st_dwithin st_equals st_hausdorffdwithin st_intersects st_intersectsbox st_isclosed st_iscollection "
               "st_isempty st_isring st_touches st_within",
    "VARCHAR[]": "st_dump st_dumppoints st_interiorrings",
    "BIGINT[]": "s2_coveringcellids",
}
FORMATS = set("st_asgeojson st_asbinary st_geogfrom st_geogfromgeojson st_geogfromtext st_geogfromwkb st_geogpointfromgeohash st_geohash".split())
BOX = "list_transform([%s], lambda b: CASE WHEN b IS NOT NULL THEN struct_pack(xmin := b[1], ymin := b[2], xmax := b[3], ymax := b[4]) END)[1]"


def geography_point(call: Call) -> str:
    """ST_GEOGPOINT: said in SQL, as tables of points are long."""
    lng, lat = (f"regexp_replace(({{{i}}} + 0e0)::VARCHAR, '[.]0$', '')" for i in (0, 1))
    return (f"CASE WHEN {{0}} BETWEEN -180 AND 180 AND {{1}} BETWEEN -90 AND 90 THEN 'POINT(' || {lng} || ' ' || {lat} || ')' "
            f"ELSE {python_functions.call('VARCHAR', 'geography_formats.st_geogpoint', '{0}', '{1}')} END")


# Text, encryption ---------------------------------------------------------------------------------

def domain_of_host(labels: int):
    """NET.PUBLIC_SUFFIX and NET.REG_DOMAIN; the evaluator lacks the list of suffixes."""
    def rule(call: Call) -> str:
        from .reference import expression
        host = expression(call.compiler.plan.sql, "NET.HOST(@p0)", ["{0}"], call.protos, call.type, NoRule("NET.HOST"))
        return python_functions.call("VARCHAR", "texts.domain", host, str(labels))
    return rule


def collate(call: Call) -> str:
    name = call.text(1)
    if name not in ("", "binary", "und:ci"):
        raise ApiError("invalidQuery", f"COLLATE has invalid collation name '{name}'", "query")
    return "{0}"


def needs_kms(call: Call):
    raise ApiError("notImplemented", f"The embedded BigQuery has no Cloud KMS, which {call.name.upper()} needs.")


def inside_of(condition: str, value: str):
    """A value where the condition holds, else what the evaluator says is wrong."""
    return lambda call: f"CASE WHEN {condition} THEN {value} WHEN {{0}} IS NOT NULL THEN {call.edge()} END"


FUNCTIONS: dict[str, object] = {
    # Operators
    "$add": added("+"), "$subtract": added("-"), "$multiply": multiplied, "$divide": divided,
    "$unary_minus": {"BIGNUMERIC": python("BLOB", "bignumeric.negate"), "*": "(-{0})"}, "$and": logical("AND"), "$or": logical("OR"), "$not": "(NOT {0})",
    "$equal": compare("="), "$not_equal": compare("<>"), "$less": compare("<"), "$less_or_equal": compare("<="),
    "$greater": compare(">"), "$greater_or_equal": compare(">="),
    "$between": between, "$in": member,
    "$in_array": "CASE WHEN coalesce(len({1}), 0) = 0 THEN false WHEN {0} IS NULL THEN NULL WHEN list_contains({1}, {0}) THEN true "
                 "WHEN list_count({1}) < len({1}) THEN NULL ELSE false END",
    "$like": of_both("({0} LIKE {1} ESCAPE '\\')"), "$is_null": "({0} IS NULL)", "$is_true": "({0} IS TRUE)", "$is_false": "({0} IS FALSE)",
    "$is_distinct_from": "({0} IS DISTINCT FROM {1})", "$is_not_distinct_from": "({0} IS NOT DISTINCT FROM {1})",
    "$bitwise_and": {"INTEGER": "({0} & {1})"}, "$bitwise_or": {"INTEGER": "({0} | {1})"}, "$bitwise_xor": {"INTEGER": "xor({0}, {1})"},
    "$bitwise_not": {"INTEGER": "(~{0})"}, "$bitwise_left_shift": shifted, "$bitwise_right_shift": shifted,
    "$concat_op": concatenated, "$make_array": array,
    "$array_at_offset": element_at(0, False), "$array_at_ordinal": element_at(1, False),
    "$safe_array_at_offset": element_at(0, True), "$safe_array_at_ordinal": element_at(1, True), "$subscript": json_subscript,
    "$case_no_value": case_when, "$case_with_value": case,
    "$extract": dates.extract, "$extract_date": dates.extract, "$extract_time": dates.extract, "$extract_datetime": dates.extract,
    "$interval": dates.interval_of,
    # Conditions
    "if": "CASE WHEN {0} THEN {1} ELSE {2} END", "ifnull": "coalesce({0}, {1})", "nullif": {"FLOAT": "CASE WHEN {0} = {1} AND NOT isnan({0}) THEN NULL ELSE {0} END", "RECORD": lambda call: f"CASE WHEN {same_record(call.protos[0], '{0}', '{1}')} THEN NULL ELSE {{0}} END", "*": "CASE WHEN {0} = {1} THEN NULL ELSE {0} END"},
    "coalesce": lambda call: "coalesce(" + ", ".join("{%d}" % i for i in range(len(call.args))) + ")",
    "greatest": extreme("greatest"), "least": extreme("least"),
    # Without the cast DuckDB sees a NULL of no type, and says that it is one.
    "error": lambda call: f"({raised('{0}')})::{types.duckdb_type(call.type)}", "iferror": catching("(coalesce({0}, struct_pack(v := {1}))).v"),
    "iserror": catching("({0} IS NULL)"), "nulliferror": catching("({0}).v"),
    # Numbers
    "abs": "abs({0})", "sign": lambda call: "CASE WHEN isnan({0}) THEN {0} ELSE sign({0})::DOUBLE END" if call.kind == "FLOAT" else f"sign({{0}})::{types.duckdb_type(call.type)}",
    "is_nan": "isnan({0})", "is_inf": "isinf({0})",
    "round": rounded("round"), "trunc": rounded("trunc"),
    "ceil": lambda call: f"ceil({{0}})::{types.duckdb_type(call.type)}", "floor": lambda call: f"floor({{0}})::{types.duckdb_type(call.type)}",
    "mod": modulo, "div": integer_division,
    "safe_divide": lambda call: "CASE WHEN {1} <> 0 AND NOT (isinf({0} / {1}) AND isfinite({0})) THEN {0} / {1} END" if call.kind == "FLOAT" else safe_arithmetic("/")(call),
    "safe_add": safe_arithmetic("+"), "safe_subtract": safe_arithmetic("-"), "safe_multiply": safe_arithmetic("*"), "safe_negate": safe_arithmetic(""),
    "ieee_divide": "({0} / {1})",
    "pow": float_only(domain("isfinite(pow({0}, {1})) OR NOT isfinite({0}) OR NOT isfinite({1}) OR {1} IS NULL", "pow({0}, {1})", "Floating point error in function: POW")),
    "sqrt": float_only(domain("{0} >= 0 OR isnan({0})", "sqrt({0})", "Floating point error in function: SQRT")),
    # A step of Newton's: the C library's root of 27 is 3.0000000000000004.
    "cbrt": float_only("CASE WHEN {0} = 0 OR NOT isfinite({0}) THEN {0} ELSE cbrt({0}) - (cbrt({0}) * cbrt({0}) * cbrt({0}) - {0}) / (3 * cbrt({0}) * cbrt({0})) END"),
    "exp": float_only(domain("{0} < 709.79 OR isinf({0}) OR isnan({0})", "exp({0})", "Floating point error in function: EXP")),
    "ln": float_only(domain("{0} > 0 OR isnan({0}) OR {0} = '-inf'::DOUBLE", "CASE WHEN {0} < 0 THEN 'nan'::DOUBLE ELSE ln({0}) END", "Floating point error in function: LN")),
    "log": logarithm, "log10": float_only(domain("{0} > 0 OR isnan({0}) OR {0} = '-inf'::DOUBLE", "CASE WHEN {0} < 0 THEN 'nan'::DOUBLE ELSE log10({0}) END", "Floating point error in function: LOG10")),
    "sin": of_angle("sin({0})"), "cos": of_angle("cos({0})"), "tan": of_angle("tan({0})"), "cot": of_angle("(1 / tan({0}))", "{0} <> 0", "COT"),
    "csc": of_angle("(1 / sin({0}))", "{0} <> 0", "CSC"), "sec": of_angle("(1 / cos({0}))"),
    "asin": of_angle("asin({0})", "abs({0}) <= 1", "ASIN"), "acos": of_angle("acos({0})", "abs({0}) <= 1", "ACOS"), "atan": "atan({0})", "atan2": "atan2({0}, {1})",
    "sinh": domain("isfinite(sinh({0})) OR NOT isfinite({0})", "sinh({0})", "Floating point overflow in function: SINH"),
    "cosh": domain("isfinite(cosh({0})) OR NOT isfinite({0})", "cosh({0})", "Floating point overflow in function: COSH"), "tanh": "tanh({0})",
    "asinh": "asinh({0})", "acosh": domain("{0} >= 1 OR {0} = '-inf'::DOUBLE", "CASE WHEN {0} < 1 OR isnan({0}) THEN 'nan'::DOUBLE ELSE acosh({0}) END", "Floating point error in function: ACOSH"), "atanh": of_angle("atanh({0})", "abs({0}) < 1", "ATANH"),
    "rand": "random()", "range_bucket": range_bucket, "euclidean_distance": distance("list_distance({0}, {1})"),
    "cosine_distance": distance("(1 - list_inner_product({0}, {1}) / (sqrt(list_inner_product({0}, {0})) * sqrt(list_inner_product({1}, {1}))))"),
    "bit_count": {"INTEGER": "bit_count({0})::BIGINT"},
    # Strings
    "concat": concatenated, "lower": strings.lower, "upper": strings.upper, "substr": of_both(strings.substring), "substring": of_both(strings.substring),
    "trim": of_both(strings.trimmed("trim")), "ltrim": of_both(strings.trimmed("ltrim")), "rtrim": of_both(strings.trimmed("rtrim")),
    "replace": of_both("CASE WHEN {1} = '' AND {2} IS NOT NULL THEN {0} ELSE replace({0}, {1}, {2}) END"), "split": of_both(strings.split),
    "starts_with": of_both("starts_with({0}, {1})"), "ends_with": of_both("ends_with({0}, {1})"),
    "strpos": of_both("strpos({0}, {1})"), "instr": of_both(strings.position), "lpad": of_both(strings.padded("lpad")), "rpad": of_both(strings.padded("rpad")),
    "repeat": of_both(strings.repeated),
    "reverse": of_both(strings.REVERSE), "left": of_both(strings.end_of_text("left")), "right": of_both(strings.end_of_text("right")),
    "length": {"STRING": "length({0})", "BYTES": "octet_length({0})"}, "char_length": "length({0})", "character_length": "length({0})",
    "byte_length": {"STRING": "strlen({0})", "BYTES": "octet_length({0})"}, "octet_length": {"STRING": "strlen({0})", "BYTES": "octet_length({0})"},
    "initcap": lambda call: strings.INITCAP if len(call.args) == 1 else no("INITCAP with delimiters"),
    "ascii": of_both(lambda call: f"CASE WHEN {{0}} = '' THEN 0 WHEN strlen({{0}}) = length({{0}}) THEN ascii({{0}})::BIGINT WHEN {{0}} IS NOT NULL THEN {call.edge()} END"), "unicode": "CASE WHEN {0} = '' THEN 0 ELSE unicode({0})::BIGINT END",
    "chr": strings.character,
    "to_code_points": of_both("CASE WHEN {0} = '' THEN [] ELSE list_transform(string_split({0}, ''), lambda c: unicode(c)::BIGINT) END"),
    "code_points_to_string": strings.or_else("(array_to_string(list_transform({0}, lambda c: chr(c::INTEGER)), '') || '')"),
    "translate": of_both(strings.translated),
    "format": strings.formatted, "to_hex": "lower(hex({0}))", "from_hex": strings.or_else("unhex({0})"), "to_base64": "to_base64({0})", "from_base64": strings.or_else(strings.FROM_BASE64),
    "safe_convert_bytes_to_string": lambda call: f"coalesce(TRY(decode({{0}})), {call.edge()})",
    "contains_substr": strings.contains_substr,
    "regexp_contains": of_both("regexp_matches({0}, {1})"), "regexp_extract": of_both(strings.regexp_extract), "regexp_substr": of_both(strings.regexp_extract),
    "regexp_instr": strings.regexp_position, "regexp_extract_all": of_both(strings.regexp_extract_all), "regexp_replace": of_both(strings.regexp_replace),
    "edit_distance": edit_distance,
    "md5": "unhex(md5({0}))", "sha1": "unhex(sha1({0}))", "sha256": "unhex(sha256({0}))",
    "generate_uuid": "uuid()::VARCHAR", "session_user": lambda call: values.string(call.compiler.session_user),
    # Dates and times
    "current_date": lambda call: f"timezone({dates.zone(call, 0)}, now())::DATE", "current_timestamp": "now()",
    "current_datetime": lambda call: f"timezone({dates.zone(call, 0)}, now())", "current_time": lambda call: f"timezone({dates.zone(call, 0)}, now())::TIME",
    "date": dates.date, "datetime": dates.datetime, "time": dates.time, "timestamp": dates.timestamp,
    "date_add": dates.shift("+"), "date_sub": dates.shift("-"), "datetime_add": dates.shift("+"), "datetime_sub": dates.shift("-"),
    "timestamp_add": dates.shift("+"), "timestamp_sub": dates.shift("-"), "time_add": dates.shift("+"), "time_sub": dates.shift("-"),
    "date_diff": dates.difference, "datetime_diff": dates.difference, "timestamp_diff": dates.difference, "time_diff": dates.difference,
    "date_trunc": dates.truncate, "datetime_trunc": dates.truncate, "timestamp_trunc": dates.truncate, "time_trunc": dates.truncate,
    "last_day": dates.last_day,
    "format_date": dates.format_time, "format_datetime": dates.format_time, "format_time": dates.format_time, "format_timestamp": dates.format_time,
    "parse_date": dates.parse_time("DATE"), "parse_datetime": dates.parse_time("DATETIME"), "parse_time": dates.parse_time("TIME"),
    "parse_timestamp": dates.parse_time("TIMESTAMP"),
    "unix_date": "({0} - DATE '1970-01-01')", "date_from_unix_date": inside_of("{0} BETWEEN -719162 AND 2932896", "(DATE '1970-01-01' + ({0})::INTEGER)"),
    "unix_seconds": "floor(epoch_us({0}) / 1000000)::BIGINT", "unix_millis": "floor(epoch_us({0}) / 1000)::BIGINT", "unix_micros": "epoch_us({0})",
    **{f"timestamp_{unit}": inside_of(f"{{0}} BETWEEN {-62135596800 * size} AND {253402300800 * size - 1}", f"make_timestamptz({{0}} * {1000000 // size})")
       for unit, size in (("seconds", 1), ("millis", 1000), ("micros", 1000000))},
    "string": {"TIMESTAMP": dates.text_of_timestamp, "DATE": dates.text_of_timestamp, "DATETIME": dates.text_of_timestamp, "TIME": dates.text_of_timestamp,
               "JSON": json_scalar("VARCHAR", "json_extract_string({0}, '$')")},
    "date_bucket": dates.bucket, "datetime_bucket": dates.bucket, "timestamp_bucket": dates.bucket,
    **{f"range_{end}": lambda call, end=end: f'({{0}})."{end}"::{types.duckdb_type(call.type)}' for end in ("start", "end")}, "range_is_start_unbounded": 'CASE WHEN {0} IS NOT NULL THEN ({0})."start" IS NULL END',
    "range_is_end_unbounded": 'CASE WHEN {0} IS NOT NULL THEN ({0})."end" IS NULL END', "range_contains": dates.range_contains, "range_overlaps": dates.range_overlaps,
    "generate_date_array": dates.generate_dates, "generate_timestamp_array": dates.generate_dates,
    # Arrays
    "array_length": "len({0})", "array_concat": array_concat, "array_reverse": "({0})[:-:-1]", "array_to_string": of_both(array_to_string),
    "generate_array": generate_array, "array_first": end_of_array("ARRAY_FIRST", "1", "first"), "array_last": end_of_array("ARRAY_LAST", "-1", "last"),
    "array_filter": "list_filter({0}, {1})", "array_transform": "list_transform({0}, {1})",
    "array_is_distinct": "(len(list_distinct({0})) + CASE WHEN list_count({0}) < len({0}) THEN 1 ELSE 0 END = len({0}))",
    # JSON
    "json_value": json_value, "json_extract_scalar": json_value, "json_query": json_query, "json_extract": json_query,
    "json_query_array": json_array(False), "json_extract_array": json_array(False), "json_value_array": json_array(True),
    "json_extract_string_array": json_array(True), "json_type": "CASE json_type({0}) WHEN 'OBJECT' THEN 'object' WHEN 'ARRAY' THEN 'array' WHEN 'VARCHAR' THEN 'string' "
    "WHEN 'BOOLEAN' THEN 'boolean' WHEN 'NULL' THEN 'null' WHEN NULL THEN NULL ELSE CASE WHEN {0} IS NOT NULL THEN 'number' END END",
    "parse_json": json_values.parse_json,
    "json_set": json_values.json_edit, "json_array_append": json_values.json_edit, "json_array_insert": json_values.json_edit, "json_remove": json_values.json_remove,
    "json_strip_nulls": json_values.json_strip_nulls, "json_array": json_values.json_array_of, "json_object": json_values.json_object_of,
    "to_json_string": json_values.to_json_string, "to_json": json_values.to_json_value,
    "int64": lambda call: f"CASE WHEN json_type({{0}}) IN ('BIGINT', 'UBIGINT') THEN ({{0}})::BIGINT WHEN {{0}} IS NOT NULL THEN {call.edge()} END", "double": json_scalar("DOUBLE", "({0})::DOUBLE"), "float64": json_scalar("DOUBLE", "({0})::DOUBLE"),
    "bool": json_scalar("BOOLEAN", "({0})::BOOLEAN"),
}
FUNCTIONS |= {name: evaluator for name in """
    $like_all $like_any $not_like_all $not_like_any
    array_slice code_points_to_bytes coth csch sech 
    generate_range_array json_flatten json_keys
    justify_days justify_hours justify_interval lax_bool lax_float64 lax_int64 lax_string bool_array float64_array int64_array string_array
    lax_bool_array lax_float64_array lax_int64_array lax_string_array make_interval net.host net.ip_from_string net.ip_net_mask net.ip_to_string net.ip_trunc
    net.ipv4_from_int64 net.ipv4_to_int64  net.safe_ip_from_string nullifzero zeroifnull parse_bignumeric parse_numeric
    range range_intersect soundex
    timestamp_from_unix_micros timestamp_from_unix_millis timestamp_from_unix_seconds typeof
""".split()}
FUNCTIONS |= {
    "sha512": python("BLOB", "texts.sha512"), "farm_fingerprint": python("BIGINT", "fingerprint.farm_fingerprint"), "collate": collate, "net.public_suffix": domain_of_host(0), "net.reg_domain": domain_of_host(1),
    "normalize": python("VARCHAR", "texts.normalize"), "normalize_and_casefold": python("VARCHAR", "texts.normalize_and_casefold"),
    "to_base32": python("VARCHAR", "texts.to_base32"), "from_base32": python("BLOB", "texts.from_base32"),
    "search": strings.text_search, "text_analyze": strings.text_analyze, "bag_of_words": strings.BAG_OF_WORDS,
    "hll_count.extract": python("BIGINT", "sketches.hll_extract"),
    "kll_quantiles.extract_int64": python("BIGINT[]", "sketches.kll_extract"), "kll_quantiles.extract_float64": python("DOUBLE[]", "sketches.kll_extract"),
    "kll_quantiles.extract_point_int64": python("BIGINT", "sketches.quantile"), "kll_quantiles.extract_point_float64": python("DOUBLE", "sketches.quantile"),
}
FRESH = ("new_keyset", "add_key_from_raw_bytes", "rotate_keyset", "aead.encrypt")
FUNCTIONS |= {f"keys.{name}": python(result, f"keysets.{name}", name in FRESH) for name, result in (
    ("new_keyset", "BLOB"), ("add_key_from_raw_bytes", "BLOB"), ("rotate_keyset", "BLOB"), ("keyset_length", "BIGINT"), ("keyset_to_json", "VARCHAR"), ("keyset_from_json", "BLOB"))}
FUNCTIONS |= {name: python(result, f"keysets.{name.removeprefix('aead.')}", name in FRESH) for name, result in (
    ("aead.encrypt", "BLOB"), ("aead.decrypt_bytes", "BLOB"), ("aead.decrypt_string", "VARCHAR"), ("deterministic_encrypt", "BLOB"),
    ("deterministic_decrypt_bytes", "BLOB"), ("deterministic_decrypt_string", "VARCHAR"))}
FUNCTIONS |= {name: needs_kms for name in "keys.keyset_chain keys.new_wrapped_keyset keys.rewrap_keyset keys.rotate_wrapped_keyset".split()}
FUNCTIONS |= {name: python(result, f"{'geography_formats' if name in FORMATS else 'geography'}.{name}") for result, names in GEOGRAPHY.items() for name in names.split()}
FUNCTIONS |= {"st_geogpoint": geography_point, "st_astext": values.GEOGRAPHY_TEXT.format(x="{0}"),
              "st_boundingbox": BOX % python_functions.call("DOUBLE[]", "geography.st_boundingbox", "{0}")}
FUNCTIONS |= {"power": FUNCTIONS["pow"], "ceiling": FUNCTIONS["ceil"], "current_user": FUNCTIONS["session_user"]}


# What compares STRINGs, and so heeds their collation: name -> which of its arguments are compared, or SQL of its own.
COLLATED = dict.fromkeys("$equal $not_equal $less $less_or_equal $greater $greater_or_equal $between $in $is_distinct_from $is_not_distinct_from $like $in_array range_bucket "
                         "starts_with ends_with strpos instr contains_substr".split(), lambda call: range(len(call.args)))
COLLATED |= {
    "nullif": lambda call: f"CASE WHEN {FOLDED % '{0}'} = {FOLDED % '{1}'} THEN NULL ELSE {{0}} END" if call.kind == "STRING" else no("NULLIF of structs with a collation"),
    "$case_with_value": lambda call: [i for i in range(len(call.args)) if i == 0 or i % 2 and i + 1 < len(call.args)],
    "replace": python("VARCHAR", "texts.replaced_in_any_case"), "split": python("VARCHAR[]", "texts.split_in_any_case"),
    **{name: lambda call, name=name: collated_extreme(call, "list_reverse_sort" if name == "greatest" else "list_sort") for name in ("greatest", "least")},
}


def collated_extreme(call: Call, sort: str) -> str:
    places = ["{%d}" % i for i in range(len(call.args))]
    pairs = ", ".join(f"struct_pack(k := {FOLDED % place}, v := {place})" for place in places)
    return f"CASE WHEN {' AND '.join(f'{place} IS NOT NULL' for place in places)} THEN {sort}([{pairs}])[1].v END"


def no_bignumeric(entry):
    """An entry whose SQL is for numbers of DuckDB: what has a BIGNUMERIC goes to the evaluator."""
    def rule(call: Call):
        if "BIGNUMERIC" in call.kinds:
            return evaluator(call)
        made = entry.get(call.kinds[0], entry.get("*")) if isinstance(entry, dict) else entry
        return made(call) if callable(made) else made
    return rule


for name in ("abs sign round trunc ceil ceiling floor mod div pow power sqrt cbrt exp ln log log10 safe_divide safe_add safe_subtract safe_multiply safe_negate "
             "ieee_divide format generate_array").split():
    FUNCTIONS[name] = no_bignumeric(FUNCTIONS[name])


# Aggregates ---------------------------------------------------------------------------------------

MODIFIED = "({distinct}{0}{order}){filter}{over}"


def aggregate(name: str, cast: str = ""):
    return f"{name}{MODIFIED}{cast}"


def total(call: Call) -> str:
    """SUM: DuckDB sums integers in 128 bits, BigQuery in 64."""
    if call.kind == "BIGNUMERIC":
        return python_functions.call("BLOB", "bignumeric.total", aggregate("list"))
    if call.kind == "INTERVAL":
        return interval_sum()
    if call.kind == "FLOAT":
        # An infinite sum of finite numbers is an overflow. Over a window this would cost as much again as the sum.
        plain = aggregate("sum")
        finite = f"isfinite({plain.replace('{0}', '{0} * 0e0')})"  # costs less than to look for the extremes
        return plain if call.over else f"CASE WHEN NOT isfinite({plain}) AND {finite} THEN {raised_text('double overflow')} ELSE {plain} END"
    return aggregate("sum", f"::{types.duckdb_type(call.type)}")


def kept(call: Call) -> str:
    """The filter of an aggregate that does not look at NULLs."""
    return f"{call.filter[:-1]} AND {{0}} IS NOT NULL)" if call.filter else " FILTER (WHERE {0} IS NOT NULL)"


def interval_sum() -> str:
    """The sums of months, of days and of microseconds; DuckDB has no sum of intervals."""
    months, days = "(datepart('year', {0}) * 12 + datepart('month', {0}))", "datepart('day', {0})"
    micros = f"epoch_us({{0}} - to_months({months}::INTEGER) - to_days({days}::INTEGER))"
    sums = [f"sum({part}){{filter}}{{over}}::BIGINT" for part in (months, days, micros)]
    return f"(to_months(({sums[0]})::INTEGER) + to_days(({sums[1]})::INTEGER) + to_microseconds({sums[2]}))"


def average(call: Call) -> str:
    if call.kind == "FLOAT":
        return aggregate("avg")
    if call.kind == "INTERVAL":
        from .reference import expression
        return expression(call.compiler.plan.sql, "@p0 / NULLIF(@p1, 0)", [interval_sum(), "count({0}){filter}{over}"],
                          [call.type, types.type_proto({"type": "INTEGER"})], call.type, NoRule("AVG of INTERVAL"))
    if call.kind == "BIGNUMERIC":
        return python_functions.call("BLOB", "bignumeric.average", f"list({{distinct}}{{0}}{{order}}){kept(call)}{{over}}")
    number = "count({distinct}{0}){filter}{over}"
    return f"CASE WHEN {number} > 0 THEN {QUOTIENT.replace('{0}', f'sum{MODIFIED}').replace('{1}', f'{number}::DECIMAL(38,9)')} END"


def gathered(call: Call, filtered: str) -> str:
    """The list of a group's values. DISTINCT without ORDER BY: each where it first comes, as BigQuery has it, while they are few."""
    listed = f"list({{distinct}}{{0}}{{order}}){filtered}{{over}}"
    if call.firsts:
        listed = firsts(listed)
    elif call.distinct and not call.order:
        first = f"list_transform([list({{0}}){filtered}{{over}}], lambda l: {FIRSTS})[1]"
        listed = f"CASE WHEN count(*){filtered}{{over}} <= {FEW} THEN {first} ELSE {listed} END"
    return f"({listed})[:{call.limit}]" if call.limit else listed


def array_agg(call: Call) -> str:
    return gathered(call, "{filter}")


def firsts(listed: str) -> str:
    """The first of those texts of a list that differ in case alone."""
    return python_functions.call("VARCHAR[]", "texts.firsts", listed, f"list_transform({listed}, lambda t: {FOLDED % 't'})")


def string_agg(call: Call) -> str:
    if call.kinds[0] == "BYTES":
        joined = "list_reduce(list_transform(%s, lambda b: hex(b)), lambda a, b: a || hex(%s) || b)" % (
            gathered(call, kept(call)), call.args[1] if len(call.args) > 1 else "','::BLOB")
        return f"unhex({joined})"
    separator = call.args[1] if len(call.args) > 1 else "','"
    if call.limit or call.firsts or call.distinct and not call.order:
        return f"array_to_string({gathered(call, kept(call))}, {separator})"
    return f"string_agg({{distinct}}{{0}}, {separator}{{order}}){{filter}}{{over}}"


def array_concat_agg(call: Call) -> str:
    return f"flatten((list({{0}}{{order}}){kept(call)}{{over}}){f'[:{call.limit}]' if call.limit else ''})"


def pair(name: str, least: int):
    """CORR, COVAR_POP, COVAR_SAMP of more pairs than `least`: NaN where a number is not finite, which DuckDB takes for an error."""
    def rule(call: Call) -> str:
        x, y = as_double(call, 0), as_double(call, 1)
        modified, sound = "{filter}{over}", f"isfinite({x}) AND isfinite({y})"
        made = f"{name}(CASE WHEN {sound} THEN {x} END, {y}){modified}"
        return (f"CASE WHEN regr_count({x}, {y}){modified} > {least} THEN "
                f"CASE WHEN bool_or(NOT ({sound})){modified} THEN 'nan'::DOUBLE ELSE {made} END END")
    return rule


def bits(name: str) -> dict:
    """BIT_AND and its kin."""
    return {"INTEGER": aggregate(name)}


def as_double(call: Call, i: int) -> str:
    return CASTS["BIGNUMERIC", "FLOAT"].replace("{0}", "{%d}" % i) if call.kinds[i] == "BIGNUMERIC" else "{%d}::DOUBLE" % i


def variance(name: str):
    """STDDEV, VARIANCE and their kin: NaN where a value is not finite, which DuckDB takes for an error."""
    def rule(call: Call) -> str:
        if call.kinds[0] != "FLOAT":
            return f"{name}({{distinct}}{as_double(call, 0)}{{order}}){{filter}}{{over}}"
        made = f"{name}({{distinct}}CASE WHEN isfinite({{0}}) THEN {{0}} END{{order}}){{filter}}{{over}}"
        least = 1 if name.endswith("samp") else 0
        return f"CASE WHEN bool_or(NOT isfinite({{0}})){{filter}}{{over}} AND count({{0}}){{filter}}{{over}} > {least} THEN 'nan'::DOUBLE ELSE {made} END"
    return rule


def approx_quantiles(call: Call) -> str:
    number = call.literal(1)
    if not isinstance(number, int):
        raise NoRule("APPROX_QUANTILES of a number that is not constant")
    points = ", ".join(str(i / number) for i in range(number + 1))
    if call.respect_nulls or call.distinct:
        ranked = f"list_sort(list({{distinct}}{{0}}){call.filter if call.respect_nulls else kept(call)}{{over}}, 'ASC', 'NULLS FIRST')"
        return f"list_transform([{ranked}], lambda s: list_transform([{points}], lambda p: s[greatest(1, ceil(len(s) * p))::BIGINT]))[1]"
    return f"quantile_disc({{0}}, [{points}]){{filter}}{{over}}"


def percentile_disc(call: Call) -> str:
    if not call.respect_nulls:
        return "quantile_disc({0}, {1}){over}"
    ranked = "list_sort(list({0}){over}, 'ASC', 'NULLS FIRST')"
    return f"list_transform([{ranked}], lambda s: s[greatest(1, ceil(len(s) * {{1}}))::BIGINT])[1]"


def percentile_cont(call: Call) -> str:
    if call.respect_nulls or call.kind not in ("FLOAT", "NUMERIC"):
        raise NoRule("PERCENTILE_CONT with RESPECT NULLS" if call.respect_nulls else f"PERCENTILE_CONT of {call.kind}")
    return "quantile_cont({0}, {1}::DOUBLE){over}" + ("::DECIMAL(38,9)" if call.kind == "NUMERIC" else "")


def approx_top_count(call: Call) -> str:
    """[{value, count}] by count; a NULL is counted as well, which DuckDB's histogram leaves out."""
    counted = "coalesce(list_transform(map_entries(histogram({0}){filter}), lambda e: {'count': e.value::BIGINT, 'value': e.key}), [])"
    nulls = "CASE WHEN count(*){filter} > count({0}){filter} THEN [{'count': count(*){filter} - count({0}){filter}, 'value': NULL}] END"
    return f"CASE WHEN count(*){{filter}} > 0 THEN list_transform(list_reverse_sort(list_concat({counted}, {nulls}))[:{{1}}], lambda e: {{'value': e.value, 'count': e.count}}) END"


def approx_top_sum(call: Call) -> str:
    """[{value, sum}] by sum, a NULL sum last; here exact."""
    pairs = "list({'value': {0}, 'weight': {1}}){filter}"
    kind = types.duckdb_type(call.protos[1])
    by_value = f"list_distinct(list_transform({pairs}, lambda p: {{'value': p.value}}))"
    total = f"list_sum(list_transform(list_filter({pairs}, lambda p: p.value IS NOT DISTINCT FROM v.value), lambda p: p.weight))::{kind}"
    summed = f"list_transform({by_value}, lambda v: {{'known': {total} IS NOT NULL, 'sum': {total}, 'value': v.value}})"
    return f"list_transform(list_reverse_sort({summed})[:{{2}}], lambda e: {{'value': e.value, 'sum': e.sum}})"


def by_key(name: str):
    """A value where a key is largest or least; NULL where NaN is, which equals nothing."""
    def rule(call: Call) -> str:
        found = f"{name}({{0}}, {{1}}){{filter}}{{over}}"
        return f"CASE WHEN NOT bool_or(isnan({{1}})){{filter}}{{over}} THEN {found} END" if call.kinds[1:2] == ["FLOAT"] else found
    return rule


AGGREGATES: dict[str, object] = {
    "$count_star": "count(*){filter}{over}", "count": aggregate("count"), "countif": "count({distinct}CASE WHEN {0} THEN 1 END){filter}{over}",
    "sum": total, "avg": average, "min": {"FLOAT": f"CASE WHEN bool_or(isnan({{0}})){{filter}}{{over}} THEN 'nan'::DOUBLE ELSE {aggregate('min')} END", "*": aggregate("min")}, "max": aggregate("max"),
    "first": "first({0}{order}){filter}", "last": "last({0}{order}){filter}",  # of MATCH_RECOGNIZE
    "any_value": "any_value({0}){filter}{over}", "array_agg": array_agg, "string_agg": string_agg, "array_concat_agg": array_concat_agg,
    "approx_count_distinct": "count(DISTINCT {0}){filter}{over}", "approx_quantiles": approx_quantiles,
    "logical_and": aggregate("bool_and"), "logical_or": aggregate("bool_or"),
    "bit_and": bits("bit_and"), "bit_or": bits("bit_or"), "bit_xor": bits("bit_xor"),
    "stddev": variance("stddev_samp"), "stddev_samp": variance("stddev_samp"), "stddev_pop": variance("stddev_pop"),
    "variance": variance("var_samp"), "var_samp": variance("var_samp"), "var_pop": variance("var_pop"),
    "max_by": by_key("arg_max_null"), "min_by": by_key("arg_min_null"), "approx_top_count": approx_top_count, "approx_top_sum": approx_top_sum,
    "corr": pair("corr", 1), "covar_pop": pair("covar_pop", 0), "covar_samp": pair("covar_samp", 1),
    "percentile_cont": percentile_cont, "percentile_disc": percentile_disc,
}
SKETCHED = "list({0}){filter}{over}"
AGGREGATES |= {
    "hll_count.init": lambda call: python_functions.call("BLOB", "sketches.hll_init", "list(DISTINCT {0}){filter}{over}", "count({0}){filter}{over}", *["{1}"] * (len(call.args) > 1)),
    "hll_count.merge": python_functions.call("BIGINT", "sketches.hll_merge", "coalesce(" + SKETCHED + ", [])"),
    "hll_count.merge_partial": python_functions.call("BLOB", "sketches.hll_merge_partial", SKETCHED),
    "kll_quantiles.merge_partial": python_functions.call("BLOB", "sketches.kll_merge_partial", SKETCHED),
}
for kind, result in (("int64", "BIGINT"), ("float64", "DOUBLE")):
    AGGREGATES[f"kll_quantiles.init_{kind}"] = lambda call: python_functions.call(
        "BLOB", "sketches.kll_init", SKETCHED, *(["{1}"] if len(call.args) > 1 else []), *(["list({2}){filter}{over}"] if len(call.args) > 2 else []))
    AGGREGATES[f"kll_quantiles.merge_{kind}"] = python_functions.call(result + "[]", "sketches.kll_merge", SKETCHED, "{1}")
    AGGREGATES[f"kll_quantiles.merge_point_{kind}"] = python_functions.call(result, "sketches.kll_merge_point", SKETCHED, "{1}")
for name in ("st_union_agg", "st_centroid_agg"):
    AGGREGATES[name] = python_functions.call("VARCHAR", f"geography.{name}", aggregate("list"))
AGGREGATES["st_extent"] = BOX % python_functions.call("DOUBLE[]", "geography.st_extent", aggregate("list"))
def neighbour(name: str):
    def rule(call: Call) -> str:
        offset = call.literal(1)
        if isinstance(offset, int) and offset < 0:
            raise ApiError("invalidQuery", f"The offset to the function {name.upper()} must not be negative", "query")
        rest = "".join(", {%d}" % i for i in range(1, len(call.args)))
        return f"{name}({{0}}{rest}{{filter}}){{over}}"
    return rule


WINDOWS: dict[str, object] = {
    "row_number": "row_number(){over}", "rank": "rank(){over}", "dense_rank": "dense_rank(){over}", "percent_rank": "percent_rank(){over}",
    "cume_dist": "cume_dist(){over}", "ntile": "ntile({0}){over}", "lead": neighbour("lead"), "lag": neighbour("lag"),
    "first_value": "first_value({0}{filter}){over}", "last_value": "last_value({0}{filter}){over}", "nth_value": "nth_value({0}, {1}{filter}){over}",
    "tf_idf": strings.tf_idf,
    "st_clusterdbscan": "(" + python_functions.call("BIGINT[]", "geography.clusters", "list({0}){over}", "{1}", "{2}") + ")[row_number(){over}]",
}
