"""The owner's own hand on a charger: in Home Assistant, in its maker's app, and what is not it."""

from datetime import timedelta
from typing import Any

from homeassistant.core import Context
import pytest

from .charger_world import EVENING, Night, discharging, lease, orders, plan

# More than --fast has time for.
pytestmark = pytest.mark.slow

MORNING = EVENING + timedelta(hours=12)
BY_A_PERSON = Context(user_id="li")
BY_AN_AUTOMATION = Context(parent_id="01J0000000000000000000TEST")
# No command of ours can still be echoing then.
LONG_S = 200


def charge() -> Any:
    """Return orders to charge all night."""
    return orders(plan=plan(MORNING, (EVENING, 6_900, 90)))


def wait() -> Any:
    """Return orders to leave the car alone all night."""
    return orders(plan=plan(MORNING, (EVENING, 0, 0)))


async def set_number(night: Night, value: float, context: Context) -> None:
    """Set the charger's number in Home Assistant."""
    data = {"entity_id": "number.wallbox_setting", "value": value}
    await night.hass.services.async_call(
        "number", "set_value", data, blocking=True, context=context
    )


@pytest.mark.parametrize("context", [BY_A_PERSON, BY_AN_AUTOMATION], ids=["person", "automation"])
async def test_what_is_set_in_home_assistant_wins_even_a_moment_after_our_own_command(
    night: Night, context: Context
) -> None:
    """Who did it is known there: nothing has to be waited for, and nothing is set back."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(charge())
    await night.seconds(10)
    await set_number(night, 10.0, context)
    rows = await night.seconds(100)
    assert {(row.holder, row.reason) for row in rows[2:]} == {("owner", "by_hand")}
    assert rows[-1].power_w == pytest.approx(2_300, abs=10)


async def test_a_person_who_sets_what_was_asked_anyway_changes_nothing(night: Night) -> None:
    """The plan goes on: they agree."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(charge())
    await night.seconds(10)
    night.box.by_hand("number", 16.0)
    await night.seconds(5)
    await set_number(night, 30.0, BY_A_PERSON)
    rows = await night.seconds(20)
    assert {row.holder for row in rows} == {"plan"}
    assert rows[-1].power_w == pytest.approx(6_900, abs=50)


@pytest.mark.parametrize("night", [{"shape": "ocpp"}], indirect=True)
async def test_a_limit_that_is_set_while_nothing_flows_leaves_the_plan_in_force(
    night: Night,
) -> None:
    """A number beside a switch that is off is a limit for later, not a word about now."""
    executor = await night.start()
    await night.plug_in()
    later = EVENING + timedelta(minutes=1)
    executor.async_take(orders(plan=plan(MORNING, (EVENING, 0, 0), (later, 6_900, 90))))
    await night.seconds(10)
    await set_number(night, 20.0, BY_A_PERSON)
    rows = await night.seconds(80)
    assert "owner" not in {row.holder for row in rows}
    assert rows[-1].power_w == pytest.approx(6_900, abs=50)


async def test_a_charger_that_clamps_what_it_was_just_told_is_not_the_owners_hand(
    night: Night,
) -> None:
    """It is told again after a minute, not obeyed."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(wait())
    await night.seconds(LONG_S)
    executor.async_take(charge())
    await night.seconds(10)
    night.box.by_hand("number", 16.0)
    rows = await night.seconds(100)
    assert {row.holder for row in rows} == {"plan"}
    assert rows[-1].power_w == pytest.approx(6_900, abs=50)


async def test_a_default_that_a_charger_sets_when_a_car_is_plugged_in_is_set_back(
    night: Night,
) -> None:
    """Many begin to charge by themselves then; the plan said to wait."""
    executor = await night.start()
    executor.async_take(wait())
    night.box.plug(connected=False)
    await night.seconds(LONG_S)
    night.box.plug(connected=True)
    await night.seconds(10)
    night.box.by_hand("number", 16.0)
    rows = await night.seconds(20)
    assert "owner" not in {row.holder for row in rows}
    assert rows[-1].power_w == 0


async def test_promise_2_the_owners_own_discharge_needs_no_deal_and_ends_at_the_floor(
    night: Night,
) -> None:
    """Promise 2: the owner's yes is their hand; the floor is theirs as well."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(wait())
    await night.seconds(10)
    await set_number(night, -10.0, BY_A_PERSON)
    rows = await night.seconds(60)
    assert rows[-1].power_w == pytest.approx(-2_300, abs=10)
    assert (rows[-1].holder, rows[-1].reason) == ("owner", "by_hand")
    night.box.soc_pct = 20.4
    rows = await night.seconds(30)
    assert rows[-1].power_w == 0
    assert (rows[-1].holder, rows[-1].reason) == ("owner", "floor")


