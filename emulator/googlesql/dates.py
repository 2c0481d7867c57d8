"""Dates and times: BigQuery's parts and format elements, as templates of DuckDB SQL."""
from __future__ import annotations

import re

from .. import values
from .casts import casted
from .expressions import Call, NoRule
from .runtime import raised, raised_text

# part -> interval of {n} of them; months and days take INTEGER in DuckDB.
INTERVALS = {
    "YEAR": "to_months((({n}) * 12)::INTEGER)", "QUARTER": "to_months((({n}) * 3)::INTEGER)", "MONTH": "to_months(({n})::INTEGER)",
    "WEEK": "to_days((({n}) * 7)::INTEGER)", "DAY": "to_days(({n})::INTEGER)", "HOUR": "to_hours({n})", "MINUTE": "to_minutes({n})",
    "SECOND": "to_microseconds(({n}) * 1000000)", "MILLISECOND": "to_microseconds(({n}) * 1000)", "MICROSECOND": "to_microseconds({n})",
}
# part -> as many of them as there are from the year 1 to 9999: more are too many for any date, and may be for DuckDB.
SPANS = {"YEAR": 9999, "QUARTER": 39996, "MONTH": 119988, "WEEK": 521722, "DAY": 3652059, "HOUR": 87649416, "MINUTE": 5258964960, "SECOND": 315537897600,
         "MILLISECOND": 315537897600000, "MICROSECOND": 315537897600000000}
MICROS = {"DAY": 86_400_000_000, "HOUR": 3_600_000_000, "MINUTE": 60_000_000, "SECOND": 1_000_000, "MILLISECOND": 1000, "MICROSECOND": 1}
# Days from the day a week begins with to Thursday, 1970-01-01.
WEEK_SHIFT = {"WEEK": 4, "WEEK_MONDAY": 3, "ISOWEEK": 3, "WEEK_TUESDAY": 2, "WEEK_WEDNESDAY": 1, "WEEK_THURSDAY": 0, "WEEK_FRIDAY": 6, "WEEK_SATURDAY": 5}
WEEK_START = {part: (4 - shift) % 7 for part, shift in WEEK_SHIFT.items()}  # 0 is Sunday
EARLIER = {*WEEK_SHIFT, "ISOYEAR"}  # parts that may begin before the year 1
EPOCH_DAYS = "({x}::DATE - DATE '1970-01-01')"


def inside(kind: str, x: str) -> str:
    """Whether a date or moment is in the years 1 to 9999; the year of a TIMESTAMPTZ before Christ is positive in DuckDB."""
    return f"epoch_us({x}) BETWEEN -62135596800000000 AND 253402300799999999" if kind == "TIMESTAMP" else f"year({x}) BETWEEN 1 AND 9999"


def in_range(call: Call, made: str) -> str:
    """A date or moment that may be outside, where the evaluator says what is wrong."""
    return f"CASE WHEN {inside(call.kind, made)} THEN {made} WHEN {made} IS NOT NULL THEN {call.edge()} END"


def many(call: Call, i: int, part: str) -> str:
    """The condition that an argument is a number of parts which no date can be moved by; empty for a constant that is not."""
    number = call.literal(i)
    return "" if isinstance(number, int) and abs(number) <= SPANS[part] else "{%d} NOT BETWEEN -%d AND %d" % (i, SPANS[part], SPANS[part])


def interval_of(call: Call) -> str:
    """INTERVAL number part; the evaluator judges a number that is near the end of what an INTERVAL holds."""
    part = call.part(1)
    made, excess = interval("{0}", part), many(call, 0, part)
    return f"CASE WHEN {excess} THEN {call.edge()} ELSE {made} END" if excess else made


