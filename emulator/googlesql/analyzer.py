"""Google's analyzer: a text in, the resolved tree or BigQuery's exact error out.

The analyzer sees a catalog of the tables that the statement names, which the caller resolves.
"""
from __future__ import annotations

import re
from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from typing import Callable, Hashable, NamedTuple, Protocol

from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2, simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import function_pb2, options_pb2 as public, type_pb2, value_pb2
from zetasql.wasi._pb2.zetasql.public.functions import range_sessionize_mode_pb2

from ..errors import ApiError, unsupported
from . import routines, types
from .columns import needed_columns
from .engine import Crash, Engine, ServiceError, default_cache_dir, prepare_cache
from .routines import Routine

__all__ = ["GoogleSQL", "Statement", "Table", "default_cache_dir"]

# Features of the language that BigQuery does not have, or that change what it means.
MISSING_FEATURES = re.compile(
    "SQL_GRAPH|TIMESTAMP_(NANOS|PICOS)|TIMESTAMP_PRECISION|UUID_TYPE|FIRST_AND_LAST_N|MEASURES|EXPERIMENTAL|BARE_ARRAY_ACCESS"
    "|TOKENIZED_SEARCH|CONCAT_MIXED|AGGREGATE_FILTERING|MULTILEVEL|JSON_TYPE_COMPARISON|SINGLE_TABLE_NAME_ARRAY_PATH|EXTENDED_TYPES"
    "|IMPLICIT_COERCION_STRING|WITH_GROUP_ROWS|PI_FUNCTIONS|MANHATTAN|L1_NORM|L2_NORM|DOT_PRODUCT|LATERAL_JOIN|MAP_TYPE"
    "|PIPE_(INSERT|IF|CREATE_TABLE|EXPORT|TEE|FORK|DESCRIBE|STATIC|RECURSIVE|LOG)|LIMIT_OFFSET_EXPRESSIONS|DEPTH_MODIFIER"
    "|ON_CONFLICT|STATEMENT_WITH_PIPE|ANONYMIZATION|INTERNAL_LEGACY|ARRAY_ORDERING|ARRAY_ZIP|FOR_UPDATE|MULTIWAY_UNNEST"
    "|DISALLOW_GROUP_BY_FLOAT|STRUCT_POSITIONAL|STRUCT_BRACED|ROW_TYPE|TIME_BUCKET$|DML_RETURNING")
REWRITES = ("FLATTEN", "UNPIVOT", "PIVOT", "ARRAY_INCLUDES", "TYPEOF_FUNCTION", "LIKE_ANY_ALL", "NULLIFERROR_FUNCTION",
            "BUILTIN_FUNCTION_INLINER", "INLINE_SQL_FUNCTIONS", "INLINE_SQL_TVFS", "INLINE_SQL_UDAS", "PIPE_ASSERT")
CATALOGS = 32  # registered in the instance at a time
MEMO = 512  # analyzed statements kept
SESSIONIZE = re.compile(r"\bRANGE_SESSIONIZE\b", re.I)
GROUP = re.compile(f"\\b({routines.SQL_GROUP}|{routines.JS_GROUP}):", re.I)
MISSING_ROUTINE = re.compile(r"(?:Function|Table-valued function|Procedure) not found: ((?:`[^`]*`|[^\s`;.]+)(?:\.(?:`[^`]*`|[^\s`;.]+))*)")
PATH_PART = re.compile(r"`([^`]*)`|([^`.]+)")
# BigQuery's functions that need models, connections or the history of changes.
ELSEWHERE = re.compile(r"(Table-valued f|F)unction not found: ((?:ml|ai|obj|bqml)\.\w+|appends|changes|gap_fill|vector_search|external_query|"
                       r"external_object_transform)\b", re.I)
POSITION = re.compile(r" \[at (\d+:\d+)\]$")
CHANGES = re.compile(r"\b(ALTER\s+TABLE|LOAD\s+DATA)\b", re.I)  # the statements whose target is not among the names they read
TRAVELS = re.compile(r"\bFOR\s+SYSTEM(_TIME|\s+TIME)\b", re.I)
NAME_OF_STATEMENT = re.compile(r"^resolved_|_(stmt|statement)?_?node$|_stmt$")


class IsScript(ApiError):
    """The text is a script or has several statements: it is run by its parts."""

    def __init__(self):
        super().__init__("notImplemented", "The embedded BigQuery does not support scripts and several statements here yet.")


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


