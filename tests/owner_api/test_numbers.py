"""The memory of numbered rows finds every key that was ever added, through all its parts."""

from hypothesis import given, strategies as st
import pytest

from owner_api.store import numbers
from owner_api.store.numbers import Numbers

KEYS = st.tuples(st.sampled_from("abc"), st.text("0123456789", max_size=2))
STEPS = st.lists(st.tuples(st.booleans(), KEYS), max_size=200)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few keys fill a segment, and a few segments a filter."""
    monkeypatch.setattr(numbers, "SEGMENT", 4)
    monkeypatch.setattr(numbers, "FILTERED", 16)


@given(STEPS, st.integers(0, 100))
def test_every_key_is_found_under_its_newest_number_and_no_other_is_certain(
    steps: list[tuple[bool, tuple[str, str]]], before: int
) -> None:
    known, newest = Numbers(), dict[tuple[str, str], int]()
    for add, key in steps:
        if add:
            newest[key] = known.add(key)
            assert newest[key] == known.last
        assert known.of(key)[:1] == ([newest[key]] if key in newest else [])
    assert known.last == sum(add for add, _ in steps)
    # What is forgotten is only what need not be known any more.
    known.forget_before(before)
    for key, number in newest.items():
        if number >= before:
            assert known.of(key)[0] == number


def test_what_a_table_holds_is_known_from_the_start_and_new_numbers_follow() -> None:
    known = Numbers([(3, ("a", "1")), (7, ("b", "1"))])
    assert (known.of(("a", "1")), known.of(("b", "1")), known.of(("c", "1"))) == ([3], [7], [])
    assert known.add(("c", "1")) == 8


def test_old_parts_are_let_go_once_their_rows_are_gone() -> None:
    known = Numbers()
    for at in range(64):
        known.add((str(at),))
    known.forget_before(40)
    assert [known.of((str(at),)) for at in (0, 15, 31, 39)] == [[], [], [], [40]]
    assert known.of(("63",)) == [64]
    known.forget_before(1_000)
    assert known.add(("next",)) == 65
