"""Where a job runs: where its data is, unless the caller says it; data elsewhere is not found."""
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import datasets, iam
from .errors import not_found

if TYPE_CHECKING:
    from .jobs import Job
    from .lake import Lake, Ref

SKIPPED = re.compile(r"--[^\n]*|#[^\n]*|/\*.*?\*/|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"", re.DOTALL)
REGION = "region-"  # of the views of all of a location
NAME = r"[\[`]?[\w-]+[`\]]?"
PATH = rf"({NAME}(?:\s*[.:]\s*{NAME})+)"
# A path after one of these words, or before a parenthesis: not the `alias.column` that it might be elsewhere.
NAMED = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE|MERGE|USING|INSERT|DELETE|TABLE|VIEW|FUNCTION|PROCEDURE|MODEL|EXISTS|CLONE|COPY|LIKE|ON)\s+{PATH}"
                   rf"|(?<![\w.`]){PATH}\s*\(", re.IGNORECASE)
MADE = re.compile(r"\bCREATE\s+SCHEMA\b[^;]*?\blocation\s*=\s*['\"]([\w-]+)['\"]", re.IGNORECASE)


def of(lake: "Lake", project: str, kind: str, config: dict) -> str:
    """The location of the dataset that a query makes, or of the first one that a job's configuration names, in a query's text too."""
    if made := kind == "query" and MADE.search(config["query"]):
        return datasets.location_name(made[1])
    for path in paths(lake, kind, config):
        if region := next((part for part in path[:2] if part.lower().startswith(REGION)), None):
            return datasets.location_name(region[len(REGION):])
        for ref in ((path[0] or project, path[1]), (project, path[0])):
            if ref[0] != iam.PUBLIC_PROJECT and (body := lake.get("dataset", ref)):
                return body["location"]
    return datasets.DEFAULT_LOCATION


def paths(lake: "Lake", kind: str, config: dict) -> list[tuple[str, ...]]:
    """What may name a dataset, in the order in which it counts: (project or "", dataset, ...), or (dataset, table)."""
    names = {"load": ("destinationTable",), "copy": ("destinationTable",), "extract": ("sourceTable",), "query": ("destinationTable", "defaultDataset")}
    found = [(config[name].get("projectId", ""), config[name].get("datasetId", "")) for name in names[kind] if config.get(name)]
    if kind == "query" and elsewhere(lake):
        text = SKIPPED.sub(" ", config["query"])
        found += [tuple(re.sub(r"[`\[\]\s]", "", match[1] or match[2]).replace(":", ".").split(".")) for match in NAMED.finditer(text)]
    return found


def elsewhere(lake: "Lake") -> bool:
    """Whether any dataset is not where all jobs run by default."""
    return any(body["location"] != datasets.DEFAULT_LOCATION for parent in lake.parents("dataset") for body in lake.children("dataset", parent))


def check(lake: "Lake", ref: "Ref", location: str) -> None:
    """ApiError notFound for a dataset that is not in a job's location. The public ones and the hidden ones are everywhere."""
    body = lake.get("dataset", ref[:2])
    if ref[0] == iam.PUBLIC_PROJECT or ref[1].startswith("_"):
        return
    if body is None or body["location"].lower() != location.lower():
        raise not_found("Dataset", iam.name_of(ref[:2]), location)


def require(job: "Job", ref: "Ref") -> None:
    check(job.lake, ref, job.reference["location"])
