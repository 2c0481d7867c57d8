"""What outlives a statement: temporary tables and functions, variables and transactions of a script or a session."""
from __future__ import annotations

import base64
import threading
import uuid
from typing import TYPE_CHECKING, Callable

from . import datasets
from .errors import ApiError
from .formats.texts import check_zone
from .lake import Lake, RolledBack, Transaction, now_ms

if TYPE_CHECKING:
    from .calls import Emulator
    from .googlesql.routines import Routine
    from .googlesql.scripts import Variable
    from .jobs import Job

IDLE_MS = 24 * 3_600_000  # a session ends after a day without a query,
LONGEST_MS = 7 * 24 * 3_600_000  # and after seven days in any case
TEMPORARY = "_script"  # the beginning of the names of datasets with temporary tables
SESSION = "session_id"  # the connection property that names a session
KEPT = ("query_label", "dataset_project_id", "time_zone")  # the connection properties that set a system variable


class Session:
    """A script's surroundings, or those of all queries with one session_id.

    id, project, principal, location: "" for a script's; tables: name -> ref of temporary ones; functions: name in small letters -> Routine;
    variables: those that a session's queries declared; settings: of system variables; transaction: the open one.
    """

    def __init__(self, session_id: str = "", project: str = "", principal: str = "", location: str = ""):
        self.id, self.project, self.principal, self.location = session_id, project, principal, location
        self.tables: dict[str, tuple[str, str, str]] = {}
        self.functions: dict[str, "Routine"] = {}
        self.variables: dict[str, "Variable"] = {}
        self.settings: dict[str, str | None] = {}
        self.transaction: Transaction | None = None
        self.transaction_id = ""
        self.lock = threading.Lock()  # a session runs one query at a time
        self.created = self.used = now_ms()
        self.ended = False
        self._dataset: tuple[str, str] | None = None
        self._tables_before: dict[str, tuple[str, str, str]] = {}

    def lake(self, emulator: "Emulator") -> Lake | Transaction:
        """What statements read: inside of a transaction, what it has written."""
        return self.readable or emulator.lake

    @property
    def expires(self) -> int:
        return min(self.used + IDLE_MS, self.created + LONGEST_MS)

    @property
    def readable(self) -> Transaction | None:
        """The open transaction; None where an error has ended it, of which only the rollback is still to come."""
        return self.transaction if self.transaction and not self.transaction.broken else None

    # Temporary tables -----------------------------------------------------------------------------

    def new_table(self, job: "Job", name: str) -> tuple[str, str, str]:
        """The ref that a temporary table of a name is to have."""
        if self._dataset is None:
            self._dataset = job.project, f"{TEMPORARY}{uuid.uuid4().hex}"
            given = {"location": job.reference["location"]}
            job.emulator.lake.put_later("dataset", self._dataset, datasets.new(job.principal, self._dataset, given))
        return *self._dataset, name

    def named(self, path: tuple[str, ...]) -> tuple[str, str, str] | None:
        """The temporary table that a path means: `t`, `_SESSION.t`."""
        parts = ".".join(path).split(".")
        if len(parts) == 2 and parts[0].upper() == "_SESSION":
            parts = parts[1:]
        return self.tables.get(parts[0]) if len(parts) == 1 else None

    # Transactions ---------------------------------------------------------------------------------

    def begin(self, job: "Job") -> None:
        if self.transaction:
            raise ApiError("invalidQuery", "Transaction control statement BEGIN TRANSACTION is not allowed: a transaction is already open.", "query")
        self.transaction = job.emulator.lake.begin(job.check_stopped)
        self._tables_before = dict(self.tables)
        self.transaction_id = base64.b64encode(uuid.uuid4().bytes).decode()

    def end(self, how: Callable[[Transaction], None]) -> None:
        """Commit or roll back the open transaction."""
        transaction, self.transaction = self.transaction, None
        if transaction is None:
            raise ApiError("invalidQuery", "Transaction control statement is not allowed: there is no open transaction.", "query")
        try:
            how(transaction)
        except RolledBack:
            self.tables = self._tables_before
            raise
        if how is Transaction.rollback:
            self.tables = self._tables_before

    def close(self, lake: Lake) -> None:
        """Let go of all it has; an open transaction is rolled back."""
        self.ended = True
        if self.transaction:
            self.end(Transaction.rollback)
        if self._dataset:
            dataset, self._dataset = self._dataset, None
            lake.write(lambda tx: datasets.drop(tx, dataset, contents=True))
        self.tables, self.functions, self.variables = {}, {}, {}


class Sessions:
    """The sessions that are open."""

    def __init__(self, lake: Lake):
        self.lake = lake
        self._open: dict[str, Session] = {}
        for parent in lake.parents("dataset"):  # those of scripts that a last process did not end
            for body in lake.children("dataset", parent):
                if (name := body["datasetReference"]["datasetId"]).startswith(TEMPORARY):
                    lake.write(lambda tx, ref=(*parent, name): datasets.drop(tx, ref, contents=True))

    def of(self, job: "Job") -> Session:
        """The session that a job's configuration asks for: a new one, one that is open, or one of its own."""
        properties = {item.get("key"): item.get("value") for item in job.config.get("connectionProperties", ())}
        for name, value in properties.items():
            if name == "time_zone" and job.kind == "query":
                check_zone(value or "UTC")
            elif name not in ((SESSION, *KEPT) if job.kind == "query" else (SESSION,)):
                raise ApiError("notImplemented", f"The embedded BigQuery does not support the connection property {name}={value} yet.")
        if SESSION in properties:
            session = self.find(properties[SESSION])
        elif job.config.get("createSession"):
            made = base64.urlsafe_b64encode(uuid.uuid4().bytes + uuid.uuid4().bytes).decode().rstrip("=")
            session = self._open[made] = Session(made, job.project, job.principal, job.reference["location"])
        else:
            session = Session()
        if session.transaction:
            job.statistics["transactionInfo"] = {"transactionId": session.transaction_id}
        if session.id:
            session.used = now_ms()
            job.statistics["sessionInfo"] = {"sessionId": session.id}
        session.settings |= {name: value for name, value in properties.items() if name in KEPT}
        return session

    def location(self, config: dict) -> str | None:
        """Where the session runs that a job's configuration names, None where it names none that is open."""
        named = {item.get("value") for item in config.get("connectionProperties") or () if item.get("key") == SESSION}
        return next((session.location for name, session in self._open.items() if name in named), None)

    def find(self, name: str) -> Session:
        session = self._open.get(name)
        if session is None or session.ended:
            raise ApiError("invalid", "Invalid input session id.")
        return session

    def open(self) -> list[Session]:
        return list(self._open.values())

    def abort(self, name: str) -> None:
        self.find(name).close(self.lake)
        self._open.pop(name, None)

    def sweep(self) -> None:
        """End the sessions that nobody used for a day, or that are a week old."""
        for name, session in list(self._open.items()):
            if session.expires < now_ms():
                self.abort(name)

    def close(self) -> None:
        for name in list(self._open):
            self.abort(name)
