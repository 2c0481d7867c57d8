"""The lake: one writer, resources beside data, snapshots, measures, and what survives."""
import random
import threading
import time

import duckdb
import pytest

from emulator import lake as lakes
from emulator.lake import DataDirInUse, Lake, RolledBack

FIELDS = [{"name": "a", "type": "STRING"}, {"name": "b", "type": "INTEGER", "mode": "REQUIRED"}]
REF = ("p", "d", "t")


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path)
    yield lake
    lake.close()


def make(tx) -> dict:
    return tx.put("table", REF, {"_relation": tx.create_relation(FIELDS), "schema": {"fields": FIELDS}, "_data": tx.stamp})


def add(table, count: int = 1, text: str = "xyz"):
    def work(tx):
        tx.execute(f"INSERT INTO {table['_relation']} SELECT '{text}', range FROM range({count})")
        return tx.put("table", REF, {**table, "_data": tx.stamp})
    return work


def test_resources_and_rows_are_written_together_or_not_at_all(lake):
    table = lake.write(make)

    def fails(tx):
        add(table)(tx)
        tx.put("table", ("p", "d", "other"), {})
        raise RuntimeError("no")
    with pytest.raises(RuntimeError, match="no"):
        lake.write(fails)
    assert lake.rows(table) == 0 and lake.get("table", ("p", "d", "other")) is None
    assert lake.get("table", REF) == table


def test_a_transaction_sees_its_own_resources(lake):
    def work(tx):
        tx.put("dataset", ("p", "d"), {"n": 1})
        seen = tx.get("dataset", ("p", "d"))
        tx.delete("dataset", ("p", "d"))
        return seen, tx.get("dataset", ("p", "d"))
    assert lake.write(work) == ({"n": 1}, None)


def test_the_past_has_rows_and_resources(lake):
    table = lake.write(make)
    empty = lake.version
    table = lake.write(add(table, 3))
    full = lake.version
    lake.write(lambda tx: (tx.drop_relation(table), tx.delete("table", REF)))
    assert lake.get("table", REF) is None
    assert lake.get("table", REF, full)["_data"] == table["_data"]
    assert (lake.rows(table, empty), lake.rows(table, full)) == (0, 3)
    assert lake.cursor().execute(f"SELECT sum(b) FROM {lake.relation(table, full)}").fetchone() == (3,)


def test_what_resources_were_goes_from_the_present_and_stays_in_the_past(tmp_path):
    lake = Lake(tmp_path)
    for n in range(3):
        lake.write(lambda tx: (tx.put("table", REF, {"n": n}), tx.put("table", ("p", "d", f"t{n}"), {})))
    lake.write(lambda tx: tx.delete("table", ("p", "d", "t1")))
    before = lake.version
    lake.write(lambda tx: (tx.delete("table", ("p", "d", "t2")), tx.put("table", REF, {"n": 3})))
    assert lake.cursor().execute("SELECT count(*) FROM reads.resources").fetchone() == (9,)
    lake.maintain()
    assert lake.cursor().execute("SELECT ref, body FROM reads.resources ORDER BY 1").fetchall() == [('["p", "d", "t"]', '{"n": 3}'), ('["p", "d", "t0"]', "{}")]
    assert lake.get("table", REF, before) == {"n": 2} and lake.get("table", ("p", "d", "t1"), before) is None
    assert set(lake.resources_under(("p", "d"), before)) == {("table", REF), ("table", ("p", "d", "t0")), ("table", ("p", "d", "t2"))}
    lake.close()
    lake = Lake(tmp_path)
    assert lake.get("table", REF) == {"n": 3} and lake.get("table", ("p", "d", "t2")) is None
    lake.close()