def zone(call: Call, i: int) -> str:
    """SQL of a time zone's name, the statement's where the call names none; DuckDB knows no offsets like +05:30."""
    name = call.literal(i) if i < len(call.args) else call.compiler.time_zone
    if isinstance(name, str):
        found = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?", name)
        if found:
            name = f"Etc/GMT{'-' if found[1] == '+' else '+'}{int(found[2])}" if not int(found[3] or 0) else None
            if name is None:
                raise NoRule("a time zone with minutes")
        return values.string(name)
    return call.args[i]


def local(call: Call, i: int, zone_at: int) -> str:
    """A TIMESTAMP argument as the wall clock of a zone (DuckDB's TIMESTAMP); others as they are."""
    if call.kinds[i] != "TIMESTAMP":
        return "{%d}" % i
    return "timezone(%s, {%d})" % (zone(call, zone_at), i)


def interval(n: str, part: str) -> str:
    if part not in INTERVALS:
        raise NoRule(f"an interval of {part}")
    return INTERVALS[part].replace("{n}", n)


def shift(sign: str):
    """*_ADD and *_SUB: (value, n, part) or (value, interval)."""
    def rule(call: Call) -> str:
        part = "" if call.kinds[1] == "INTERVAL" else call.part(2)
        by = interval("{1}", part) if part else "{1}"
        if call.kind == "TIME":
            return f"({{0}} {sign} {by})"
        if call.kind == "DATE" and part in ("DAY", "WEEK"):
            moved = f"({{0}} {sign} ({'{1}' if part == 'DAY' else '({1}) * 7'})::INTEGER)"
        else:
            moved = f"({{0}} {sign} {by})" + ("::DATE" if call.kind == "DATE" else "")
        amount = "{1}::VARCHAR" if sign == "+" or not part else "(-{1})::VARCHAR"
        failed = raised("'Adding '", amount, f"' {part} to {call.kind.lower()} '", "{0}::VARCHAR", "' causes overflow'")
        excess = many(call, 1, part) if part else ""
        return f"CASE{f' WHEN {excess} AND {{0}} IS NOT NULL THEN {failed}' if excess else ''} WHEN {inside(call.kind, moved)} THEN {moved} WHEN {moved} IS NOT NULL THEN {failed} END"
    return rule


def week_number(x: str, part: str) -> str:
    return f"floor(({EPOCH_DAYS.replace('{x}', x)} + {WEEK_SHIFT[part]}) / 7)::BIGINT"


def difference(call: Call) -> str:
    """DATE_DIFF, DATETIME_DIFF and TIME_DIFF count boundaries; TIMESTAMP_DIFF whole units."""
    part = call.part(2)
    if call.kinds[0] == "TIMESTAMP":
        if part not in MICROS:
            raise NoRule(f"TIMESTAMP_DIFF in {part}")
        return f"((epoch_us({{0}}) - epoch_us({{1}})) // {MICROS[part]})"
    if part in WEEK_SHIFT:
        return f"({week_number('{0}', part)} - {week_number('{1}', part)})"
    if part == "ISOYEAR":
        return "(isoyear({0}) - isoyear({1}))"
    if call.kinds[0] == "DATE" and part == "DAY":
        return "({0} - {1})"
    return f"date_diff('{part.lower()}', {{1}}, {{0}})"


def truncate(call: Call) -> str:
    """*_TRUNC(value, part [, zone])."""
    part = call.part(1)
    if call.kind == "TIMESTAMP" and part in MICROS and zone(call, 2) == "'UTC'":
        size = MICROS[part]  # of UTC's days and hours all are as long: no calendar is needed
        return f"make_timestamptz(epoch_us({{0}}) - ((epoch_us({{0}}) % {size}) + {size}) % {size})"
    x = "(DATE '1970-01-01' + {0})" if call.kind == "TIME" else local(call, 0, 2)
    if part in WEEK_SHIFT and part not in ("WEEK_MONDAY", "ISOWEEK"):
        days = EPOCH_DAYS.replace("{x}", x)
        result = f"({x}::DATE - (({days} + {WEEK_SHIFT[part]}) % 7 + 7)::INTEGER % 7)"
    else:
        name = {"WEEK_MONDAY": "week", "ISOWEEK": "week"}.get(part, part.lower())
        result = f"date_trunc('{name}', {x})"
    if call.kind == "TIMESTAMP":
        made = f"timezone({zone(call, 2)}, {result}::TIMESTAMP)"
        return made if zone(call, 2) == "'UTC'" and part not in EARLIER else in_range(call, made)
    made = f"{result}::{({'DATE': 'DATE', 'DATETIME': 'TIMESTAMP', 'TIME': 'TIME'})[call.kind]}"
    return in_range(call, made) if part in EARLIER else made


