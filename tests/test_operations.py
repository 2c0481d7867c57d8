"""The twelve operations of tables.py: through POST /, as the page sends them; read back through Google's client."""
import datetime
import json
import re
import time
import uuid

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import bigquery, storage

from conftest import ROOT, environment, new_client
from lab.guide import emptied, pasted, snippets
from lab_fixtures import running_lab

FINAL = (ROOT / "tables.final.py").read_text(encoding="utf-8")
START = (ROOT / "tables.start.py").read_text(encoding="utf-8")
OPERATIONS = ["create", "setIAM", "getIAM", "updateDesc", "updateExpiration", "copySingle", "copyMultiple", "delete", "recover", "querySDK",
              "querySQL", "export"]
ON_A_TABLE = ["setIAM", "getIAM", "updateDesc", "updateExpiration", "copySingle", "copyMultiple", "delete", "recover"]
FIPS = ["state_fips_code", "state_postal_abbreviation", "state_name", "state_gnisid"]
NAMES = ["table 01", "ग्राहक", "00_お客様", "étudiant-01", "x" * 1024]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab"), FINAL) as lab:
        yield lab


@pytest.fixture(scope="module")
def client(lab):
    return new_client(lab.ready)


@pytest.fixture
def run(lab):
    """run(operation, **form): turn it on, submit the form, the answer."""
    def run(operation: str, **form) -> str:
        lab.turn_on(operation)
        return lab.submit(**form)
    return run


@pytest.fixture
def table(client):
    """A table of the lab's four columns with one row; its name."""
    client.create_dataset("Tables_Dataset", exists_ok=True)
    name = f"t-{uuid.uuid4().hex[:8]}"
    made = client.create_table(bigquery.Table(f"{client.project}.Tables_Dataset.{name}", [bigquery.SchemaField(column, "STRING") for column in FIPS]))
    assert client.insert_rows_json(made, [dict.fromkeys(FIPS, "x")]) == []
    return name


@pytest.fixture
def no_copies(client):
    """The operations' own destinations, gone."""
    for name in ("Copied_Table", "Merged_Table", "Recovered_Table"):
        client.delete_table(f"Tables_Dataset.{name}", not_found_ok=True)


def get(client, name: str) -> bigquery.Table:
    return client.get_table(bigquery.DatasetReference(client.project, "Tables_Dataset").table(name))


# The files

def test_the_files_are_one_source():
    assert (ROOT / "tables.py").read_text(encoding="utf-8") == FINAL
    assert START == emptied(FINAL)


def test_every_snippet_pasted_gives_the_final_file():
    source = START
    for operation, code in snippets(FINAL).items():
        assert code.strip()
        source = pasted(source, operation, code)
    assert source == FINAL.replace('"create": True', '"create": False')


def test_the_keys_and_the_markers():
    assert re.findall(r'^ +"(\w+)": (?:True|False),$', FINAL, re.M) == OPERATIONS
    assert sorted(snippets(FINAL)) == sorted(OPERATIONS)
    assert re.findall(r'^ +"(\w+)": True,$', FINAL, re.M) == ["create"]
    assert "\nclient = bigquery.Client()\n" in FINAL


def test_the_file_before_the_lab_serves(lab):
    try:
        assert lab.save(START)["event"] == "reloaded"
        assert "No operation is on" in lab.submit(tableName="t")
        for operation in OPERATIONS:
            lab.turn_on(operation)
            assert "paste" in lab.submit(tableName="some_table").lower()
    finally:
        lab.save(FINAL)


def test_the_file_after_pasting_one_snippet_runs_it(lab, client):
    try:
        lab.save(pasted(START, "create", snippets(FINAL)["create"]))
        lab.turn_on("create")
        assert "Created" in lab.submit(tableName="pasted")
        assert get(client, "pasted")
    finally:
        lab.save(FINAL)


def test_no_operation_is_on(lab):
    lab.turn_on(None)
    assert "No operation is on" in lab.submit(tableName="t")


# create

@pytest.mark.parametrize("name", NAMES, ids=["space", "Devanagari", "Japanese", "accent", "1,024 bytes"])
def test_a_table_of_any_valid_name_goes_through_its_life(run, client, no_copies, name):
    assert "Created" in run("create", tableName=name)
    assert [(field.name, field.field_type, field.mode) for field in get(client, name).schema] == [(column, "STRING", "NULLABLE") for column in FIPS]
    run("setIAM", tableName=name, emails=[["user", "ada@example.com"]])
    assert "ada@example.com" in run("getIAM", tableName=name)
    run("updateDesc", tableName=name)
    run("updateExpiration", tableName=name)
    changed = get(client, name)
    assert changed.description and changed.expires
    run("copySingle", tableName=name)
    run("copyMultiple", tableName=name)
    assert get(client, "Copied_Table").num_rows == 0 and get(client, "Merged_Table").num_rows == 57
    run("recover", tableName=name)
    assert get(client, "Recovered_Table").schema == changed.schema
    with pytest.raises(NotFound):
        get(client, name)
    run("create", tableName=name)
    run("delete", tableName=name)
    with pytest.raises(NotFound):
        get(client, name)


