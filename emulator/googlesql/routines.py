"""Routines between their forms: REST body, CREATE statement, entry in the analyzer's catalog.

A function of SQL reaches the catalog as its text; the analyzer resolves the body for the arguments of each
call and puts it in the call's place. A function of JavaScript is known by its signature.
"""
from __future__ import annotations

import json
from functools import cached_property
from typing import Callable

from zetasql.wasi._pb2.zetasql.public import function_pb2, type_pb2

from .. import values
from ..errors import unsupported
from . import types

SQL_GROUP, JS_GROUP = "Templated_SQL_Function", "JavaScript"  # the first makes the analyzer read the body
BEFORE, AFTER = "SELECT (", "\n)"  # around an expression that may end with a comment
ENUMS = function_pb2.FunctionEnums
KINDS = {"SCALAR_FUNCTION": "FUNCTION", "AGGREGATE_FUNCTION": "AGGREGATE FUNCTION", "TABLE_VALUED_FUNCTION": "TABLE FUNCTION", "PROCEDURE": "PROCEDURE"}


class Routine:
    """A routine that a statement calls.

    ref: (project, dataset, name), or (name,) of a temporary one; body: as REST has it; libraries: reads the
    texts of the libraries of a function of JavaScript.
    """

    def __init__(self, ref: tuple[str, ...], body: dict, libraries: Callable[[], list[str]] = list):
        self.ref, self.body, self.libraries = ref, body, libraries
        self.kind = body["routineType"]
        self.language = body.get("language", "SQL")
        self.arguments = body.get("arguments", [])
        self.text = self.converted(body.get("definitionBody", ""))  # as the analyzer is to read it

    def converted(self, text: str) -> str:
        """A body in the type that the function returns: the analyzer fails to convert a STRUCT(...) by itself."""
        returned = self.body.get("returnType", {})
        return f"CAST({text}\nAS {type_name(returned)})" if self.language == "SQL" and returned.get("typeKind") == "STRUCT" else text

    @cached_property
    def key(self) -> tuple:
        """Changes with all that counts for a call."""
        return self.ref, json.dumps(self.body, sort_keys=True)

    @cached_property
    def parameters(self) -> set[str]:
        """The names of its arguments, in small letters."""
        return {argument["name"].lower() for argument in self.arguments}

    @property
    def query(self) -> str:
        """A query with the same tables as the body; empty where the body is not SQL."""
        if self.language != "SQL" or self.kind == "PROCEDURE":
            return ""
        return self.body["definitionBody"] if self.kind == "TABLE_VALUED_FUNCTION" else f"{BEFORE}{self.body['definitionBody']}{AFTER}"

    def body_of(self, query: str) -> str:
        """The body in such a query."""
        return query if self.kind == "TABLE_VALUED_FUNCTION" else query.removeprefix(BEFORE).removesuffix(AFTER)


# The catalog --------------------------------------------------------------------------------------

