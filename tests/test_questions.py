"""What the page asks besides POST /: records of requests, catalog, price, guide, reset, over HTTP against a running lab."""
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from conftest import ROOT
from lab import guide
from lab_fixtures import WAIT, running_lab

FINAL = (ROOT / "tables.final.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab"), FINAL) as lab:
        yield lab


def get(lab, path: str, **arguments):
    answer = requests.get(f"{lab.url}/lab/{path}", params=arguments, timeout=WAIT)
    assert answer.status_code == 200, answer.text
    return answer.json() if answer.headers["Content-Type"].startswith("application/json") else answer.text


def submit(lab, operation: str, **data) -> dict:
    """Run an operation; the record of the request."""
    lab.turn_on(operation)
    answer = lab.post({"tableName": "", "emails": [], "browse": "", **data})
    return get(lab, f"requests/{answer.headers['X-Lab-Request']}")


# Records

def test_a_request_is_recorded(lab):
    record = submit(lab, "create", tableName="recorded")
    assert (record["operation"], record["status"], record["kind"], record["error"]) == ("create", "done", "text", None)
    assert record["answer"].startswith("Created table") and record["data"]["tableName"] == "recorded" and record["ms"] > 0
    calls = [(call["method"], call["path"].partition("/datasets")[2], call["status"]) for call in record["calls"]]
    assert calls[-2:] == [("GET", "/Tables_Dataset/tables/recorded", 404), ("POST", "/Tables_Dataset/tables", 200)]
    last = record["calls"][-1]
    assert last["request"]["tableReference"]["tableId"] == "recorded" and last["reply"]["id"].endswith("recorded")
    assert last["request_bytes"] > 100 and last["reply_bytes"] > 100 and last["ms"] > 0 and last["at_ms"] >= 0 and last["truncated"] is False
    assert {"resource": "Tables_Dataset.recorded", "what": "created", "before": None}.items() <= record["changes"][-1].items()
    assert [field["name"] for field in record["changes"][-1]["after"]] == guide.COLUMNS
    assert record["request"] in [one["request"] for one in get(lab, "requests")["requests"]]
    assert get(lab, f"requests/{record['request']}", answer="no")["answer"] is None


def test_no_secret_is_recorded(lab):
    record = requests.get(f"{lab.url}/lab/requests/{submit(lab, 'create', tableName='secret')['request']}", timeout=WAIT).text
    assert "Bearer" not in record and "authorization" not in record.lower() and "private_key" not in record


def test_what_each_operation_changes(lab):
    submit(lab, "create", tableName="changes")
    found = {operation: [(change["resource"], change["what"], change["before"], change["after"]) for change in submit(lab, operation, tableName="changes", emails=emails)["changes"]]
             for operation, emails in {"updateDesc": [], "updateExpiration": [], "setIAM": [["user", "a@example.com"]], "copySingle": [], "recover": []}.items()}
    assert found["updateDesc"] == [("Tables_Dataset.changes", "description", None, "FIPS codes of the states, kept by the BigQuery tables lab.")]
    (resource, what, before, after), = found["updateExpiration"]
    assert (resource, what, before) == ("Tables_Dataset.changes", "expiration", None) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", after)
    (_, what, before, after), = found["setIAM"]
    assert what == "policy" and before == [] and {"role": "roles/viewer", "members": ["allUsers"]} in after
    assert [(resource, what) for resource, what, _, _ in found["copySingle"]] == [("Tables_Dataset.Copied_Table", "rows")]
    assert [(resource, what) for resource, what, _, _ in found["recover"]] == [("Tables_Dataset.changes", "deleted"), ("Tables_Dataset.Recovered_Table", "rows")]


def test_calls_and_the_end_reach_the_stream(lab):
    record = submit(lab, "getIAM", tableName="recorded")
    call = lab.live.wait("call", request=record["request"])["call"]
    assert call["number"] == 1 and "reply" not in call
    assert lab.live.wait("finished", request=record["request"])["status"] == "done"


