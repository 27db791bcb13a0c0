"""Judges the table of security requirements: every claim in it has to lead to something."""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
import csv
from functools import cache
from pathlib import Path
import re
from typing import Final

type Row = dict[str, str]

ROOT: Final = Path(__file__).parent.parent
TABLE: Final = ROOT / "docs" / "security" / "asvs.csv"
IDS: Final = ROOT / "docs" / "security" / "asvs_ids.txt"
COLUMNS: Final = ["id", "level", "requirement", "status", "reason", "evidence"]
STATUSES: Final = frozenset({"met", "not_applicable", "planned"})
MOST_PLANNED: Final = 40
MOST_ALIKE: Final = 10
# Input, API, authentication, session, access control, tokens, OAuth, transport: only a test counts.
TESTED: Final = frozenset({"V1", "V2", "V4", "V6", "V7", "V8", "V9", "V10", "V12"})
_SPLIT: Final = "; "
_TEST: Final = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")
_LINE: Final = re.compile(r"([\w./-]+):(\d+) (\S+)")
_DOCUMENT: Final = re.compile(r"([\w./-]+\.md)#([\w-]+)")
# How far a cited word may move before the row has to follow.
_DRIFT: Final = 40


def read(path: Path = TABLE) -> list[Row]:
    """Return the table's rows; raises ValueError when its columns are others."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != COLUMNS:
            raise ValueError(f"columns are {reader.fieldnames}, not {COLUMNS}")
        return list(reader)


@cache
def levels() -> Mapping[str, str]:
    """Return the standard's requirement ids with their levels, in its order."""
    lines = IDS.read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ") for line in lines if not line.startswith("#"))


def complaints(rows: list[Row]) -> Iterator[str]:
    """Yield what is wrong with the table as a whole and with each row."""
    yield from table_complaints(rows)
    for row in rows:
        yield from (f"{row['id']}: {what}" for what in row_complaints(row))


def table_complaints(rows: list[Row]) -> Iterator[str]:
    """Yield what is missing, doubled, said too often or planned too often."""
    found = [row["id"] for row in rows]
    yield from (f"{each}: missing" for each in levels() if each not in set(found))
    yield from (f"{each}: more than once" for each, n in Counter(found).items() if n > 1)
    planned = [row["id"] for row in rows if row["status"] == "planned"]
    if len(planned) > MOST_PLANNED:
        yield f"{len(planned)} are planned; at most {MOST_PLANNED}"
    reasons = Counter(" ".join(row["reason"].lower().split()) for row in rows)
    yield from (f"said {n} times: {why}" for why, n in reasons.items() if n > MOST_ALIKE)


def row_complaints(row: Row) -> Iterator[str]:
    """Yield what is wrong with one row."""
    level = levels().get(row["id"])
    if level is None:
        yield "no requirement of level 1 or 2"
    elif row["level"] != level:
        yield f"is of level {level}"
    if row["status"] not in STATUSES:
        yield f"status {row['status']!r} is none of {sorted(STATUSES)}"
    if row["status"] == "planned" and row["level"] == "1":
        yield "level 1 is complete or it is nothing"
    if not row["requirement"].strip() or not row["reason"].strip():
        yield "needs a requirement and a reason"
    evidence = row["evidence"].split(_SPLIT) if row["evidence"] else []
    if row["status"] == "met" and not evidence:
        yield "met by what?"
    yield from (f"{each}: {why}" for each in evidence if (why := _missing(each)))
    tested = any(_TEST.fullmatch(each) for each in evidence)
    if row["status"] == "met" and row["id"].partition(".")[0] in TESTED and not tested:
        yield "this chapter counts tests only"


def _missing(evidence: str) -> str | None:
    """Return why a piece of evidence leads nowhere, or None when it holds."""
    if match := _TEST.fullmatch(evidence):
        known = _tests(match[1])
        return None if match[2] in known else "no such test"
    if match := _LINE.fullmatch(evidence):
        return _moved(match[1], int(match[2]), match[3])
    if match := _DOCUMENT.fullmatch(evidence):
        return None if match[2] in _anchors(match[1]) else "no such section"
    return "neither path::test, path:line word nor document#section"


@cache
def _text(path: str) -> str | None:
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except OSError:
        return None


@cache
def _tests(path: str) -> frozenset[str]:
    """Return the names pytest collects from a file's top level."""
    text = _text(path)
    if text is None:
        return frozenset()
    return frozenset(
        node.name
        for node in ast.parse(text).body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )


@cache
def _moved(path: str, line: int, word: str) -> str | None:
    text = _text(path)
    if text is None:
        return "no such file"
    at = [number for number, each in enumerate(text.splitlines(), start=1) if word in each]
    if not at:
        return f"{word} is not there any more"
    nearest = min(at, key=lambda number: abs(number - line))
    return None if abs(nearest - line) <= _DRIFT else f"now stands at line {nearest}"


@cache
def _anchors(path: str) -> frozenset[str]:
    headings: Iterable[str] = re.findall(r"^#+ (.+)$", _text(path) or "", re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings)