class Memo(OrderedDict):
    """A dict of the `size` entries used last."""

    def __init__(self, size: int, dropped: Callable = lambda value: None):
        super().__init__()
        self.size = size
        self.dropped = dropped

    def use(self, key: Hashable, make: Callable):
        """The value of a key, made when it isn't there."""
        if key in self:
            self.move_to_end(key)
            return self[key]
        value = self[key] = make()
        while len(self) > self.size:
            self.dropped(self.popitem(last=False)[1])
        return value


class GoogleSQL:
    """The analyzer and all it keeps between statements. Safe to use from several threads."""

    def __init__(self, cache_dir: Path | None = None):
        self.engine = Engine(cache_dir or default_cache_dir())
        self.language = self._language()
        self._forget()

    prepare_cache = staticmethod(prepare_cache)

    def _forget(self) -> None:
        self.generation = self.engine.generation
        self.catalogs = Memo(CATALOGS, self._drop_catalog)
        self.names = Memo(MEMO)
        self.analyzed = Memo(MEMO)
        self.called = Memo(MEMO)  # text -> paths of the routines that it calls
        self.builtin: int | None = None

    def _language(self) -> options_pb2.LanguageOptionsProto:
        language = self.engine.call("GetLanguageOptions", service.LanguageOptionsRequest(maximum_features=True), options_pb2.LanguageOptionsProto)
        features = [f for f in language.enabled_language_features if not MISSING_FEATURES.search(public.LanguageFeature.Name(f))]
        features += [public.FEATURE_COLLATION_SUPPORT, public.FEATURE_COLLATION_IN_EXPLICIT_CAST, public.FEATURE_COLLATION_IN_WITH_RECURSIVE,
                     public.FEATURE_LIKE_ANY_SOME_ALL_SUBQUERY, public.FEATURE_LIKE_ANY_SOME_ALL_ARRAY,
                     public.FEATURE_CREATE_TABLE_CLONE, public.FEATURE_ALTER_COLUMN_SET_DATA_TYPE, public.FEATURE_CREATE_VIEWS_WITH_COLUMN_OPTIONS,
                     public.FEATURE_CREATE_EXTERNAL_TABLE_WITH_PARTITION_COLUMNS]
        del language.enabled_language_features[:], language.supported_statement_kinds[:]
        language.enabled_language_features.extend(features)
        language.product_mode = public.PRODUCT_EXTERNAL
        return language

    def prepare(self, text: str, resolve: Resolve, parameters: list[dict] = (), parameter_mode: str | None = None,
                default_project: str | None = None, default_dataset: str | None = None, session_user: str = "",
                variables: dict | None = None, routine: FindRoutine = lambda path: None,
                local: Callable[[tuple[str, ...]], tuple[str, ...] | None] = lambda path: None) -> "Statement":
        """A statement, analyzed.

        text: GoogleSQL; resolve: the table of a path (project, dataset, table), ApiError notFound for a
        missing one; routine: the routine of a path, None for a missing one; local: the path that a temporary table
        has in fact, None for a name of no such table; parameters: REST QueryParameters;
        variables: name -> Variable of a script. Raises ApiError invalidQuery with the analyzer's words,
        notImplemented for a statement of a kind that isn't supported.
        """
        parameters = list(parameters)
        fields = [types.parameter_field(p.get("parameterType", {}), p.get("name", "")) for p in parameters]
        mode = parameter_mode or ("NAMED" if any(p.get("name") for p in parameters) else "POSITIONAL" if parameters else None)
        variables = variables or {}
        tables = {path: resolve(local(path) or normal_path(path, default_project, default_dataset)) for path in self.table_names(text)}
        path, may_miss, layout = self.changed(text)
        if path and path not in tables:
            try:
                tables[path] = resolve(local(path) or normal_path(path, default_project, default_dataset))
            except ApiError as error:
                if error.reason != "notFound" or not may_miss:
                    raise
                if may_miss == "LOAD":
                    tables[path] = self.unmade(text, path, layout)
        names = Names(tables, {name: value.field for name, value in variables.items()}, {})

        def add(path: tuple[str, ...] | None) -> bool:
            """Let the analyzer know a routine and the tables of its body; False for one that is known or that there is not."""
            found = routine(normal_path(path, default_project, default_dataset)) if path and path not in names.routines else None
            if found is None:
                return False
            names.routines[path] = found
            home = (found.ref[0], None) if len(found.ref) == 3 else (default_project, default_dataset)
            for name in self.table_names(found.query) if found.query else ():
                if len(name) == 1 and name[0].lower() in found.parameters:
                    continue
                table = resolve((local(name) if len(found.ref) == 1 else None) or normal_path(name, *home))
                if name in tables and tables[name].key != table.key:
                    raise unsupported(f"{'.'.join(name)} as the name of one table in a statement and of another in the routine {'.'.join(path)}")
                tables[name] = table
            return True

        for path in self.called.get(text, ()):
            add(path)
        while True:
            try:
                tree, needed = self.analyze(text, names, mode, fields)
                break
            except ApiError as error:
                if not add(missing_routine(error)):
                    raise
        if names.routines:
            self.called.pop(text, None)
            self.called.use(text, lambda: list(names.routines))
        return Statement(self, text, tree, needed, tables, dict(
            parameters=parameters, parameter_fields=fields, parameter_mode=mode, resolve=resolve, routine=routine, local=local, called=names.routines,
            default_project=default_project, default_dataset=default_dataset, session_user=session_user, variables=variables))

    def expression(self, text: str, cursor, session_user: str = "") -> str:
        """DuckDB SQL of an expression without columns. It is computed for each row that it stands beside."""
        from .compiler import Compiler, node_of
        from .expressions import NoRule
        statement = self.prepare(f"SELECT {text}", None, session_user=session_user)
        computed, _ = node_of(node_of(statement.node.query)[0].expr_list[0])
        try:
            return f"({Compiler(statement, cursor).expr(computed.expr)})"
        except NoRule:
            return f"({statement.compile(cursor)})"

    def table_names(self, text: str) -> list[tuple[str, ...]]:
        """The paths of the tables a statement names, as it writes them."""
        with self.engine.lock:
            return self.names.use(text, lambda: self._table_names(text))

    def _table_names(self, text: str) -> list[tuple[str, ...]]:
        request = service.ExtractTableNamesFromStatementRequest(sql_statement=text, options=self.language)
        try:
            found = self._call("ExtractTableNamesFromStatement", request, service.ExtractTableNamesFromStatementResponse)
        except ServiceError:
            if self.is_script(text):
                raise IsScript from None
            return []  # the analyzer says what is wrong, and where
        return [tuple(name.table_name_segment) for name in found.table_name]

    def changed(self, text: str) -> tuple[tuple[str, ...] | None, str, tuple[str, ...]]:
        """The table that an ALTER TABLE or LOAD DATA is about; what lets it be missing: "IF EXISTS", "LOAD" or nothing;
        the columns that a LOAD DATA partitions and clusters it by."""
        if not CHANGES.search(text):
            return None, "", ()
        with self.engine.lock:
            return self.names.use(("changed", text), lambda: self._changed(text))

    def _changed(self, text: str) -> tuple[tuple[str, ...] | None, str, tuple[str, ...]]:
        try:
            answer = self._call("Parse", service.ParseRequest(sql_statement=text, options=self.language), service.ParseResponse)
        except ServiceError:
            return None, "", ()  # the analyzer says what is wrong, and where
        for node in find(answer, "ASTAlterTableStatementProto"):
            return tuple(name.id_string for name in node.parent.path.names), "IF EXISTS" if node.parent.is_if_exists else "", ()
        for node in find(answer, "ASTAuxLoadDataStatementProto"):
            columns = [path.names[0].id_string for part in (node.partition_by, node.cluster_by) for path in find(part, "ASTPathExpressionProto")]
            columns = [name for name in columns if not name.upper().startswith("_PARTITION")]
            declared = {column.name.id_string.lower() for column in find(node.parent.table_element_list, "ASTColumnDefinitionProto")}
            return (tuple(name.id_string for name in node.parent.name.names), "LOAD",
                    () if declared else tuple(dict.fromkeys(columns)))
        return None, "", ()

    def unmade(self, text: str, path: tuple[str, ...], layout: tuple[str, ...]) -> "Unmade":
        """The table that a LOAD DATA will make, with columns of types that suit the statement, if any do."""
        candidates = [Unmade(path, layout, type_) for type_ in Unmade.TYPES]
        for candidate in candidates if layout else ():
            try:
                self.analyze(text, Names({path: candidate}), None, [])
                return candidate
            except ApiError:
                continue
        return candidates[0]

    def moments(self, text: str) -> dict[tuple[str, ...], str]:
        """The tables that a statement reads as they were at one moment, and the expression that says which."""
        if not TRAVELS.search(text):
            return {}
        with self.engine.lock:
            return self.names.use(("moments", text), lambda: self._moments(text))

    def _moments(self, text: str) -> dict[tuple[str, ...], str]:
        from .scripts import Script
        try:
            answer = self._call("Parse", service.ParseRequest(sql_statement=text, options=self.language), service.ParseResponse)
        except ServiceError:
            return {}
        script, found = Script(text, None), {}
        for node in find(answer, "ASTTablePathExpressionProto"):
            path = tuple(name.id_string for name in node.path_expr.names)
            found.setdefault(path, set()).add(script.part(node.for_system_time.expression) if node.for_system_time.ByteSize() else "")
        return {path: min(said) for path, said in found.items() if len(said) == 1 and min(said)}

    def is_script(self, text: str) -> bool:
        request = service.ExtractTableNamesFromStatementRequest(sql_statement=text, options=self.language, allow_script=True)
        try:
            self._call("ExtractTableNamesFromStatement", request, service.ExtractTableNamesFromStatementResponse)
            return bool(text.strip())
        except ServiceError:
            return False

    def analyze(self, text: str, names: Names, mode: str | None, parameters: list[dict]):
        """The resolved tree (AnyResolvedStatementProto) of a statement, and the columns it needs by the tables' serialization_id.

        Raises ApiError for what is wrong with the statement.
        """
        key = (text, names.key, mode, repr(parameters))
        with self.engine.lock:
            if self.generation != self.engine.generation:
                self._forget()
            return self.analyzed.use(key, lambda: self._analyze(text, names, mode, parameters))

    def _analyze(self, text: str, names: Names, mode: str | None, parameters: list[dict]):
        options = self.options(mode, parameters, names.variables)
        try:
            tree = self.sessionized(text, names, options) if SESSIONIZE.search(text) else self.tree(text, names, options)
        except ServiceError as error:
            tree = self._with_split_paths(text, names, options, error)
        return tree, needed_columns(tree)

    def tree(self, text: str, names: Names, options, session: str | None = None):
        request = service.AnalyzeRequest(options=options, sql_statement=text, registered_catalog_id=self.catalog(names, session))
        if session:
            request.descriptor_pool_list.definitions.add().builtin.SetInParent()
        return self._call("Analyze", request, service.AnalyzeResponse).resolved_statement

    def sessionized(self, text: str, names: Names, options):
        """The tree of a statement with RANGE_SESSIONIZE, the type of whose new column follows from a column that a text names."""
        options.enabled_rewrites.remove(public.ResolvedASTRewrite.REWRITE_INLINE_SQL_TVFS)
        first = None
        for session in ("DATE", "DATETIME", "TIMESTAMP"):
            try:
                tree = self.tree(text, names, options, session)
            except ServiceError as error:
                first = first or error
                continue
            if all(types.KINDS[session] == session_kind(scan) for scan in find(tree, "ResolvedTVFScanProto")):
                return tree
        raise first or ServiceError(0, "RANGE_SESSIONIZE needs a column of type RANGE")

    def _with_split_paths(self, text: str, names: Names, options, error: ServiceError):
        """The tree where `p.d.t` in one pair of backticks is read as three names, so that t stands for its columns.

        The analyzer takes such a name as one. A text is changed only where it fails as it is written, since
        its error's position counts.
        """
        whole = [path for path in names.tables if len(path) == 1 and "." in path[0]]
        if whole and error.message.startswith("Unrecognized name"):
            split = {path: tuple(path[0].split(".")) for path in whole}
            for path, parts in split.items():
                text = text.replace(f"`{path[0]}`", ".".join(f"`{part}`" for part in parts))
            try:
                return self.tree(text, names._replace(tables={split.get(path, path): table for path, table in names.tables.items()}), options)
            except ServiceError:
                pass
        raise query_error(error) from None

    def options(self, mode: str | None, parameters: list[dict], variables: dict[str, dict] = {}) -> options_pb2.AnalyzerOptionsProto:
        options = options_pb2.AnalyzerOptionsProto()
        options.CopyFrom(self.base_options)
        options.allow_undeclared_parameters = not parameters
        options.parameter_mode = public.ParameterMode.Value(f"PARAMETER_{mode or 'NAMED'}")
        for name, field in variables.items():
            if name.startswith("@@"):
                options.system_variables.add(name_path=name[2:].split("."), type=types.type_proto(field))
        for field in parameters:
            if mode == "POSITIONAL":
                options.positional_query_parameters.append(types.type_proto(field))
            else:
                options.query_parameters.add(name=field["name"], type=types.type_proto(field))
        return options

    @cached_property
    def base_options(self) -> options_pb2.AnalyzerOptionsProto:
        options = options_pb2.AnalyzerOptionsProto(
            language_options=self.language, default_timezone="UTC", prune_unused_columns=True,
            error_message_mode=public.ERROR_MESSAGE_ONE_LINE)
        for name, kind in ("_PARTITIONDATE", type_pb2.TYPE_DATE), ("_PARTITIONTIME", type_pb2.TYPE_TIMESTAMP):
            options.ddl_pseudo_columns.add(name=name, type=simple(kind))
        options.enabled_rewrites.extend(public.ResolvedASTRewrite.Value("REWRITE_" + name) for name in REWRITES)
        return options

    def catalog(self, names: Names, session: str | None = None) -> int:
        """The id of a registered catalog that has these names.

        session: the type of RANGE_SESSIONIZE's ranges, where a statement has this function.
        """
        return self.catalogs.use((names.key, session), lambda: self._register(catalog_proto(self.language, names, session)))

    def builtin_catalog(self) -> int:
        """The id of a catalog of functions alone, which stays."""
        with self.engine.lock:
            if self.generation != self.engine.generation:
                self._forget()
            if self.builtin is None:
                self.builtin = self._register(catalog_proto(self.language, Names({})))
            return self.builtin

    def _register(self, proto: simple_catalog_pb2.SimpleCatalogProto) -> int:
        request = service.RegisterCatalogRequest(simple_catalog=proto)
        request.descriptor_pool_list.definitions.add().builtin.SetInParent()
        return self._call("RegisterCatalog", request, service.RegisterResponse).registered_id

    def _drop_catalog(self, number: int) -> None:
        self._call("UnregisterCatalog", service.UnregisterRequest(registered_id=number))

    def _call(self, method: str, request, answer=None):
        try:
            return self.engine.call(method, request, answer)
        except Crash:
            self._forget()
            raise ApiError("resourcesExceeded", "Resources exceeded during query execution: Not enough resources for query planning - "
                                                "too many subqueries or query is too complex.") from None