def test_create_an_existing_table(run, table):
    assert "exists already" in run("create", tableName=table)


@pytest.mark.parametrize("form", [{}, {"tableName": ""}, {"tableName": "  "}, {"tableName": None}])
@pytest.mark.parametrize("operation", ["create", "delete"])
def test_no_name_is_given(run, operation, form):
    assert "field is empty" in run(operation, **form)


@pytest.mark.parametrize("name", ["a$b", "a/b", "a?b", "a#b", "a.b", "a@b", "a%2Fb", "..", "né/../é", "y" * 1025, "x" * 2000, "ग" * 342, "a\nb", "😀"])
def test_an_invalid_name(run, name):
    answer = run("create", tableName=name)
    assert "refuses the name" in answer and "letters" in answer


def test_an_invalid_name_does_not_reach_another_table(run, client, table):
    for name in (f"{table}#x", f"x/../{table}", f"{table}?x=1", f"{table}@0", f"./{table}"):
        for operation in ("delete", "recover", "updateDesc", "getIAM"):
            assert "refuses the name" in run(operation, tableName=name)
    assert get(client, table).description is None


@pytest.mark.parametrize("name", [5, ["t"], {"a": 1}, True])
def test_a_name_that_is_no_text(run, name):
    assert "name" in run("create", tableName=name)


# Policies

def test_set_and_get_iam(run, client, table):
    answer = run("setIAM", tableName=table, emails=[["user", "ada@example.com"], ["group", "all@example.com"],
                                                    ["serviceAccount", "robot@lab-project.iam.gserviceaccount.com"]])
    assert table in answer
    policy = {binding["role"]: set(binding["members"]) for binding in client.get_iam_policy(f"Tables_Dataset.{table}").bindings}
    wanted = {"roles/owner": {"user:ada@example.com", "group:all@example.com", "serviceAccount:robot@lab-project.iam.gserviceaccount.com"},
              "roles/editor": {"allAuthenticatedUsers"}, "roles/viewer": {"allUsers"}}
    assert policy == wanted
    shown = json.loads(run("getIAM", tableName=table))
    assert all(isinstance(binding["members"], list) for binding in shown["bindings"])
    assert {binding["role"]: set(binding["members"]) for binding in shown["bindings"]} == wanted


@pytest.mark.parametrize("emails, said", [
    ([], "at least one row"), (None, "at least one row"), ([["robot", "a@example.com"]], "user, group or serviceAccount"),
    ([["user"]], "type and an e-mail"), ([["user", ""]], "type and an e-mail"), ("user", "type and an e-mail"), ([7], "type and an e-mail"),
    ([["user", "a@example.com"], ["", "b@example.com"]], "user, group or serviceAccount")])
def test_mistakes_in_setting_iam(run, client, table, emails, said):
    assert said in run("setIAM", tableName=table, emails=emails)
    assert not list(client.get_iam_policy(f"Tables_Dataset.{table}").bindings)


# Updates

def test_update_the_description(run, client, table):
    assert table in run("updateDesc", tableName=table)
    assert get(client, table).description


def test_update_the_expiration(run, client, table):
    run("updateExpiration", tableName=table)
    expires = get(client, table).expires
    in_five_days = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=5)
    assert abs(expires - in_five_days) < datetime.timedelta(minutes=1)
    assert "already" in run("updateExpiration", tableName=table)
    assert get(client, table).expires == expires


# Copies

def test_copy_a_table(run, client, table, no_copies):
    assert "Copied" in run("copySingle", tableName=table)
    assert [dict(row) for row in client.list_rows(get(client, "Copied_Table"))] == [dict.fromkeys(FIPS, "x")]
    assert "Copied_Table has data already" in run("copySingle", tableName=table)


def test_merge_tables(run, client, table, no_copies):
    assert "58 rows" in run("copyMultiple", tableName=table)
    rows = [row.state_name for row in client.list_rows(get(client, "Merged_Table"))]
    assert len(rows) == 58 and rows.count("x") == 1 and "Wyoming" in rows


def test_merge_tables_whose_schemas_differ(run, client, no_copies):
    schema = [bigquery.SchemaField(column, "STRING") for column in FIPS]
    schema += [bigquery.SchemaField("full_name", "STRING", "REQUIRED"), bigquery.SchemaField("age", "INTEGER", "REQUIRED")]
    client.create_table(bigquery.Table(f"{client.project}.Tables_Dataset.six_columns", schema), exists_ok=True)
    assert "schemas differ" in run("copyMultiple", tableName="six_columns")
    with pytest.raises(NotFound):
        get(client, "Merged_Table")