def bucket(call: Call) -> str:
    """*_BUCKET(value, width [, origin]) of a width in days or less; the evaluator knows months."""
    micros = "epoch_us(%s)"
    origin = micros % "{2}" if len(call.args) > 2 else str(-631152000000000)  # 1950-01-01
    width = "(datepart('day', {1}) * 86400000000 + datepart('hour', {1}) * 3600000000 + datepart('minute', {1}) * 60000000 + datepart('microsecond', {1}))"
    x = micros % "{0}"
    at = f"{x} - (({x} - ({origin})) % {width} + {width}) % {width}"
    made = {"DATE": f"make_timestamp({at})::DATE", "DATETIME": f"make_timestamp({at})", "TIMESTAMP": f"make_timestamptz({at})"}[call.kind]
    one_part = f"datepart('year', {{1}}) = 0 AND datepart('month', {{1}}) = 0 AND (datepart('day', {{1}}) = 0 OR {width} = datepart('day', {{1}}) * 86400000000)"
    whole = "" if call.kind != "DATE" else f" AND {width} = datepart('day', {{1}}) * 86400000000"
    given = " AND ".join("{%d} IS NOT NULL" % i for i in range(len(call.args)))
    return f"CASE WHEN {one_part} AND {width} > 0{whole} THEN {in_range(call, made)} WHEN {given} THEN {call.edge()} END"


def starts(x: str) -> str:
    return f"({x}).\"start\""


def ends(x: str) -> str:
    return f"({x}).\"end\""


def range_contains(call: Call) -> str:
    """RANGE_CONTAINS(range, range or value); what is NULL at an end is without one."""
    lower = f"({starts('{0}')} IS NULL OR coalesce({starts('{0}')} <= {starts('{1}')}, false))"
    upper = f"({ends('{0}')} IS NULL OR coalesce({ends('{1}')} <= {ends('{0}')}, false))"
    if call.kinds[1] != "RANGE":
        lower, upper = f"({starts('{0}')} IS NULL OR {starts('{0}')} <= {{1}})", f"({ends('{0}')} IS NULL OR {{1}} < {ends('{0}')})"
    return f"CASE WHEN {{0}} IS NOT NULL AND {{1}} IS NOT NULL THEN {lower} AND {upper} END"


def range_overlaps(call: Call) -> str:
    apart = " AND ".join(f"({starts(a)} IS NULL OR {ends(b)} IS NULL OR {starts(a)} < {ends(b)})" for a, b in (("{0}", "{1}"), ("{1}", "{0}")))
    return f"CASE WHEN {{0}} IS NOT NULL AND {{1}} IS NOT NULL THEN {apart} END"


EXTRACTS = {
    "YEAR": "year({x})", "MONTH": "month({x})", "DAY": "day({x})", "QUARTER": "quarter({x})", "HOUR": "hour({x})", "MINUTE": "minute({x})",
    "SECOND": "second({x})", "MILLISECOND": "(microsecond({x}) // 1000 % 1000)", "MICROSECOND": "(microsecond({x}) % 1000000)",
    "DAYOFWEEK": "(dayofweek({x}) + 1)", "DAYOFYEAR": "dayofyear({x})", "ISOWEEK": "week({x})", "ISOYEAR": "isoyear({x})",
    "DATE": "{x}::DATE", "TIME": "{x}::TIME", "DATETIME": "{x}",
}
INTERVAL_EXTRACTS = {
    "YEAR": "datepart('year', {x})", "MONTH": "datepart('month', {x})", "DAY": "datepart('day', {x})", "HOUR": "datepart('hour', {x})",
    "MINUTE": "datepart('minute', {x})", "SECOND": "(datepart('microsecond', {x}) // 1000000)",
    "MILLISECOND": "(datepart('microsecond', {x}) // 1000 % 1000)", "MICROSECOND": "(datepart('microsecond', {x}) % 1000000)",
}


