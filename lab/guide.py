"""The guide: its steps from guide.md, its snippets cut from tables.final.py, and a look at what is done already."""
from __future__ import annotations

import functools
import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from google.api_core.exceptions import GoogleAPICallError

from lab import catalog

ROOT = Path(__file__).resolve().parent.parent
FINAL = ROOT / "tables.final.py"
START = ROOT / "tables.start.py"
TEXT = Path(__file__).with_name("guide.md")
DATASET = "Tables_Dataset"
COLUMNS = ["state_fips_code", "state_postal_abbreviation", "state_name", "state_gnisid"]
PLACE = re.compile(r"^(?P<begin> *# (?P<name>\w+): paste below this line\n)(?P<code>.*?)(?P<end> *# (?P=name): paste above this line\n)",
                   re.MULTILINE | re.DOTALL)


def snippets(source: str) -> dict[str, str]:
    """operation -> the code between its markers, indentation kept."""
    return {place["name"]: place["code"] for place in PLACE.finditer(source)}


def emptied(source: str) -> str:
    """The file before the lab: every place empty, every operation off."""
    return PLACE.sub(r"\g<begin>\g<end>", source).replace(": True,", ": False,")


def pasted(source: str, operation: str, code: str) -> str:
    """The file with code pasted into the place of one operation."""
    return PLACE.sub(lambda place: place["begin"] + code + place["end"] if place["name"] == operation else place[0], source)


def has_code(source: str, operation: str) -> bool:
    """Whether anything stands in the place of an operation."""
    return bool(snippets(source).get(operation, "").strip())


# Steps ----------------------------------------------------------------------------------------------

def steps(source: str, operation: str | None, ran: set[str]) -> list[dict]:
    """The steps, as the page shows them. source: the learner's file; ran: operations that a request has done."""
    return [step | checked(step, source, operation, ran) for step in parsed()]


@functools.cache
def parsed() -> list[dict]:
    final = snippets(FINAL.read_text(encoding="utf-8"))
    return [parse(text, final) for text in TEXT.read_text(encoding="utf-8").split("\n## ")]


def parse(text: str, final: dict[str, str]) -> dict:
    """One step: a heading `## id | title`, `key: value` lines, then paragraphs, lists, notes, tables and code."""
    head, _, body = text.removeprefix("## ").partition("\n")
    identity, _, title = head.partition(" | ")
    named, _, body = ("", "", body) if body.startswith("\n") else body.partition("\n\n")
    about = dict(line.split(": ", 1) for line in named.splitlines() if line)
    operation = about.get("operation")
    return {"id": identity, "title": title, "text": [block(part) for part in re.split(r"\n\n+(?=\S)", body.strip())], "operation": operation,
            "snippet": final[operation] if operation else None,
            "place": f"between the two lines `# {operation}: paste below this line` and `# {operation}: paste above this line`" if operation else None,
            "permissions": about.get("permissions", "").split(", ") if "permissions" in about else [],
            "roles": about.get("roles", "").split(", ") if "roles" in about else []}


def block(text: str) -> dict:
    lines = text.splitlines()
    if text.startswith("```"):
        return {"kind": "code", "code": "\n".join(lines[1:-1]), "language": lines[0].removeprefix("```")}
    if text.startswith("- "):
        return {"kind": "list", "items": [line.removeprefix("- ") for line in lines]}
    if text.startswith("> "):
        return {"kind": "note", "text": text.removeprefix("> ")}
    if text.startswith("|"):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return {"kind": "table", "head": rows[0], "rows": rows[2:]}
    return {"kind": "p", "text": text}


# Checks ---------------------------------------------------------------------------------------------

def checked(step: dict, source: str, operation: str | None, ran: set[str]) -> dict:
    """{"done", "check"}: done is None for a step that is only to be read."""
    name = step["operation"]
    if name is None:
        return {"done": None, "check": []}
    found = [pasting(source, step["snippet"], name), verdict(operation == name or name in ran, f"{name} is the operation that is on", f"Turn {name} to True in env, and save")]
    found.append(state(name, ran))
    return {"done": found[0]["ok"] and found[-1]["ok"], "check": found}


def verdict(ok: bool, good: str, bad: str) -> dict:
    return {"ok": bool(ok), "message": good if ok else bad}