def add(catalog, path: tuple[str, ...], routine: Routine) -> None:
    """Put a function into the catalog (SimpleCatalogProto) that has it under the last name of its path."""
    names = [argument["name"] for argument in routine.arguments]
    function = None
    if routine.kind == "PROCEDURE":
        signature = catalog.procedure.add(name_path=path).signature
        set_type(signature.return_type, {"typeKind": "INT64"})  # the analyzer wants one
    elif routine.kind == "TABLE_VALUED_FUNCTION":
        function = catalog.custom_tvf.add(name_path=path[-1:], type=ENUMS.TEMPLATED_SQL_TVF, argument_name=names)
        signature = function.signature
        signature.return_type.kind = function_pb2.ARG_TYPE_RELATION
        if table := routine.body.get("returnTableType"):
            add_columns(signature.return_type.options.relation_input_schema, table)
    else:
        aggregate = routine.kind == "AGGREGATE_FUNCTION"
        function = catalog.custom_function.add(name_path=path, group=SQL_GROUP if routine.language == "SQL" else JS_GROUP,
                                               mode=ENUMS.AGGREGATE if aggregate else ENUMS.SCALAR)
        function.options.sql_name, function.options.uses_upper_case_sql_name = ".".join(path), False
        function.templated_sql_function_argument_name.extend(names)
        signature = function.signature.add()
        set_type(signature.return_type, routine.body.get("returnType"))
    signature.return_type.num_occurrences = 1
    for argument in routine.arguments:
        made = signature.argument.add(num_occurrences=1)
        made.options.argument_name = argument["name"]
        made.options.is_not_aggregate = argument.get("isAggregate") is False
        set_type(made, argument.get("dataType"), argument.get("tableType"), argument.get("argumentKind"))
        if argument.get("_optional"):
            made.options.cardinality, made.num_occurrences = ENUMS.OPTIONAL, 0
        if "mode" in argument:
            made.options.procedure_argument_mode = ENUMS.ProcedureArgumentMode.Value(argument["mode"])
    if function is not None and routine.language == "SQL":
        function.parse_resume_location.input = routine.text


def set_type(made, standard: dict | None, table: dict | None = None, kind: str | None = None) -> None:
    """The type of an argument or result (FunctionArgumentTypeProto); one that is not told is any."""
    if kind in ("FIXED_TABLE", "ANY_TABLE"):
        made.kind = function_pb2.ARG_TYPE_RELATION
        if table:
            add_columns(made.options.relation_input_schema, table)
    elif standard:
        made.kind = function_pb2.ARG_TYPE_FIXED
        made.type.CopyFrom(type_proto(standard))
    else:
        made.kind = function_pb2.ARG_TYPE_ARBITRARY


def add_columns(schema, table: dict) -> None:
    schema.is_value_table = False
    for column in table.get("columns", ()):
        schema.column.add(name=column["name"], type=type_proto(column["type"]))


# Types --------------------------------------------------------------------------------------------

def field_of(standard: dict, name: str = "") -> dict:
    """The REST field of a StandardSqlDataType: {typeKind, arrayElementType, structType, rangeElementType}."""
    kind = standard["typeKind"]
    if kind == "ARRAY":
        return field_of(standard["arrayElementType"], name) | {"mode": "REPEATED"}
    field = {"name": name, "type": kind, "mode": "NULLABLE"}
    if kind == "STRUCT":
        field["fields"] = [field_of(part["type"], part.get("name", "")) for part in standard.get("structType", {}).get("fields", [])]
    elif kind == "RANGE":
        field["rangeElementType"] = {"type": standard["rangeElementType"]["typeKind"]}
    return field


def type_proto(standard: dict) -> type_pb2.TypeProto:
    return types.type_proto(field_of(standard))


def type_name(standard: dict) -> str:
    """A StandardSqlDataType as GoogleSQL writes it."""
    return types.sql_name(type_proto(standard))


def standard_type(proto: type_pb2.TypeProto) -> dict:
    """The analyzer's type as a StandardSqlDataType."""
    kind = types.kind_name(proto)
    if kind == "ARRAY":
        return {"typeKind": "ARRAY", "arrayElementType": standard_type(proto.array_type.element_type)}
    made = {"typeKind": values.TYPES[kind].sql}
    if kind == "RECORD":
        made["structType"] = {"fields": [{"name": part.field_name, "type": standard_type(part.field_type)} for part in proto.struct_type.field]}
    elif kind == "RANGE":
        made["rangeElementType"] = standard_type(proto.range_type.element_type)
    return made


# CREATE statements --------------------------------------------------------------------------------

