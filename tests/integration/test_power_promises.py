"""The judge of a charger's record can say no: a promise broken in one row is seen in that row."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .power_promises import Second, Terms, violations

START = datetime(2026, 12, 1, 18, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TERMS = Terms(floor_pct=20.0, soc_max_age=timedelta(seconds=120))
COUNT = 200
AT = 100


def selling() -> list[Second]:
    """Return a record that keeps every promise: half a minute of nothing, then a delivery."""
    rows = []
    for number in range(COUNT):
        at = START + number * SECOND
        sells = number >= 30
        rows.append(
            Second(
                at=at,
                ordered_w=-6_900 if sells else 0,
                power_w=-6_900 if number > 32 else 0,
                soc_pct=60 - number / 400,
                soc_shown_pct=60,
                soc_told_at=at - 4 * SECOND,
                meter_told_at=at - 4 * SECOND,
                plugged=True,
                home="up",
                link=True,
                deal="com_1" if number >= 20 else "",
                lease_until=at + 50 * SECOND if number >= 25 else None,
            )
        )
    return rows


def changed(first: int, last: int = COUNT, **fields: Any) -> list[Second]:
    """Return the good record with some rows changed."""
    return [
        replace(row, **fields) if first <= number < last else row
        for number, row in enumerate(selling())
    ]


def test_a_record_that_keeps_every_promise_is_not_blamed() -> None:
    """Stopped in time, at the floor, on the very second a lease ends: all of it may be."""
    assert violations(selling(), TERMS) == []
    stopped = changed(AT, ordered_w=0, power_w=0)
    stopped[AT - 4] = replace(stopped[AT - 4], event="stop")
    assert violations(stopped, TERMS) == []
    ended = changed(AT, ordered_w=0, lease_until=START + AT * SECOND)
    ended = ended[: AT + 2] + [replace(row, power_w=0) for row in ended[AT + 2 :]]
    assert violations(ended, TERMS) == []


OLD = START + 60 * SECOND
BROKEN: dict[str, tuple[list[Second], str, int]] = {
    "flows before a yes": (changed(35, 36, deal=""), "promise 1: nobody has said yes", 35),
    "flows without an order": (
        changed(10, 11, power_w=-300.0, lease_until=START + 50 * SECOND),
        "promise 1: nobody has said yes",
        10,
    ),
    "below the floor": (changed(AT, AT + 1, soc_pct=19.99), "promise 2: 19.99 % is below", AT),
    "ordered after the lease": (
        changed(AT, AT + 1, lease_until=START + AT * SECOND),
        "promise 3: ordered after 18:01:40, the lease has ended",
        AT,
    ),
    "flows after the lease": (
        changed(AT, AT + 1, ordered_w=0, lease_until=START + (AT - 2) * SECOND),
        "promise 3: flows after 18:01:38, the lease has ended",
        AT,
    ),
    "no lease at all": (
        changed(AT, AT + 1, lease_until=None),
        "promise 3: the lease has ended, there was none",
        AT,
    ),
    "an old state of charge": (
        changed(AT, AT + 1, soc_told_at=START + (AT - 120) * SECOND),
        "the state of charge is too old",
        AT,
    ),
    "blind for a minute": (
        changed(
            AT,
            AT + 1,
            soc_told_at=START + (AT - 60) * SECOND,
            meter_told_at=START + (AT - 61) * SECOND,
        ),
        "neither meter nor car has spoken",
        AT,
    ),
    "carried too far": (
        changed(AT, AT + 1, soc_shown_pct=70.0),
        "promise 3: carried by more than ten points",
        AT,
    ),
    "ordered with no car": (
        changed(AT, AT + 1, plugged=False, power_w=0),
        "promise 3: no car is there",
        AT,
    ),
    "ordered while nobody runs": (
        changed(AT, AT + 1, home="down"),
        "promise 3: ordered with nobody to watch",
        AT,
    ),
    "ordered after a restart unheard": (
        [
            replace(row, event="home started") if number == AT else row
            for number, row in enumerate(changed(AT, AT + 3, link=False))
        ],
        "promise 3: ordered after a restart before the API has spoken",
        AT,
    ),
    "not stopped in five seconds": (
        [
            replace(row, event="stop") if number == AT else row
            for number, row in enumerate(changed(AT + 6, ordered_w=0, power_w=0))
        ],
        "promise 4: it was stopped at 18:01:40",
        AT + 5,
    ),
    "sold again after unplugging": (
        [
            replace(row, event="unplugged") if number == AT else row
            for number, row in enumerate(changed(AT, AT + 40, ordered_w=0, power_w=0))
        ],
        "promise 4: it was stopped at 18:01:40",
        AT + 40,
    ),
    "crashed, and not at zero five seconds after it is back": (
        [
            replace(row, home="crashed")
            if AT <= number < AT + 10
            else replace(row, lease_until=START + 90 * SECOND, ordered_w=0)
            if number > AT + 10
            else replace(row, event="home started")
            if number == AT + 10
            else row
            for number, row in enumerate(selling())
        ],
        "promise 3: flows after 18:01:30, the lease has ended",
        AT + 15,
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_promise_is_seen_in_its_second(case: str) -> None:
    record, said, number = BROKEN[case]
    found = violations(record, TERMS)
    assert found, case
    assert found[0].startswith(f"{START + number * SECOND:%H:%M:%S}: ")
    assert said in found[0]


def test_a_car_that_leaves_with_too_little_is_seen_at_its_leave_time() -> None:
    leaving = START + AT * SECOND
    terms = replace(TERMS, ready_at=leaving, ready_pct=80.0)
    assert violations(selling(), terms) == ["18:01:40: promise 2: the car leaves with 59.75 %"]