def query_error(error: ServiceError) -> ApiError:
    """The service's error as BigQuery words it: `... at [line:column]`."""
    if found := ELSEWHERE.match(error.message):
        raise unsupported(f"the {'table ' if found[1] != 'F' else ''}function {found[2].upper()}") from None
    message = POSITION.sub(r" at [\1]", GROUP.sub("", error.message)).replace("Unexpected end of statement", "Unexpected end of script")
    return ApiError("invalidQuery", message, "query")


def missing_routine(error: ApiError) -> tuple[str, ...] | None:
    """The path of the routine that the analyzer did not find; None where the error is another one."""
    found = MISSING_ROUTINE.search(error.message)
    return tuple(quoted or bare for quoted, bare in PATH_PART.findall(found[1])) if found else None


# Tables -------------------------------------------------------------------------------------------

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


def catalog_proto(language, names: Names, session: str | None = None) -> simple_catalog_pb2.SimpleCatalogProto:
    """A catalog with the built-in functions and the names; a table's serialization_id is its place in `tables`."""
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
    if session:
        add_sessionize(root, session)
    return root


def add_functions(root: simple_catalog_pb2.SimpleCatalogProto) -> None:
    """BigQuery's functions that the analyzer lacks."""
    text, words = simple(type_pb2.TYPE_STRING), simple(type_pb2.TYPE_ARRAY)
    words.array_type.element_type.CopyFrom(text)
    counted = simple(type_pb2.TYPE_ARRAY)
    for name, kind in (("term", type_pb2.TYPE_STRING), ("count", type_pb2.TYPE_INT64)):
        counted.array_type.element_type.type_kind = type_pb2.TYPE_STRUCT
        counted.array_type.element_type.struct_type.field.add(field_name=name).field_type.type_kind = kind
    scalar, anything, truth = function_pb2.FunctionEnums.SCALAR, {"kind": function_pb2.ARG_TYPE_ARBITRARY}, {"type": simple(type_pb2.TYPE_BOOL)}
    add_function(root, "contains_substr", scalar, [anything, {"type": text}], truth, ["json_scope"])
    add_function(root, "search", scalar, [anything, {"type": text}], truth, ["json_scope", "analyzer", "analyzer_options"])
    add_function(root, "text_analyze", scalar, [{"type": text}], {"type": words}, ["analyzer", "analyzer_options"])
    add_function(root, "bag_of_words", scalar, [{"type": words}], {"type": counted})
    add_function(root, "tf_idf", function_pb2.FunctionEnums.ANALYTIC, [{"type": words}], {"type": words})
    for name in ("max_by", "min_by"):
        any_1, any_2 = {"kind": function_pb2.ARG_TYPE_ANY_1}, {"kind": function_pb2.ARG_TYPE_ANY_2}
        add_function(root, name, function_pb2.FunctionEnums.AGGREGATE, [any_1, any_2], any_1)


