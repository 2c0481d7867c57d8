"""What statements other than queries do: DML here, DDL in ddl.py."""
from __future__ import annotations

from typing import TYPE_CHECKING, Callable

import duckdb

from . import ddl, iam, row_access, tables, values
from .errors import ApiError, unsupported
from .googlesql.modify import TWICE
from .lake import Transaction, now_ms
from .query import price

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job


def run(job: "Job", statement: "Statement") -> None:
    """Run one statement that is no query; its effect and the job are written in one transaction."""
    price(job, statement)
    try:
        RUN[statement.type](job, statement)
    except duckdb.ConstraintException as error:
        column = str(error).rpartition(".")[2].strip()
        raise ApiError("invalidQuery", f"Required field {column} cannot be null", "query") from None


# DML ----------------------------------------------------------------------------------------------

def change_rows(job: "Job", statement: "Statement") -> None:
    """INSERT, UPDATE, DELETE and MERGE.

    They run on the writer's thread as a whole, so each sees all that came before it.
    """
    target = statement.target
    iam.require(job.emulator, job.principal, "bigquery.tables.updateData", target.ref)
    row_access.require_all_rows(job.emulator, job.principal, target.ref)

    def work(tx: Transaction) -> None:
        for table in statement.order:
            table.refresh()
        check_writable(target.body)
        tx.execute(f"CREATE OR REPLACE TEMP TABLE change AS {statement.change(tx.cursor)}")
        count(job, dict(tx.execute("SELECT _action, count(*) FROM change GROUP BY 1").fetchall()))
        if tx.execute("SELECT 1 FROM change WHERE _row IS NOT NULL GROUP BY _row HAVING count(*) > 1 LIMIT 1").fetchone():
            raise ApiError("invalidQuery", TWICE, "query")
        relation = target.body["_relation"]
        names = ", ".join(values.identifier(field["name"]) for field in target.fields)
        if statement.type != "INSERT":
            tx.execute(f"DELETE FROM {relation} WHERE rowid IN (SELECT _row FROM change WHERE _row IS NOT NULL)")
        if statement.type != "DELETE":
            tx.execute(f"INSERT INTO {relation} ({names}) SELECT {names} FROM change WHERE _action <> 'DELETE'")
        tx.execute("DROP TABLE temp.change")
        touch(tx, target.ref, target.body)
    job.write(work)


def check_writable(body: dict) -> None:
    if body["type"] != "TABLE":
        raise ApiError("invalidQuery", f"{body['id']} is not allowed for this operation because it is currently a {body['type']}.", "query")


def touch(tx: Transaction, ref: tables.Ref, body: dict) -> None:
    tx.put("table", ref, {**body, "_data": tx.stamp, "lastModifiedTime": str(now_ms())})


def count(job: "Job", counts: dict[str, int]) -> None:
    """The rows that a DML statement changed, into the job's statistics."""
    stats = {f"{word}RowCount": str(counts[action]) for action, word in (("INSERT", "inserted"), ("UPDATE", "updated"), ("DELETE", "deleted"))
             if counts.get(action)}
    job.statistics["query"] |= {"numDmlAffectedRows": str(sum(counts.values())), "dmlStats": stats}


def truncate(job: "Job", statement: "Statement") -> None:
    target = statement.target
    iam.require(job.emulator, job.principal, "bigquery.tables.updateData", target.ref)
    row_access.require_all_rows(job.emulator, job.principal, target.ref)
    if statement.node.HasField("where_expr"):
        raise unsupported("TRUNCATE TABLE with WHERE")

    def work(tx: Transaction) -> None:
        target.refresh()
        check_writable(target.body)
        (rows,) = tx.execute(f"DELETE FROM {target.body['_relation']}").fetchone()
        count(job, {"DELETE": rows})
        touch(tx, target.ref, target.body)
    job.write(work)


RUN: dict[str, Callable[["Job", "Statement"], None]] = {
    "INSERT": change_rows, "UPDATE": change_rows, "DELETE": change_rows, "MERGE": change_rows, "TRUNCATE_TABLE": truncate, **ddl.RUN,
    "CREATE_ROW_ACCESS_POLICY": row_access.create, "DROP_ROW_ACCESS_POLICY": row_access.drop}
