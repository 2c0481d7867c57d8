"""The discovery document, as google-api-python-client reads it."""
import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaInMemoryUpload

from emulator import messages, rest

# Every method of BigQuery v2.
METHODS = {
    "datasets": "delete get insert list patch undelete update", "jobs": "cancel delete get getQueryResults insert list query",
    "models": "delete get list patch", "projects": "getServiceAccount list",
    "routines": "delete get getIamPolicy insert list setIamPolicy testIamPermissions update",
    "rowAccessPolicies": "batchDelete delete get getIamPolicy insert list testIamPermissions update", "tabledata": "insertAll list",
    "tables": "delete get getIamPolicy insert list patch setIamPolicy testIamPermissions update",
}


def test_every_method_of_the_service_is_there():
    assert {method.id for method in rest.METHODS} == {f"bigquery.{resource}.{name}" for resource, names in METHODS.items() for name in names.split()}


def test_methods_name_messages_and_parameters_that_there_are():
    for method in rest.METHODS:
        assert {method.request, method.response} - {None} <= messages.table().keys(), method.id
        assert set(method.query) <= messages.PARAMETERS.keys(), method.id


@pytest.mark.parametrize("path", ["/discovery/v1/apis/bigquery/v2/rest", "/$discovery/rest?version=v2"])
def test_the_document(emulator, path):
    found = requests.get(emulator["bigquery"] + path).json()
    assert found["rootUrl"] == emulator["bigquery"] + "/" and found["resources"].keys() == METHODS.keys()
    table = found["schemas"]["Table"]["properties"]
    assert table["schema"] == {"$ref": "TableSchema"} and table["numRows"] == {"type": "string", "format": "int64", "readOnly": True}
    listed = found["resources"]["jobs"]["methods"]["list"]
    assert listed["parameters"]["stateFilter"]["repeated"] and listed["response"] == {"$ref": "JobList"}


def test_another_version(emulator):
    assert requests.get(emulator["bigquery"] + "/$discovery/rest?version=v1").status_code == 404


@pytest.fixture(scope="module")
def service(emulator):
    return build("bigquery", "v2", credentials=AnonymousCredentials(), static_discovery=False,
                 discoveryServiceUrl=emulator["bigquery"] + "/discovery/v1/apis/{api}/{apiVersion}/rest")


def test_a_client_made_from_it(service, emulator, dataset):
    place = dict(projectId=emulator["project"], datasetId=dataset)
    body = {"tableReference": {"tableId": "été 1"}, "schema": {"fields": [{"name": "n", "type": "INTEGER"}]}}
    service.tables().insert(**place, body=body).execute()
    table = dict(place, tableId="été 1")
    assert service.tabledata().insertAll(**table, body={"rows": [{"json": {"n": 1}}, {"json": {"n": 2}}]}).execute().keys() == {"kind"}
    first = service.tabledata().list(**table, maxResults=1)
    second = service.tabledata().list_next(first, first.execute() | {"nextPageToken": None}) or service.tabledata().list(
        **table, pageToken=first.execute()["pageToken"])
    assert second.execute()["rows"] == [{"f": [{"v": "2"}]}]
    name = f"projects/{emulator['project']}/datasets/{dataset}/tables/été 1"
    wanted = {"permissions": ["bigquery.tables.get"]}
    assert service.tables().testIamPermissions(resource=name, body=wanted).execute() == wanted
    assert service.jobs().list(projectId=emulator["project"], stateFilter=["done", "running"], projection="minimal").execute()["kind"]


def test_a_file_that_comes_with_a_load_job(service, emulator, dataset, client):
    for resumable in (False, True):
        media = MediaInMemoryUpload(b"n\n1\n2\n", "application/octet-stream", resumable=resumable)
        job = {"configuration": {"load": {"destinationTable": {"projectId": emulator["project"], "datasetId": dataset, "tableId": "loaded"},
                                          "autodetect": True}}}
        done = service.jobs().insert(projectId=emulator["project"], body=job, media_body=media).execute()
        client.get_job(done["jobReference"]["jobId"]).result()
    assert client.get_table(f"{dataset}.loaded").num_rows == 4


def test_errors_reach_it(service, emulator, dataset):
    with pytest.raises(HttpError, match="Not found: Model"):
        service.models().get(projectId=emulator["project"], datasetId=dataset, modelId="m").execute()