def test_version_at_a_moment(lake):
    before = time.time_ns() // 1000
    table = lake.write(make)
    made = lake.version
    between = time.time_ns() // 1000
    lake.write(add(table))
    assert lake.version_at(between) == made < lake.version == lake.version_at(time.time_ns() // 1000)
    assert lake.version_at(before) < made and lake.version_at(0) is None


def test_measures_are_logical_bytes_of_the_columns(lake):
    table = lake.write(add(lake.write(make), 4))
    assert (lake.rows(table), lake.measure(table, ["a"]), lake.measure(table, ["a", "b"]), lake.measure(table, [])) == (4, 20, 52, 0)


def test_required_columns_take_no_null(lake):
    table = lake.write(make)
    with pytest.raises(duckdb.ConstraintException):
        lake.write(lambda tx: tx.execute(f"INSERT INTO {table['_relation']} VALUES ('a', NULL)"))


def test_many_writers_and_readers(lake):
    table = lake.write(make)
    failures = []

    def write():
        try:
            for _ in range(5):
                lake.write(lambda tx: tx.execute(f"INSERT INTO {table['_relation']} VALUES ('x', 1)"))
                lake.cursor().execute(f"SELECT count(*) FROM {lake.relation(table)}").fetchone()
        except Exception as error:
            failures.append(error)
    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and lake.rows({**table, "_data": "after"}) == 40


def test_tables_come_and_go_under_readers(lake):
    tables, failures, done = [lake.write(make)], [], threading.Event()

    def read():
        while not done.is_set():
            table = random.choice(tables)
            try:
                lake.cursor().execute(f"SELECT count(*) FROM {lake.relation(table)} JOIN reads.resources ON true").fetchone()
            except duckdb.CatalogException:
                assert table not in tables
            except Exception as error:
                failures.append(error)

    def replace(tx):
        table = add(make(tx))(tx)
        if len(tables) > 20:
            tx.drop_relation(tables.pop(random.randrange(10)))
        return table
    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(100):
            tables.append(lake.write(replace))
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not failures and all(lake.rows(table) == 1 for table in tables[1:])


def test_what_is_put_for_later_is_there_at_once_and_after_a_restart(tmp_path):
    lake = Lake(tmp_path)
    lake.put_later("job", ("p", "j"), {"n": 1})
    assert lake.get("job", ("p", "j")) == {"n": 1} and lake.children("job", ("p",)) == [{"n": 1}]
    lake.close()
    lake = Lake(tmp_path)
    assert lake.get("job", ("p", "j")) == {"n": 1}
    lake.close()


def test_a_restart_finds_tables_and_their_past(tmp_path):
    lake = Lake(tmp_path)
    table = lake.write(make)
    empty = lake.version
    table = lake.write(add(table, 2000))
    lake.close()
    lake = Lake(tmp_path)
    assert lake.get("table", REF) == table and (lake.rows(table), lake.rows(table, empty)) == (2000, 0)
    lake.maintain()
    assert lake.rows({**table, "_data": "after"}, empty) == 0
    lake.close()


def test_one_process_has_a_data_dir(tmp_path):
    from conftest import running_emulator
    with running_emulator("--data-dir", str(tmp_path)):
        with pytest.raises(DataDirInUse, match="in use by another process"):
            Lake(tmp_path)


def test_a_lake_in_memory_leaves_nothing(tmp_path):
    lake = Lake(None)
    path = lake.path
    lake.write(make)
    lake.close()
    assert not path.exists()


# A transaction that is lent -----------------------------------------------------------------------

def rows(lake, table) -> int:
    return lake.cursor().execute(f"SELECT count(*) FROM {lake.relation(table)}").fetchone()[0]


def test_a_lent_transaction_is_seen_inside_and_kept_at_its_end(lake):
    table = lake.write(make)
    tx = lake.begin()
    tx.write(add(table))
    tx.write(lambda tx: tx.execute(f"UPDATE {table['_relation']} SET a = 'new'"))
    with tx.use() as cursor:
        assert cursor.execute(f"SELECT a FROM {tx.relation(table)}").fetchall() == [("new",)]
    assert rows(lake, table) == 0 and tx.measure(table, ["a"]) == 5
    waiting = threading.Thread(target=lambda: lake.write(add(table)))
    waiting.start()
    tx.commit()
    waiting.join()
    assert rows(lake, table) == 2


def test_a_lent_transaction_is_rolled_back(lake):
    table = lake.write(make)
    tx = lake.begin()
    tx.write(lambda tx: tx.put("table", ("p", "d", "other"), {}))
    tx.write(add(table))
    tx.rollback()
    assert (rows(lake, table), lake.get("table", ("p", "d", "other"))) == (0, None)
    with pytest.raises(RolledBack):
        tx.write(add(table))


def fail(tx) -> None:
    with pytest.raises(duckdb.Error), tx.use() as cursor:
        cursor.execute("SELECT error('no')")


def test_an_error_undoes_its_statement_alone(lake):
    table = lake.write(make)
    tx = lake.begin()
    tx.write(add(table))

    def by_chance(tx) -> None:
        tx.execute("CREATE OR REPLACE TEMP TABLE chance AS SELECT uuid()::VARCHAR AS a")
        tx.hold_temporary("chance")
        tx.execute(f"INSERT INTO {table['_relation']} SELECT a, 1 FROM chance")
    tx.write(by_chance)
    with tx.use() as cursor:
        before = cursor.execute(f"SELECT a FROM {tx.relation(table)} ORDER BY a").fetchall()
    with pytest.raises(ZeroDivisionError):
        tx.write(lambda tx: (tx.execute(f"DELETE FROM {table['_relation']}"), fail(tx), 1 / 0))
    fail(tx)
    with tx.use() as cursor:
        assert cursor.execute(f"SELECT a FROM {tx.relation(table)} ORDER BY a").fetchall() == before
    tx.commit()
    assert rows(lake, table) == 2
    assert not lake.cursor().execute("SELECT 1 FROM duckdb_tables() WHERE table_name LIKE 'held%'").fetchall()


def test_what_can_not_be_done_again_is_rolled_back(lake):
    table = lake.write(make)
    tx = lake.begin()
    tx.write(add(table))
    tx._log.append(("SELECT error('no')", None))
    fail(tx)
    assert tx.broken
    with pytest.raises(RolledBack):
        tx.commit()
    lake.write(add(table))
    assert rows(lake, table) == 1


def test_a_transaction_left_alone_ends(lake, monkeypatch):
    monkeypatch.setattr(lakes, "IDLE", 0)
    table = lake.write(make)
    tx = lake.begin()
    with tx.use():
        other = threading.Thread(target=lambda: lake.write(add(table)))
        other.start()
        other.join(1.5)
        assert other.is_alive()  # it is in use
    other.join()
    with pytest.raises(RolledBack, match="idle"):
        tx.write(add(table))


def test_who_waits_for_a_transaction_can_give_up(lake):
    tx = lake.begin()

    def stop():
        raise RuntimeError("enough")
    with pytest.raises(RuntimeError, match="enough"):
        lake.begin(stop)
    tx.commit()
    lake.write(make)


def test_a_data_folder_that_was_moved(tmp_path):
    """With rows in the catalog and in files: a project is renamed, and its data with it."""
    lake = Lake(tmp_path / "before")
    table = lake.write(make)
    table = lake.write(add(table, 3))
    table = lake.write(add(table, 5000))
    lake.close()
    (tmp_path / "before").rename(tmp_path / "after")
    lake = Lake(tmp_path / "after")
    assert lake.rows(lake.get("table", REF)) == 5003
    lake.write(add(table, 2000))
    assert lake.rows(lake.get("table", REF)) == 7003 and not (tmp_path / "before").exists()
    lake.close()