def pasting(source: str, snippet: str, operation: str) -> dict:
    """Whether an operation's place holds its code, and where it first differs by indentation alone."""
    place = place_of(operation).search(source)
    if not place:
        return verdict(f'"{operation}"' in source or f"'{operation}'" in source, "The file has code of its own for it", f"The two lines that mark the place of {operation} are gone")
    code = place["code"]
    if not code.strip():
        return verdict(False, "", "Nothing is pasted yet")
    if [line.strip() for line in code.strip().splitlines()] == [line.strip() for line in snippet.strip().splitlines()]:
        first = source[:place.start("code")].count("\n") + 1
        for number, (line, right) in enumerate(zip(code.strip("\n").splitlines(), snippet.strip("\n").splitlines()), first):
            if line.rstrip() != right.rstrip():
                return verdict(False, "", f"Pasted, but the indentation differs at line {number}")
    return verdict(True, "The code is in its place", "")


def place_of(operation: str) -> re.Pattern:
    return re.compile(PLACE.pattern.replace(r"(?P<name>\w+)", f"(?P<name>{operation})"), PLACE.flags)


def state(operation: str, ran: set[str]) -> dict:
    """What the operation leaves behind is looked for where it is; what leaves nothing behind must have run."""
    look = LOOKS.get(operation)
    if look is None:
        return verdict(operation in ran, "It has run", "Submit it once")
    try:
        ok, message = look()
    except GoogleAPICallError as error:
        ok, message = False, error.message
    return {"ok": ok, "message": message}


def tables() -> Iterator[Any]:
    """The lab's tables, whole; at most a hundred of them."""
    client = catalog.client()
    try:
        for item in client.list_tables(DATASET, max_results=100):
            yield client.get_table(item.reference)
    except GoogleAPICallError:  # there is no dataset yet, or the table went meanwhile
        return


def any_table(test: Callable[[Any], bool], good: str, bad: str) -> tuple[bool, str]:
    found = next((table for table in tables() if test(table)), None)
    return (True, good.format(found.table_id)) if found is not None else (False, bad)


def opened(table: Any) -> bool:
    return any("allUsers" in binding["members"] for binding in catalog.client().get_iam_policy(table.reference).bindings)


def exported() -> tuple[bool, str]:
    found = next((bucket["bucket"] for bucket in catalog.buckets() for file in bucket["files"] if file["name"] == "shakespeare.csv"), None)
    return (True, f"shakespeare.csv is in bucket {found}") if found else (False, "No bucket has a file shakespeare.csv yet")


LOOKS: dict[str, Callable[[], tuple[bool, str]]] = {
    "create": lambda: any_table(lambda table: [field.name for field in table.schema][:4] == COLUMNS, "Table {} exists with its columns", "No table has the four columns yet"),
    "setIAM": lambda: any_table(opened, "The policy of {} lets everybody view it", "No table's policy has allUsers yet"),
    "updateDesc": lambda: any_table(lambda table: table.description, "Table {} has a description", "No table has a description yet"),
    "updateExpiration": lambda: any_table(lambda table: table.expires, "Table {} expires", "No table expires yet"),
    "copySingle": lambda: any_table(lambda table: table.table_id == "Copied_Table", "{} exists", "There is no Copied_Table yet"),
    "copyMultiple": lambda: any_table(lambda table: table.table_id == "Merged_Table", "{} exists", "There is no Merged_Table yet"),
    "recover": lambda: any_table(lambda table: table.table_id == "Recovered_Table", "{} exists", "There is no Recovered_Table yet"),
    "export": exported,
}


# Reset ----------------------------------------------------------------------------------------------

def reset(path: str, to: str) -> str:
    """Put the starting file or the solution in the learner's place; the name of the copy that was kept of theirs."""
    real = os.path.realpath(path)
    before, after = Path(real).read_bytes() if os.path.exists(real) else b"", (START if to == "start" else FINAL).read_bytes()
    folder, name = os.path.split(real)
    stem = os.path.join(folder, f"{Path(name).stem}.{time.strftime('%Y%m%d-%H%M%S')}")
    kept = next(path for number in itertools.count() if not os.path.exists(path := f"{stem}{f'-{number}' if number else ''}.backup"))
    write(kept, before)
    write(real, after)
    return os.path.basename(kept)


def write(path: str, content: bytes) -> None:
    """Write a file so that nobody sees half of it."""
    aside = f"{path}.{os.getpid()}.new"
    Path(aside).write_bytes(content)
    if os.path.exists(path):
        os.chmod(aside, os.stat(path).st_mode)
    os.replace(aside, path)
