"""DuckLake: connections, the single writer, resources and snapshots.

Data and metadata live in one lake. Each table's rows are a lake table under an opaque name; every
REST resource is a row of `lake.resources`, its body as JSON, written in the transaction that writes
the data. A commit is a snapshot, so both can be read as they were. A resource that changes gets a new
row and keeps its old ones until maintain() comes by, as deleting from a lake costs more than a commit.

Reads run on cursors of their own in any thread, pinned to a snapshot. Writes are functions of a
Transaction, run one after another on one thread: concurrent DuckLake committers back off for
seconds, and a queue of short transactions does not. Slow work (parsing a file, running a query)
belongs before the transaction, into a table of `results`.

The lake is attached twice over one catalog, as `lake` for the writer alone and as `reads`: DuckLake 1.5.5 frees a
schema that an open transaction still points into when another thread has loaded the same one.

Bodies handed out are shared: treat them as read-only. Keys that begin with `_` are the emulator's own:
`_relation` is where a table's rows are, `_data` changes whenever they do (from EMPTY on), `_where` chooses some of them.
"""
from __future__ import annotations

import bisect
import json
import queue
import shutil
import tempfile
import threading
import time
import uuid
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterable, Iterator, TypeVar

import duckdb

from . import values

T = TypeVar("T")
Ref = tuple[str, ...]

EXPIRE_AFTER = "7 days"  # the longest time travel window BigQuery has
INLINE_ROWS = 1000  # smaller inserts stay in the catalog, not in a file each
IDLE = 60  # seconds that a lent transaction may be left alone
LATER = 0.5  # seconds after which put_later's resources are written
EMPTY = "empty"  # the `_data` of a table that has had no rows yet
LAST, GONE = "arg_max(body, rowid)", "null"  # what the rows of a resource say of it in the end; its body when it is no more


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class RolledBack(Exception):
    """A transaction that was lent ended without a commit."""


class DataDirInUse(Exception):
    """Another process has the data directory open."""