def extract(call: Call) -> str:
    """EXTRACT(part FROM value [AT TIME ZONE zone]); part may be the function's own name ($extract_date)."""
    own = call.name.removeprefix("$extract").removeprefix("_").upper()
    part, zone_at = (own, 1) if own else (call.part(1), 2)
    if call.kinds[0] == "INTERVAL":
        return INTERVAL_EXTRACTS[part].replace("{x}", "{0}") + "::BIGINT"
    x = local(call, 0, zone_at)
    if part in WEEK_START and part != "ISOWEEK":
        return f"((dayofyear({x}) + 6 - (dayofweek({x}) - {WEEK_START[part]} + 7) % 7) // 7)"
    if part not in EXTRACTS:
        raise NoRule(f"EXTRACT of {part}")
    return zoned(call, EXTRACTS[part].replace("{x}", x), zone_at) if part in ("DATE", "DATETIME") else EXTRACTS[part].replace("{x}", x)


# Formats ------------------------------------------------------------------------------------------

# An element of BigQuery's formats -> one of DuckDB's, or (after "=") SQL over {x}.
ELEMENTS = {
    "A": "%A", "a": "%a", "B": "%B", "b": "%b", "h": "%b", "d": "%d", "F": "%Y-%m-%d", "G": "%G", "H": "%H", "I": "%I", "j": "%j",
    "M": "%M", "m": "%m", "p": "%p", "R": "%H:%M", "S": "%S", "T": "%H:%M:%S", "U": "%U", "u": "%u", "V": "%V", "W": "%W", "w": "%w",
    "X": "%H:%M:%S", "Y": "%Y", "y": "%y", "D": "%m/%d/%y", "x": "%m/%d/%y", "n": "\n", "t": "\t", "%": "%%",
    "r": "%I:%M:%S %p", "P": "=lower(strftime({x}, '%p'))", "e": "=lpad(day({x})::VARCHAR, 2, ' ')", "Q": "=quarter({x})::VARCHAR",
    "k": "=lpad(hour({x})::VARCHAR, 2, ' ')", "l": "=lpad(((hour({x}) + 11) % 12 + 1)::VARCHAR, 2, ' ')",
    "s": "=floor(epoch_us({x}) / 1000000)::BIGINT::VARCHAR", "C": "=lpad((year({x}) // 100)::VARCHAR, 2, '0')", "J": "=isoyear({x})::VARCHAR",
    "c": "=strftime({x}, '%a %b ') || lpad(day({x})::VARCHAR, 2, ' ') || strftime({x}, ' %H:%M:%S %Y')",
    "g": "=lpad((isoyear({x}) % 100)::VARCHAR, 2, '0')", "E4Y": "%Y",
    "E*S": "=CASE WHEN microsecond({x}) % 1000000 = 0 THEN strftime({x}, '%S') ELSE rtrim(strftime({x}, '%S.%f'), '0') END",
}


YEARS = {"Y", "F", "c", "G"}
CLOCK = re.compile(r"[HIMSTRXprntkl%]|E[*\d]S")  # elements that a TIME has


def elements(pattern: str) -> list[str]:
    """A format in pieces: an element's letters, or '\"' and a text as it is."""
    pieces = []
    for found in re.finditer(r"%(E[*\d]S|E4Y|E[cCxXyY]|O[deHImMSuUVwWy]|[A-Za-z%])|([^%]+|%)", pattern):
        pieces.append(found[1] if found[1] else '"' + found[2])
    return pieces


