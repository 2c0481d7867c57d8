"""Google's analyzer: a text in, the resolved tree or BigQuery's exact error out.

The analyzer sees a catalog of the tables that the statement names, which the caller resolves.
"""
from __future__ import annotations

import re
from collections import OrderedDict
from functools import cached_property
from pathlib import Path
from typing import Callable, Hashable

from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2, simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public, type_pb2

from ..errors import ApiError, unsupported
from . import routines, table_functions, types
from .catalog import FindRoutine, Names, Resolve, Table, Unmade, catalog_proto, normal_path, simple
from .columns import needed_columns
from .engine import Crash, Engine, ServiceError, default_cache_dir, prepare_cache
from .runtime import too_complex
from .statement import Statement
from .tree import find, node_of, restate
from .twins import renamed, twins

__all__ = ["GoogleSQL", "Statement", "Table", "default_cache_dir"]

# Features of the language that BigQuery does not have, or that change what it means.
MISSING_FEATURES = re.compile(
    "SQL_GRAPH|TIMESTAMP_(NANOS|PICOS)|TIMESTAMP_PRECISION|UUID_TYPE|FIRST_AND_LAST_N|MEASURES|EXPERIMENTAL"
    "|TOKENIZED_SEARCH|MULTILEVEL_AGGREGATION_ON_UDAS|JSON_TYPE_COMPARISON|SINGLE_TABLE_NAME_ARRAY_PATH|EXTENDED_TYPES"
    "|IMPLICIT_COERCION_STRING|WITH_GROUP_ROWS|PI_FUNCTIONS|MANHATTAN|L1_NORM|L2_NORM|DOT_PRODUCT|LATERAL_JOIN|MAP_TYPE"
    "|PIPE_(INSERT|IF|CREATE_TABLE|EXPORT|TEE|FORK|DESCRIBE|STATIC|RECURSIVE|LOG)|LIMIT_OFFSET_EXPRESSIONS|DEPTH_MODIFIER"
    "|ON_CONFLICT|STATEMENT_WITH_PIPE|ANONYMIZATION|INTERNAL_LEGACY|ARRAY_ORDERING|ARRAY_ZIP|FOR_UPDATE|MULTIWAY_UNNEST"
    "|DISALLOW_GROUP_BY_FLOAT|STRUCT_BRACED|ROW_TYPE|TIME_BUCKET$|DML_RETURNING"
    "|ARRAY_EQUALITY|ARRAY_ELEMENTS_WITH_SET|NESTED_UPDATE_DELETE_WITH_OFFSET|CORRELATED_REFS_IN_NESTED_DML")
REWRITES = ("FLATTEN", "UNPIVOT", "PIVOT", "ARRAY_INCLUDES", "TYPEOF_FUNCTION", "LIKE_ANY_ALL", "NULLIFERROR_FUNCTION",
            "BUILTIN_FUNCTION_INLINER", "INLINE_SQL_FUNCTIONS", "INLINE_SQL_TVFS", "INLINE_SQL_UDAS", "PIPE_ASSERT")
CATALOGS = 32  # registered in the instance at a time
MEMO = 512  # analyzed statements kept
GROUP = re.compile(f"\\b({routines.SQL_GROUP}|{routines.JS_GROUP}):", re.I)
MISSING_ROUTINE = re.compile(r"(?:Function|Table-valued function|Procedure) not found: ((?:`[^`]*`|[^\s`;.]+)(?:\.(?:`[^`]*`|[^\s`;.]+))*)")
IN_BODY = re.compile(r"Analysis of function (\S+) failed")
PATH_PART = re.compile(r"`([^`]*)`|([^`.]+)")
# BigQuery's functions that need models, connections or the history of changes.
ELSEWHERE = re.compile(r"(Table-valued f|F)unction not found: ((?:ml|ai|obj|bqml)\.\w+|appends|changes|gap_fill|vector_search|external_query|"
                       r"external_object_transform)\b", re.I)
