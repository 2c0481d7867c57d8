"""Models as Google's client sees them: made by SQL, listed, changed, dropped."""
import datetime as dt

import pytest
from google.api_core.exceptions import BadRequest, Conflict, MethodNotImplemented, NotFound, PreconditionFailed
from google.cloud import bigquery

ROWS = "SELECT x, IF(MOD(x, 2) = 0, 'even', 'odd') AS kind, 3 * x + IF(MOD(x, 2) = 0, 10, 0) + 1 AS y FROM UNNEST([1, 2, 3, 4, 5]) AS x"


@pytest.fixture
def name(client, dataset):
    return f"{client.project}.{dataset}.m"


@pytest.fixture
def model(sql, name, client) -> bigquery.Model:
    sql(f"CREATE MODEL m OPTIONS(model_type = 'linear_reg', input_label_cols = ['y'], max_iterations = 1, description = 'd', labels = [('a', 'b')]) AS {ROWS}")
    return client.get_model(name)


def test_a_model_is_as_the_service_shows_it(model, dataset, client):
    assert (model.model_type, model.location, model.description, model.labels, model.expires) == ("LINEAR_REGRESSION", "US", "d", {"a": "b"}, None)
    columns = [[(field["name"], field["type"]["typeKind"]) for field in model.to_api_repr()[kind]] for kind in ("featureColumns", "labelColumns")]
    assert columns == [[("x", "INT64"), ("kind", "STRING")], [("y", "INT64")]]
    (run,) = model.training_runs
    assert run["trainingOptions"]["inputLabelColumns"] == ["y"] and run["results"][0]["trainingLoss"] < 1e-9
    assert run["evaluationMetrics"]["regressionMetrics"]["rSquared"] == pytest.approx(1)
    assert [(item.model_id, item.model_type, item.created) for item in client.list_models(dataset)] == [("m", "LINEAR_REGRESSION", model.created)]


def test_changes(model, client):
    model.description, model.labels, model.expires = "new", {"a": None, "c": "d"}, dt.datetime(2100, 1, 1, tzinfo=dt.timezone.utc)
    changed = client.update_model(model, ["description", "labels", "expires"])
    assert (changed.description, changed.labels, changed.expires.year, changed.model_type) == ("new", {"c": "d"}, 2100, "LINEAR_REGRESSION")
    with pytest.raises(PreconditionFailed):
        client.update_model(model, ["description"])


def test_the_end_of_a_model(model, client, name, sql, dataset):
    with pytest.raises(BadRequest, match="still in use"):
        client.delete_dataset(dataset)
    client.delete_model(name)
    with pytest.raises(NotFound, match="Not found: Model"):
        client.get_model(name)
    with pytest.raises(NotFound):
        client.delete_model(name)
    client.delete_model(name, not_found_ok=True)
    assert sql("DROP MODEL IF EXISTS m").ddl_operation_performed == "SKIP" and list(client.list_models(dataset)) == []


def test_models_that_are_there_already(model, sql):
    with pytest.raises(Conflict, match="Already Exists: Model"):
        sql(f"CREATE MODEL m OPTIONS(model_type = 'linear_reg', input_label_cols = ['y']) AS {ROWS}")
    assert sql("CREATE MODEL IF NOT EXISTS m OPTIONS(model_type = 'linear_reg') AS SELECT 1 AS x, 2 AS label").ddl_operation_performed == "SKIP"
    job = sql("CREATE OR REPLACE MODEL m OPTIONS(model_type = 'linear_reg', l2_reg = 0.5) AS SELECT 1 AS x, NULL AS z, 2.5 AS label")
    assert (job.ddl_operation_performed, job.statement_type) == ("REPLACE", "CREATE_MODEL")
    assert sql("DROP MODEL m").ddl_operation_performed == "DROP"


@pytest.mark.parametrize("text, error, words", [
    ("CREATE MODEL m OPTIONS(model_type = 'kmeans') AS SELECT 1 AS x", MethodNotImplemented, "model_type kmeans"),
    ("CREATE MODEL m AS SELECT 1 AS label, 2 AS x", BadRequest, "Option model_type is required"),
    ("CREATE MODEL m OPTIONS(model_type = 'linear_reg') AS SELECT 1 AS x", BadRequest, "Unable to identify the label column: label"),
    ("CREATE MODEL m OPTIONS(model_type = 'linear_reg') AS SELECT 1 AS label", BadRequest, "needs a label that is a number, and features"),
    ("CREATE MODEL m OPTIONS(model_type = 'linear_reg') AS SELECT 'a' AS label, 1 AS x", BadRequest, "needs a label that is a number"),
    ("CREATE MODEL m OPTIONS(model_type = 'linear_reg') AS SELECT CAST(NULL AS INT64) AS label, 1 AS x", BadRequest, "no rows with a label"),
    ("CREATE MODEL m OPTIONS(model_type = 'linear_reg') AS SELECT [1] AS x, 1 AS label", MethodNotImplemented, "the feature x"),
    ("CREATE MODEL m OPTIONS(model_type = 'linear_reg', nothing = 1) AS SELECT 1 AS x, 1 AS label", BadRequest, "Unknown option: nothing"),
    ("CREATE MODEL nowhere.m OPTIONS(model_type = 'linear_reg') AS SELECT 1 AS x, 1 AS label", NotFound, "Not found: Dataset"),
    ("SELECT * FROM ML.PREDICT(MODEL m, (SELECT 1 AS x))", MethodNotImplemented, "ML.PREDICT"), ("DROP MODEL m", NotFound, "Not found: Model")])
def test_what_is_refused(sql, text, error, words):
    with pytest.raises(error, match=words):
        sql(text)