def test_only_the_last_records_are_kept(lab):
    lab.turn_on("querySDK")
    for _ in range(51):
        last = lab.post({"browse": ""})
    kept = get(lab, "requests")["requests"]
    assert len(kept) == 50 and kept[-1]["request"] == int(last.headers["X-Lab-Request"])
    answer = requests.get(f"{lab.url}/lab/requests/1", timeout=WAIT)
    assert answer.status_code == 404 and "only the last" in answer.text


FAILS = """
import threading, time
from google.cloud import bigquery
client = bigquery.Client()
class my_bigquery_client:
    env = {"create": True}
    def execute(self, data):
        print("first line")
        return getattr(self, data["do"])(data)
    def missing(self, data):
        return client.get_table("nowhere.at_all").table_id
    def spins(self, data):
        while True:
            time.sleep(0.01)
    def queries(self, data):
        sums = client.query("SELECT SUM(a * b) FROM UNNEST(GENERATE_ARRAY(1, 200000)) a, UNNEST(GENERATE_ARRAY(1, 200000)) b")
        print("asked")
        return str(list(sums.result()))
    def threads(self, data):
        t = threading.Thread(target=lambda: list(client.list_datasets()))
        t.start(); t.join()
        return {"a": [1]}
    def many(self, data):
        return [1, 2]
"""


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("failing"), FAILS) as lab:
        yield lab


def test_an_error_has_its_place_and_a_hint(failing):
    answer = failing.post({"do": "missing"})
    record = get(failing, f"requests/{answer.headers['X-Lab-Request']}")
    error = record["error"]
    assert record["status"] == "failed" and record["answer"] is None and error["kind"] == "NotFound" and "does not exist" in error["hint"]
    assert [line["text"].strip() for line in error["frame"] if line["current"]] == ['return client.get_table("nowhere.at_all").table_id']
    assert error["marks"] and answer.status_code == 500 and answer.headers["X-Lab-Version"] == "1" and answer.headers["X-Lab-Hash"] == record["hash"]
    assert record["printed"] == ["first line"]


def test_a_call_from_another_thread_is_the_requests(failing):
    answer = failing.post({"do": "threads"}, headers={"X-Lab-Client": "me"})
    record = get(failing, f"requests/{answer.headers['X-Lab-Request']}")
    assert record["kind"] == "json" and record["client"] == "me" and [call["method"] for call in record["calls"]] == ["GET"]


def cancel(lab, number: int) -> requests.Response:
    return requests.post(f"{lab.url}/lab/requests/{number}/cancel", timeout=WAIT)


@pytest.mark.parametrize("do, line", [("spins", "first line"), ("queries", "asked")])
def test_cancel(failing, do, line):
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(failing.post, {"do": do}, headers={"X-Lab-Client": do})
        number = failing.live.wait("started", client=do)["request"]
        failing.live.wait("printed", request=number, line=line)
        cancelled = cancel(failing, number)
        assert cancelled.status_code == 202, cancelled.text
        assert failing.live.wait("finished", request=number)["status"] == "cancelled"
        assert (answer.result().status_code, answer.result().text) == (409, f"Request {number} was cancelled.")
    assert get(failing, f"requests/{number}")["status"] == "cancelled"
    again = cancel(failing, number)
    assert again.status_code == 409 and "has ended" in again.text
    assert failing.submit(do="many") == "[1, 2]"


def test_a_cancelled_query_is_no_longer_at_work(failing):
    with ThreadPoolExecutor() as pool:
        pool.submit(failing.post, {"do": "queries"})
        number = failing.live.wait("printed", line="asked")["request"]
        cancel(failing, number)
    reference = get(failing, f"requests/{number}")["calls"][0]["reply"]["jobReference"]
    project = f"{failing.ready['bigquery']}/bigquery/v2/projects/{reference['projectId']}"
    requests.get(f"{project}/queries/{reference['jobId']}", params={"timeoutMs": 1000 * WAIT}, timeout=2 * WAIT)  # until the job has ended
    job = requests.get(f"{project}/jobs/{reference['jobId']}", timeout=WAIT).json()
    assert job["status"]["state"] == "DONE" and job["status"]["errorResult"]["reason"] == "stopped"


# The catalog