def simple(kind: int) -> type_pb2.TypeProto:
    return type_pb2.TypeProto(type_kind=kind)


def add_function(root, name: str, mode: int, arguments: list[dict], result: dict, options: list[str] = ()) -> None:
    """A function with one signature; an argument is a type or the kind of a template. options: names of STRING arguments that may be left out."""
    function = root.custom_function.add(name_path=[name], group="BigQuery", mode=mode)
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


def add_sessionize(root: simple_catalog_pb2.SimpleCatalogProto, element: str) -> None:
    """RANGE_SESSIONIZE(TABLE t, column, keys [, mode]) over ranges of a type."""
    text, mode = type_pb2.TypeProto(type_kind=type_pb2.TYPE_STRING), type_pb2.TypeProto(type_kind=type_pb2.TYPE_ENUM)
    mode.enum_type.enum_name = "zetasql.functions.RangeSessionizeEnums.RangeSessionizeMode"
    mode.enum_type.enum_file_name = "zetasql/public/functions/range_sessionize_mode.proto"
    mode.enum_type.is_opaque = True
    texts = type_pb2.TypeProto(type_kind=type_pb2.TYPE_ARRAY)
    texts.array_type.element_type.CopyFrom(text)
    function = root.custom_tvf.add(name_path=["range_sessionize"], type=function_pb2.FunctionEnums.TEMPLATED_SQL_TVF,
                                   argument_name=["input", "range_column", "partitioning_columns", "mode"])
    # The body tells the analyzer the columns; the compiler says what it does.
    function.parse_resume_location.input = f"SELECT *, CAST(NULL AS RANGE<{element}>) AS session_range FROM input"
    signature = function.signature
    signature.argument.add(kind=function_pb2.ARG_TYPE_RELATION, num_occurrences=1)
    signature.argument.add(kind=function_pb2.ARG_TYPE_FIXED, type=text, num_occurrences=1).options.must_be_constant = True
    signature.argument.add(kind=function_pb2.ARG_TYPE_FIXED, type=texts, num_occurrences=1).options.must_be_constant = True
    last = signature.argument.add(kind=function_pb2.ARG_TYPE_FIXED, type=mode, num_occurrences=1).options
    last.cardinality = function_pb2.FunctionEnums.OPTIONAL
    last.default_value.enum_value = range_sessionize_mode_pb2.RangeSessionizeEnums.MEETS
    signature.return_type.kind = function_pb2.ARG_TYPE_RELATION
    signature.return_type.num_occurrences = 1