def format_time(call: Call) -> str:
    """FORMAT_DATE, FORMAT_DATETIME, FORMAT_TIME, FORMAT_TIMESTAMP(format, value [, zone])."""
    x = local(call, 1, 2)
    if call.kinds[1] == "TIME":
        x = "(DATE '1970-01-01' + {1})"
    elif call.kinds[1] == "DATE":
        x = "{1}"
    parts, plain = [], ""
    for piece in elements(call.text(0)):
        made = piece[1:].replace("%", "%%") if piece[0] == '"' else format_element(piece, call)
        if made.startswith("="):
            parts += ([f"strftime({x}, {values.string(plain)})"] if plain else []) + [made[1:].replace("{x}", x)]
            plain = ""
        else:
            plain += made
    if not parts and not plain:
        return f"CASE WHEN {x} IS NOT NULL THEN '' END"
    if plain:
        parts.append(f"strftime({x}, {values.string(plain)})")
    text = "(" + " || ".join(parts) + ")"
    # DuckDB fills a year up with zeros.
    return f"CASE WHEN year({x}) >= 1000 THEN {text} ELSE {call.edge()} END" if YEARS.intersection(elements(call.text(0))) else text


def format_element(piece: str, call: Call) -> str:
    if call.kinds[1] == "TIME" and not CLOCK.fullmatch(piece):
        no_element(piece)
    if piece == "s" and call.kinds[1] == "TIMESTAMP":
        return "=floor(epoch_us({1}) / 1000000)::BIGINT::VARCHAR"
    fraction = re.fullmatch(r"E(\d)S", piece)
    if fraction:
        digits = min(int(fraction[1]), 6)
        return f"=left(strftime({{x}}, '%S.%f'), {3 + digits})" if digits else "%S"
    if piece == "Z" and call.kinds[1] == "TIMESTAMP":
        return "UTC" if zone(call, 2) == "'UTC'" else no_element(piece)
    if piece == "z" and call.kinds[1] == "TIMESTAMP" and zone(call, 2) == "'UTC'":
        return "+0000"
    if piece == "Ez" and zone(call, 2) == "'UTC'":
        return "+00:00"
    return ELEMENTS.get(piece) or no_element(piece)


def no_element(piece: str):
    raise NoRule(f"the format element %{piece}")


PARSED = {key: value for key, value in ELEMENTS.items() if not value.startswith("=")} | {"e": "%d", "k": "%H", "l": "%I", "P": "%p", "E*S": "%S.%f"}


def parse_time(kind: str):
    """PARSE_DATE, PARSE_DATETIME, PARSE_TIME, PARSE_TIMESTAMP(format, text [, zone])."""
    def rule(call: Call) -> str:
        pattern, text = "", call.text(0)
        for piece in elements(text):
            if piece[0] != '"' and (piece in ("U", "W", "V", "G", "u", "w", "j", "Ez") or piece not in PARSED and not re.fullmatch(r"E\dS", piece)):
                raise NoRule(f"parsing the format element %{piece}")
            pattern += piece[1:].replace("%", "%%") if piece[0] == '"' else PARSED.get(piece, "%S.%f")
        patterns = [pattern] + ([pattern.replace("%S.%f", "%S")] if "%S.%f" in pattern else [])
        parsed = f"try_strptime(trim({{1}}), [{', '.join(map(values.string, patterns))}])"
        cast = {"DATE": f"{parsed}::DATE", "TIME": f"{parsed}::TIME", "DATETIME": parsed, "TIMESTAMP": f"timezone({zone(call, 2)}, {parsed})"}[kind]
        return f"CASE WHEN {{1}} IS NULL THEN NULL WHEN {parsed} IS NULL THEN {call.edge()} ELSE {cast} END"
    return rule


