"""What the page asks besides POST /: each question is a function of the lab, run on a worker thread; its answer is JSON or text."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from google.api_core.exceptions import GoogleAPICallError

from lab import catalog, guide, price
from lab.live import request_id
from reloading.world import lines_of, read

QUESTIONS: dict[tuple[str, str], Callable] = {}


class Refused(Exception):
    """A question that has no answer: the HTTP code and a sentence."""

    def __init__(self, code: int, sentence: str):
        super().__init__(sentence)
        self.code = code


def question(method: str, path: str) -> Callable[[Callable], Callable]:
    """Answer `method /lab/path`; {n} in it is a number, given to the function as its second argument."""
    def register(function: Callable) -> Callable:
        QUESTIONS[method, path.replace("{n}", r"(\d+)")] = function
        return function
    return register


def find(method: str, path: str) -> tuple[Callable, list[int]]:
    """The function for a path below /lab/, and its numbers; Refused."""
    methods = {known: (function, match) for (known, pattern), function in QUESTIONS.items() if (match := re.fullmatch(pattern, path))}
    if not methods:
        raise Refused(404, f"There is no /lab/{path}.")
    if method not in methods:
        raise Refused(405, f"/lab/{path} takes {' and '.join(methods)}, not {method}.")
    function, match = methods[method]
    return function, [int(number) for number in match.groups()]


def ask(lab: Any, method: str, path: str, arguments: dict[str, str], body: dict) -> Any:
    """The answer to a question; Refused with what to do where there is none."""
    function, numbers = find(method, path)
    request_id.set(0)  # what the lab asks for itself is no request's
    try:
        return function(lab, *numbers, arguments | body)
    except GoogleAPICallError as error:
        raise Refused(502, f"BigQuery answered: {error.errors[0]['message'] if error.errors else error.message}") from None


@question("GET", "requests")
def requests(lab: Any, given: dict) -> dict:
    return {"requests": [record.summary() for record in lab.records.all()]}


@question("GET", "requests/{n}")
def request(lab: Any, number: int, given: dict) -> dict:
    return recorded(lab, number).whole(given.get("answer") != "no")


@question("POST", "requests/{n}/cancel")
def cancel(lab: Any, number: int, given: dict) -> dict:
    record = recorded(lab, number)
    if not lab.give_up(record):
        raise Refused(409, f"Request {number} has ended: it is {record.status}.")
    for reference in record.jobs():
        catalog.client().cancel_job(reference["jobId"], project=reference.get("projectId"), location=reference.get("location"))
    return {"request": number, "status": record.status}


def recorded(lab: Any, number: int) -> Any:
    record = lab.records.get(number)
    if record is None:
        raise Refused(404, f"Request {number} is not kept: only the last ones are.")
    return record


@question("GET", "catalog")
def catalog_(lab: Any, given: dict) -> dict:
    return catalog.catalog(lab.options.cloud)


@question("GET", "table")
def table(lab: Any, given: dict) -> dict:
    at = given.get("at")
    if at is not None and not re.fullmatch(r"\d{1,15}", at):
        raise Refused(400, f"at is a moment in milliseconds since 1970, not {at}.")
    try:
        return catalog.table(given.get("name", ""), at and int(at))
    except catalog.NoSuchTable as error:
        raise Refused(404, str(error)) from None


@question("POST", "price")
def price_(lab: Any, given: dict) -> dict:
    data = given.get("data")
    if not isinstance(data, dict):
        raise Refused(400, 'Send {"data": {...}} with what the form holds.')
    with lab.reloader.lease() as world:
        operation = lab.operation
        if world is None or operation is None:
            return {"statements": []}
        source = "".join(world.version.texts[lab.reloader.path])
        return {"statements": price.price(source, operation, world.module, world.target, data, lab.options.cloud)}


@question("GET", "guide")
def guide_(lab: Any, given: dict) -> dict:
    ran = {record.operation for record in lab.records.all() if record.status == "done" and record.operation}
    # What the file holds, which may be broken, and not what serves.
    return {"steps": guide.steps("".join(lines_of(read(lab.reloader.path) or b"")), lab.operation, ran)}


@question("POST", "reset")
def reset(lab: Any, given: dict) -> dict:
    if given.get("to") not in ("start", "final"):
        raise Refused(400, 'Send {"to": "start"} or {"to": "final"}.')
    return {"backup": guide.reset(lab.reloader.path, given["to"])}


@question("GET", "diff")
def diff(lab: Any, given: dict) -> str:
    try:
        return lab.reloader.diff(int(given.get("from", "")), int(given.get("to", "")))
    except ValueError:
        raise Refused(400, "Give two versions: /lab/diff?from=1&to=2.") from None
    except KeyError as error:
        raise Refused(404, f"Version {error} is not kept.") from None
