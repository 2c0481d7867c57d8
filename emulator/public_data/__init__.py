"""Small samples of project bigquery-public-data, served from the Parquet files beside this one, and a public bucket.

The files are built from the sources here by `python -m emulator.public_data`; see README.md for where
those come from. Nothing is copied at start: a public table's rows are its file.
"""
from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from .. import datasets, tables, values
from ..iam import PUBLIC_PROJECT
from ..lake import Lake
from ..storage import Storage

FOLDER = Path(__file__).parent
CREATED = "1462060800000"  # 2016-05-01, a date of no meaning: the samples are not created at a start
BUCKET = "cloud-samples-data"
BUCKET_CREATED = "2016-05-01T00:00:00.000000Z"
CONTENT_TYPES = {".csv": "text/csv", ".json": "application/json"}


def columns(text: str, mode: str = "NULLABLE") -> list[dict]:
    """A schema from "name TYPE, name TYPE"."""
    pairs = (column.split() for column in text.split(","))
    return [{"name": name, "type": kind, "mode": mode} for name, kind in pairs]


USA_NAMES = "state STRING, gender STRING, year INTEGER, name STRING, number INTEGER"
# (dataset, table) -> its description and its columns
TABLES = {
    ("census_utility", "fips_codes_states"): (
        "FIPS codes of the states and territories of the United States, with their GNIS codes: the whole table.",
        columns("state_fips_code STRING, state_postal_abbreviation STRING, state_name STRING, state_gnisid STRING")),
    ("samples", "shakespeare"): (
        "How often each word stands in each work of Shakespeare. A sample: counted from public-domain texts, not the counts of the original.",
        columns("word STRING, word_count INTEGER, corpus STRING, corpus_date INTEGER", "REQUIRED")),
    ("stackoverflow", "posts_questions"): (
        "Questions as Stack Overflow has them. A sample: every row is made up.",
        columns("id INTEGER, title STRING, body STRING, accepted_answer_id INTEGER, answer_count INTEGER, comment_count INTEGER, "
                "community_owned_date TIMESTAMP, creation_date TIMESTAMP, favorite_count INTEGER, last_activity_date TIMESTAMP, "
                "last_edit_date TIMESTAMP, last_editor_display_name STRING, last_editor_user_id INTEGER, owner_display_name STRING, "
                "owner_user_id INTEGER, parent_id STRING, post_type_id INTEGER, score INTEGER, tags STRING, view_count INTEGER")),
    ("usa_names", "usa_1910_2013"): (
        "Names given to children in the states of the USA until 2013. A sample: every row is made up.", columns(USA_NAMES)),
    ("usa_names", "usa_1910_current"): (
        "Names given to children in the states of the USA. A sample: every row is made up.", columns(USA_NAMES)),
    ("utility_us", "country_code_iso"): (
        "The countries with their codes. A sample: names and codes of two letters, nothing in the other columns.",
        columns("country_name STRING, fips_code STRING, alpha_2_code STRING, alpha_3_code STRING, numeric_code STRING, stanag_code STRING, cctlds STRING, "
                "continent_code STRING, continent_name STRING, sub_continent_name STRING")),
    ("hacker_news", "full"): (
        "Stories and comments as Hacker News has them. A sample: every row is made up.",
        columns("title STRING, url STRING, text STRING, dead BOOLEAN, by STRING, score INTEGER, time INTEGER, timestamp TIMESTAMP, type STRING, id INTEGER, "
                "parent INTEGER, descendants INTEGER, ranking INTEGER, deleted BOOLEAN")),
    ("samples", "natality"): (
        "Births in the USA. A sample: every row is made up.",
        columns("source_year INTEGER, year INTEGER, month INTEGER, day INTEGER, wday INTEGER, state STRING, is_male BOOLEAN, child_race INTEGER, "
                "weight_pounds FLOAT, plurality INTEGER, apgar_1min INTEGER, apgar_5min INTEGER, mother_residence_state STRING, mother_race INTEGER, "
                "mother_age INTEGER, gestation_weeks INTEGER, lmp STRING, mother_married BOOLEAN, mother_birth_state STRING, cigarette_use BOOLEAN, "
                "cigarettes_per_day INTEGER, alcohol_use BOOLEAN, drinks_per_week INTEGER, weight_gain_pounds INTEGER, born_alive_alive INTEGER, "
                "born_alive_dead INTEGER, born_dead INTEGER, ever_born INTEGER, father_race INTEGER, father_age INTEGER, record_weight INTEGER")),
    ("samples", "gsod"): (
        "What weather stations measured, day by day. A sample: every row is made up.",
        columns("station_number INTEGER, wban_number INTEGER, year INTEGER, month INTEGER, day INTEGER, mean_temp FLOAT, num_mean_temp_samples INTEGER, "
                "mean_dew_point FLOAT, num_mean_dew_point_samples INTEGER, mean_sealevel_pressure FLOAT, num_mean_sealevel_pressure_samples INTEGER, "
                "mean_station_pressure FLOAT, num_mean_station_pressure_samples INTEGER, mean_visibility FLOAT, num_mean_visibility_samples INTEGER, "
                "mean_wind_speed FLOAT, num_mean_wind_speed_samples INTEGER, max_sustained_wind_speed FLOAT, max_gust_wind_speed FLOAT, "
                "max_temperature FLOAT, max_temperature_explicit BOOLEAN, min_temperature FLOAT, min_temperature_explicit BOOLEAN, "
                "total_precipitation FLOAT, snow_depth FLOAT, fog BOOLEAN, rain BOOLEAN, snow BOOLEAN, hail BOOLEAN, thunder BOOLEAN, tornado BOOLEAN")),
    ("samples", "wikipedia"): (
        "Revisions of the articles of Wikipedia. A sample: every row is made up.",
        columns("title STRING, id INTEGER, language STRING, wp_namespace INTEGER, is_redirect BOOLEAN, revision_id INTEGER, contributor_ip STRING, "
                "contributor_id INTEGER, contributor_username STRING, timestamp INTEGER, is_minor BOOLEAN, is_bot BOOLEAN, reversion_id INTEGER, "
                "comment STRING, num_characters INTEGER")),
}


