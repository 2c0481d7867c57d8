"""Small samples of project bigquery-public-data, served from the Parquet files beside this one.

The files are built from the sources here by `python -m emulator.public_data`; see README.md for where
those come from. Nothing is copied at start: a public table's rows are its file.
"""
from __future__ import annotations

from pathlib import Path

from .. import datasets, values
from ..iam import PUBLIC_PROJECT
from ..lake import Lake

FOLDER = Path(__file__).parent
CREATED = "1462060800000"  # 2016-05-01, a date of no meaning: the samples are not created at a start


def columns(text: str, mode: str = "NULLABLE") -> list[dict]:
    """A schema from "name TYPE, name TYPE"."""
    pairs = (column.split() for column in text.split(","))
    return [{"name": name, "type": kind, "mode": mode} for name, kind in pairs]


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
            lake.add("dataset", ref, datasets.new("", ref, {"access": access}) | stamp)
        if lake.get("table", (*ref, table)):
            continue  # `python -m emulator load` has put another in its place
        lake.add("table", (*ref, table), {
            "kind": "bigquery#table", "id": f"{PUBLIC_PROJECT}:{dataset}.{table}", "type": "TABLE", "location": datasets.DEFAULT_LOCATION,
            "selfLink": f"https://bigquery.googleapis.com/bigquery/v2/projects/{PUBLIC_PROJECT}/datasets/{dataset}/tables/{table}",
            "tableReference": {"projectId": PUBLIC_PROJECT, "datasetId": dataset, "tableId": table}, "description": description,
            "schema": {"fields": fields}, **stamp, "_relation": f"read_parquet({values.string(str(file(table)))})", "_data": "shipped"})
