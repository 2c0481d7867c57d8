"""Text analysis: the terms of a text, SEARCH, CONTAINS_SUBSTR and TF_IDF.

Source: BigQuery's pages "Text analysis", "Search functions" and "Text analysis functions".
"""
from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase

from ..errors import ApiError
from .python_functions import takes_nulls
from .texts import FORMS, failed, normalize_and_casefold

ENCODED = "21 26 2526 3B 3b 7C 7c 20 2B 2b 3D 3d 2520 5D 5d 5B 5b 3A 3a 0A 0a 2C 2c 28 29"
DELIMITERS = [*"[]<>(){}|!;,'\"*&?+/:=@.-$%\\_\n\r\t ", *(f"%{code}" for code in ENCODED.split())]
PATTERN = r"\b\w{2,}\b"
ASCII_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
DEFAULT_FILTERS = [{"normalizer": {"mode": "LOWER"}}]
NFKC = FORMS.index("NFKC")


class Analyzer:
    """What makes terms of a text: a name of BigQuery's, and options as JSON."""

    def __init__(self, name: str | None, options: str | None):
        self.name = (name or "LOG_ANALYZER").upper()
        try:
            wanted = json.loads(options) if options else {}
        except ValueError:
            raise failed(f"Invalid analyzer_options: {options}") from None
        if self.name not in ("LOG_ANALYZER", "NO_OP_ANALYZER", "PATTERN_ANALYZER"):
            raise failed(f"Invalid analyzer: {name}")
        longest_first = sorted(wanted.get("delimiters") or DELIMITERS, key=len, reverse=True)
        self.delimiter = re.compile("|".join(map(re.escape, longest_first)))
        self.pattern = re.compile("|".join(wanted.get("patterns") or [PATTERN]), re.ASCII)
        self.filters = wanted.get("token_filters", DEFAULT_FILTERS)

    def terms(self, text: str) -> list[str]:
        if self.name == "NO_OP_ANALYZER":
            return [text]
        found = self.delimiter.split(text) if self.name == "LOG_ANALYZER" else (match.group(0) for match in self.pattern.finditer(text))
        terms = [term for term in map(str.strip, found) if term]
        for rule in self.filters:
            terms = filtered(terms, rule)
        return terms

    def stands_alone(self, text: str, exact: str) -> bool:
        """Whether a text has a part as it is, between delimiters or at an end."""
        at = text.find(exact)
        while at >= 0:
            end = at + len(exact)
            if (at == 0 or self.delimiter.fullmatch(text, at - 1, at)) and (end == len(text) or self.delimiter.match(text, end)):
                return True
            at = text.find(exact, at + 1)
        return False


@lru_cache(64)
def analyzer_of(name: str | None, options: str | None) -> Analyzer:
    return Analyzer(name, options)


def filtered(terms: list[str], rule: dict) -> list[str]:
    if "stop_words" in rule:
        return [term for term in terms if term not in rule["stop_words"]]
    settings = rule.get("normalizer", {})
    mode = settings.get("mode", "LOWER")
    if mode == "LOWER":
        return [term.translate(ASCII_LOWER) for term in terms]
    if mode == "UNICODE_LOWER":
        return [term.lower() for term in terms]
    if mode != "ICU_NORMALIZE":
        return terms
    form = settings.get("icu_normalize_mode", "NFKC")
    if settings.get("icu_case_folding", True):
        return [normalize_and_casefold(term, FORMS.index(form)) for term in terms]
    return [unicodedata.normalize(form, term) for term in terms]


@takes_nulls
def analyzed(text: str | None, analyzer: str | None, options: str | None) -> list[str] | None:
    """TEXT_ANALYZE."""
    return None if text is None else analyzer_of(analyzer, options).terms(text)


# SEARCH -------------------------------------------------------------------------------------------

# A part of a query: a parenthesis, a term that is to stand there exactly, a phrase, or a word.
PART = re.compile(r"""\s*(?:(?P<sign>[()])|`(?P<exact>(?:\\`|[^`])+)`|"(?P<phrase>(?:\\"|[^"])+)"|(?P<word>(?:\\.|[^\s()`"])+)|(?P<rest>\S))""")


