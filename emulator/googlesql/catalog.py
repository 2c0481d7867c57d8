"""The catalog that the analyzer sees: BigQuery's functions, and the tables and routines that a statement names."""
from __future__ import annotations

from typing import Callable, Hashable, NamedTuple, Protocol

from zetasql.wasi._pb2.zetasql.proto import simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import function_pb2, type_pb2, value_pb2

from . import routines, table_functions, types
from .routines import Routine

INT64_NAMES = ("INT", "SMALLINT", "INTEGER", "BIGINT", "TINYINT", "BYTEINT")


class Table(Protocol):
    """A table as the caller resolves it.

    key: its identity, schema version included; fields: its columns as REST fields;
    relation: the FROM item of its rows, now or at a moment; view: GoogleSQL of a logical view, or None.
    """

    key: Hashable
    fields: list[dict]
    view: str | None

    def relation(self, at=None) -> str: ...


Resolve = Callable[[tuple[str, ...]], Table]
FindRoutine = Callable[[tuple[str, ...]], Routine | None]


class Names(NamedTuple):
    """What the names in a statement mean: path -> table, variable of a script -> its field, path -> routine."""

    tables: dict[tuple[str, ...], Table]
    variables: dict[str, dict] = {}
    routines: dict[tuple[str, ...], Routine] = {}

    @property
    def key(self) -> tuple:
        return (tuple((path, table.key) for path, table in self.tables.items()), repr(self.variables),
                tuple((path, routine.key) for path, routine in self.routines.items()))


class Unmade:
    """A table that LOAD DATA will make, with no columns but those that it is partitioned and clustered by.

    What types they have is found in the files, later: analysis takes any that suit.
    """

    view = None
    TYPES = ("DATE", "TIMESTAMP", "DATETIME", "INTEGER")

    def __init__(self, path: tuple[str, ...], names: tuple[str, ...], type_: str):
        self.key = ("unmade", path, names, type_)
        self.fields = [{"name": name, "type": type_} for name in names]


def normal_path(path: tuple[str, ...], default_project: str | None, default_dataset: str | None) -> tuple[str, ...]:
    """A table's path as (project, dataset, table), however it is written.

    An INFORMATION_SCHEMA view is one name: (project, dataset, "INFORMATION_SCHEMA.TABLES").
    A path without a dataset stays as it is if there is no default dataset.
    """
    text = ".".join(path)
    domain, colon, rest = text.partition(":")  # a project of a domain: example.com:project
    parts = (rest if colon else text).split(".")
    if colon:
        parts[0] = f"{domain}:{parts[0]}"
    if len(parts) > 1 and parts[-2].upper() == "INFORMATION_SCHEMA":
        parts[-2:] = ["INFORMATION_SCHEMA." + parts[-1].upper()]
    if len(parts) == 1 and default_dataset:
        parts.insert(0, default_dataset)
    if len(parts) == 2 and default_project:
        parts.insert(0, default_project)
    return tuple(parts)


def catalog_proto(language, names: Names, calls: tuple = ()) -> simple_catalog_pb2.SimpleCatalogProto:
    """A catalog with the built-in functions, those of table functions' calls, and the names; a table's serialization_id is its place in `tables`."""
    root = simple_catalog_pb2.SimpleCatalogProto(name="catalog")
    root.builtin_function_options.language_options.CopyFrom(language)
    catalogs = {(): root}

    def home(path: tuple[str, ...]):
        """The catalog that has the last name of a path."""
        for depth in range(1, len(path)):
            inside = tuple(part.lower() for part in path[:depth])
            if inside not in catalogs:
                catalogs[inside] = catalogs[inside[:-1]].catalog.add(name=path[depth - 1])
        return catalogs[tuple(part.lower() for part in path[:-1])]

    for number, (path, table) in enumerate(names.tables.items()):
        proto = home(path).table.add(name=path[-1], name_in_catalog=path[-1], serialization_id=number + 1, full_name=".".join(path))
        for field in table.fields:
            column = proto.column.add(name=field["name"], type=types.type_proto(field), is_writable_column=True)
            if types.has_collation(field):
                types.annotate(column.annotation_map, field)
        for field in getattr(table, "pseudo", ()):
            proto.column.add(name=field["name"], type=types.type_proto(field), is_writable_column=True, is_pseudo_column=True)
    for name, field in names.variables.items():
        if not name.startswith("@@"):  # to the analyzer a constant: its type counts here, the compiler knows its value
            root.constant.add(name_path=[name], type=types.type_proto(field), value=value_pb2.ValueProto())
    for path, routine in names.routines.items():
        routines.add(home(path), path, routine)
    add_functions(root)
    for call in calls:
        table_functions.add(root, call)
    return root


