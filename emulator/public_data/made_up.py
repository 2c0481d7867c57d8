"""Tables whose columns are the original's and whose rows are made up, the same ones every time."""
from __future__ import annotations

import csv
import datetime as dt
import random
from typing import Callable

import duckdb
import pyarrow as pa

from . import FOLDER

YEARS = range(1910, 2026, 5)
NAMES = {"F": ["Mary", "Anna", "Helen", "Ruth", "Betty", "Linda", "Susan", "Jessica", "Emily", "Olivia"],
         "M": ["John", "William", "James", "Robert", "George", "Michael", "David", "Daniel", "Jacob", "Liam"]}
ROWS = {"natality": 600, "gsod": 600, "wikipedia": 600}
TOPICS = ["History", "List", "Geography", "Music", "Rivers", "Bridges", "Castles", "Birds", "Trains", "Poems"]
# column -> its least and its greatest value; others are by their type
RANGES = {
    "source_year": (1969, 2008), "year": (1969, 2008), "month": (1, 12), "day": (1, 28), "wday": (1, 7), "child_race": (1, 9), "mother_race": (1, 9),
    "father_race": (1, 9), "weight_pounds": (3.5, 10.5), "plurality": (1, 2), "apgar_1min": (4, 10), "apgar_5min": (6, 10), "mother_age": (15, 45),
    "father_age": (16, 60), "gestation_weeks": (32, 42), "cigarettes_per_day": (0, 20), "drinks_per_week": (0, 5), "weight_gain_pounds": (5, 60),
    "born_alive_alive": (0, 4), "born_alive_dead": (0, 1), "born_dead": (0, 2), "ever_born": (1, 6), "record_weight": (1, 2),
    "station_number": (10_010, 999_999), "wban_number": (3_000, 99_999), "mean_temp": (-20, 95), "min_temperature": (-30, 60), "max_temperature": (0, 110),
    "mean_sealevel_pressure": (980, 1040), "mean_station_pressure": (900, 1020), "total_precipitation": (0, 3), "snow_depth": (0, 40),
    "wp_namespace": (0, 4), "timestamp": (1_000_000_000, 1_270_000_000), "num_characters": (20, 40_000)}
TEXTS = {
    "language": lambda chance: "", "contributor_ip": lambda chance: None, "lmp": lambda chance: f"{chance.randint(1, 12):02}{chance.randint(1, 28):02}2005",
    "title": lambda chance: f"{chance.choice(TOPICS)} of {chance.choice(states())[0]}", "contributor_username": lambda chance: f"user{chance.randint(1, 80)}",
    "comment": lambda chance: chance.choice(["typo", "new section", "reverted", "links", None])}


def states() -> list[list[str]]:
    """(name, postal abbreviation, date of becoming a state) of the fifty states."""
    with (FOLDER / "us_states.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def make(connection: duckdb.DuckDBPyConnection, table: str, fields: list[dict]) -> None:
    """Make one of the tables in a DuckDB database. fields: its columns."""
    chance = random.Random(table)
    rows = OWN[table]() if table in OWN else [[value(chance, field) for field in fields] for _ in range(ROWS[table])]
    columns = pa.table([pa.array(column) for column in zip(*rows)], [field["name"] for field in fields])
    connection.register("columns", columns).execute(f'CREATE TABLE "{table}" AS FROM columns')


def usa_names(last_year: int) -> list[tuple]:
    """How many children of a state were given a name in a year: more of the names that come first."""
    chance = random.Random(1910)
    rows = [(abbreviation, gender, year, name, chance.randint(5, 2_000) // (place + 1) + 5)
            for _, abbreviation, _ in states() for gender, names in NAMES.items() for year in YEARS for place, name in enumerate(names)]
    return [row for row in rows if row[2] <= last_year]


def items() -> list[tuple]:
    """Stories and the comments on them, as Hacker News has them."""
    chance, rows = random.Random(2006), []
    for number in range(1, 601):
        time, by, story = 1_160_000_000 + number * 700_000 + chance.randrange(700_000), f"user{chance.randint(1, 80)}", number % 3 == 1
        topic, state = chance.choice(TOPICS), chance.choice(states())[0]
        rows.append((f"{topic} of {state}" if story else None, f"https://example.com/{number}" if story else None, None if story else f"I have seen the {topic.lower()} of {state}.",
                     chance.random() < 0.05 or None, by, chance.randint(1, 400) if story else None, time, dt.datetime.fromtimestamp(time, dt.timezone.utc),
                     "story" if story else "comment", number, None if story else number - (number - 1) % 3, 2 if story else None, None if story else 0, None))
    return rows


# The tables whose rows are made in another way than each value by itself.
OWN: dict[str, Callable[[], list[tuple]]] = {"usa_1910_2013": lambda: usa_names(2013), "usa_1910_current": lambda: usa_names(2025), "full": items}


def value(chance: random.Random, field: dict):
    name, kind = field["name"], field["type"]
    if kind == "STRING":
        return TEXTS.get(name, lambda chance: chance.choice(states())[1])(chance)
    if kind == "BOOLEAN":
        return chance.random() < 0.3
    least, most = RANGES.get(name, (1, 1_000_000) if name.endswith("id") else (1, 24))
    return round(chance.uniform(least, most), 2) if kind == "FLOAT" else chance.randint(int(least), int(most))
