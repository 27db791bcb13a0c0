"""The table of OWASP ASVS requirements is whole, and each claim in it leads to something."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .asvs_judge import (
    COLUMNS,
    MOST_ALIKE,
    MOST_PLANNED,
    Row,
    complaints,
    levels,
    read,
    row_complaints,
    table_complaints,
)

ROWS = read()


def test_the_table_of_requirements_holds() -> None:
    assert list(complaints(ROWS)) == []


def test_the_list_of_ids_is_the_standards_count() -> None:
    """Version 5.0.0 has 70 requirements of level 1 and 183 of level 2."""
    found = list(levels().values())
    assert (found.count("1"), found.count("2"), len(found)) == (70, 183, 253)


def without(row: Row) -> list[Row]:
    return [each for each in ROWS if each is not row]


BREAKS: dict[str, Callable[[Row], Row]] = {
    "unknown id": lambda row: row | {"id": row["id"] + "9"},
    "other level": lambda row: row | {"level": "21".replace(row["level"], "")},
    "unknown status": lambda row: row | {"status": "done"},
    "no reason": lambda row: row | {"reason": " "},
    "no requirement": lambda row: row | {"requirement": ""},
    "evidence of nothing": lambda row: row | {"status": "met", "evidence": ""},
} | {
    name: lambda row, evidence=evidence: row | {"evidence": evidence}
    for name, evidence in {
        "a test that is not there": "tests/test_asvs.py::test_that_nobody_wrote",
        "a test of another file": (
            "tests/test_repository.py::test_the_table_of_requirements_holds"
        ),
        "a test's name cut short": "tests/test_asvs.py::test_the_table_of_requirements_hold",
        "a helper for a test": "tests/test_asvs.py::without",
        "a file that is not there": "owner_api/none.py:1 import",
        "a line far away": "owner_api/config.py:100000 _check",
        "a word that is gone": "owner_api/config.py:1 no-such-word",
        "a section that is gone": "docs/security/README.md#nothing",
        "prose for evidence": "we looked",
    }.items()
}


@pytest.mark.parametrize("how", BREAKS)
def test_every_row_that_is_broken_is_noticed(how: str) -> None:
    """The judge can fail, at each row and in each way."""
    assert [row["id"] for row in ROWS if not list(row_complaints(BREAKS[how](row)))] == []


@pytest.mark.parametrize(
    ("how", "words"), [(without, "missing"), (lambda row: [*ROWS, row], "more than once")]
)
def test_every_row_that_is_left_out_or_doubled_is_noticed(
    how: Callable[[Row], list[Row]], words: str
) -> None:
    for row in ROWS:
        assert f"{row['id']}: {words}" in table_complaints(how(row))


def test_a_planned_row_of_level_1_is_noticed() -> None:
    first = [row for row in ROWS if row["level"] == "1"]
    assert len(first) == 70
    for row in first:
        assert any("level 1" in each for each in row_complaints(row | {"status": "planned"}))


def test_one_planned_row_too_many_is_noticed() -> None:
    second = [row["id"] for row in ROWS if row["level"] == "2"]
    for at_most in (MOST_PLANNED, MOST_PLANNED + 1):
        chosen = second[:at_most]
        rows = [
            row | {"status": "planned" if row["id"] in chosen else "not_applicable"} for row in ROWS
        ]
        noticed = any("are planned" in each for each in table_complaints(rows))
        assert noticed == (at_most > MOST_PLANNED)


def test_a_reason_used_once_too_often_is_noticed() -> None:
    for times in (MOST_ALIKE, MOST_ALIKE + 1):
        rows = [
            row | {"reason": "As  said above." if at % 2 else "as said Above."}
            if at < times
            else row
            for at, row in enumerate(ROWS)
        ]
        assert any(each.startswith("said") for each in table_complaints(rows)) == (
            times > MOST_ALIKE
        )


def rows_with_words_only() -> Iterator[Row]:
    for row in ROWS:
        if row["status"] == "met" and row["id"].split(".")[0] in ("V6", "V9", "V12"):
            yield row | {"evidence": "docs/security/README.md#sessions"}


def test_words_are_no_evidence_where_only_a_test_counts() -> None:
    rows = list(rows_with_words_only())
    assert len(rows) > 10
    for row in rows:
        assert f"{row['id']}: this chapter counts tests only" in list(complaints([row]))


def test_a_table_of_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "asvs.csv"
    path.write_text(",".join(reversed(COLUMNS)), encoding="utf-8")
    with pytest.raises(ValueError, match="columns"):
        read(path)
