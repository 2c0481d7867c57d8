"""The samples of bigquery-public-data: as LAB.md describes them, read-only, and built from their sources."""
import duckdb
import pytest
from google.api_core.exceptions import Conflict, Forbidden
from google.cloud import bigquery, storage

from conftest import environment, running_emulator
from emulator import public_data
from emulator.public_data.__main__ import build

PROJECT = "bigquery-public-data"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The files that the sources give."""
    folder = tmp_path_factory.mktemp("built")
    build(folder)
    return folder


@pytest.mark.parametrize("dataset, table", public_data.TABLES)
def test_the_shipped_file_is_what_its_sources_give(built, dataset, table):
    shipped, fresh = str(public_data.file(table)), str(built / f"{table}.parquet")
    (different,) = duckdb.execute("SELECT count(*) FROM (FROM read_parquet(?) EXCEPT ALL FROM read_parquet(?))", [shipped, fresh]).fetchone()
    counts = [duckdb.execute("SELECT count(*) FROM read_parquet(?)", [file]).fetchone() for file in (shipped, fresh)]
    assert not different and counts[0] == counts[1]


def columns(client, name: str) -> list[tuple[str, str, str]]:
    return [(field.name, field.field_type, field.mode) for field in client.get_table(f"{PROJECT}.{name}").schema]


def test_states(client):
    assert [name for name, *_ in columns(client, "census_utility.fips_codes_states")] == [
        "state_fips_code", "state_postal_abbreviation", "state_name", "state_gnisid"]
    rows = [tuple(row) for row in client.list_rows(f"{PROJECT}.census_utility.fips_codes_states")]
    assert len(rows) == 57 and rows[0] == ("01", "AL", "Alabama", "01779775")


def test_shakespeare(client):
    assert columns(client, "samples.shakespeare") == [("word", "STRING", "REQUIRED"), ("word_count", "INTEGER", "REQUIRED"),
                                                      ("corpus", "STRING", "REQUIRED"), ("corpus_date", "INTEGER", "REQUIRED")]
    rows = {(row.word, row.corpus): row for row in client.list_rows(f"{PROJECT}.samples.shakespeare")}
    assert len(rows) > 150_000 and len({corpus for _, corpus in rows}) == 41
    assert rows["LVII", "sonnets"].values() == ("LVII", 1, "sonnets", 0)
    assert ("lov'd", "sonnets") in rows and ("Hamlet", "hamlet") in rows
    # Of the texts' publisher nothing is left.
    assert not {word for word, _ in rows} & {"Gutenberg", "Etext", "etext", "copyright", "Project"}


def test_questions(client):
    assert len(columns(client, "stackoverflow.posts_questions")) == 20
    table = client.get_table(f"{PROJECT}.stackoverflow.posts_questions")
    assert "made up" in table.description
    views = [row.view_count for row in client.list_rows(table) if "google-bigquery" in row.tags.split("|")]
    assert len(views) >= 60 and len(set(views)) == len(views)


def test_countries(client):
    rows = {row.alpha_2_code: row for row in client.list_rows(f"{PROJECT}.utility_us.country_code_iso")}
    assert len(rows) == 249 and rows["NA"].country_name == "Namibia" and len(rows["NA"]) == 10


def test_stories_and_comments(client):
    text = f"""SELECT COUNT(*), COUNT(story.title), COUNTIF(item.timestamp = TIMESTAMP_SECONDS(item.time)) FROM `{PROJECT}.hacker_news.full` AS item
               JOIN `{PROJECT}.hacker_news.full` AS story ON story.id = item.parent WHERE item.type = 'comment'"""
    assert [tuple(row) for row in client.query_and_wait(text)] == [(400, 400, 400)]


def test_nobody_writes_to_them(client):
    with pytest.raises(Forbidden, match="Access Denied"):
        client.delete_table(f"{PROJECT}.samples.shakespeare")
    with pytest.raises(Forbidden, match="Access Denied"):
        client.create_table(bigquery.Table(f"{PROJECT}.samples.mine"))
    with pytest.raises(Forbidden, match="Access Denied"):
        client.load_table_from_json([{"x": 1}], f"{PROJECT}.samples.mine").result()


@pytest.mark.parametrize("name", sorted(path.relative_to(public_data.FOLDER / public_data.BUCKET).as_posix() for path in (public_data.FOLDER / public_data.BUCKET).rglob("*") if path.is_file()))
def test_the_buckets_files_are_what_their_source_gives(built, name):
    shipped, fresh = (folder / public_data.BUCKET / name for folder in (public_data.FOLDER, built))
    if name.endswith(".parquet"):
        assert duckdb.read_parquet(str(shipped)).fetchall() == duckdb.read_parquet(str(fresh)).fetchall()
    elif name.endswith(".avro"):  # each has a mark of its own
        assert len(shipped.read_bytes()) == len(fresh.read_bytes())
    else:
        assert shipped.read_bytes() == fresh.read_bytes()


def test_samples_give_way_to_what_is_made_where_that_is_allowed(tmp_path):
    with running_emulator("--in-memory", "--writable-public-data") as ready, environment(ready):
        client, buckets = bigquery.Client(), storage.Client()
        client.create_dataset(f"{PROJECT}.usa_names")
        table = client.create_table(bigquery.Table(f"{PROJECT}.usa_names.usa_1910_2013", [bigquery.SchemaField("x", "INTEGER")]))
        assert table.num_rows == 0
        with pytest.raises(Conflict):
            client.create_table(table)
        bucket = buckets.get_bucket(public_data.BUCKET)
        states = bucket.blob("bigquery/us-states/us-states.csv")
        states.upload_from_string("mine")
        assert states.download_as_text() == "mine"
        assert list(public_data.FOLDER.glob(f"{public_data.BUCKET}/bigquery/us-states/*.csv"))


def test_a_bucket_of_ones_own_takes_the_place_of_the_public_one(tmp_path):
    for found in ([], ["mine"]):
        with running_emulator("--data-dir", str(tmp_path)) as ready, environment(ready):
            buckets = storage.Client()
            bucket = buckets.bucket(public_data.BUCKET) if found else buckets.create_bucket(public_data.BUCKET)
            assert [blob.name for blob in bucket.list_blobs()] == found
            bucket.blob("mine").upload_from_string("x")