class Query:
    """A search query as a function of a text and its terms: AND binds closer than blanks between terms, those closer than OR."""

    def __init__(self, text: str, analyzer: Analyzer):
        self.analyzer = analyzer
        self.parts = [(found.lastgroup, found[found.lastgroup]) for found in PART.finditer(text)]
        self.at = 0
        self.any_terms = False
        self.matches = self.alternatives()
        if not self.any_terms:
            raise failed("SEARCH: the search query has no terms")

    def peek(self) -> tuple[str, str]:
        return self.parts[self.at] if self.at < len(self.parts) else ("end", "")

    def alternatives(self):
        choices = [self.conjunction()]
        while self.peek() == ("word", "OR"):
            self.at += 1
            choices.append(self.conjunction())
        return lambda text, terms: any(choice(text, terms) for choice in choices)

    def conjunction(self):
        needed = []
        while self.peek() not in (("word", "OR"), ("sign", ")"), ("end", "")):
            if self.peek() == ("word", "AND"):
                self.at += 1
            else:
                needed.append(self.term())
        return lambda text, terms: all(need(text, terms) for need in needed)

    def term(self):
        kind, value = self.parts[self.at]
        self.at += 1
        if kind == "sign" and value == "(":
            inside = self.alternatives()
            self.at += 1
            return inside
        if kind == "exact":
            self.any_terms = True
            exact = value.replace("\\`", "`")
            return lambda text, terms: self.analyzer.stands_alone(text, exact)
        if kind == "phrase":
            wanted = self.wanted(value.replace('\\"', '"'))
            return lambda text, terms: any(terms[i:i + len(wanted)] == wanted for i in range(len(terms) - len(wanted) + 1))
        wanted = self.wanted(re.sub(r"\\(.)", r"\1", value))
        return lambda text, terms: set(wanted).issubset(terms)

    def wanted(self, text: str) -> list[str]:
        terms = self.analyzer.terms(text)
        self.any_terms = self.any_terms or bool(terms)
        return terms


@lru_cache(64)
def matcher(query: str, name: str | None, options: str | None):
    analyzer = analyzer_of(name, options)
    if analyzer.name == "NO_OP_ANALYZER":
        return lambda text: text == query
    parsed = Query(query, analyzer)
    return lambda text: parsed.matches(text, analyzer.terms(text))


@takes_nulls
def search(texts: list | None, query: str | None, analyzer: str | None, options: str | None) -> bool | None:
    """SEARCH: whether one of the texts is what the query asks for; NULL where none is and one is NULL."""
    if query is None:
        raise failed("SEARCH: the search query must not be NULL")
    matches = matcher(query, analyzer, options)
    return found_in(texts, matches)


def found_in(texts: list | None, matches) -> bool | None:
    if texts is None:
        return None
    if any(text is not None and matches(text) for text in texts):
        return True
    return None if None in texts else False


@takes_nulls
def contains_substr(texts: list | None, part: str | None) -> bool | None:
    """CONTAINS_SUBSTR: whether one of the texts has a part, in any case and form."""
    if part is None:
        raise ApiError("invalidQuery", "CONTAINS_SUBSTR: the search value must not be NULL", "query")
    wanted = normalize_and_casefold(part, NFKC)
    return found_in(texts, lambda text: wanted in normalize_and_casefold(text, NFKC))


# TF_IDF -------------------------------------------------------------------------------------------

def tf_idf(documents: list, most: int, threshold: int) -> list[str]:
    """The weights of each document's terms, as JSON. Terms out of the dictionary are one term, NULL, as rare as those in it are on average."""
    counts = [Counter(document or []) for document in documents]
    holders = Counter(term for count in counts for term in count if term is not None)
    known = sorted((term for term, n in holders.items() if n >= threshold), key=lambda term: (-holders[term], term))[:most]
    rarity: dict = {term: math.log(1 + len(documents) / (1 + holders[term])) for term in known}
    rarity[None] = sum(rarity.values()) / len(rarity) if rarity else 0.0
    made = []
    for document, count in zip(documents, counts):
        weights: Counter = Counter()
        for term, n in count.items():
            weights[term if term in rarity else None] += n
        order = sorted(weights, key=lambda term: (term is not None, term or ""))
        made.append(json.dumps(None if document is None else [{"term": term, "tf_idf": weights[term] / len(document) * rarity[term]} for term in order]))
    return made
