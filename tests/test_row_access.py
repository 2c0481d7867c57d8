"""Row access policies, GRANT and REVOKE: made by REST and by SQL, and what each caller sees."""
import pytest
import requests
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@other.org"


@pytest.fixture
def sales(sql):
    sql("CREATE TABLE sales AS SELECT 1 AS id, 'EU' AS region, 'ada@example.com' AS seller UNION ALL SELECT 2, 'US', 'bob@example.com' UNION ALL SELECT 3, 'US', 'ada@example.com'")


@pytest.fixture
def api(emulator, client, dataset):
    """A REST request as some caller: (status, body)."""
    def call(verb: str, path: str, body=None, who: str | None = None):
        url = f"{emulator['bigquery']}/bigquery/v2/projects/{client.project}{path.replace('DATASET', dataset)}"
        answer = requests.request(verb, url, json=body, headers={"Authorization": f"Bearer {who}"} if who else {}, timeout=60)
        return answer.status_code, answer.json() if answer.text else None
    return call


@pytest.fixture
def seen(api, dataset):
    """The ids that a caller sees in sales."""
    def ids(who: str, text: str = "SELECT id FROM DATASET.sales ORDER BY id") -> list[int]:
        status, answer = api("POST", "/queries", {"query": text.replace("DATASET", dataset), "useLegacySql": False}, who)
        assert status == 200, answer
        return [int(row["f"][0]["v"]) for row in answer.get("rows", ())]
    return ids


POLICIES = "/datasets/DATASET/tables/sales/rowAccessPolicies"


def policy(name: str, predicate: str, *grantees: str) -> dict:
    return {"rowAccessPolicyReference": {"policyId": name}, "filterPredicate": predicate, "grantees": list(grantees)}


def test_each_caller_sees_the_rows_of_their_policies(sql, api, seen, sales):
    assert seen(BOB) == [1, 2, 3]
    job = sql("CREATE ROW ACCESS POLICY eu ON sales GRANT TO ('user:ada@example.com') FILTER USING (region = 'EU')")
    assert (job.statement_type, job.ddl_operation_performed) == ("CREATE_ROW_ACCESS_POLICY", "CREATE")
    assert (seen(ADA), seen(BOB)) == ([1], [])
    assert api("POST", POLICIES, policy("mine", "seller = SESSION_USER()", "domain:example.com"))[0] == 200
    assert (seen(ADA), seen(BOB), seen(EVE)) == ([1, 3], [2], [])
    sql("DROP ALL ROW ACCESS POLICIES ON sales")
    assert seen(EVE) == [1, 2, 3]


def test_policies_hold_in_joins_subqueries_and_views(sql, api, seen, sales, dataset):
    sql(f"CREATE VIEW all_sales AS SELECT * FROM {dataset}.sales")
    sql("CREATE ROW ACCESS POLICY us ON sales GRANT TO ('user:ada@example.com') FILTER USING (region = 'US')")
    for text in ("SELECT a.id FROM DATASET.sales a JOIN DATASET.sales b USING (id) ORDER BY 1", "SELECT id FROM DATASET.all_sales ORDER BY 1",
                 "SELECT x FROM UNNEST([1, 2, 3]) x WHERE x IN (SELECT id FROM DATASET.sales) ORDER BY 1"):
        assert (seen(ADA, text), seen(BOB, text)) == ([2, 3], []), text


def test_pseudo_columns_of_a_filtered_table(sql, rows):
    sql("CREATE TABLE t (x INT64) PARTITION BY _PARTITIONDATE")
    sql("INSERT t (_PARTITIONTIME, x) VALUES ('2024-01-01', 1), ('2024-01-02', 2), ('2024-01-02', 9)")
    sql("CREATE ROW ACCESS POLICY low ON t GRANT TO ('allAuthenticatedUsers') FILTER USING (x < 5)")
    sql("ALTER TABLE t SET OPTIONS (require_partition_filter=true)")
    assert rows("SELECT *, CAST(_PARTITIONTIME AS STRING) FROM t WHERE _PARTITIONDATE = '2024-01-02'") == [(2, "2024-01-02 00:00:00+00")]
    assert rows("SELECT * FROM t WHERE _PARTITIONTIME < '2024-01-02'") == [(1,)]


def test_the_past_of_a_filtered_table_is_not_told(sql, api, sales, dataset):
    sql("CREATE ROW ACCESS POLICY us ON sales GRANT TO ('user:ada@example.com') FILTER USING (region = 'US')")
    query = {"query": f"SELECT id FROM {dataset}.sales FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()", "useLegacySql": False}
    status, answer = api("POST", "/queries", query, ADA)
    assert status == 403 and answer["error"]["message"].endswith("which has row access policies.")


def test_the_bytes_of_a_filtered_table_are_not_told(sql, api, sales, dataset):
    sql("CREATE ROW ACCESS POLICY us ON sales GRANT TO ('user:ada@example.com') FILTER USING (region = 'US')")
    _, answer = api("POST", "/queries", {"query": f"SELECT id FROM {dataset}.sales", "useLegacySql": False}, ADA)
    assert answer["totalBytesProcessed"] == "0"


def test_a_group_holds_its_domain(sql, seen, sales):
    sql("CREATE ROW ACCESS POLICY g ON sales GRANT TO ('group:team@example.com') FILTER USING (id = 2)")
    assert (seen(ADA), seen(EVE)) == ([2], [])