@pytest.mark.parametrize("night", [{"shape": "sigenergy"}], indirect=True)
@pytest.mark.parametrize("mode", ["Stop", "Self consumption"])
async def test_a_mode_chosen_in_the_makers_app_is_left_as_it_is(night: Night, mode: str) -> None:
    """Also one that we never choose."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(charge())
    await night.seconds(LONG_S)
    asked = len(night.box.commands)
    night.box.by_hand("mode", mode)
    rows = await night.seconds(60)
    assert (rows[-1].holder, rows[-1].reason) == ("owner", "by_hand")
    assert len(night.box.commands) == asked
    assert rows[-1].power_w == 0


@pytest.mark.parametrize("night", [{"shape": "ocpp"}], indirect=True)
async def test_a_charger_switched_off_in_its_app_is_not_switched_on_again(night: Night) -> None:
    """Until the owner resumes."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(charge())
    await night.seconds(LONG_S)
    night.box.by_hand("mode", "off")
    rows = await night.seconds(60)
    assert rows[-1].holder == "owner"
    assert rows[-1].power_w == 0
    executor.async_resume()
    rows = await night.seconds(20)
    assert rows[-1].power_w == pytest.approx(6_900, abs=50)


@pytest.mark.parametrize(
    ("night", "option"),
    [
        ({"shape": "sigenergy"}, "Discharge"),
        ({"shape": "sigenergy", "inverted": True}, "Charge"),
    ],
    ids=["by its name", "with its options the wrong way round"],
    indirect=["night"],
)
async def test_promise_1_a_mode_that_discharges_from_nowhere_is_undone(
    night: Night, option: str
) -> None:
    """Promise 1: whatever the option is called; the app sets the power first, then the mode."""
    executor = await night.start(inverted=night.box.inverted)
    await night.plug_in()
    executor.async_take(charge())
    await night.seconds(LONG_S)
    night.box.by_hand("number", 5.0)
    await night.seconds(LONG_S)
    assert night.record[-1].holder == "owner"
    night.box.by_hand("mode", option)
    rows = await night.seconds(30)
    assert discharging(rows[8:]) == []


async def test_promise_1_a_discharge_from_nowhere_is_undone_after_the_owners_hand_as_well(
    night: Night,
) -> None:
    """Promise 1: a yes to 2.3 kW in is none to 4.6 kW out."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(charge())
    await night.seconds(LONG_S)
    night.box.by_hand("number", 10.0)
    rows = await night.seconds(LONG_S)
    assert rows[-1].holder == "owner"
    night.box.by_hand("number", -20.0)
    rows = await night.seconds(30)
    assert discharging(rows[8:]) == []


@pytest.mark.parametrize("night", [{"shape": "sigenergy"}], indirect=True)
async def test_promise_3_more_power_from_nowhere_in_a_deal_does_not_outlive_its_lease(
    night: Night,
) -> None:
    """Promise 3: the number has no sign there, its mode says that it discharges."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(300)))
    await night.seconds(LONG_S)
    assert discharging(night.record[-1:])
    night.box.by_hand("number", 9.0)
    rows = await night.seconds(20)
    assert rows[-1].holder == "park"
    assert rows[-1].power_w == pytest.approx(-6_900, abs=50)
    rows = await night.seconds(120)
    assert discharging(rows[90:]) == []


@pytest.mark.parametrize("night", [{"shape": "sigenergy"}], indirect=True)
async def test_promise_2_a_person_who_changes_the_power_of_a_deal_is_kept_above_the_floor(
    night: Night,
) -> None:
    """Promise 2: it is a discharge by the owner's hand then, and judged like one."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(600)))
    await night.seconds(20)
    await set_number(night, 3.0, BY_A_PERSON)
    rows = await night.seconds(20)
    assert rows[-1].holder == "owner"
    assert rows[-1].power_w == pytest.approx(-3_000, abs=10)
    night.box.soc_pct = 20.4
    rows = await night.seconds(30)
    assert (rows[-1].holder, rows[-1].reason) == ("owner", "floor")
    assert rows[-1].power_w == 0


async def test_promise_3_the_owners_own_discharge_ends_with_home_assistant(night: Night) -> None:
    """Promise 3: floor and freshness hold for it too, and nobody looks at them any more."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(wait())
    await night.seconds(10)
    await set_number(night, -10.0, BY_A_PERSON)
    assert discharging(await night.seconds(10))
    await executor.async_shut_down()
    rows = await night.seconds(10)
    assert discharging(rows[3:]) == []


async def test_charging_that_the_owner_set_during_a_deal_goes_on_through_a_restart(
    night: Night,
) -> None:
    """Our last command was to discharge, and theirs stands above it."""
    executor = await night.start()
    await night.plug_in()
    executor.async_take(orders(lease=lease(600)))
    assert discharging(await night.seconds(10))
    await set_number(night, 10.0, BY_A_PERSON)
    await night.seconds(10)
    await executor.async_shut_down()
    await night.seconds(10)
    executor = await night.start()
    rows = await night.seconds(10)
    assert rows[-1].holder == "owner"
    assert rows[-1].power_w == pytest.approx(2_300, abs=10)


async def test_charging_set_by_hand_is_left_alone_though_a_roof_feeds_into_the_meter(
    night: Night,
) -> None:
    """What such a meter shows leave is not the car's, which is below its floor and may charge."""
    night.box.beside_w, night.box.soc_pct = -3_000.0, 10.0
    executor = await night.start()
    await night.plug_in()
    executor.async_take(wait())
    await night.seconds(10)
    await set_number(night, 10.0, BY_A_PERSON)
    rows = await night.seconds(60)
    assert (rows[-1].holder, rows[-1].reason) == ("owner", "by_hand")
    assert rows[-1].power_w == pytest.approx(2_300, abs=10)