NOT_KINDS = re.compile(r"(CAPACITY|RESERVATION|ASSIGNMENT|BI_CAPACITY|PROJECT|ORGANIZATION|REPLICA) is not a supported (?:nested )?object type")  # to the analyzer
NO_CONNECTION = re.compile(r"Connection not found: (\S+)")
UNREAD = re.compile(r"\b((?<=WITH\s)DIFFERENTIAL_PRIVACY(?=\s+OPTIONS))", re.I)  # a clause that the analyzer does not take
ASSIGNMENT = re.compile("Statement not supported: (SingleAssignment|AssignmentFromStruct)")
NO_SUBQUERIES = "TVF arguments that reference columns are not supported"  # of the functions whose bodies are to be put in the calls' places
POSITION = re.compile(r" \[at (\d+:\d+)\]$")
WITH = re.compile(r"\bWITH\b", re.I)
CHANGES = re.compile(r"\b(ALTER\s+(TABLE|VIEW)|LOAD\s+DATA)\b", re.I)  # the statements whose target is not among the names they read
LOADS = re.compile(r"\s*LOAD\s+DATA\b", re.I)
TRAVELS = re.compile(r"\bFOR\s+SYSTEM(_TIME|\s+TIME)\b", re.I)
NAME_OF_STATEMENT = re.compile(r"^resolved_|_(stmt|statement)?_?node$|_stmt$")


