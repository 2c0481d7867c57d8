"""The REST surface itself: every method, who calls, partial answers, errors, hosts."""
import gzip
import json

import pytest
import requests

from emulator import rest
from emulator.errors import ApiError

# method -> (verb and path, body); {d} a dataset with tables t and u, {j} a finished query
CALLS = {
    "bigquery.projects.list": ("GET /projects", None),
    "bigquery.projects.getServiceAccount": ("GET serviceAccount", None),
    "bigquery.datasets.list": ("GET datasets", None),
    "bigquery.datasets.insert": ("POST datasets", {"datasetReference": {"datasetId": "{d}_2"}}),
    "bigquery.datasets.get": ("GET datasets/{d}", None),
    "bigquery.datasets.patch": ("PATCH datasets/{d}", {"description": "x"}),
    "bigquery.datasets.update": ("PUT datasets/{d}", {"description": "x"}),
    "bigquery.datasets.delete": ("DELETE datasets/{d}_2", None),
    "bigquery.datasets.undelete": ("POST datasets/{d}_2:undelete", {}),
    "bigquery.tables.list": ("GET datasets/{d}/tables", None),
    "bigquery.tables.insert": ("POST datasets/{d}/tables", {"tableReference": {"tableId": "new"}}),
    "bigquery.tables.get": ("GET datasets/{d}/tables/t", None),
    "bigquery.tables.patch": ("PATCH datasets/{d}/tables/t", {"description": "x"}),
    "bigquery.tables.update": ("PUT datasets/{d}/tables/t", {"description": "x"}),
    "bigquery.tables.delete": ("DELETE datasets/{d}/tables/u", None),
    "bigquery.tables.getIamPolicy": ("POST datasets/{d}/tables/t:getIamPolicy", {}),
    "bigquery.tables.setIamPolicy": ("POST datasets/{d}/tables/t:setIamPolicy", {"policy": {"bindings": []}}),
    "bigquery.tables.testIamPermissions": ("POST datasets/{d}/tables/t:testIamPermissions", {"permissions": ["bigquery.tables.get"]}),
    "bigquery.routines.insert": ("POST datasets/{d}/routines", {"routineReference": {"routineId": "f"}, "routineType": "SCALAR_FUNCTION", "definitionBody": "1"}),
    "bigquery.routines.get": ("GET datasets/{d}/routines/f", None),
    "bigquery.routines.list": ("GET datasets/{d}/routines", None),
    "bigquery.routines.update": ("PUT datasets/{d}/routines/f", {"routineType": "SCALAR_FUNCTION", "definitionBody": "2"}),
    "bigquery.routines.getIamPolicy": ("POST datasets/{d}/routines/f:getIamPolicy", {}),
    "bigquery.routines.setIamPolicy": ("POST datasets/{d}/routines/f:setIamPolicy", {"policy": {"bindings": []}}),
    "bigquery.routines.testIamPermissions": ("POST datasets/{d}/routines/f:testIamPermissions", {"permissions": ["bigquery.routines.get"]}),
    "bigquery.routines.delete": ("DELETE datasets/{d}/routines/f", None),
    "bigquery.tabledata.list": ("GET datasets/{d}/tables/t/data", None),
    "bigquery.tabledata.insertAll": ("POST datasets/{d}/tables/t/insertAll", {"rows": [{"json": {"n": 1}}]}),
    "bigquery.rowAccessPolicies.insert": ("POST datasets/{d}/tables/t/rowAccessPolicies", {
        "rowAccessPolicyReference": {"policyId": "p"}, "filterPredicate": "TRUE", "grantees": ["allAuthenticatedUsers"]}),
    "bigquery.rowAccessPolicies.list": ("GET datasets/{d}/tables/t/rowAccessPolicies", None),
    "bigquery.rowAccessPolicies.get": ("GET datasets/{d}/tables/t/rowAccessPolicies/p", None),
    "bigquery.rowAccessPolicies.update": ("PUT datasets/{d}/tables/t/rowAccessPolicies/p", {"filterPredicate": "n > 0"}),
    "bigquery.rowAccessPolicies.getIamPolicy": ("POST datasets/{d}/tables/t/rowAccessPolicies/p:getIamPolicy", {}),
    "bigquery.rowAccessPolicies.testIamPermissions": ("POST datasets/{d}/tables/t/rowAccessPolicies/p:testIamPermissions", {"permissions": []}),
    "bigquery.rowAccessPolicies.delete": ("DELETE datasets/{d}/tables/t/rowAccessPolicies/p?force=true", None),
    "bigquery.rowAccessPolicies.batchDelete": ("POST datasets/{d}/tables/t/rowAccessPolicies:batchDelete", {"policyIds": []}),
    "bigquery.models.list": ("GET datasets/{d}/models", None),
    "bigquery.models.get": ("GET datasets/{d}/models/m", None),
    "bigquery.models.patch": ("PATCH datasets/{d}/models/m", {"description": "x"}),
    "bigquery.models.delete": ("DELETE datasets/{d}/models/m", None),
    "bigquery.jobs.insert": ("POST jobs", {"configuration": {"query": {"query": "SELECT 1", "useLegacySql": False}}}),
    "bigquery.jobs.get": ("GET jobs/{j}", None),
    "bigquery.jobs.list": ("GET jobs", None),
    "bigquery.jobs.cancel": ("POST jobs/{j}/cancel", None),
    "bigquery.jobs.query": ("POST queries", {"query": "SELECT 1", "useLegacySql": False}),
    "bigquery.jobs.getQueryResults": ("GET queries/{j}", None),
    "bigquery.jobs.delete": ("DELETE jobs/{j}/delete", None),
}