def session_kind(scan) -> int | None:
    """The kind of the elements of the ranges that a call of RANGE_SESSIONIZE works on."""
    column, rows = scan.signature.argument[1].scalar_argument.value.string_value, scan.signature.argument[0].relation_argument
    return next((c.type.range_type.element_type.type_kind for c in rows.column if c.name.lower() == column.lower()), None)


# Statements ---------------------------------------------------------------------------------------

class Statement:
    """An analyzed statement.

    type: BigQuery's statementType; fields: the result's REST schema; tables: the tables it reads;
    columns: table -> names of the columns it reads; undeclared: REST QueryParameters found in the text
    when none were declared.
    """

    def __init__(self, sql: GoogleSQL, text: str, tree, needed: dict[int, set[str]], paths: dict[tuple, Table], context: dict):
        self.sql = sql
        self.text = text
        self.tree = tree
        self.needed = needed
        self.paths = paths
        self.context = context
        from .compiler import node_of
        self.node, self.node_name = node_of(tree)
        self.type = STATEMENT_TYPES.get(self.node_name)
        if self.type is None:
            raise unsupported(f"the statement {statement_name(tree)}")
        self.order = list(paths.values())
        self.fields = result_fields(self.node) if self.type in ("SELECT", "CREATE_TABLE_AS_SELECT", "CREATE_MODEL", "EXPORT_DATA") else []
        self.views = self._views()
        self.columns = self._columns()
        self.tables = list(self.columns)
        self.routines: list[Routine] = list(context["called"].values())

    @cached_property
    def undeclared(self) -> list[dict]:
        return undeclared(self.tree) if not self.context["parameters"] else []

    def _views(self) -> dict[int, "Statement"]:
        """Each view it reads, analyzed: place in `order` -> statement."""
        context = self.context
        return {
            place: self.sql.prepare(table.view, getattr(table, "resolve", None) or context["resolve"], default_project=context["default_project"],
                                    session_user=context["session_user"], routine=context["routine"])
            for place, table in enumerate(self.order) if table.view}

    def _columns(self) -> dict[Table, set[str]]:
        columns: dict[Hashable, tuple[Table, set[str]]] = {}
        for table in self.order:
            if not table.view and not isinstance(table, Unmade):
                columns.setdefault(table.key, (table, set()))
        if self.type in ("UPDATE", "DELETE", "MERGE") and not self.target.view:
            columns[self.target.key][1].update(field["name"] for field in self.target.fields)
        for place, names in self.needed.items():
            table = self.order[place - 1]
            if not table.view and table.key in columns:
                columns[table.key][1].update(names)
        for view in self.views.values():
            for table, names in view.columns.items():
                columns.setdefault(table.key, (table, set()))[1].update(names)
        return {table: names for table, names in columns.values()}

    def routine_named(self, name: str) -> Routine:
        """A routine that the statement calls, by the name that the tree has for it."""
        return next(routine for path, routine in self.context["called"].items() if ".".join(path).lower() == name)

    @cached_property
    def node_names(self) -> set[str]:
        """The kinds of all nodes in the tree."""
        found, rest = set(), [self.tree]
        while rest:
            message = rest.pop()
            found.add(message.DESCRIPTOR.name)
            rest += [item for field, value in message.ListFields() if field.message_type is not None and field.name != "type"
                     for item in (value if field.is_repeated else (value,)) if hasattr(item, "DESCRIPTOR")]
        return found

    def uses(self, *functions: str) -> bool:
        """Whether it calls one of the functions, which are named in small letters."""
        return any(call.function.name.rpartition(":")[2].lower() in functions for call in find(self.tree, "ResolvedFunctionCallBaseProto"))

    @property
    def result_fields(self) -> list[dict]:
        """The schema that a dry run tells: of the result, or of the table that is made or changed."""
        if self.type == "CREATE_TABLE":
            return [types.rest_field(item.type, item.name) for item in self.node.parent.column_definition_list]
        return self.target.fields if self.type in ("INSERT", "UPDATE", "DELETE", "MERGE") else self.fields

    @property
    def target(self) -> Table:
        """The table that a DML statement changes."""
        return self.order[self.node.table_scan.table.serialization_id - 1]

    def sql_of(self, expression: str, cursor, field: dict) -> str:
        """DuckDB SQL of an expression without columns that a table keeps as text: a column's default."""
        return self.sql.expression(expression, cursor, self.context["session_user"])

    def constant(self, expression, cursor):
        """The value of an expression without columns, as Python has it: an option's."""
        from .compiler import Compiler
        return Compiler(self, cursor).constant(expression)

    def created_path(self, name_path) -> tuple[str, ...]:
        """A name that a DDL statement gives, as (project, dataset, name) or as much of it as is known."""
        return self.context["local"](tuple(name_path)) or normal_path(tuple(name_path), self.context["default_project"], self.context["default_dataset"])

    def change(self, cursor) -> str:
        """A DML statement as the SELECT of what is to happen; see modify.py."""
        from .modify import compile_change
        return compile_change(self, cursor)

    def compile(self, cursor) -> str:
        """DuckDB SQL whose columns are named as `fields`, in order; ApiError notImplemented for what can't be said in it."""
        from .compiler import compile_statement
        return compile_statement(self, cursor)


