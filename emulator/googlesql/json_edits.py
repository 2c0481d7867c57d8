"""Changes of JSON values: JSON_SET and its kin, over texts in the form that a JSON value has."""
from __future__ import annotations

import json
from typing import Callable

from .json_texts import Number, dump, steps


def read(text: str):
    return json.loads(text, parse_float=Number, parse_int=Number)


def written(value) -> str:
    return dump(value, sorted)


def pairs(arguments: tuple[str, ...]):
    """Paths and values in turns."""
    return zip(map(steps, arguments[::2]), map(read, arguments[1::2]))


def put(found, path: list, value, create: bool):
    """A value with another at a path; the same where the path meets something that has no such parts."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if found is None and create:
        found = {} if isinstance(step, str) else []
    if isinstance(found, dict) and isinstance(step, str) and (step in found or create):
        found[step] = put(found.get(step), rest, value, create)
    elif isinstance(found, list) and isinstance(step, int) and (step < len(found) or create):
        found += [None] * (step + 1 - len(found))
        found[step] = put(found[step], rest, value, create)
    return found


def at(found, path: list, change: Callable):
    """A value whose part at a path is changed; the same where there is no such part."""
    if not path:
        return change(found)
    step = path[0]
    if isinstance(found, dict) and step in found or isinstance(found, list) and isinstance(step, int) and step < len(found):
        found[step] = at(found[step], path[1:], change)
    return found


def json_set(text: str, create: bool, *arguments: str) -> str:
    found = read(text)
    for path, value in pairs(arguments):
        found = put(found, path, value, create)
    return written(found)


def json_remove(text: str, *paths: str) -> str:
    found = read(text)
    for *path, last in map(steps, paths):
        found = at(found, path, lambda part: without(part, last))
    return written(found)


def without(part, step):
    if isinstance(part, dict):
        part.pop(step, None)
    elif isinstance(part, list) and isinstance(step, int) and step < len(part):
        del part[step]
    return part


def json_array_append(text: str, each: str, *arguments: str) -> str:
    """each: a letter for each value, y where its elements are appended, of NULL none."""
    found = read(text)
    for (path, value), letter in zip(pairs(arguments), each):
        if letter == "n" or value is not None:
            items = value if letter == "y" else [value]
            found = at(found, path, lambda part: part + items if isinstance(part, list) else items if part is None else part)
    return written(found)


def json_array_insert(text: str, each: str, *arguments: str) -> str:
    """each: as for json_array_append."""
    found = read(text)
    for ((*path, place), value), letter in zip(pairs(arguments), each):
        if letter == "n" or value is not None:
            found = at(found, path, lambda part: inserted(part, place, value if letter == "y" else [value]))
    return written(found)


def inserted(part, place: int, items: list):
    """A list with items at a place, up to which it is filled with NULLs; a part that is none is left as it is."""
    if part is not None and not isinstance(part, list):
        return part
    part = (part or []) + [None] * (place - len(part or []))
    items = items or [None] * (place == len(part))
    return part[:place] + items + part[place:]


def json_strip_nulls(text: str, path: str, arrays: bool, empty: bool) -> str:
    """arrays: those of arrays too; empty: also what has nothing left in it."""
    nothing = [{}, []][:1 + arrays] if empty else []

    def stripped(value):
        if isinstance(value, dict):
            made = {name: stripped(item) for name, item in value.items()}
            return {name: item for name, item in made.items() if item is not None and item not in nothing}
        if isinstance(value, list):
            made = [stripped(item) for item in value]
            return [item for item in made if item is not None and item not in nothing] if arrays else made
        return value

    def whole(part):
        made = stripped(part)
        return None if made in nothing else made
    return written(at(read(text), steps(path), whole))