def add_functions(root: simple_catalog_pb2.SimpleCatalogProto) -> None:
    """BigQuery's functions, and its other names of types, that the analyzer lacks."""
    for name in INT64_NAMES:
        root.named_type.add(name=name, type=simple(type_pb2.TYPE_INT64))
    text, words = simple(type_pb2.TYPE_STRING), simple(type_pb2.TYPE_ARRAY)
    words.array_type.element_type.CopyFrom(text)
    counted, weighed = terms_with("count", type_pb2.TYPE_INT64), terms_with("tf_idf", type_pb2.TYPE_DOUBLE)
    scalar, anything, truth = function_pb2.FunctionEnums.SCALAR, {"kind": function_pb2.ARG_TYPE_ARBITRARY}, {"type": simple(type_pb2.TYPE_BOOL)}
    add_function(root, "contains_substr", scalar, [anything, {"type": text}], truth, ["json_scope"])
    add_function(root, "search", scalar, [anything, {"type": text}], truth, ["json_scope", "analyzer", "analyzer_options"])
    add_function(root, "text_analyze", scalar, [{"type": text}], {"type": words}, ["analyzer", "analyzer_options"])
    add_function(root, "bag_of_words", scalar, [{"type": words}], {"type": counted})
    for extra in range(3):
        add_function(root, "tf_idf", function_pb2.FunctionEnums.ANALYTIC, [{"type": words}] + [{"type": simple(type_pb2.TYPE_INT64)}] * extra, {"type": weighed})
    for name in ("max_by", "min_by"):
        any_1, any_2 = {"kind": function_pb2.ARG_TYPE_ANY_1}, {"kind": function_pb2.ARG_TYPE_ANY_2}
        add_function(root, name, function_pb2.FunctionEnums.AGGREGATE, [any_1, any_2], any_1)


def terms_with(name: str, kind: int) -> type_pb2.TypeProto:
    """ARRAY<STRUCT<term STRING, ...>>."""
    proto = simple(type_pb2.TYPE_ARRAY)
    proto.array_type.element_type.type_kind = type_pb2.TYPE_STRUCT
    for field, of in ("term", type_pb2.TYPE_STRING), (name, kind):
        proto.array_type.element_type.struct_type.field.add(field_name=field).field_type.type_kind = of
    return proto


def simple(kind: int) -> type_pb2.TypeProto:
    return type_pb2.TypeProto(type_kind=kind)


def add_function(root, name: str, mode: int, arguments: list[dict], result: dict, options: list[str] = ()) -> None:
    """A function's signature; an argument is a type or the kind of a template. options: names of STRING arguments that may be left out."""
    function = next((known for known in root.custom_function if known.name_path == [name]), None) or root.custom_function.add(name_path=[name], group="BigQuery", mode=mode)
    function.options.supports_over_clause = mode == function_pb2.FunctionEnums.ANALYTIC
    signature = function.signature.add()
    for argument in arguments:
        signature.argument.add(**({"kind": function_pb2.ARG_TYPE_FIXED} | argument), num_occurrences=1)
    for option in options:
        argument = signature.argument.add(kind=function_pb2.ARG_TYPE_FIXED, type=simple(type_pb2.TYPE_STRING))
        argument.options.cardinality = function_pb2.FunctionEnums.OPTIONAL
        argument.options.argument_name = option
        argument.options.named_argument_kind = function_pb2.FunctionEnums.NAMED_ONLY
    signature.return_type.MergeFrom(type(signature.return_type)(**({"kind": function_pb2.ARG_TYPE_FIXED} | result), num_occurrences=1))
