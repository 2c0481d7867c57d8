"""Functions of JavaScript: V8 in a context of its own for each call in a statement, with bounds of time and memory.

Values reach JavaScript as the API prints them and come back in the form that `values.from_json` reads;
what they are in between is BigQuery's table "SQL type encodings in JavaScript". The context has the language
and nothing else: no files, no network, no modules.
"""
from __future__ import annotations

import itertools
import json
import re
import threading
from typing import TYPE_CHECKING

from .. import values
from ..errors import ApiError
from . import python_functions, types
from .analyzer import Memo
from .expressions import fill
from .runtime import raised

if TYPE_CHECKING:
    from .expressions import Call
    from .routines import Routine

SECONDS = 60  # for the calls of one chunk
MEMORY = 512 * 1024 * 1024  # bytes of a context
SUPPORTED = {"INTEGER", "FLOAT", "BOOLEAN", "STRING", "BYTES", "DATE", "TIMESTAMP", "DATETIME", "TIME", "NUMERIC", "BIGNUMERIC", "JSON", "RECORD"}
SYNTAX = re.compile(r"<anonymous>:(\d+): (SyntaxError: [^\n]*)\n[^\n]*\n( *)\^")
NUMBERS = itertools.count()

# From REST's form of a value into JavaScript's, and from there into the form of insertAll, by the REST type.
PRELUDE = r"""
(function() {
  const exact = v => /^-?\d+$/.test(v) && Number.isSafeInteger(Number(v)) ? Number(v) : v;
  const stamp = v => {
    const micros = BigInt(v), date = new Date(Number(micros / 1000n - (micros % 1000n < 0n ? 1n : 0n)));
    date.microseconds = Number((micros % 1000n + 1000n) % 1000n);
    return date;
  };
  const decoders = {INTEGER: exact, NUMERIC: exact, BIGNUMERIC: exact, FLOAT: Number, BOOLEAN: v => v === 'true', STRING: v => v, BYTES: v => v,
    TIME: v => v, DATE: v => new Date(v + 'T00:00:00Z'), DATETIME: v => new Date(v + 'Z'), TIMESTAMP: stamp, JSON: v => JSON.parse(v)};
  const decode = (type, v) => {
    if (v === null) return null;
    if (type.list) return v.map(item => decode(type.list, item.v));
    if (type.fields) return Object.fromEntries(type.fields.map((part, i) => [part.name, decode(part, v.f[i].v)]));
    return decoders[type.kind](v);
  };
  const fail = (type, v) => {
    const shown = typeof v === 'object' ? JSON.stringify(v) : typeof v === 'string' ? '"' + v + '"' : String(v);
    throw {coercion: 'Failed to coerce output value ' + shown + ' to type ' + type.sql};
  };
  const iso = (v, end) => v.toISOString().slice(0, end);
  const numeric = (type, v) => ['number', 'string', 'bigint'].includes(typeof v) && v !== '' && !Number.isNaN(Number(v)) ? String(v) : fail(type, v);
  const encoders = {
    INTEGER: (type, v) => {
      const text = String(typeof v === 'number' && Number.isInteger(v) ? BigInt(v) : v), digits = text.replace(/^\+/, '');
      return /^[-+]?\d+$/.test(text) && BigInt.asIntN(64, BigInt(digits)) === BigInt(digits) ? digits : fail(type, v);
    },
    FLOAT: (type, v) => typeof v === 'number' ? String(v) : numeric(type, v), NUMERIC: numeric, BIGNUMERIC: numeric,
    BOOLEAN: (type, v) => typeof v === 'boolean' ? v : typeof v === 'number' ? v !== 0 : v === 'true' || v === 'false' ? v === 'true' : fail(type, v),
    STRING: (type, v) => typeof v === 'object' && !(v instanceof Date) ? JSON.stringify(v) : String(v), BYTES: (type, v) => String(v), TIME: (type, v) => String(v),
    DATE: (type, v) => v instanceof Date ? iso(v, 10) : String(v),
    DATETIME: (type, v) => v instanceof Date ? iso(v, 23) : String(v),
    TIMESTAMP: (type, v) => v instanceof Date ? iso(v, 23) + String(v.microseconds || 0).padStart(3, '0') + 'Z' : String(v),
    JSON: (type, v) => JSON.stringify(v)};
  const encode = (type, v) => {
    if (v === null || v === undefined) return null;
    if (type.list) return Array.isArray(v) ? v.map(item => encode(type.list, item)) : fail(type, v);
    if (type.fields) return typeof v === 'object' ? Object.fromEntries(type.fields.map(part => [part.name, encode(part, v[part.name])])) : fail(type, v);
    return encoders[type.kind](type, v);
  };
  const describe = e => {
    if (e && e.coercion) return e.coercion;
    if (!(e instanceof Error)) return 'Uncaught ' + String(e);
    const place = /<anonymous>:(\d+):(\d+)/.exec((e.stack || '').split('\n').filter(line => /\bUDF\b/.test(line))[0] || '');
    return e.name + ': ' + e.message + (place ? '\n' + place[1] + '\n' + place[2] : '');
  };
  return (udf, inputs, output) => text => JSON.stringify(JSON.parse(text).map(row => {
    try {
      return JSON.stringify([encode(output, udf(...row.f.map((cell, i) => decode(inputs[i], cell.v))))]);
    } catch (e) {
      return '!' + describe(e);
    }
  }));
})()
"""


