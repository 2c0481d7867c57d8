"""What tests of load jobs share."""
import pytest
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery


def schema(text: str) -> list[bigquery.SchemaField]:
    return [bigquery.SchemaField(*column.split()) for column in text.split(",")]


def columns_of(table: bigquery.Table) -> str:
    return ", ".join(f"{field.name} {field.field_type}" + ("" if field.mode == "NULLABLE" else f" {field.mode}") for field in table.schema)


def fails(load, *arguments, **options) -> str:
    """The message of the first bad row of a load that fails."""
    with pytest.raises(BadRequest):
        load(*arguments, **options)
    return load.job.errors[-1]["message"].removeprefix("Error while reading data, error message: ")