def definition(node, kind: str) -> dict:
    """A CREATE statement of the resolved tree as a routine's REST body, its options left out."""
    names, signature = list(node.argument_name_list), node.signature
    body = {"routineType": kind, "language": "SQL"}
    if kind == "PROCEDURE":
        body["definitionBody"] = node.procedure_body
    else:
        body["definitionBody"] = node.code
        body["language"] = {"SQL": "SQL", "JS": "JAVASCRIPT"}.get(node.language.upper(), node.language.upper())
    if names:
        body["arguments"] = [argument_of(name, argument) for name, argument in zip(names, signature.argument)]
    if kind == "TABLE_VALUED_FUNCTION":
        if node.has_explicit_return_schema:
            body["returnTableType"] = table_type(signature.return_type.options.relation_input_schema)
    elif kind != "PROCEDURE" and node.has_explicit_return_type:
        body["returnType"] = standard_type(node.return_type)
    return body


def argument_of(name: str, argument) -> dict:
    made = {"name": name}
    if argument.options.HasField("default_value"):
        raise unsupported(f"a default for the argument {name}")
    if argument.kind == function_pb2.ARG_TYPE_RELATION:
        schema = argument.options.relation_input_schema
        made |= {"argumentKind": "FIXED_TABLE", "tableType": table_type(schema)} if schema.column else {"argumentKind": "ANY_TABLE"}
    elif argument.kind == function_pb2.ARG_TYPE_FIXED:
        made["dataType"] = standard_type(argument.type)
    else:
        made["argumentKind"] = "ANY_TYPE"
    if argument.options.is_not_aggregate:
        made["isAggregate"] = False
    if argument.options.procedure_argument_mode:
        made["mode"] = ENUMS.ProcedureArgumentMode.Name(argument.options.procedure_argument_mode)
    return made


def table_type(schema) -> dict:
    return {"columns": [{"name": column.name, "type": standard_type(column.type)} for column in schema.column]}


def ddl(ref: tuple[str, ...], body: dict) -> str:
    """The CREATE statement of a routine."""
    kind, text = body["routineType"], body["definitionBody"]
    words = [f"CREATE {KINDS[kind]} `{'.'.join(ref)}`({', '.join(argument_text(argument, kind) for argument in body.get('arguments', ()))})"]
    if "returnType" in body:
        words.append(f"RETURNS {type_name(body['returnType'])}")
    if "returnTableType" in body:
        words.append(f"RETURNS TABLE<{columns_text(body['returnTableType'])}>")
    options = [f"library={json.dumps(body['importedLibraries'])}"] if body.get("importedLibraries") else []
    if body.get("language", "SQL") != "SQL":
        words += DETERMINISM.get(body.get("determinismLevel"), []) + ["LANGUAGE js"]
    if "strictMode" in body and not body["strictMode"]:
        options.append("strict_mode=false")
    if body.get("description"):
        options.append(f"description={json.dumps(body['description'], ensure_ascii=False)}")
    if options:
        words.append(f"OPTIONS({', '.join(options)})")
    if kind == "PROCEDURE":
        words.append(text)
    elif body.get("language", "SQL") != "SQL":
        words.append(f"AS {json.dumps(text, ensure_ascii=False)}")
    else:
        words.append(f"AS (\n{text}\n)")
    return "\n".join(words)


DETERMINISM = {"DETERMINISTIC": ["DETERMINISTIC"], "NOT_DETERMINISTIC": ["NOT DETERMINISTIC"]}


def argument_text(argument: dict, kind: str) -> str:
    mode = f"{argument['mode']} " if kind == "PROCEDURE" and argument.get("mode") else ""
    return f"{mode}`{argument['name']}` {type_words(argument)}" + (" NOT AGGREGATE" if argument.get("isAggregate") is False else "")


def type_words(argument: dict) -> str:
    """An argument's type in GoogleSQL."""
    if argument.get("argumentKind") in ("FIXED_TABLE", "ANY_TABLE"):
        return f"TABLE<{columns_text(argument['tableType'])}>" if argument.get("tableType") else "ANY TABLE"
    return type_name(argument["dataType"]) if argument.get("dataType") else "ANY TYPE"


def columns_text(table: dict) -> str:
    return ", ".join(f"{column['name']} {type_name(column['type'])}" for column in table.get("columns", ()))