# Delete and recover

def test_delete(run, client, table):
    assert "Deleted" in run("delete", tableName=table)
    with pytest.raises(NotFound):
        get(client, table)


def test_recover(run, client, table, no_copies):
    assert "Recovered_Table" in run("recover", tableName=table)
    with pytest.raises(NotFound):
        get(client, table)
    assert [dict(row) for row in client.list_rows(get(client, "Recovered_Table"))] == [dict.fromkeys(FIPS, "x")]
    assert "deleted already" in run("recover", tableName=table)


@pytest.mark.parametrize("operation", ON_A_TABLE)
def test_no_such_table(run, operation):
    answer = run(operation, tableName="nowhere", emails=[["user", "ada@example.com"]])
    assert "nowhere" in answer and ("no table" in answer or "deleted already" in answer)


# Queries

def printed(lab, act) -> list[str]:
    """What is printed while a request runs, from the live stream, where the end of an earlier one may still come."""
    lab.live.events.queue.clear()
    act()
    request, lines = lab.live.wait("started")["request"], []
    while (event := lab.live.wait("printed", "finished", request=request))["event"] == "printed":
        lines.append(event["line"])
    return lines


def test_browse_all_rows(lab):
    lab.turn_on("querySDK")
    lines = printed(lab, lambda: lab.submit(browse="All Rows"))
    assert len(lines) == 57 and any("Wyoming" in line for line in lines)
    deadline = time.monotonic() + 10
    while not any("Wyoming" in line for line in lab.printed):
        assert time.monotonic() < deadline, "what execute prints reaches the terminal"


def test_count_rows(run):
    assert "57" in run("querySDK", browse="Count Rows")


def test_ten_rows(run):
    answer = json.loads(run("querySDK", browse="10 Rows"))
    assert answer["schema"] == FIPS and len(answer["rows"]) == 10
    assert [column for column, _ in answer["rows"][0]] == FIPS


def test_selected_fields(lab):
    lab.turn_on("querySDK")
    lines = printed(lab, lambda: lab.submit(browse="Selected Fields"))
    assert len(lines) == 10 and FIPS[1] in lines[0] and FIPS[2] not in lines[0]


def test_pretty_print(lab):
    lab.turn_on("querySDK")
    lines = printed(lab, lambda: lab.submit(browse="Pretty Print"))
    assert len(lines) == 11 and len({len(line) for line in lines}) == 1


@pytest.mark.parametrize("form", [{}, {"browse": ""}, {"browse": "Everything"}, {"browse": ["All Rows"]}])
def test_no_browsing_action(run, form):
    assert "Choose" in run("querySDK", **form)


def test_query_sql(run):
    answer = json.loads(run("querySQL"))
    assert answer["schema"] == ["url", "view_count", "tags"] and len(answer["rows"]) == 10
    rows = [dict(row) for row in answer["rows"]]
    assert all(re.fullmatch(r"https://stackoverflow\.com/questions/\d+", row["url"]) for row in rows)
    assert all("google-bigquery" in row["tags"].split("|") for row in rows)
    views = [row["view_count"] for row in rows]
    assert views == sorted(views, reverse=True) and all(isinstance(count, int) for count in views)


# Export

def test_export(lab, run):
    with environment(lab.ready):
        bucket = storage.Client().create_bucket(f"lab-{uuid.uuid4().hex[:8]}")
    assert f"gs://{bucket.name}/shakespeare.csv" in run("export", tableName=bucket.name)
    lines = bucket.blob("shakespeare.csv").download_as_text().splitlines()
    assert lines[0] == "word,word_count,corpus,corpus_date" and len(lines) > 100_000


def test_export_to_no_bucket(run):
    assert "no bucket" in run("export", tableName="lab-no-such-bucket")
    assert "field is empty" in run("export", tableName="")


def test_export_to_a_strangers_bucket(lab, run):
    with environment(lab.ready):
        stranger = storage.Client(project="someone-else").create_bucket(f"lab-{uuid.uuid4().hex[:8]}")
    assert "stranger" in run("export", tableName=stranger.name)
    assert not stranger.blob("shakespeare.csv").exists()


def test_an_unexpected_mistake_is_printed(lab):
    lab.turn_on(None)
    source = lab.tables.read_text(encoding="utf-8")
    try:
        lab.save(source.replace('"create": False', '"create": True').replace("dataset.table(name), schema=schema", "dataset.table(name), schema=5"))
        lines = printed(lab, lambda: lab.submit(tableName="unexpected"))
        assert len(lines) == 1 and re.match(r"\w+(Error|Exception)?: ", lines[0])
    finally:
        lab.save(FINAL)
