"""samples.shakespeare: the words of the works in texts.zip, counted."""
from __future__ import annotations

import zipfile

import duckdb

from . import FOLDER

# Which text is which corpus, and the year the work is dated to (0: the poems whose year is not told).
WORKS = {
    "alls_well_that_ends_well": ("allswellthatendswell", 1602), "antony_and_cleopatra": ("antonyandcleopatra", 1606),
    "as_you_like_it": ("asyoulikeit", 1599), "comedy_of_errors": ("comedyoferrors", 1590), "coriolanus": ("coriolanus", 1608),
    "cymbeline": ("cymbeline", 1609), "hamlet": ("hamlet", 1600), "henry_iv_part_1": ("1kinghenryiv", 1597),
    "henry_iv_part_2": ("2kinghenryiv", 1598), "henry_v": ("kinghenryv", 1599), "henry_vi_part_1": ("1kinghenryvi", 1590),
    "henry_vi_part_2": ("2kinghenryvi", 1590), "henry_vi_part_3": ("3kinghenryvi", 1590), "henry_viii": ("kinghenryviii", 1612),
    "john": ("kingjohn", 1596), "julius_caesar": ("juliuscaesar", 1599), "lear": ("kinglear", 1605),
    "lovers_complaint": ("loverscomplaint", 1609), "loves_labours_lost": ("loveslabourslost", 1594), "macbeth": ("macbeth", 1605),
    "measure_for_measure": ("measureforemeasure", 1604), "merchant_of_venice": ("merchantofvenice", 1596),
    "merry_wives_of_windsor": ("merrywivesofwindsor", 1600), "midsummer_nights_dream": ("midsummersnightsdream", 1595),
    "much_ado_about_nothing": ("muchadoaboutnothing", 1598), "othello": ("othello", 1603), "passionate_pilgrim": ("various", 0),
    "pericles": ("periclesprinceoftyre", 1608), "phoenix_and_the_turtle": ("various", 0), "rape_of_lucrece": ("rapeoflucrece", 1594),
    "richard_ii": ("kingrichardii", 1595), "richard_iii": ("kingrichardiii", 1592), "romeo_and_juliet": ("romeoandjuliet", 1594),
    "sonnets": ("sonnets", 0), "taming_of_the_shrew": ("tamingoftheshrew", 1593), "tempest": ("tempest", 1611),
    "timon_of_athens": ("timonofathens", 1607), "tragedy_of_titus_andronicus": ("titusandronicus", 1593),
    "troilus_and_cressida": ("troilusandcressida", 1601), "twelfth_night": ("twelfthnight", 1599),
    "two_gentlemen_of_verona": ("twogentlemenofverona", 1594), "winters_tale": ("winterstale", 1610),
}
# A word is letters, with apostrophes and hyphens inside; upper and lower case are two words.
WORD = "[A-Za-z]+(?:[''-][A-Za-z]+)*"


def count(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `shakespeare` in a DuckDB database."""
    connection.execute("CREATE TABLE texts (corpus VARCHAR, corpus_date BIGINT, content VARCHAR)")
    with zipfile.ZipFile(FOLDER / "texts.zip") as texts:
        rows = [(*WORKS[name.removesuffix(".txt")], texts.read(name).decode()) for name in sorted(texts.namelist())]
    connection.executemany("INSERT INTO texts VALUES (?, ?, ?)", rows)
    connection.execute(f"""
        CREATE TABLE shakespeare AS
        SELECT word, count(*) AS word_count, corpus, corpus_date
        FROM (SELECT corpus, corpus_date, unnest(regexp_extract_all(content, '{WORD}')) AS word FROM texts)
        GROUP BY ALL ORDER BY corpus, word_count DESC, word""")
