"""models.*: there are none. CREATE MODEL trains with engines that are not here, and REST has no method that makes one."""
from __future__ import annotations

from . import datasets, iam
from .calls import PAGING, Call, method
from .errors import ApiError, not_found

DATASET = "projects/{projectId}/datasets/{datasetId}/models"
PATH = DATASET + "/{modelId}"


def missing(call: Call) -> ApiError:
    """What to raise for a model; ApiError of its dataset where that is missing."""
    datasets.find(call.lake, call.dataset)
    return not_found("Model", iam.name_of((*call.dataset, call.params["modelId"])))


@method("GET", DATASET, "bigquery.models.list", query=PAGING, response="ListModelsResponse")
def list_(call: Call) -> dict:
    datasets.find(call.lake, call.dataset)
    call.page([], str)
    return {}


@method("GET", PATH, "bigquery.models.getMetadata", response="Model")
def get(call: Call) -> dict:
    raise missing(call)


@method("PATCH", PATH, "bigquery.models.updateMetadata", request="Model", response="Model")
def patch(call: Call) -> dict:
    raise missing(call)


@method("DELETE", PATH, "bigquery.models.delete")
def delete(call: Call) -> None:
    raise missing(call)