@pytest.fixture(scope="module")
def names(client):
    client.create_dataset("rest_surface")
    from google.cloud import bigquery
    for table in ("t", "u"):
        client.create_table(bigquery.Table(f"{client.project}.rest_surface.{table}", schema=[bigquery.SchemaField("n", "INTEGER")]))
    job = client.query("SELECT 1")
    job.result()
    yield {"d": "rest_surface", "j": job.job_id}
    client.delete_dataset("rest_surface", delete_contents=True)


def fill(template: str, names: dict) -> str:
    return template.replace("{d}", names["d"]).replace("{j}", names["j"])


def test_every_method_has_a_call():
    assert {method.id for method in rest.METHODS} == set(CALLS)


def test_every_method_answers(api, names):
    for method, (request, body) in CALLS.items():  # one after another: what one makes, the next ones change and delete
        verb, path = fill(request, names).split(" ")
        answer = api(verb, path, json.loads(fill(json.dumps(body), names)))
        if "/models/" in path:
            assert answer.json()["error"]["message"] == f"Not found: Model {api.project.partition('/')[2]}:{names['d']}.m"
            continue
        assert answer.status_code in (200, 204), (method, answer.text)
        assert (answer.status_code == 204) == (verb == "DELETE" or method.endswith("batchDelete")), method


@pytest.mark.parametrize("method", [method for method in rest.METHODS if method.permission], ids=lambda method: method.id)
def test_permissions_have_bigquerys_names(method):
    assert method.permission.startswith("bigquery.") and method.permission.count(".") == 2


@pytest.mark.parametrize("text, wanted", [
    ("a", {"a": {}}), ("a,b", {"a": {}, "b": {}}), ("a/b/c", {"a": {"b": {"c": {}}}}), ("d(e,f/g),h", {"d": {"e": {}, "f": {"g": {}}}, "h": {}}),
    ("a/b,a/c", {"a": {"b": {}, "c": {}}}), ("*", {"*": {}})])
def test_field_selections(text, wanted):
    assert rest.parse_fields(text) == wanted


@pytest.mark.parametrize("text", ["a(b", "a)", "a/", "/a", "a(b))"])
def test_malformed_field_selections(text):
    with pytest.raises(ApiError, match="Invalid field selection"):
        rest.parse_fields(text)


@pytest.mark.parametrize("path, code, reason", [
    ("datasets?maxResults=x", 400, "badRequest"), ("datasets?all=maybe", 400, "badRequest"), ("datasets?nothing=1", 400, "badRequest"),
    ("datasets?maxResults=-1", 400, "invalidParameter"), ("jobs?stateFilter=done&stateFilter=lost", 400, "badRequest"),
    ("datasets?alt=media", 501, "notImplemented"), ("datasets?callback=f", 501, "notImplemented")])
def test_parameters_that_are_refused(api, path, code, reason):
    assert api.error("GET", path)[:2] == (code, reason)


@pytest.mark.parametrize("path", ["/projects", "datasets", "datasets/{d}/tables", "datasets/{d}/tables/t/data", "datasets/{d}/routines", "datasets/{d}/models",
                                  "datasets/{d}/tables/t/rowAccessPolicies", "jobs"])
def test_bad_page_tokens(api, names, path):
    assert api.error("GET", fill(path, names) + "?pageToken=nonsense")[:2] == (400, "invalid")


