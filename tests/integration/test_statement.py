"""A month's statement through Home Assistant: the same lines as the agent's, in money as read."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import probatio
import pytest

from .conftest import Home
from .owner_world import OwnerWorld
from .test_settlement import delivered

# More than --fast has time for.
pytestmark = pytest.mark.slow


def month_of(world: OwnerWorld, days: int = 0) -> str:
    """Return a month as the owner's calendar has it."""
    return f"{world.clock.now().astimezone(ZoneInfo('Asia/Shanghai')) + timedelta(days=days):%Y-%m}"


async def test_promise_9_a_months_statement_lists_each_deal_and_a_correction_as_two_lines(
    home: Home, world: OwnerWorld, session_id: str
) -> None:
    """An owner with Home Assistant alone checks the month and files it; the sums add up."""
    settled = await delivered(home, world, session_id)
    told = await home.act("get_statement")
    assert (told["month"], told["time_zone"]) == (month_of(world), "Asia/Shanghai")
    (line,) = told["lines"]
    assert line["settlement_id"] == settled["settlement_id"]
    assert line["park"] == "East Gate Park"
    assert line["amount"] == line["amount_minor"] / 100
    assert line["amount_in_words"] == f"{line['amount']:.2f} CNY"
    assert line["price_per_kwh"] == "1.2000"

    path = f"/v1/park/settlements/{settled['settlement_id']}/correction"
    await world.park.post(path, {"delivered_wh": 250, "reason": "read wrongly"})
    told = await home.act("get_statement", {"month": month_of(world)})
    amounts = [each["amount"] for each in told["lines"]]
    assert len(amounts) == 3
    assert amounts[0] == -amounts[1]
    (total,) = told["totals"]
    assert total["amount"] == amounts[2] == 0.3
    assert total["amount_in_words"] == "0.30 CNY"
    assert total["charging_credit"] is False
    assert told["lines"] == [_told(each) for each in (await _kept(world))["lines"]]


async def _kept(world: OwnerWorld) -> Any:
    """Return the agent's own statement."""
    return await world.phone.get(f"/v1/statements/{month_of(world)}")


def _told(line: Any) -> Any:
    """Return a line of the agent's with what is added here."""
    major = line["amount_minor"] / 100
    return line | {"amount": major, "amount_in_words": f"{major:.2f} CNY"}


async def test_a_month_without_deals_is_an_empty_statement_and_what_is_no_month_is_refused(
    home: Home, world: OwnerWorld
) -> None:
    """And nothing but a month reaches the agent."""
    told = await home.act("get_statement", {"month": month_of(world, -40)})
    assert (told["lines"], told["totals"]) == ([], [])
    for wrong in ("2026-13", "november", "1999-01", "2026-11-01", "2026-11?format=csv"):
        with pytest.raises(probatio.Invalid):
            await home.act("get_statement", {"month": wrong})
