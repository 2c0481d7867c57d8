"""models.*, CREATE MODEL and DROP MODEL: linear regressions, trained by their normal equation. Nothing in SQL uses a model yet."""
from __future__ import annotations

import time
from typing import TYPE_CHECKING

from . import datasets, iam, options, query, rules, values
from .calls import PAGING, Call, merge, method, public, timestamps
from .errors import ApiError, not_found, unsupported
from .lake import Lake, Transaction, now_ms
from .options import Option

if TYPE_CHECKING:
    from .googlesql import Statement
    from .jobs import Job

Ref = tuple[str, str, str]
DATASET = "projects/{projectId}/datasets/{datasetId}/models"
PATH = DATASET + "/{modelId}"
LISTED = ("modelReference", "modelType", "creationTime", "lastModifiedTime", "labels")
CHANGEABLE = ("description", "friendlyName", "labels", "expirationTime", "encryptionConfiguration")
OPTIONS: options.Known = options.VIEW | {
    "kms_key_name": Option("encryptionConfiguration.kmsKeyName"), "model_type": Option("_options.modelType"),
    "input_label_cols": Option("_options.labels", options.names), "l2_reg": Option("_options.l2", lambda weight: str(float(weight))),
    # What an iteration would need; the normal equation has none.
    **{name: Option(f"_options.{name}", str) for name in ("max_iterations", "max_iteration", "learn_rate", "learn_rate_strategy", "ls_init_learn_rate",
                                                          "early_stop", "min_rel_progress", "optimize_strategy", "data_split_method")}}
NUMBERS = ("INTEGER", "FLOAT", "NUMERIC", "BOOLEAN")


def find(lake: Lake | Transaction, ref: Ref) -> dict:
    """A model's body; ApiError notFound, of its dataset where that is missing."""
    datasets.find(lake, ref[:2])
    body = lake.get("model", ref)
    if body is None or int(body.get("expirationTime", 1 << 62)) <= now_ms():
        raise not_found("Model", iam.name_of(ref))
    return body


def ref_of(call: Call) -> Ref:
    return *call.dataset, call.params["modelId"]


# Methods ------------------------------------------------------------------------------------------

@method("GET", DATASET, "bigquery.models.list", query=PAGING, response="ListModelsResponse")
def list_(call: Call) -> dict:
    datasets.find(call.lake, call.dataset)
    found = [body for body in call.lake.children("model", call.dataset) if int(body.get("expirationTime", 1 << 62)) > now_ms()]
    page, token = call.page(found, lambda body: body["modelReference"]["modelId"])
    shown = [{key: body[key] for key in LISTED if key in body} for body in page]
    return ({"models": shown} if shown else {}) | ({"nextPageToken": token} if token else {})


@method("GET", PATH, "bigquery.models.getMetadata", response="Model")
def get(call: Call) -> dict:
    return public(find(call.lake, ref_of(call)))


@method("PATCH", PATH, "bigquery.models.updateMetadata", request="Model", response="Model")
def patch(call: Call) -> dict:
    def work(tx: Transaction) -> dict:
        body = find(tx, ref_of(call))
        call.check_etag(public(body)["etag"])
        changed = merge(body, {key: value for key, value in call.body.items() if key in CHANGEABLE}) | {"lastModifiedTime": str(now_ms())}
        rules.check_labels(changed.get("labels") or {})
        rules.check_expiration(changed)
        return tx.put("model", ref_of(call), changed)
    return public(call.lake.write(work))


@method("DELETE", PATH, "bigquery.models.delete")
def delete(call: Call) -> None:
    def work(tx: Transaction) -> None:
        find(tx, ref_of(call))
        tx.delete("model", ref_of(call))
    call.lake.write(work)


# Statements ---------------------------------------------------------------------------------------

def create(job: "Job", statement: "Statement") -> None:
    """CREATE MODEL ... AS SELECT: the query runs, and the model is trained with its rows."""
    node, base = statement.node, statement.node.parent
    for what, there in (("TRANSFORM", node.transform_list), ("REMOTE", node.is_remote), ("without a query", not node.HasField("query"))):
        if there:
            raise unsupported(f"CREATE MODEL {what}")
    ref = query.named(job, statement, base.name_path, "bigquery.models.create", "Model")
    with job.cursor() as cursor:
        given = options.made(options.read(statement, node.option_list, cursor, OPTIONS, "MODEL"))
        if "modelType" not in given.get("_options", {}):
            raise ApiError("invalidQuery", "Option model_type is required", "query")
        if given["_options"]["modelType"].upper() != "LINEAR_REG":
            raise unsupported(f"model_type {given['_options']['modelType']}")
        model = trained(cursor, statement.compile(cursor), statement.fields, given)

    def work(tx: Transaction) -> None:
        location = datasets.find(tx, ref[:2])["location"]
        there = tx.get("model", ref) is not None
        if there and base.create_mode == 0:
            raise ApiError("duplicate", f"Already Exists: Model {iam.name_of(ref)}")
        done = "CREATE" if not there else "SKIP" if base.create_mode == 2 else "REPLACE"
        if done != "SKIP":
            reference = dict(zip(("projectId", "datasetId", "modelId"), ref))
            tx.put("model", ref, timestamps({**given, **model, "modelReference": reference, "location": location}))
        job.statistics["query"]["ddlOperationPerformed"] = done
    job.write(work)


