"""Values as CSV and JSON files write them: dates and times in the forms that are documented or in a format that the load names, geography."""
from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .. import values
from ..errors import ApiError

OPTIONS = {"DATE": "dateFormat", "DATETIME": "datetimeFormat", "TIME": "timeFormat", "TIMESTAMP": "timestampFormat"}
# GoogleSQL's format elements, as strptime has them; a longer one before what it begins with.
ELEMENTS = {"YYYY": "%Y", "YY": "%y", "RRRR": "%Y", "RR": "%y", "MONTH": "%B", "MON": "%b", "MM": "%m", "DDD": "%j", "DD": "%d", "DAY": "%A", "DY": "%a",
            "HH24": "%H", "HH12": "%I", "HH": "%I", "MI": "%M", "SS": "%S", **{f"FF{digits}": "%f" for digits in range(1, 7)}, "FF": "%f",
            "A.M.": "%p", "P.M.": "%p", "AM": "%p", "PM": "%p", "TZH:TZM": "%z", "TZHTZM": "%z", "TZH": "%z"}
ELEMENT = re.compile("|".join(map(re.escape, ELEMENTS)) + r'|"([^"]*)"|([-./,\';: ]|T)|(.)', re.IGNORECASE)
ZONE = r":\d{{2}}(\.\d+)? ?([Zz]|UTC|[-+]\d{{1,2}}(:?\d{{2}})?|[A-Za-z]+/[A-Za-z_/]+)\s*$"
# Forms of a TIMESTAMP that DuckDB does not read: no seconds, a zone after a space, of one digit or without a colon.
LENIENT = (r"regexp_replace(regexp_replace(regexp_replace(regexp_replace({x}, '(\d[ Tt]\d{{1,2}}:\d{{2}})(\s*([Zz]|UTC|[-+][\d:]+)?\s*)$', '\1:00\2'), "
           r"'(:\d{{2}}(?:\.\d+)?)\s*([-+])(\d(?::?\d{{2}})?)\s*$', '\1\20\3'), '(:\d{{2}}(?:\.\d+)?)\s*([-+]\d{{2}}):?(\d{{2}})\s*$', '\1\2:\3'), "
           r"'(:\d{{2}}(?:\.\d+)?)\s+([-+]\d{{2}})\s*$', '\1\2')")
MOMENT = values.TYPES["TIMESTAMP"].parse
# What can't be seconds since the epoch is milliseconds: the documentation has 1.534680695e12.
MILLISECONDS = "CASE WHEN abs(TRY_CAST({x} AS DECIMAL(30,9))) >= 253402300800 THEN " + MOMENT.replace("{x}", "({x}::DECIMAL(30,9) / 1000)::VARCHAR") + " END"
TIMESTAMP = f"coalesce(TRY({MOMENT}), TRY({MILLISECONDS}), {MOMENT.replace('{x}', f'({LENIENT})')})"

# P1Y2M3DT4H5M6.7S, each part with a sign of its own.
DURATION = "P" + "".join(f"(?:(-?[0-9]+){unit})?" for unit in "YMD") + "T" + "".join(f"(?:(-?[0-9]+){unit})?" for unit in "HM") + "(?:(-?[0-9]+(?:\\.[0-9]{{1,6}})?)S)?"
YEARS, MONTHS, DAYS, HOURS, MINUTES, SECONDS = (f"coalesce(nullif(regexp_extract({{x}}, '{DURATION}', {group}), ''), '0')" for group in range(1, 7))
INTERVAL = (f"CASE WHEN regexp_full_match({{x}}, '{DURATION}') THEN to_months(({YEARS}::INTEGER * 12 + {MONTHS}::INTEGER)::INTEGER) + to_days({DAYS}::INTEGER) + "
            f"to_microseconds(({HOURS}::BIGINT * 3600000000 + {MINUTES}::BIGINT * 60000000 + ({SECONDS}::DECIMAL(18,6) * 1000000)::BIGINT)::BIGINT) "
            f"ELSE {values.TYPES['INTERVAL'].parse} END")
# [start, end), of which either may be without a bound
RANGE = r"\s*\[\s*([^,\[\])]+?)\s*,\s*([^,\[\])]+?)\s*\)\s*"


def formats(config: dict) -> dict[str, str]:
    """type -> strptime's format, for those that a load names one for."""
    return {kind: strptime_format(config[option], option) for kind, option in OPTIONS.items() if config.get(option)}


def strptime_format(text: str, option: str) -> str:
    made = ""
    for match in ELEMENT.finditer(text):
        if match[3] is not None:
            raise ApiError("invalid", f"Invalid value for {option}: the format element at '{text[match.start():]}' is not known")
        made += match[1] or match[2] or ELEMENTS.get(match[0].upper(), "")
    return made


def parsers(config: dict) -> dict[str, str]:
    """type -> SQL for a value from its text {x}, which fails where it is none; only of types that files write in ways of their own."""
    zone = config.get("timeZone")
    if zone:
        check_zone(zone)
    found = {"GEOGRAPHY": values.TYPES["GEOGRAPHY"].parse, "INTERVAL": INTERVAL, "TIMESTAMP": TIMESTAMP if not zone else
             f"CASE WHEN regexp_matches({{x}}, '{ZONE}') THEN {TIMESTAMP} ELSE ({values.TYPES['DATETIME'].parse}) AT TIME ZONE {values.string(zone)} END"}
    for kind, pattern in formats(config).items():
        read = f"strptime(trim({{x}}), {values.string(pattern)})"
        if kind == "TIMESTAMP":
            found[kind] = f"({read})::TIMESTAMPTZ" if "%z" in pattern else f"({read}) AT TIME ZONE {values.string(zone or 'UTC')}"
        else:
            found[kind] = f"({read})::{values.TYPES[kind].duckdb}"
    return found


def check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ApiError("invalid", f"Invalid time zone: {zone}") from None