# The kinds of statement that run, and BigQuery's names for them.
STATEMENT_TYPES = {
    "resolved_query_stmt_node": "SELECT", "resolved_insert_stmt_node": "INSERT", "resolved_update_stmt_node": "UPDATE",
    "resolved_delete_stmt_node": "DELETE", "resolved_merge_stmt_node": "MERGE", "resolved_truncate_stmt_node": "TRUNCATE_TABLE",
    "resolved_create_table_stmt_node": "CREATE_TABLE", "resolved_create_table_as_select_stmt_node": "CREATE_TABLE_AS_SELECT",
    "resolved_create_row_access_policy_stmt_node": "CREATE_ROW_ACCESS_POLICY", "resolved_drop_row_access_policy_stmt_node": "DROP_ROW_ACCESS_POLICY",
    "resolved_grant_stmt_node": "GRANT", "resolved_revoke_stmt_node": "REVOKE",
    "resolved_create_view_stmt_node": "CREATE_VIEW", "resolved_create_model_stmt_node": "CREATE_MODEL", "resolved_create_schema_stmt_node": "CREATE_SCHEMA", "resolved_drop_stmt_node": "DROP",
    "resolved_create_function_stmt_node": "CREATE_FUNCTION", "resolved_create_table_function_stmt_node": "CREATE_TABLE_FUNCTION",
    "resolved_create_procedure_stmt_node": "CREATE_PROCEDURE", "resolved_drop_function_stmt_node": "DROP_FUNCTION",
    "resolved_drop_table_function_stmt_node": "DROP_TABLE_FUNCTION", "resolved_call_stmt_node": "CALL", "resolved_assert_stmt_node": "ASSERT",
    "resolved_execute_immediate_stmt_node": "EXECUTE_IMMEDIATE", "resolved_assignment_stmt_node": "ASSIGNMENT",
    "resolved_begin_stmt_node": "BEGIN_TRANSACTION", "resolved_commit_stmt_node": "COMMIT_TRANSACTION", "resolved_rollback_stmt_node": "ROLLBACK_TRANSACTION",
    "resolved_create_materialized_view_stmt_node": "CREATE_MATERIALIZED_VIEW", "resolved_create_external_table_stmt_node": "CREATE_EXTERNAL_TABLE",
    "resolved_create_snapshot_table_stmt_node": "CREATE_SNAPSHOT_TABLE", "resolved_drop_snapshot_table_stmt_node": "DROP_SNAPSHOT_TABLE",
    "resolved_drop_materialized_view_stmt_node": "DROP_MATERIALIZED_VIEW", "resolved_undrop_stmt_node": "UNDROP_SCHEMA",
    "resolved_alter_table_stmt_node": "ALTER_TABLE", "resolved_alter_table_set_options_stmt_node": "ALTER_TABLE",
    "resolved_alter_view_stmt_node": "ALTER_VIEW", "resolved_alter_materialized_view_stmt_node": "ALTER_MATERIALIZED_VIEW",
    "resolved_alter_schema_stmt_node": "ALTER_SCHEMA", "resolved_export_data_stmt_node": "EXPORT_DATA", "resolved_aux_load_data_stmt_node": "LOAD_DATA",
    "resolved_grant_stmt_node": "GRANT", "resolved_revoke_stmt_node": "REVOKE",
    "resolved_create_row_access_policy_stmt_node": "CREATE_ROW_ACCESS_POLICY", "resolved_drop_row_access_policy_stmt_node": "DROP_ROW_ACCESS_POLICY",
}