def test_etags_spare_a_client_what_it_has(api, names):
    etag = api("GET", "datasets/rest_surface").headers["ETag"]
    answer = api("GET", "datasets/rest_surface", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
    assert api("GET", "datasets/rest_surface", headers={"If-None-Match": "other"}).status_code == 200


def test_answers_as_the_client_wants_them(api, names):
    plain = api("GET", "datasets/rest_surface")
    zipped = api("GET", "datasets/rest_surface", headers={"Accept-Encoding": "gzip", "User-Agent": "my program (gzip)"})
    assert zipped.headers["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain.headers and zipped.json() == plain.json()
    pretty = api("GET", "datasets/rest_surface?$prettyPrint=true&$fields=id")
    assert pretty.text == json.dumps({"id": plain.json()["id"]}, indent=2)


def test_fields_of_rows(api, names):
    api("POST", "datasets/rest_surface/tables/t/insertAll", {"rows": [{"json": {"n": 5}}]})
    path = "datasets/rest_surface/tables/t/data?maxResults=1&fields="
    assert set(api("GET", path + "rows,totalRows").json()) == {"rows", "totalRows"}
    assert set(api("GET", path + "totalRows").json()) == {"totalRows"}
    assert api("GET", path + "rows/f/v").json()["rows"][0]["f"][0]["v"]


def test_errors_have_the_services_form(api):
    answer = api("GET", "datasets/nowhere")
    message = f"Not found: Dataset {api.project.partition('/')[2]}:nowhere"
    assert answer.json() == {"error": {"code": 404, "message": message, "status": "NOT_FOUND",
                                       "errors": [{"message": message, "domain": "global", "reason": "notFound"}]}}
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"


@pytest.mark.parametrize("verb, path, code, reason", [
    ("GET", "nothing", 404, "notFound"), ("GET", "datasets/d/tables/a/b", 404, "notFound"),
    ("DELETE", "datasets", 405, "methodNotAllowed"), ("PATCH", "jobs", 405, "methodNotAllowed")])
def test_methods_there_are_not(api, verb, path, code, reason):
    assert api.error(verb, path)[:2] == (code, reason)


def test_bodies_that_are_not_json(emulator, api):
    url = f"{api.base}{api.project}/datasets"
    for data, reason in ((b'{"a', "parseError"), (b"\xff\xfe", "parseError"), (b"[]", "badRequest"), (b'"x"', "badRequest")):
        answer = requests.post(url, data=data)
        assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, reason)


def test_a_body_of_100_mb_is_too_large(api):
    answer = requests.post(f"{api.base}{api.project}/datasets", data=b" " * 100_000_000)
    assert answer.status_code == 413 and "exceeds the limit" in answer.json()["error"]["message"]


def test_a_gzipped_body(api, client, dataset):
    body = gzip.compress(json.dumps({"tableReference": {"tableId": "zipped"}}).encode())
    answer = requests.post(f"{api.base}{api.project}/datasets/{dataset}/tables", data=body,
                           headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})
    assert answer.status_code == 200 and client.get_table(f"{dataset}.zipped")


def test_method_override(api, dataset):
    answer = api("POST", f"datasets/{dataset}", {"description": "by override"}, headers={"X-HTTP-Method-Override": "PATCH"})
    assert answer.json()["description"] == "by override"


def test_other_hosts_and_pages_are_turned_away(api):
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert api.error("GET", "datasets", headers=headers)[:2] == (403, "forbidden")


def test_a_path_outside_the_api(emulator):
    answer = requests.get(emulator["bigquery"] + "/nothing")
    assert answer.status_code == 404 and "/bigquery/v2/" in answer.json()["error"]["message"]


def test_the_prefix_may_be_left_out(emulator):
    assert requests.get(f"{emulator['bigquery']}/projects/{emulator['project']}/datasets").status_code == 200


# Who calls ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("authorization, who", [
    (None, "default"), ("Bearer ada@example.com", "ada@example.com"), (f"Bearer {rest.make_token('é@example.com')}", "é@example.com"),
    ("Bearer !!!", "default"), (f"Bearer {rest.TOKEN_PREFIX}!", "default"), ("Basic abc", "default"), ("Bearer ", "default")])
def test_principals(authorization, who):
    assert rest.principal_of(authorization, "default") == who


def test_the_credentials_of_the_ready_line_name_the_caller(client, emulator):
    email = json.load(open(emulator["credentials"]))["client_email"]
    job = client.query("SELECT SESSION_USER() AS me")
    assert [row.me for row in job.result()] == [email] and job.user_email == email


def test_a_token_without_an_assertion(emulator):
    assert requests.post(emulator["bigquery"] + "/token", data={"assertion": "x"}).json()["error"] == "invalid_grant"