class Function:
    """One call in a statement: the code and the types of what goes in and comes out."""

    def __init__(self, routine: "Routine", inputs: list[dict], output: dict):
        self.routine, self.inputs, self.output = routine, inputs, output
        self.libraries = routine.libraries()
        self.place = f"UDF$1({', '.join(types.sql_name(types.type_proto(field)) for field in inputs)})"
        self.lock = threading.Lock()

    def context(self):
        """A fresh V8 with `run`, which maps a JSON list of rows of arguments to one of results; ApiError for bad code."""
        from py_mini_racer import JSEvalException, JSParseException, MiniRacer
        engine = MiniRacer()
        engine.set_hard_memory_limit(MEMORY)
        names = ", ".join(argument["name"] for argument in self.routine.arguments)
        try:
            for library in self.libraries:
                engine.eval(library, timeout_sec=SECONDS)
            engine.eval(f"var UDF = function UDF({names}) {{\n{self.routine.body['definitionBody']}\n}}; 0")
        except (JSParseException, JSEvalException) as error:
            found = SYNTAX.search(str(error))
            raise self.error(f"{found[2]}\n{found[1]}\n{len(found[3]) + 1}" if found else str(error).splitlines()[0]) from None
        shapes = ", ".join(json.dumps(item) for item in ([shape(field) for field in self.inputs], shape(self.output)))
        engine.eval(f"var run = {PRELUDE.strip()}(UDF, {shapes}); 0")
        return engine

    def error(self, described: str) -> ApiError:
        """An error of the code: its words, and the line and column in V8's text, where the body begins on the second line."""
        message, *place = described.rsplit("\n", 2)
        where = f" at {self.place} line {int(place[0]) - 1}, columns {place[1]}-{int(place[1]) + 1}" if len(place) == 2 else ""
        return ApiError("invalidQuery", message + where, "query")

    def run(self, number: str, rows: list[str]) -> list[str]:
        """The results of rows of arguments."""
        from py_mini_racer import JSOOMException, JSTimeoutException
        with self.lock:
            engine = ENGINES.use(number, self.context)
            try:
                results = json.loads(engine.eval(f"run({json.dumps('[' + ','.join(rows) + ']')})", timeout_sec=SECONDS))
            except JSOOMException:
                ENGINES.pop(number, None)
                raise ApiError("resourcesExceeded", "Resources exceeded during query execution: UDF out of memory.", "query") from None
            except JSTimeoutException:
                ENGINES.pop(number, None)
                raise ApiError("resourcesExceeded", f"Resources exceeded during query execution: UDF ran for more than {SECONDS} seconds.", "query") from None
        return ["!" + self.error(result[1:]).message if result.startswith("!") else result for result in results]


FUNCTIONS = Memo(512)  # number of a call -> Function
ENGINES = Memo(16)  # number of a call -> its V8, which ends when nobody uses it any more


@python_functions.takes_columns
def called(numbers: list[str], rows: list[str]) -> list[str]:
    return FUNCTIONS[numbers[0]].run(numbers[0], rows)


def call_sql(routine: "Routine", call: "Call") -> str:
    """SQL of a call."""
    inputs = [types.rest_field(proto, str(place)) for place, proto in enumerate(call.protos)]
    output = types.rest_field(call.type)
    for field in (*inputs, output):
        check(field)
    number = str(next(NUMBERS))
    FUNCTIONS.use(number, lambda: Function(routine, inputs, output))
    row = fill(values.record_json(inputs, lambda field: f"{{{field['name']}}}"), call.args)
    made = python_functions.call("VARCHAR", "javascript.called", values.string(number), row)
    return (f"list_transform([{made}], lambda text: CASE WHEN text[1] = '!' THEN {raised('text[2:]')} "
            f"ELSE list_transform([json_extract(text::JSON, '$[0]')], lambda made: {values.from_json(output, 'made')})[1] END)[1]")


def check(field: dict) -> None:
    kind = values.type_name(field)
    if kind not in SUPPORTED:
        raise ApiError("invalidQuery", f"The type {values.TYPES[kind].sql} is not supported in functions of JavaScript", "query")
    for part in field.get("fields", ()):
        check(part)


def shape(field: dict) -> dict:
    """A type as the prelude reads it."""
    sql = types.sql_name(types.type_proto(field))
    if values.repeated(field):
        return {"list": shape(values.element(field)), "sql": sql}
    kind = values.type_name(field)
    if kind == "RECORD":
        return {"name": field["name"], "fields": [shape(part) | {"name": part["name"]} for part in field["fields"]], "sql": sql}
    return {"name": field["name"], "kind": kind, "sql": sql}