def test_the_catalog(lab):
    submit(lab, "create", tableName="listed")
    found = get(lab, "catalog")
    assert [project["project"] for project in found["projects"]] == ["lab-project", "bigquery-public-data"]
    tables = {table["table"]: table for table in found["projects"][0]["datasets"][0]["tables"]}
    assert tables["listed"] == {"table": "listed", "type": "TABLE", "rows": 0, "bytes": 0, "expires": None}
    public = {(dataset["dataset"], table["table"]): table["rows"] for dataset in found["projects"][1]["datasets"] for table in dataset["tables"]}
    assert public["census_utility", "fips_codes_states"] == 57


def test_a_table(lab):
    submit(lab, "create", tableName="seen")
    submit(lab, "updateDesc", tableName="seen")
    found = get(lab, "table", name="lab-project.Tables_Dataset.seen")
    assert found["exists_now"] and [field["name"] for field in found["schema"]] == guide.COLUMNS and found["details"]["Rows"] == 0
    assert found["policy"] == {"bindings": []} and found["preview"] == {"fields": guide.COLUMNS, "rows": []}
    before = next(shot["time_ms"] for shot in found["snapshots"] if shot["what"] == "before the last change")
    assert get(lab, "table", name="lab-project.Tables_Dataset.seen", at=before)["preview"]["fields"] == guide.COLUMNS
    public = get(lab, "table", name="bigquery-public-data.census_utility.fips_codes_states")
    assert len(public["preview"]["rows"]) == 20 and len(public["preview"]["rows"][0]) == len(public["preview"]["fields"])


@pytest.mark.parametrize("arguments, code, says", [
    ({"name": "lab-project.Tables_Dataset.nothing"}, 404, "There is no table"), ({"name": "nothing"}, 404, "no table's name"), ({"name": "a.b.c", "at": "now"}, 400, "milliseconds")])
def test_a_table_that_is_not_there(lab, arguments, code, says):
    answer = requests.get(f"{lab.url}/lab/table", params=arguments, timeout=WAIT)
    assert answer.status_code == code and says in answer.text


# The price

def price(lab, **data) -> list[dict]:
    answer = requests.post(f"{lab.url}/lab/price", json={"data": data}, timeout=WAIT)
    assert answer.status_code == 200, answer.text
    return answer.json()["statements"]


def test_the_price_of_the_sql_that_is_on(lab):
    lab.turn_on("querySQL")
    statement, = price(lab)
    assert statement["sql"].lstrip().startswith("SELECT") and statement["error"] is None and statement["billed"] == "would be"
    assert 0 < statement["bytes"] < 10 * 2**20 and statement["price_usd"] == pytest.approx(10 / 2**20 * 6.25)
    assert FINAL.splitlines()[statement["line"] - 1].strip() == 'query = """'
    lab.turn_on("create")
    assert price(lab) == []


PRICED = '''
from google.cloud import bigquery
DATASET = "bigquery-public-data.samples"
calls = []
class my_bigquery_client:
    env = {"create": False, "querySQL": True}
    columns = "word"
    def execute(self, data):
        calls.append(1)
        name = data.get("tableName").strip()
        if self.env["create"]:
            return "SELECT never"
        if self.env["querySQL"]:
            table = f"`{DATASET}.{name}`"
            where = "corpus = 'hamlet'"
            return str(calls) if name == "calls" else bigquery.Client().query(f"SELECT {self.columns} FROM {table} " + "WHERE " + where).result()
'''


def test_the_price_fills_in_names_and_runs_nothing(tmp_path):
    with running_lab(tmp_path, PRICED) as lab:
        statement, = price(lab, tableName=" shakespeare ")
        assert statement["sql"] == "SELECT word FROM `bigquery-public-data.samples.shakespeare` WHERE corpus = 'hamlet'" and statement["bytes"] > 1_000_000
        wrong, = price(lab, tableName="nothing")
        assert wrong["bytes"] is None and "Not found: Table bigquery-public-data:samples.nothing" in wrong["error"]
        assert lab.submit(tableName="calls") == "[1]"


# The guide

