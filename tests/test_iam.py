"""Policies of tables, who has which permission, and the public project."""
import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound
from google.cloud import bigquery

ALL = ["bigquery.tables.get", "bigquery.tables.getData", "bigquery.tables.update", "bigquery.tables.setIamPolicy"]


def test_a_table_has_no_policy_at_first(client, people):
    policy = client.get_iam_policy(people)
    assert list(policy.bindings) == [] and policy.etag == "ACAB"


def test_a_policy_is_kept_and_its_etag_guards_it(client, people):
    policy = client.get_iam_policy(people)
    policy.bindings = [{"role": "roles/owner", "members": {"user:ada@example.com", "group:g@example.com"}},
                       {"role": "roles/viewer", "members": {"allUsers"}}]
    client.set_iam_policy(people, policy)
    found = client.get_iam_policy(people)
    assert {b["role"]: b["members"] for b in found.bindings} == {
        "roles/owner": {"user:ada@example.com", "group:g@example.com"}, "roles/viewer": {"allUsers"}}
    with pytest.raises(Conflict, match="concurrent policy changes"):
        client.set_iam_policy(people, policy)


def test_same_role_twice_is_one_binding(api, people):
    bindings = [{"role": "roles/viewer", "members": ["allUsers"]}, {"role": "roles/viewer", "members": ["allUsers", "user:a@b.co"]}]
    body = api("POST", f"datasets/{people.dataset_id}/tables/people:setIamPolicy", {"policy": {"bindings": bindings}}).json()
    assert body["bindings"] == [{"role": "roles/viewer", "members": ["allUsers", "user:a@b.co"]}]


@pytest.mark.parametrize("role, member, words", [
    ("roles/viewer", "ada@example.com", "Invalid member ada@example.com"),
    ("roles/viewer", "robot:ada@example.com", "Invalid member robot"),
    ("roles/viewer", "user:ada", "ada is not an e-mail address"),
    ("viewer", "allUsers", "Role viewer is not supported"),
])
def test_bad_bindings(client, people, role, member, words):
    policy = client.get_iam_policy(people)
    policy.bindings = [{"role": role, "members": {member}}]
    with pytest.raises(BadRequest, match=words):
        client.set_iam_policy(people, policy)
    assert list(client.get_iam_policy(people).bindings) == []


def test_missing_tables(client, dataset):
    with pytest.raises(NotFound):
        client.get_iam_policy(f"{client.project}.{dataset}.no")
    assert client.test_iam_permissions(f"{client.project}.{dataset}.no", ALL) == {}


def test_permissions_of_the_owner_and_of_others(api, client, people):
    path = f"datasets/{people.dataset_id}/tables/people:testIamPermissions"
    assert client.test_iam_permissions(people, ALL) == {"permissions": ALL}
    eve = {"Authorization": "Bearer eve@example.com"}
    assert api("POST", path, {"permissions": ALL}, headers=eve).json() == {}
    policy = client.get_iam_policy(people)
    policy.bindings = [{"role": "roles/bigquery.dataViewer", "members": {"user:eve@example.com"}}]
    client.set_iam_policy(people, policy)
    assert api("POST", path, {"permissions": ALL}, headers=eve).json() == {"permissions": ALL[:2]}


def test_a_policy_ends_with_its_table_and_is_not_copied(client, people):
    policy = client.get_iam_policy(people)
    policy.bindings = [{"role": "roles/viewer", "members": {"allUsers"}}]
    client.set_iam_policy(people, policy)
    client.copy_table(people, f"{client.project}.{people.dataset_id}.copy").result()
    assert list(client.get_iam_policy(f"{client.project}.{people.dataset_id}.copy").bindings) == []
    client.delete_table(people)
    client.create_table(people)
    assert list(client.get_iam_policy(people).bindings) == []


def test_nobody_writes_to_the_public_project(client, people):
    public = bigquery.DatasetReference("bigquery-public-data", "samples")
    with pytest.raises(Forbidden, match="Access Denied: Dataset bigquery-public-data:samples: Permission bigquery.tables.create denied"):
        client.create_table(bigquery.Table(public.table("mine")))
    with pytest.raises(Forbidden, match="Access Denied: Table bigquery-public-data:samples.shakespeare: Permission bigquery.tables.delete denied"):
        client.delete_table(public.table("shakespeare"))
    with pytest.raises(Forbidden):
        client.copy_table(people, public.table("mine")).result()
    with pytest.raises(Forbidden, match="User does not have bigquery.jobs.create permission in project bigquery-public-data"):
        client.query("SELECT 1", project="bigquery-public-data")