def file(table: str) -> Path:
    return FOLDER / f"{table}.parquet"


def add(lake: Lake) -> None:
    """Make the public datasets and tables known to a lake, but those that it has itself."""
    stamp = {"creationTime": CREATED, "lastModifiedTime": CREATED}
    access = [{"role": "READER", "specialGroup": "allAuthenticatedUsers"}]
    for (dataset, table), (description, fields) in TABLES.items():
        ref = (PUBLIC_PROJECT, dataset)
        if not lake.get("dataset", ref):
            lake.add("dataset", ref, datasets.new("", ref, {"access": access}) | stamp | {"_shipped": True})
        if lake.get("table", (*ref, table)):
            continue  # `python -m emulator load` has put another in its place
        lake.add("table", (*ref, table), {
            "kind": "bigquery#table", "id": f"{PUBLIC_PROJECT}:{dataset}.{table}", "type": "TABLE", "location": datasets.DEFAULT_LOCATION,
            "selfLink": f"https://bigquery.googleapis.com/bigquery/v2/projects/{PUBLIC_PROJECT}/datasets/{dataset}/tables/{table}",
            "tableReference": {"projectId": PUBLIC_PROJECT, "datasetId": dataset, "tableId": table}, "description": description,
            "schema": {"fields": fields}, **stamp, "_relation": f"read_parquet({values.string(str(file(table)))})", "_data": tables.SHIPPED})


def add_bucket(storage: Storage, writable: bool) -> None:
    """Show the files in the folder of the bucket's name as its objects (with %3A for a colon, which Windows has in no name), unless a client
    has made a bucket of that name."""
    bucket = {
        "kind": "storage#bucket", "id": BUCKET, "name": BUCKET, "projectNumber": "0", "timeCreated": BUCKET_CREATED, "updated": BUCKET_CREATED,
        "metageneration": "1", "location": datasets.DEFAULT_LOCATION, "locationType": "multi-region", "storageClass": "STANDARD",
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "inherited"},
        "_policy": {"version": 1, "bindings": [{"role": "roles/storage.objectViewer", "members": ["allUsers"]}]}}
    files = {unquote(path.relative_to(FOLDER / BUCKET).as_posix()): path for path in (FOLDER / BUCKET).rglob("*") if path.is_file()}
    storage.lend(bucket, {name: (path, CONTENT_TYPES.get(path.suffix, "application/octet-stream")) for name, path in files.items()}, writable)