def test_the_guide_has_every_operation(lab):
    steps = {step["id"]: step for step in get(lab, "guide")["steps"]}
    operations = get_snapshot(lab)["operations"]
    assert [step["operation"] for step in steps.values() if step["operation"]] and {step["operation"] for step in steps.values()} - {None} == set(operations)
    for operation in operations:
        step = steps[operation]
        assert step["snippet"] == guide.snippets(FINAL)[operation] and step["permissions"] and step["roles"] and step["place"] and step["check"][0]["ok"]
    assert {"naming", "roles", "quotas", "pricing", "timeTravel", "reload"} <= set(steps)
    kinds = {block["kind"] for step in steps.values() for block in step["text"]}
    assert kinds == {"p", "note", "list", "code", "table"}
    assert all("|" not in block.get("text", "") and "```" not in str(block) for step in steps.values() for block in step["text"])


def get_snapshot(lab) -> dict:
    return lab.live.snapshot


def test_a_check_looks_at_the_real_state(tmp_path):
    shutil.copy(ROOT / "tables.start.py", tmp_path / "tables.py")
    start = (tmp_path / "tables.py").read_text(encoding="utf-8")
    with running_lab(tmp_path, start) as lab:
        def step():
            return next(step for step in get(lab, "guide")["steps"] if step["id"] == "create")
        assert step()["done"] is False and [check["message"] for check in step()["check"]] == [
            "Nothing is pasted yet", "Turn create to True in env, and save", "No table has the four columns yet"]
        snippet = guide.snippets(FINAL)["create"]
        lines = snippet.splitlines(keepends=True)
        lab.save(guide.pasted(start, "create", lines[0] + "".join(line[1:] if line.strip() and n == 1 else line for n, line in enumerate(lines[1:], 1))))
        number = next(n for n, line in enumerate(start.splitlines(), 1) if "# create: paste below" in line) + 2
        assert step()["check"][0] == {"ok": False, "message": f"Pasted, but the indentation differs at line {number}"}
        lab.save(guide.pasted(start, "create", snippet).replace('"create": False', '"create": True'))
        assert [check["ok"] for check in step()["check"]] == [True, True, False]
        lab.submit(tableName="made")
        assert step()["done"] is True and step()["check"][2]["message"] == "Table made exists with its columns"


def test_reset_keeps_what_was_there(tmp_path):
    mine = FINAL + "\n# mine\n"
    with running_lab(tmp_path, mine) as lab:
        answer = requests.post(f"{lab.url}/lab/reset", json={"to": "start"}, timeout=WAIT)
        assert answer.status_code == 200 and (tmp_path / answer.json()["backup"]).read_text(encoding="utf-8") == mine
        assert lab.live.wait("reloaded")["operation"] is None
        assert lab.tables.read_text(encoding="utf-8") == (ROOT / "tables.start.py").read_text(encoding="utf-8")
        requests.post(f"{lab.url}/lab/reset", json={"to": "final"}, timeout=WAIT)
        assert lab.live.wait("reloaded")["operation"] == "create"
        assert len(list(tmp_path.glob("*.backup"))) == 2
        assert requests.post(f"{lab.url}/lab/reset", json={"to": "/etc/passwd"}, timeout=WAIT).status_code == 400
        assert get(lab, "diff", **{"from": 2, "to": 3}).startswith("--- tables.py (version 2)")


# Who may ask, and what for

@pytest.mark.parametrize("method, path, code", [("GET", "nothing", 404), ("POST", "catalog", 405), ("GET", "reset", 405), ("GET", "requests/99999", 404), ("GET", "diff", 400),
                                                ("GET", "diff?from=1&to=99", 404), ("POST", "price", 400), ("GET", "../tables.py", 404)])
def test_questions_that_have_no_answer(lab, method, path, code):
    answer = requests.request(method, f"{lab.url}/lab/{path}", json={} if method == "POST" else None, timeout=WAIT)
    assert answer.status_code == code and answer.headers["Content-Type"].startswith("text/plain") and "Traceback" not in answer.text


@pytest.mark.parametrize("path", ["catalog", "reset", "requests"])
def test_a_foreign_page_may_not_ask(lab, path):
    answer = requests.request("POST" if path == "reset" else "GET", f"{lab.url}/lab/{path}", headers={"Origin": "http://evil.example"}, timeout=WAIT)
    assert answer.status_code == 403
    assert requests.get(f"{lab.url}/lab/{path}", headers={"Host": "evil.example"}, timeout=WAIT).status_code == 403