class Lake:
    """An open lake. data_dir: where it lives, None for one that ends with the process."""

    def __init__(self, data_dir: Path | None, register: Callable[[duckdb.DuckDBPyConnection], None] = lambda _: None):
        self._temporary = None if data_dir else tempfile.mkdtemp(prefix="bigquery-emulator-")
        self.path = Path(data_dir or self._temporary)
        self._connection = connect(self.path, in_memory=data_dir is None)
        for leftover in (*self.path.glob("upload-*"), *self.path.glob("extract-*")):  # of a process that was killed
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        register(self._connection)
        self._resources: dict[str, dict[Ref, dict[str, dict]]] = {}
        self._folded: dict[tuple[str, str], str] = {}  # (project, name in small letters) of a dataset whose names heed no case -> its name
        self._lock = threading.Lock()  # around the dicts of resources
        self._saved = True  # whether resources may have been written since the last maintain()
        self._measures: dict[tuple, int | tuple[int, int]] = {}
        self._times: list[int] = []
        self._versions: list[int] = []
        self._load()
        self._queue: queue.SimpleQueue = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_loop, name="lake-writer", daemon=True)
        self._writer.start()

    def _load(self) -> None:
        cursor = self.cursor()
        cursor.execute("CREATE TABLE IF NOT EXISTS lake.resources(kind VARCHAR, ref VARCHAR, body VARCHAR)")
        for kind, ref, body in cursor.execute(f"SELECT kind, ref, {LAST} FROM lake.resources GROUP BY ALL").fetchall():
            self.add(kind, tuple(json.loads(ref)), json.loads(body))
        for version, moment in cursor.execute(
                "SELECT snapshot_id, epoch_us(snapshot_time) FROM lake.snapshots() ORDER BY 1").fetchall():
            self._versions.append(version)
            self._times.append(moment)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor for one thread; `interrupt()` on it ends what it runs."""
        return self._connection.cursor()

    # Resources ------------------------------------------------------------------------------------

    def get(self, kind: str, ref: Ref, version: int | None = None) -> dict | None:
        """A resource's body, now or at a snapshot; None where there is none."""
        ref = self.spelled(kind, ref)
        if version is None or version == self.version:
            return self._resources.get(kind, {}).get(ref[:-1], {}).get(ref[-1])
        [(body,)] = self.cursor().execute(
            f"SELECT {LAST} FROM reads.resources AT (VERSION => {version}) WHERE kind = ? AND ref = ?", [kind, json.dumps(ref)]).fetchall()
        return json.loads(body or GONE)

    def resources_under(self, dataset: Ref, version: int) -> dict[tuple[str, Ref], dict]:
        """A dataset and all resources in it as they were at a snapshot: (kind, ref) -> body."""
        dataset = self.spelled("dataset", dataset)
        rows = self.cursor().execute(
            f"SELECT kind, ref, {LAST} AS body FROM reads.resources AT (VERSION => {version}) "
            f"WHERE kind NOT IN ('deletions', 'job') AND starts_with(ref, ?) GROUP BY kind, ref HAVING body <> '{GONE}'",
            [json.dumps(dataset).removesuffix("]")]).fetchall()
        return {(kind, tuple(json.loads(ref))): json.loads(body) for kind, ref, body in rows}

    def children(self, kind: str, parent: Ref) -> list[dict]:
        """The resources of a kind directly under a parent, by name."""
        parent = self.spelled(kind, parent)
        with self._lock:
            found = list(self._resources.get(kind, {}).get(parent, {}).items())
        return [body for _, body in sorted(found, key=lambda item: item[0])]

    def spelled(self, kind: str, ref: Ref) -> Ref:
        """A reference with the names as they were given when they were made, in a dataset that is case-insensitive: names of routines are not.

        https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets#Dataset.FIELDS.is_case_insensitive
        """
        dataset = self._folded.get((ref[0], ref[1].lower())) if self._folded and kind != "job" and len(ref) > 1 else None
        if dataset is None:
            return ref
        ref = (ref[0], dataset, *ref[2:])
        tables = self._resources.get("table", {}).get(ref[:2], {})
        if len(ref) > 2 and kind != "routine" and ref[2] not in tables:
            with self._lock:
                return (*ref[:2], next((name for name in tables if name.lower() == ref[2].lower()), ref[2]), *ref[3:])
        return ref

    def parents(self, kind: str) -> list[Ref]:
        with self._lock:
            return [parent for parent, found in self._resources.get(kind, {}).items() if found]

    def add(self, kind: str, ref: Ref, body: dict | None) -> None:
        """Make a resource known without writing it to the lake (None: forget it)."""
        with self._lock:
            siblings = self._resources.setdefault(kind, {}).setdefault(ref[:-1], {})
            if body is None:
                siblings.pop(ref[-1], None)
            else:
                siblings[ref[-1]] = body
            if kind == "dataset" and body and body.get("isCaseInsensitive"):
                self._folded[ref[0], ref[1].lower()] = ref[1]
            elif kind == "dataset" and self._folded.get((ref[0], ref[1].lower())) == ref[1]:
                del self._folded[ref[0], ref[1].lower()]

    def put_later(self, kind: str, ref: Ref, body: dict | None) -> None:
        """Make a resource known now and save it soon: for records of reads, and of rows that were streamed."""
        self.add(kind, ref, body)
        self._queue.put(("later", (kind, ref, body)))

    # Snapshots ------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """The newest snapshot."""
        return self._versions[-1]

    def version_at(self, micros: int) -> int | None:
        """The snapshot that was newest at a moment (microseconds since the epoch); None before the first."""
        index = bisect.bisect_right(self._times, micros)
        return self._versions[index - 1] if index else None

    def relation(self, table: dict, version: int | None = None, attached: str = "reads") -> str:
        """The FROM item of a table's rows, pinned to a snapshot (the newest by default).

        A relation outside the lake (a query's result, a public sample) has no past and is not pinned.
        """
        name = table["_relation"]
        pinned = f"{attached}.{name.removeprefix('lake.')} AT (VERSION => {version or self.version})" if name.startswith("lake.") else name
        return f"(SELECT * FROM {pinned} WHERE {table['_where']})" if "_where" in table else pinned

    def measure(self, table: dict, columns: Iterable[str], version: int | None = None, condition: str | None = None) -> int:
        """Logical bytes of some columns of a table, or fields of them, of all rows or those for which a condition is true: the unit BigQuery bills."""
        sizes = values.sizes(table.get("schema", {}).get("fields", ()), columns)
        return sum(self._measured(table, version, condition, {name: f"coalesce(sum({size}), 0)::BIGINT" for name, size in sizes.items()}))

    def rows(self, table: dict, version: int | None = None) -> int:
        """The number of a table's rows."""
        return self._measured(table, version, None, {None: "count(*)"})[0]

    def counted(self, relation: str, rows: int) -> int:
        """Keep the number of rows of a table of `results`, which do not change; the number."""
        self._measures[relation, None, None, None, None] = rows
        return rows

    def count(self, table: dict, expression: str) -> int:
        """How many different values an SQL expression has over a table's rows."""
        return self._measured(table, None, None, {expression: f"count(DISTINCT {expression})"})[0]

    def physical(self, table: dict) -> tuple[int, int]:
        """The bytes of a table's files: of those it has now, and of those that only time travel reads. Few rows are in no file."""
        if table.get("_data") == EMPTY:
            return 0, 0
        key = (table["_relation"], table.get("_data"), "files")
        if key not in self._measures:
            self._measures[key] = self.cursor().execute(
                "SELECT coalesce(sum(file_size_bytes) FILTER (f.end_snapshot IS NULL), 0)::BIGINT, "
                "coalesce(sum(file_size_bytes) FILTER (f.end_snapshot IS NOT NULL), 0)::BIGINT "
                "FROM metadata.ducklake_data_file f JOIN metadata.ducklake_table t USING (table_id) WHERE t.table_name = ? AND t.end_snapshot IS NULL",
                [table["_relation"].removeprefix("lake.")]).fetchone()
        return self._measures[key]

    def _measured(self, table: dict, version: int | None, condition: str | None, wanted: dict[str | None, str]) -> list[int]:
        """Aggregates over a table's rows, by what they are of: what is not known of these rows yet is computed in one scan."""
        if table.get("_data") == EMPTY:
            return [0] * len(wanted)
        moment = table.get("_data") if version in (None, self.version) else version
        keys = {name: (table["_relation"], table.get("_where"), moment, condition, name) for name in wanted}
        missing = [name for name in wanted if keys[name] not in self._measures]
        if missing:
            found = self.cursor().execute(f"SELECT {', '.join(wanted[name] for name in missing)} FROM {self.relation(table, version)}"
                                          + (f" WHERE {condition}" if condition else "")).fetchone()
            self._measures |= {keys[name]: value for name, value in zip(missing, found)}
        return [self._measures[key] for key in keys.values()]

    # Writing --------------------------------------------------------------------------------------

    def write(self, work: Callable[["Transaction"], T]) -> T:
        """Run `work` in a transaction on the writer's thread; its result once it is durable.

        An exception of `work` rolls everything back and is raised here.
        """
        future: Future = Future()
        self._queue.put((work, future))
        return future.result()

    def begin(self, check: Callable[[], None] = lambda: None) -> "Transaction":
        """A transaction for the caller's own thread, until its commit() or rollback().

        The writer waits for it meanwhile, and other writes in the queue with it: a lake's commit is one snapshot of data and
        resources, and DuckLake refuses a commit over rows that a later one deleted. Reads go on. One that is left alone for
        IDLE seconds is rolled back. check: called while other writes are waited for; what it raises ends the waiting.
        """
        lent: Future = Future()
        ended: Future = Future()
        self._queue.put((lambda tx: tx.lend(lent), ended))
        while True:
            try:
                check()
                tx = lent.result(0.2)
                break
            except TimeoutError:
                continue
            except BaseException:
                if not lent.cancel():
                    lent.result().rollback()
                raise
        tx.ended = ended
        return tx

    def close(self) -> None:
        """Finish the writes that are queued, then let go of the files."""
        self._queue.put((None, None))
        self._writer.join()
        self._connection.close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _write_loop(self) -> None:
        later: dict[tuple[str, Ref], dict | None] = {}
        due = 0.0
        while True:
            try:
                work, subject = self._queue.get(timeout=max(0, due - time.monotonic()) if later else None)
            except queue.Empty:
                work, subject = _nothing, Future()
            if work is None:
                break
            if work == "later":
                kind, ref, body = subject
                due = due if later else time.monotonic() + LATER
                later[kind, ref] = body
            else:
                saving = time.monotonic() >= due
                later = self._run(work, subject, later, saving)
                due = time.monotonic() + LATER if saving else due
        if later:
            self._run(_nothing, Future(), later, True)

    def _run(self, work: Callable[["Transaction"], T], future: Future, later: dict, due: bool) -> dict:
        """Run one transaction, that also saves `later` when it is due; what is still to be saved."""
        tx = Transaction(self)
        try:
            result = tx.run(work, later if due else {})
        except BaseException as error:
            future.set_exception(error)
            return later
        future.set_result(result)
        return {} if due else {key: body for key, body in later.items() if key not in tx._changes}

    def _published(self, cursor, changes: dict) -> None:
        """Make a commit visible to readers: its snapshot first, then the resources that point into it."""
        for version, moment in cursor.execute(
                "SELECT snapshot_id, epoch_us(snapshot_time) FROM metadata.ducklake_snapshot WHERE snapshot_id > ?", [self.version]).fetchall():
            self._times.append(moment)
            self._versions.append(version)
        for (kind, ref), body in changes.items():
            self.add(kind, ref, body)

    def maintain(self) -> None:
        """Let go of what resources were before, and of snapshots that no time travel window reaches, and of their files."""
        def work(tx: Transaction) -> None:
            if self._saved:
                tx.execute("DELETE FROM lake.resources WHERE rowid NOT IN "
                           f"(SELECT max(rowid) FROM lake.resources GROUP BY kind, ref HAVING {LAST} <> '{GONE}')")
                self._saved = False
            tx.execute(f"CALL ducklake_expire_snapshots('lake', older_than => now() - INTERVAL '{EXPIRE_AFTER}')")
            tx.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")
        self.write(work)