def statement_name(tree) -> str:
    """The kind of a statement in words, e.g. CREATE TABLE AS SELECT."""
    node, name = tree, ""
    while node.DESCRIPTOR.oneofs and node.WhichOneof("node"):
        name = node.WhichOneof("node")
        node = getattr(node, name)
    words = name.removeprefix("resolved_").removesuffix("_node").removesuffix("_stmt")
    return words.replace("_", " ").upper()


def result_fields(node) -> list[dict]:
    """The REST schema of a query: anonymous columns are f0_, f1_ and so on; ApiError for a name that stands twice."""
    columns = node.output_column_list
    if getattr(node, "is_value_table", False) and columns[0].column.type.type_kind == type_pb2.TYPE_STRUCT:
        return types.rest_field(columns[0].column.type)["fields"]
    names, anonymous, seen, double = [], 0, set(), []
    for column in columns:
        name = column.name
        if not name or name.startswith("$"):
            name, anonymous = f"f{anonymous}_", anonymous + 1
        if name.lower() in seen and name not in double:
            double.append(name)
        seen.add(name.lower())
        names.append(name)
    if double:
        raise ApiError("invalidQuery", f"Duplicate column names in the result are not supported. Found duplicate(s): {', '.join(double)}", "query")
    return [types.rest_field(column.column.type, name) for column, name in zip(columns, names)]


def undeclared(tree) -> list[dict]:
    """The parameters of a statement analyzed without declarations, as REST QueryParameters."""
    found = {}
    for node in find(tree, "ResolvedParameterProto"):
        key = node.name or node.position
        parameter = {"parameterType": types.parameter_type(types.rest_field(node.parent.type))}
        found.setdefault(key, {"name": node.name} | parameter if node.name else parameter)
    return [found[key] for key in sorted(found, key=lambda key: (isinstance(key, str), key))]


def find(message, kind: str):
    """Every message of a kind inside a tree of protobufs, in order."""
    if message.DESCRIPTOR.name == kind:
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None and field.name != "type" and not field.message_type.GetOptions().map_entry:
            for item in value if field.is_repeated else (value,):
                yield from find(item, kind)