def last_day(call: Call) -> str:
    part = call.part(1) if len(call.args) > 1 else "MONTH"
    if part == "MONTH":
        return "last_day({0})"
    if part in ("QUARTER", "YEAR"):
        return f"(date_trunc('{part.lower()}', {{0}}) + {interval('1', part)} - to_days(1))::DATE"
    if part in WEEK_SHIFT:
        days = EPOCH_DAYS.replace("{x}", "{0}")
        return in_range(call, f"({{0}}::DATE - (({days} + {WEEK_SHIFT[part]}) % 7 + 7)::INTEGER % 7 + 6)")
    raise NoRule(f"LAST_DAY of {part}")


def timestamp(call: Call) -> str:
    """TIMESTAMP(text, date or datetime [, zone])."""
    if call.kinds[0] == "TIMESTAMP":
        return "{0}"
    if call.kinds[0] == "STRING":
        if len(call.args) == 1:
            return casted(call, 0, "TIMESTAMP")
        return f"timezone({zone(call, 1)}, {{0}}::TIMESTAMP)"
    made = f"timezone({zone(call, 1)}, {{0}}::TIMESTAMP)"
    return made if zone(call, 1) == "'UTC'" else in_range(call, made)


def date(call: Call) -> str:
    """DATE(year, month, day), DATE(datetime), DATE(timestamp [, zone])."""
    if call.kinds[0] == "INTEGER":
        return checked_date("{0}", "{1}", "{2}")
    return zoned(call, f"({local(call, 0, 1)})::DATE", 1)


def zoned(call: Call, made: str, zone_at: int) -> str:
    """The wall clock of a zone may be in the year 0 or 10000."""
    return made if call.kinds[0] != "TIMESTAMP" or zone(call, zone_at) == "'UTC'" else in_range(call, made)


def checked_date(year: str, month: str, day: str) -> str:
    failed = raised("'Input calculates to invalid date: '", f"printf('%04d-%02d-%02d', {year}, {month}, {day})")
    return (f"CASE WHEN {month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND 31 AND {year} BETWEEN 1 AND 9999 "
            f"THEN make_date({year}, {month}, {day}) ELSE CASE WHEN {year} + {month} + {day} IS NOT NULL THEN {failed} END END")


def datetime(call: Call) -> str:
    """DATETIME(year, month, day, hour, minute, second), (date, time), (date), (timestamp [, zone])."""
    if call.kinds[0] == "INTEGER":
        return "make_timestamp({0}, {1}, {2}, {3}, {4}, {5}::DOUBLE)"
    if call.kinds[0] == "DATE" and len(call.args) == 2:
        return "({0} + {1})"
    if call.kinds[0] == "TIMESTAMP":
        return zoned(call, local(call, 0, 1), 1)
    if call.kinds[0] == "STRING":
        return casted(call, 0, "DATETIME")
    return "{0}::TIMESTAMP"


def time(call: Call) -> str:
    if call.kinds[0] == "INTEGER":
        return "make_time({0}, {1}, {2}::DOUBLE)"
    return f"({local(call, 0, 1)})::TIME"


def text_of_timestamp(call: Call) -> str:
    """STRING(timestamp [, zone]): with the zone's offset; only UTC is said in SQL."""
    if len(call.args) > 1 and zone(call, 1) != "'UTC'":
        raise NoRule("STRING of a TIMESTAMP in a zone")
    return casted(call, 0, "STRING")


def generate_dates(call: Call) -> str:
    """GENERATE_DATE_ARRAY and GENERATE_TIMESTAMP_ARRAY(start, end [, step, part])."""
    step = interval("{2}", call.part(3)) if len(call.args) > 3 else ("to_days(({2})::INTEGER)" if len(call.args) > 2 else "to_days(1)")
    zero = f"WHEN {{2}} = 0 THEN {raised_text('Sequence step cannot be 0.')} " if len(call.args) > 2 else ""
    made = f"generate_series({{0}}, {{1}}, {step})"
    made = f"{made}::DATE[]" if call.kinds[0] == "DATE" else made
    return f"CASE {zero}ELSE {made} END" if zero else made