def _nothing(_: "Transaction") -> None:
    """The work of a transaction that only saves what was put for later."""


class Transaction:
    """An open write. Resources read here include those written here."""

    def __init__(self, lake: Lake):
        self.lake = lake
        self.cursor = lake.cursor()
        self.stamp = f"{time.time_ns()}"
        self._changes: dict[tuple[str, Ref], dict | None] = {}
        self._log: list[tuple[str, list | None]] | None = None  # what a lent transaction did; see `_replay`
        self._held: list[str] = []

    def run(self, work: Callable[["Transaction"], T], later: dict) -> T:
        self.cursor.execute("BEGIN")
        try:
            result = work(self)
            self._save({**later, **self._changes})
            self.cursor.execute("COMMIT")
        except BaseException:
            self._undo()
            raise
        finally:
            for relation in self._held:
                self.cursor.execute(f"DROP TABLE IF EXISTS {relation}")
        self.lake._published(self.cursor, self._changes)
        return result

    # Lent to another thread -----------------------------------------------------------------------

    def lend(self, lent: Future) -> None:
        """On the writer's thread: let another thread use this transaction until it is done."""
        self._done, self._busy, self._used, self._log = threading.Event(), threading.RLock(), time.monotonic(), []
        if not lent.set_running_or_notify_cancel():
            raise RolledBack
        lent.set_result(self)
        while not self._done.wait(1):
            if time.monotonic() - self._used > IDLE and self._busy.acquire(blocking=False):
                self._how = RolledBack(f"The transaction was idle for more than {IDLE} seconds and was rolled back.")
                self._done.set()
                self._busy.release()
        if self._how:
            raise self._how

    @property
    def lent(self) -> bool:
        return self._log is not None

    broken = False  # an error has ended it, and it could not be restored: a rollback is all that is left to do

    @contextmanager
    def use(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The cursor, for one statement; RolledBack where the transaction is over."""
        with self._busy:
            if self._done.is_set():
                raise self._how or RolledBack("The transaction is over.")
            try:
                yield self.cursor
            except BaseException:
                self._restore()
                raise
            finally:
                self._used = time.monotonic()

    def _restore(self) -> None:
        """After an error, which ends a transaction of DuckDB, take it up again."""
        try:
            self.cursor.execute("SELECT 1")
        except duckdb.Error:
            self._replay()

    def _replay(self) -> None:
        """Begin the transaction anew and do again what its statements had done. No other write comes between, so that the rows keep their numbers."""
        try:
            self._undo()
            self.cursor.execute("BEGIN")
            for sql, parameters in self._log:
                self.cursor.execute(sql, parameters)
        except duckdb.Error:
            self.broken = True

    def hold(self, relation: str) -> None:
        """Keep a table of `results` that statements of this transaction read until it ends, when it is dropped."""
        self._held.append(relation)

    def hold_temporary(self, name: str) -> None:
        """Keep the rows of a temporary table, made by the last statement, in which time or chance may have had a part."""
        if self._log is not None:
            relation = f'results."held{uuid.uuid4().hex}"'
            rows = self.cursor.execute(f"SELECT * FROM temp.{name}").to_arrow_reader()  # noqa: F841 (DuckDB finds it by its name)
            self.lake.cursor().execute(f"CREATE TABLE {relation} AS SELECT * FROM rows")
            self._held.append(relation)
            self._log[-1] = (f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM {relation}", None)

    def write(self, work: Callable[["Transaction"], T]) -> T:
        with self.use():
            changes, done = dict(self._changes), len(self._log)
            try:
                return work(self)
            except BaseException:
                self._changes = changes
                if len(self._log) > done:
                    del self._log[done:]
                    self._replay()
                raise

    def commit(self) -> None:
        if self.broken:
            self.rollback()
            raise RolledBack("The transaction was aborted by the error of a statement and was rolled back.")
        self._finish(None)
        self.ended.result()

    def rollback(self) -> None:
        self._finish(RolledBack("The transaction was rolled back."))
        self.ended.exception()

    def _finish(self, how: "RolledBack | None") -> None:
        with self._busy:
            if not self._done.is_set():
                self._how = how
                self._done.set()

    # Reading what it has written ------------------------------------------------------------------

    def relation(self, table: dict, version: int | None = None) -> str:
        if version not in (None, self.version):
            return self.lake.relation(table, version, "lake")  # which the writer knows already
        return f"(SELECT * FROM {table['_relation']} WHERE {table['_where']})" if "_where" in table else table["_relation"]

    def measure(self, table: dict, columns: Iterable[str], version: int | None = None, condition: str | None = None) -> int:
        sizes = [f"sum({size})" for size in values.sizes(table.get("schema", {}).get("fields", ()), columns).values()]
        if not sizes:
            return 0
        with self.use() as cursor:
            sql = f"SELECT coalesce({' + '.join(sizes)}, 0) FROM {self.relation(table, version)}" + (f" WHERE {condition}" if condition else "")
            return int(cursor.execute(sql).fetchone()[0])

    def rows(self, table: dict, version: int | None = None) -> int:
        with self.use() as cursor:
            return cursor.execute(f"SELECT count(*) FROM {self.relation(table, version)}").fetchone()[0]

    def _undo(self) -> None:
        try:
            self.cursor.execute("ROLLBACK")
        except duckdb.TransactionException:
            pass  # a COMMIT that failed has ended the transaction already

    def execute(self, sql: str, parameters: list | None = None) -> duckdb.DuckDBPyConnection:
        found = self.cursor.execute(sql, parameters)
        if self._log is not None and not sql.startswith("SELECT"):
            self._log.append((sql, parameters))
        return found

    @property
    def version(self) -> int:
        """The snapshot that this transaction will be: there is one writer, and it counts by one."""
        return self.lake.version + 1

    def get(self, kind: str, ref: Ref) -> dict | None:
        key = kind, self.lake.spelled(kind, ref)
        return self._changes[key] if key in self._changes else self.lake.get(*key)

    def put(self, kind: str, ref: Ref, body: dict) -> dict:
        self._changes[kind, self.lake.spelled(kind, ref)] = body
        return body

    def delete(self, kind: str, ref: Ref) -> None:
        self._changes[kind, self.lake.spelled(kind, ref)] = None

    def create_relation(self, fields: list[dict]) -> str:
        """A new, empty lake table for these fields; its qualified name."""
        name = f"lake.t_{uuid.uuid4().hex}"
        columns = ", ".join(
            f"{values.identifier(field['name'])} {values.duckdb_type(field)}"
            + (" NOT NULL" if field.get("mode") == "REQUIRED" else "")
            + (f" DEFAULT {field['_default']}" if "_default" in field else "") for field in fields)
        # DuckLake has no table without columns; BigQuery does.
        self.execute(f"CREATE TABLE {name} ({columns or '_empty BOOLEAN'})")
        return name

    def drop_relation(self, table: dict) -> None:
        """Drop a table's rows, wherever they are; the lake keeps their past."""
        relation = table.get("_relation", "")
        if relation.startswith("lake."):
            self.execute(f"DROP TABLE {relation}")

    def _save(self, changes: dict[tuple[str, Ref], dict | None]) -> None:
        rows = [(kind, json.dumps(ref), json.dumps(body)) for (kind, ref), body in changes.items()]
        if rows:
            marks = ", ".join(["(?, ?, ?)"] * len(rows))
            self.execute(f"INSERT INTO lake.resources VALUES {marks}", [x for row in rows for x in row])
            self.lake._saved = True


def connect(path: Path, in_memory: bool) -> duckdb.DuckDBPyConnection:
    """DuckDB with the lake attached as `lake` and `reads`, and `results` for what queries leave behind.

    Raises DataDirInUse where another process has it open.
    """
    (path / "files").mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"LOAD {values.string(str(extension('ducklake')))}")
    catalog = ":memory:" if in_memory else str(path / "catalog.db")
    results = ":memory:" if in_memory else str(path / "results.db")
    try:
        connection.execute(f"ATTACH {values.string(catalog)} AS metadata")
        for name in ("lake", "reads"):
            connection.execute(
                f"ATTACH {values.string(f'ducklake:duckdb:{catalog}')} AS {name} (METADATA_CATALOG 'metadata', "
                f"DATA_PATH {values.string(str(path / 'files'))}, OVERRIDE_DATA_PATH true, DATA_INLINING_ROW_LIMIT {INLINE_ROWS})")
        connection.execute(f"ATTACH {values.string(results)} AS results")
    except duckdb.IOException as error:
        if "lock" in str(error):
            raise DataDirInUse(f"The data folder {path} is in use by another process. "
                               "Stop the emulator that has it open, or choose another --data-dir.") from None
        raise
    return connection


def extension(name: str) -> Path:
    """The file of a DuckDB extension that came as a Python package: nothing is downloaded."""
    package = __import__(f"duckdb_extension_{name}")
    return next(Path(package.__file__).parent.glob(f"extensions/*/{name}.duckdb_extension"))
