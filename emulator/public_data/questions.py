"""stackoverflow.posts_questions: made-up questions, the same ones every time."""
from __future__ import annotations

import random

import duckdb

ROWS = 600
FIRST = 1_500_000_000  # creation of the first question, seconds since the epoch
DAY = 86_400

TASKS = ["copy a table", "delete duplicate rows", "query nested fields", "export to CSV", "load newline-delimited JSON", "set an expiration",
         "recover a deleted table", "share one table with a colleague", "list the tables of a dataset", "append to a table",
         "change a column's description", "read the past of a table", "count distinct users", "pivot rows to columns", "unnest an array",
         "estimate the bytes of a query", "partition by day", "cluster a large table", "stream rows", "cancel a job"]
TOOLS = {"google-bigquery": "BigQuery", "python": "Python", "google-cloud-storage": "Cloud Storage", "sql": "standard SQL", "pandas": "pandas",
         "google-cloud-platform": "Google Cloud", "java": "Java", "node.js": "Node.js", "go": "Go", "dbt": "dbt"}
ASKS = ["How to {task} with {tool}?", "Can't {task} in {tool}", "{tool}: what is the right way to {task}?", "Why is it slow to {task} from {tool}?",
        "Permission denied when I {task} with {tool}", "{tool} returns no rows after I {task}"]
NAMES = ["ada", "bertrand", "chioma", "dmitri", "esra", "fatima", "goran", "hana", "ines", "jun", "kofi", "lena"]


def make(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `posts_questions` in a DuckDB database."""
    chance = random.Random(20160501)
    rows = [question(chance, number) for number in range(ROWS)]
    connection.execute("""CREATE TABLE posts_questions (id BIGINT, title VARCHAR, body VARCHAR, accepted_answer_id BIGINT, answer_count BIGINT,
        comment_count BIGINT, community_owned_date TIMESTAMPTZ, creation_date TIMESTAMPTZ, favorite_count BIGINT, last_activity_date TIMESTAMPTZ,
        last_edit_date TIMESTAMPTZ, last_editor_display_name VARCHAR, last_editor_user_id BIGINT, owner_display_name VARCHAR, owner_user_id BIGINT,
        parent_id VARCHAR, post_type_id BIGINT, score BIGINT, tags VARCHAR, view_count BIGINT)""")
    times = ", ".join("to_timestamp(?)" if index in (6, 7, 9, 10) else "?" for index in range(20))
    connection.executemany(f"INSERT INTO posts_questions VALUES ({times})", rows)


def question(chance: random.Random, number: int) -> tuple:
    """One row, in the order of the columns; moments as seconds since the epoch."""
    tags = chance.sample(list(TOOLS), chance.randint(1, 4))
    task, created = chance.choice(TASKS), FIRST + number * DAY // 2 + chance.randrange(DAY // 2)
    title = chance.choice(ASKS).format(task=task, tool=TOOLS[tags[0]])
    body = f"<p>I want to {task} and use {TOOLS[tags[-1]]}. What I tried did not work. What do I miss?</p>"
    answers, owner = chance.randint(0, 5), chance.randrange(len(NAMES))
    accepted = 60_000_000 + number * 7 if answers and chance.random() < 0.6 else None
    edited = created + chance.randrange(30 * DAY) if chance.random() < 0.4 else None
    editor = chance.randrange(len(NAMES)) if edited else None
    views = chance.randrange(20, 400) * (answers + 1) * 37 + number  # no two questions of a tag alike
    return (50_000_000 + number * 11, title, body, accepted, answers, chance.randint(0, 8), None, created, chance.choice([None, None, 1, 2, 5]),
            created + chance.randrange(400 * DAY), edited, NAMES[editor] if edited else None, 1000 + editor if edited else None,
            NAMES[owner], 1000 + owner, None, 1, chance.randint(-3, 60), "|".join(tags), views)