def drop(job: "Job", statement: "Statement") -> None:
    """DROP MODEL."""
    node = statement.node
    ref = query.named(job, statement, node.name_path, "bigquery.models.delete", "Model")

    def work(tx: Transaction) -> None:
        there = tx.get("model", ref) is not None
        if not there and not node.is_if_exists:
            raise not_found("Model", iam.name_of(ref))
        if there:
            tx.delete("model", ref)
        job.statistics["query"]["ddlOperationPerformed"] = "DROP" if there else "SKIP"
    job.write(work)


# Training -----------------------------------------------------------------------------------------

def trained(cursor, sql: str, fields: list[dict], given: dict) -> dict:
    """A linear regression over the rows of a query, as REST has a model; its weights are the key _weights."""
    begun = time.time()
    labels = given["_options"].get("labels") or ["label"]
    label = next((field for field in fields if [field["name"].lower()] == [name.lower() for name in labels]), None)
    features = [field for field in fields if field is not label]
    if label is None:
        raise ApiError("invalidQuery", f"Unable to identify the label column: {', '.join(labels)}.", "query")
    if label["type"] not in NUMBERS or values.repeated(label) or not features:
        raise ApiError("invalidQuery", f"A linear regression needs a label that is a number, and features; the label is {label['name']}.", "query")
    if wrong := [field["name"] for field in features if field["type"] not in (*NUMBERS, "STRING") or values.repeated(field)]:
        raise unsupported(f"the feature {wrong[0]} of such a type in a model")
    rows = cursor.execute(sql).fetchall()
    places = [fields.index(field) for field in features]
    rows = [row for row in rows if row[fields.index(label)] is not None]
    if not rows:
        raise ApiError("invalidQuery", "The training data has no rows with a label.", "query")
    weights, metrics = fit([[row[place] for place in places] for row in rows], [float(row[fields.index(label)]) for row in rows], features,
                           float(given["_options"].get("l2", 0)))
    run = {"trainingOptions": {"lossType": "MEAN_SQUARED_LOSS", "optimizationStrategy": "NORMAL_EQUATION", "inputLabelColumns": labels,
                               "l2Regularization": float(given["_options"].get("l2", 0))},
           "startTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun)), "evaluationMetrics": {"regressionMetrics": metrics},
           "results": [{"index": 0, "durationMs": str(int((time.time() - begun) * 1000)), "trainingLoss": metrics["meanSquaredError"]}]}
    return {"modelType": "LINEAR_REGRESSION", "featureColumns": [{"name": field["name"], "type": parameter_kind(field)} for field in features],
            "labelColumns": [{"name": label["name"], "type": parameter_kind(label)}], "trainingRuns": [run], "_weights": weights}


def parameter_kind(field: dict) -> dict:
    from .googlesql.types import parameter_type  # loads the analyzer's messages, which a start does not wait for
    return {"typeKind": parameter_type(field)["type"]}


def fit(rows: list[list], wanted: list[float], features: list[dict], l2: float) -> tuple[dict, dict]:
    """The weights of the least squares, and how far off they are. A text is a column for each value that it has; a NULL is the mean."""
    import numpy as np
    names, columns = [["", None]], [np.ones(len(rows))]
    for place, field in enumerate(features):
        found = [row[place] for row in rows]
        if field["type"] == "STRING":
            for category in sorted({text for text in found if text is not None}):
                names.append([field["name"], category])
                columns.append(np.array([text == category for text in found], float))
        else:
            column = np.array([np.nan if number is None else float(number) for number in found])
            names.append([field["name"], None])
            columns.append(np.where(np.isnan(column), np.nan_to_num(np.nanmean(column) if np.isfinite(column).any() else 0.0), column))
    x, y = np.stack(columns, axis=1), np.array(wanted)
    penalty = np.sqrt(l2 * len(rows)) * np.eye(len(names))
    penalty[0, 0] = 0
    solved = np.linalg.lstsq(np.vstack([x, penalty]), np.concatenate([y, np.zeros(len(names))]), rcond=None)[0]
    off, spread = x @ solved - y, float(((y - y.mean()) ** 2).sum())
    metrics = {"meanAbsoluteError": float(abs(off).mean()), "meanSquaredError": float((off ** 2).mean()), "medianAbsoluteError": float(np.median(abs(off))),
               "rSquared": 1 - float((off ** 2).sum()) / spread if spread else 0.0}
    return {"list": [{"feature": name, "category": category, "weight": float(weight)} for (name, category), weight in zip(names, solved)]}, metrics