def test_policies_by_rest(api, seen, sales):
    assert api("POST", POLICIES, policy("eu", "region = 'EU'", f"user:{ADA}"))[0] == 200
    status, answer = api("POST", POLICIES, policy("eu", "TRUE"))
    assert (status, answer["error"]["errors"][0]["reason"]) == (409, "duplicate")
    assert [found["filterPredicate"] for found in api("GET", POLICIES)[1]["rowAccessPolicies"]] == ["region = 'EU'"]
    _, before = api("GET", POLICIES + "/eu")
    assert api("PUT", POLICIES + "/eu", policy("eu", "region = 'US'", f"user:{ADA}"))[1]["etag"] != before["etag"]
    assert seen(ADA) == [2, 3]
    assert api("POST", POLICIES + "/eu:getIamPolicy", {})[1]["bindings"] == [{"role": "roles/bigquery.filteredDataViewer", "members": [f"user:{ADA}"]}]
    status, answer = api("DELETE", POLICIES + "/eu")
    assert status == 400 and "last row access policy" in answer["error"]["message"]
    assert api("DELETE", POLICIES + "/eu?force=true")[0] == 204
    assert api("GET", POLICIES + "/eu")[0] == 404 and seen(EVE) == [1, 2, 3]


@pytest.mark.parametrize("body, status, words", [
    (policy("eu", "region = 5"), 400, "No matching signature"), (policy("1x", "TRUE"), 400, "Invalid row access policy ID"),
    (policy("eu", ""), 400, "filterPredicate"), (policy("eu", "TRUE", "ada"), 400, "Invalid member")])
def test_bad_policies(api, sales, body, status, words):
    found, answer = api("POST", POLICIES, body)
    assert found == status and words in answer["error"]["message"]


def test_what_needs_every_row_is_refused(sql, api, sales, client, dataset):
    sql("CREATE ROW ACCESS POLICY us ON sales GRANT TO ('user:ada@example.com') FILTER USING (region = 'US')")
    for refused in (lambda: list(client.list_rows(f"{client.project}.{dataset}.sales")), lambda: sql("DELETE FROM sales WHERE id = 1"),
                    lambda: client.copy_table(f"{client.project}.{dataset}.sales", f"{client.project}.{dataset}.other").result()):
        with pytest.raises(Forbidden, match="row access policies"):
            refused()
    sql(f"CREATE ROW ACCESS POLICY everything ON sales GRANT TO ('serviceAccount:{api('GET', '/jobs')[1]['jobs'][0]['user_email']}') FILTER USING (TRUE)")
    assert sql("DELETE FROM sales WHERE id = 1").num_dml_affected_rows == 1


def test_create_and_drop_forms(sql, seen, sales):
    create = "ROW ACCESS POLICY {} p ON sales GRANT TO ('allAuthenticatedUsers') FILTER USING (id < {})"
    sql("CREATE " + create.format("", 2))
    with pytest.raises(Conflict):
        sql("CREATE " + create.format("", 3))
    assert sql("CREATE " + create.format("IF NOT EXISTS", 3)).ddl_operation_performed == "SKIP" and seen(EVE) == [1]
    assert sql("CREATE OR REPLACE " + create.format("", 3)).ddl_operation_performed == "REPLACE" and seen(EVE) == [1, 2]
    with pytest.raises(NotFound):
        sql("DROP ROW ACCESS POLICY other ON sales")
    assert sql("DROP ROW ACCESS POLICY IF EXISTS other ON sales").ddl_operation_performed == "SKIP"
    assert sql("DROP ROW ACCESS POLICY p ON sales").ddl_operation_performed == "DROP"


def test_a_table_made_anew_has_no_policy(sql, seen, sales):
    sql("CREATE ROW ACCESS POLICY us ON sales GRANT TO ('user:ada@example.com') FILTER USING (region = 'US')")
    sql("CREATE OR REPLACE TABLE sales AS SELECT 7 AS id")
    assert seen(EVE) == [7]


# GRANT and REVOKE ---------------------------------------------------------------------------------

def test_grant_and_revoke_on_a_table(client, dataset, sql, sales):
    job = sql("GRANT `roles/bigquery.dataViewer`, `roles/bigquery.dataEditor` ON TABLE sales TO 'user:ada@example.com', 'group:team@example.com'")
    assert job.statement_type == "GRANT"
    policy = client.get_iam_policy(f"{client.project}.{dataset}.sales")
    assert {binding["role"]: set(binding["members"]) for binding in policy.bindings} == {
        role: {"user:ada@example.com", "group:team@example.com"} for role in ("roles/bigquery.dataViewer", "roles/bigquery.dataEditor")}
    sql("REVOKE `roles/bigquery.dataViewer` ON TABLE sales FROM 'user:ada@example.com', 'group:team@example.com'")
    assert [binding["role"] for binding in client.get_iam_policy(f"{client.project}.{dataset}.sales").bindings] == ["roles/bigquery.dataEditor"]
    with pytest.raises(BadRequest, match="currently a TABLE"):
        sql("GRANT `roles/bigquery.dataViewer` ON VIEW sales TO 'user:ada@example.com'")


def test_grant_and_revoke_on_a_schema(client, dataset, sql):
    sql(f"GRANT `roles/bigquery.dataViewer` ON SCHEMA {dataset} TO 'user:ada@example.com', 'domain:example.com'")
    entries = [(entry.role, entry.entity_type, entry.entity_id) for entry in client.get_dataset(dataset).access_entries]
    assert ("READER", "userByEmail", ADA) in entries and ("READER", "domain", "example.com") in entries
    sql(f"REVOKE `roles/bigquery.dataViewer` ON SCHEMA {dataset} FROM 'user:ada@example.com'")
    assert ("READER", "userByEmail", ADA) not in [(entry.role, entry.entity_type, entry.entity_id) for entry in client.get_dataset(dataset).access_entries]
