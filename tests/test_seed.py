"""`--seed FOLDER`: what is in a folder becomes tables, and what is wrong in it is told with file and line."""
import gzip
import uuid

import pytest

from emulator.load import Failure
from emulator.seed import plant


@pytest.fixture
def sow(client, emulator, tmp_path):
    """Write files into a folder, {} in their names being a dataset of the test's own, and plant it; the dataset's id."""
    dataset = f"seed_{uuid.uuid4().hex[:12]}"

    def work(files: dict[str, bytes | str]) -> str:
        for name, content in files.items():
            path = tmp_path / name.format(dataset)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        plant(emulator["bigquery"], emulator["project"], [tmp_path], lambda line: None)
        return dataset
    yield work
    client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)


def test_tables_and_statements(client, sow):
    dataset = sow({
        "{}/orders.csv": "name,amount\nAda,2.5\n", "{}/array.json": '[{"a": 1}, {"a": 2}]', "{}/lines.jsonl.gz": gzip.compress(b'{"a": 1}\n'),
        "{}/typed.csv": "n\n007\n", "{}/typed.schema.json": '[{"name": "n", "type": "STRING"}]', "{}/empty.schema.json": '[{"name": "n", "type": "INT64"}]',
        "{}/later.sql": "INSERT INTO empty SELECT a FROM `array`", "README.md": "none of it"})
    assert {table.table_id: client.get_table(table).num_rows for table in client.list_tables(dataset)} == {
        "orders": 1, "array": 2, "lines": 1, "typed": 1, "empty": 2}
    assert [row.n for row in client.list_rows(f"{dataset}.typed", selected_fields=client.get_table(f"{dataset}.typed").schema)] == ["007"]


@pytest.mark.parametrize("files, words", [
    ({"{}/t.csv": 'a,b\n1,2\n"open,3\n'}, r"t\.csv:3: .*Missing close double quote"),
    ({"{}/t.csv": "a\n1\n", "{}/t.schema.json": '[{"name": "a", "type": "STRNG"}]'}, r"t\.schema\.json: .*STRNG is not a valid value"),
    ({"{}/t.schema.json": '[\n{"name": '}, r"t\.schema\.json:2: Expecting value"),
    ({"{}/t.schema.json": '{"a": 1}'}, r"t\.schema\.json: Schema must be a Sequence"),
    ({"{}/t.json": '[{"a": 1},\n{]'}, r"t\.json:2: Expecting property name"),
    ({"{}/t.parquet": "PAR1"}, r"t\.parquet: .*too small to be a Parquet file"),
    ({"{}/t.csv.gz": "a\n1\n"}, r"t\.csv\.gz: Not a gzipped file"),
    ({"{}/t.csv.gz": gzip.compress(b"a\n1\n" * 9, mtime=0)[:-9]}, r"t\.csv\.gz: Compressed file ended"),
    ({"{}/t.sql": "SELECT 1;\nSELECT nope"}, r"t\.sql:2:8: .*Unrecognized name: nope"),
    ({"{}/t.sql": b"\xff"}, r"t\.sql: .*can't decode byte 0xff"),
    ({"a-b/t.csv": "a\n1\n"}, r'/a-b: Invalid dataset ID "a-b"'),
    ({"{}/t.xlsx": ""}, r"t\.xlsx is neither a table"),
    ({"{}/t.csv": "a\n", "{}/t.json": "{}"}, r"t\.csv and .*t\.json are both of one table"),
    ({"t.csv": "a\n1\n"}, r"t\.csv belongs to no dataset")])
def test_what_is_wrong_is_told_with_its_place(sow, files, words):
    with pytest.raises(Failure, match=words):
        sow(files)