class IsScript(ApiError):
    """The text is a script or has several statements: it is run by its parts."""

    def __init__(self):
        super().__init__("notImplemented", "The embedded BigQuery does not support scripts and several statements here yet.")


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
        self.called = Memo(MEMO)  # text -> paths of the routines that it calls, with the project that each is in
        self.builtin: int | None = None

    def _language(self) -> options_pb2.LanguageOptionsProto:
        language = self.engine.call("GetLanguageOptions", service.LanguageOptionsRequest(maximum_features=True), options_pb2.LanguageOptionsProto)
        features = [f for f in language.enabled_language_features if not MISSING_FEATURES.search(public.LanguageFeature.Name(f))]
        features += [public.FEATURE_COLLATION_SUPPORT, public.FEATURE_COLLATION_IN_EXPLICIT_CAST, public.FEATURE_COLLATION_IN_WITH_RECURSIVE,
                     public.FEATURE_LIKE_ANY_SOME_ALL_SUBQUERY, public.FEATURE_LIKE_ANY_SOME_ALL_ARRAY,
                     public.FEATURE_CREATE_TABLE_CLONE, public.FEATURE_ALTER_COLUMN_SET_DATA_TYPE, public.FEATURE_CREATE_VIEWS_WITH_COLUMN_OPTIONS,
                     public.FEATURE_CREATE_EXTERNAL_TABLE_WITH_PARTITION_COLUMNS, public.FEATURE_DISABLE_FLOAT32]
        del language.enabled_language_features[:], language.supported_statement_kinds[:]
        language.enabled_language_features.extend(features)
        language.reserved_keywords.append("MATCH_RECOGNIZE")
        language.product_mode = public.PRODUCT_EXTERNAL
        return language

    def prepare(self, text: str, resolve: Resolve, parameters: list[dict] = (), parameter_mode: str | None = None,
                default_project: str | None = None, default_dataset: str | None = None, session_user: str = "",
                variables: dict | None = None, routine: FindRoutine = lambda path: None,
                local: Callable[[tuple[str, ...]], tuple[str, ...] | None] = lambda path: None, time_zone: str = "UTC") -> "Statement":
        """A statement, analyzed.

        text: GoogleSQL; resolve: the table of a path (project, dataset, table), ApiError notFound for a
        missing one; routine: the routine of a path, None for a missing one; local: the path that a temporary table
        has in fact, None for a name of no such table; parameters: REST QueryParameters;
        variables: name -> Variable of a script; time_zone: of what names none. Raises ApiError invalidQuery with the analyzer's words,
        notImplemented for a statement of a kind that isn't supported.
        """
        parameters = list(parameters)
        fields = [types.parameter_field(p.get("parameterType", {}), p.get("name", "")) for p in parameters]
        mode = parameter_mode or ("NAMED" if any(p.get("name") for p in parameters) else "POSITIONAL" if parameters else None)
        variables = variables or {}
        tables = self.tables_of(text, lambda path: resolve(local(path) or normal_path(path, default_project, default_dataset)))
        if names_apart := twins(tables):
            text, tables = self.told_apart(text, names_apart), {names_apart.get(path, path): table for path, table in tables.items()}
        names = Names(tables, {name: value.field for name, value in variables.items()}, {})

        def add(path: tuple[str, ...] | None, project: str | None) -> bool:
            """Let the analyzer know a routine and the tables of its body; False for one that is known or that there is not."""
            found = routine(normal_path(path, project, default_dataset)) if path and path not in names.routines else None
            if found is None:
                return False
            names.routines[path] = found
            found.text = self.without_with(found)
            home = (found.ref[0], None) if len(found.ref) == 3 else (default_project, default_dataset)
            for name in self.table_names(found.query) if found.query else ():
                if len(name) == 1 and name[0].lower() in found.parameters:
                    continue
                table = resolve((local(name) if len(found.ref) == 1 else None) or normal_path(name, *home))
                if name in tables and tables[name].key != table.key:
                    raise unsupported(f"{'.'.join(name)} as the name of one table in a statement and of another in the routine {'.'.join(path)}")
                tables[name] = table
            return True

        for path, project in self.called.get(text, ()):
            add(path, project)
        while True:
            try:
                tree, needed = self.analyze(text, names, mode, fields, time_zone)
                break
            except ApiError as error:
                path, caller = missing_routine(error)
                homes = {".".join(known): each.ref[0] for known, each in names.routines.items() if len(each.ref) == 3}
                if not add(path, homes.get(caller, default_project)):
                    raise
        if names.routines:
            self.called.pop(text, None)
            self.called.use(text, lambda: [(path, each.ref[0] if len(each.ref) == 3 else default_project) for path, each in names.routines.items()])
        return Statement(self, text, tree, needed, tables, dict(
            parameters=parameters, parameter_fields=fields, parameter_mode=mode, resolve=resolve, routine=routine, local=local, called=names.routines,
            default_project=default_project, default_dataset=default_dataset, session_user=session_user, variables=variables, time_zone=time_zone))

    def told_apart(self, text: str, names_apart: dict[tuple, tuple]) -> str:
        """A statement's text with other names of the tables that are another's but for case."""
        try:
            answer = self._call("Parse", service.ParseRequest(sql_statement=text, options=self.language), service.ParseResponse)
        except ServiceError as error:
            raise query_error(error) from None
        made = renamed(text, answer, names_apart)
        if made is None:
            raise unsupported(f"a statement over tables whose names differ in case alone: {', '.join('.'.join(path) for path in names_apart)}")
        return made

    def tables_of(self, text: str, find: Resolve) -> dict[tuple[str, ...], Table]:
        """The tables that a statement names or changes, by their names in it; one that it may do without can be missing."""
        tables = {path: find(path) for path in self.table_names(text)}
        path, may_miss, layout = self.changed(text)
        if path and path not in tables:
            try:
                tables[path] = find(path)
            except ApiError as error:
                if error.reason != "notFound" or not may_miss:
                    raise
                if may_miss == "LOAD":
                    tables[path] = self.unmade(text, path, layout)
        return tables

    def expression(self, text: str, cursor, session_user: str = "") -> str:
        """DuckDB SQL of an expression without columns. It is computed for each row that it stands beside."""
        from .compiler import Compiler
        from .expressions import NoRule
        statement = self.prepare(f"SELECT {text}", None, session_user=session_user)
        computed, _ = node_of(node_of(statement.node.query)[0].expr_list[0])
        try:
            return f"({Compiler(statement, cursor).expr(computed.expr)})"
        except NoRule:
            return f"({statement.compile(cursor)})"

    def default(self, field: dict, cursor, session_user: str = "") -> str:
        """DuckDB SQL of a column's default. Fields of a struct may have no names in it, so it is cast by the rules of GoogleSQL."""
        text = field["defaultValueExpression"]
        if "fields" in field:
            text = f"CAST(({text}) AS {types.sql_name(types.type_proto(field))})"
        return self.expression(text, cursor, session_user)

    def table_names(self, text: str) -> list[tuple[str, ...]]:
        """The paths of the tables a statement names, as it writes them."""
        with self.engine.lock:
            return self.names.use(text, lambda: self._table_names(text))

    def _table_names(self, text: str) -> list[tuple[str, ...]]:
        request = service.ExtractTableNamesFromStatementRequest(sql_statement=text, options=self.language)
        try:
            found = self._call("ExtractTableNamesFromStatement", request, service.ExtractTableNamesFromStatementResponse)
        except ServiceError:
            self.check_syntax(text, allow_script=True)
            raise IsScript from None
        return [tuple(name.table_name_segment) for name in found.table_name]

    def changed(self, text: str) -> tuple[tuple[str, ...] | None, str, tuple[str, ...]]:
        """The table that an ALTER TABLE, ALTER VIEW or LOAD DATA is about; what lets it be missing: "IF EXISTS", "LOAD" or nothing;
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
        for node in (*find(answer, "ASTAlterTableStatementProto"), *find(answer, "ASTAlterViewStatementProto")):
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

    def without_with(self, routine: routines.Routine) -> str:
        """A routine's body as the analyzer can put it in the place of a call."""
        if not (routine.query and WITH.search(routine.query)):
            return routine.text
        with self.engine.lock:
            return self.names.use(("without with", routine.query), lambda: self._without_with(routine))

    def _without_with(self, routine: routines.Routine) -> str:
        from . import inlining
        try:
            answer = self._call("Parse", service.ParseRequest(sql_statement=routine.query, options=self.language), service.ParseResponse)
        except ServiceError:
            return routine.text  # the analyzer says what is wrong, and where
        return routine.converted(routine.body_of(inlining.without_with(routine.query, answer)))

    def check_syntax(self, text: str, allow_script: bool) -> None:
        """ApiError invalidQuery for what is no statement, or no script."""
        request = service.ExtractTableNamesFromStatementRequest(sql_statement=text, options=self.language, allow_script=allow_script)
        try:
            self._call("ExtractTableNamesFromStatement", request, service.ExtractTableNamesFromStatementResponse)
        except ServiceError as error:
            raise query_error(error) from None

    def analyze(self, text: str, names: Names, mode: str | None, parameters: list[dict], time_zone: str = "UTC"):
        """The resolved tree (AnyResolvedStatementProto) of a statement, and the columns it needs by the tables' serialization_id.

        Raises ApiError for what is wrong with the statement.
        """
        key = (text, names.key, mode, repr(parameters), time_zone)
        with self.engine.lock:
            if self.generation != self.engine.generation:
                self._forget()
            return self.analyzed.use(key, lambda: self._analyze(text, names, mode, parameters, time_zone))

    def _analyze(self, text: str, names: Names, mode: str | None, parameters: list[dict], time_zone: str):
        options = self.options(mode, parameters, names.variables, time_zone)
        if LOADS.match(text) and any(getattr(table, "pseudo", ()) for table in names.tables.values()):
            del options.ddl_pseudo_columns[:]  # the table has them of its own
        try:
            tree = (self.tree_with_calls if table_functions.CALLED.search(text) else self.tree)(text, names, options)
        except ServiceError as error:
            if ASSIGNMENT.match(error.message):
                raise IsScript from None
            if found := UNREAD.search(text):
                raise unsupported(found[1].upper()) from None
            if error.message.startswith(NO_SUBQUERIES):
                tree = self.tree_with_named_arguments(text, names, options)
                return tree, needed_columns(tree)
            tree = self._with_split_paths(text, names, options, error)
        return tree, needed_columns(tree)

    def tree(self, text: str, names: Names, options, calls: tuple = ()):
        request = service.AnalyzeRequest(options=options, sql_statement=text, registered_catalog_id=self.catalog(names, calls))
        if calls:
            request.descriptor_pool_list.definitions.add().builtin.SetInParent()
        return self._call("Analyze", request, service.AnalyzeResponse).resolved_statement

    def tree_with_calls(self, text: str, names: Names, options):
        """The tree of a statement that may call BigQuery's own table functions."""
        try:
            answer = self._call("Parse", service.ParseRequest(sql_statement=text, options=self.language), service.ParseResponse)
            text, calls = table_functions.read(text, answer)
        except ServiceError:
            calls = ()  # the analyzer says what is wrong, and where
        if not calls:
            return self.tree(text, names, options)
        plain = type(options).FromString(options.SerializeToString())
        plain.enabled_rewrites.remove(public.ResolvedASTRewrite.REWRITE_INLINE_SQL_TVFS)
        try:
            tree = self.tree(text, names, plain, calls)
            if any(routine.kind == "TABLE_VALUED_FUNCTION" for routine in names.routines.values()):  # whose body is to be put in the call's place
                tree = self.tree(text, names, options, table_functions.fixed(calls, tree))
        except ServiceError as error:
            raise ServiceError(error.code, table_functions.real_names(error.message, calls)) from None
        restate(tree, lambda kept: table_functions.real_names(kept, calls))
        return tree

    def tree_with_named_arguments(self, text: str, names: Names, options):
        """The tree of a statement in which table functions get subqueries that read columns."""
        from . import inlining
        answer = self._call("Parse", service.ParseRequest(sql_statement=text, options=self.language), service.ParseResponse)
        tables = {tuple(part.lower() for part in path): [argument.get("argumentKind", "") in ("FIXED_TABLE", "ANY_TABLE") for argument in routine.arguments]
                  for path, routine in names.routines.items()}
        text, old = inlining.with_named_arguments(text, answer, tables)
        try:
            tree = self.tree_with_calls(text, names, options)
        except ServiceError as error:
            if error.message.startswith(NO_SUBQUERIES):
                raise unsupported("such a subquery as an argument of a table function") from None
            raise query_error(error) from None
        for new in reversed(old):  # what is inside of another call was named first
            restate(tree, lambda kept: kept.replace(new, old[new]))
        return tree

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

    def options(self, mode: str | None, parameters: list[dict], variables: dict[str, dict] = {}, time_zone: str = "UTC") -> options_pb2.AnalyzerOptionsProto:
        options = options_pb2.AnalyzerOptionsProto()
        options.CopyFrom(self.base_options)
        options.default_timezone = time_zone
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
            language_options=self.language, prune_unused_columns=True,
            error_message_mode=public.ERROR_MESSAGE_ONE_LINE)
        for name, kind in ("_PARTITIONDATE", type_pb2.TYPE_DATE), ("_PARTITIONTIME", type_pb2.TYPE_TIMESTAMP):
            options.ddl_pseudo_columns.add(name=name, type=simple(kind))
        options.enabled_rewrites.extend(public.ResolvedASTRewrite.Value("REWRITE_" + name) for name in REWRITES)
        return options

    def catalog(self, names: Names, calls: tuple = ()) -> int:
        """The id of a registered catalog that has these names and table functions."""
        return self.catalogs.use((names.key, calls), lambda: self._register(catalog_proto(self.language, names, calls)))

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
            raise too_complex() from None


def query_error(error: ServiceError) -> ApiError:
    """The service's error as BigQuery words it: `... at [line:column]`."""
    if found := ELSEWHERE.search(error.message):
        raise unsupported(f"the {'table ' if found[1] != 'F' else ''}function {found[2].upper()}") from None
    if found := NOT_KINDS.match(error.message):
        raise unsupported(f"the statement on a {found[1]}") from None
    if found := NO_CONNECTION.match(error.message):
        raise unsupported(f"the connection {found[1]}") from None
    message = POSITION.sub(r" at [\1]", GROUP.sub("", error.message)).replace("Unexpected end of statement", "Unexpected end of script")
    return ApiError("invalidQuery", message, "query")


def missing_routine(error: ApiError) -> tuple[tuple[str, ...] | None, str]:
    """The path of the routine that the analyzer did not find, None where the error is another one; the function whose body calls it."""
    found = MISSING_ROUTINE.search(error.message)
    callers = IN_BODY.findall(error.message)
    return tuple(quoted or bare for quoted, bare in PATH_PART.findall(found[1])) if found else None, callers[-1] if callers else ""
