"""Rules written in the vehicle's own forms: listed, added, tried, switched, moved, removed."""

from datetime import datetime, timedelta
import re
from typing import Any
from zoneinfo import ZoneInfo

from homeassistant.config_entries import SOURCE_RECONFIGURE
import pytest

from custom_components.v2g_owner.const import WEEKDAYS

from .conftest import Home, until
from .owner_world import OwnerWorld, rfc

# More than --fast has time for.
pytestmark = pytest.mark.slow

OFF: dict[str, Any] = {"counter": False, "enabled": True}

# One offer reads as well as five.
TRIED = "Newest offers for this vehicle that it was tried on: 1. It would have taken {} of them."


async def open_rules(home: Home) -> Any:
    """Go to the rules of the one vehicle."""
    subentry = home.entry.get_subentries_of_type("vehicle")[0]
    flow = await home.hass.config_entries.subentries.async_init(
        (home.entry.entry_id, "vehicle"),
        context={"source": SOURCE_RECONFIGURE, "subentry_id": subentry.subentry_id},
    )
    return await go(home, flow, "rules")


async def go(home: Home, flow: Any, step: str) -> Any:
    """Choose from a menu."""
    assert step in flow["menu_options"]
    return await send(home, flow, next_step_id=step)


async def send(home: Home, flow: Any, **answers: Any) -> Any:
    """Send one form."""
    return await home.hass.config_entries.subentries.async_configure(flow["flow_id"], answers)


async def act(home: Home, rule_id: str, what: str) -> Any:
    """Do something with one rule."""
    flow = await go(home, await open_rules(home), "rule_pick")
    return await send(home, flow, rule=rule_id, act=what)


def read(flow: Any, part: str = "rules") -> str:
    """Return a part of what is shown, as it reads."""
    return re.sub(r"\\(.)", r"\1", flow["description_placeholders"][part])


def suggested(flow: Any) -> dict[str, Any]:
    """Return what a form shows already."""
    found = {
        str(key): (key.description or {}).get("suggested_value")
        for key in flow["data_schema"].schema
    }
    return {key: value for key, value in found.items() if value is not None}


async def wishes(world: OwnerWorld, vehicle_id: str) -> Any:
    """Return the preferences as a phone sees them."""
    return await world.phone.get(f"/v1/vehicles/{vehicle_id}/preferences")


async def names(world: OwnerWorld, vehicle_id: str) -> list[str]:
    """Return the names of the rules in their order."""
    return [rule["name"] for rule in (await wishes(world, vehicle_id))["rules"]]


async def written(home: Home, world: OwnerWorld, vehicle_id: str, *told: str) -> list[str]:
    """Write rules by phone; returns their ids once Home Assistant has heard."""
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    answer = await world.phone.patch(path, {"rules": [{"name": name} for name in told]})
    await heard(home, answer)
    return [rule["rule_id"] for rule in answer["rules"]]


async def heard(home: Home, answer: Any) -> None:
    """Wait until Home Assistant has heard of a change."""
    known, vehicle_id = home.entry.runtime_data.coordinator, answer["vehicle_id"]
    await until(lambda: known.data.preferences[vehicle_id].revision == answer["revision"])


async def test_a_rule_is_tried_before_it_is_saved_and_then_says_yes(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Promise 1: it speaks only once the owner has said that rules may."""
    await world.offer(session_id)
    flow = await open_rules(home)
    assert flow["menu_options"] == ["rule_add", "rules_done"]
    assert read(flow) == "There is no rule yet."
    form = await go(home, flow, "rule_add")
    assert form["description_placeholders"] == {"time_zone": "Asia/Shanghai"}
    check = await send(home, form, name="Evenings", min_price=5, **OFF)
    assert read(check, "tried") == TRIED.format(0)
    again = await go(home, check, "rule")
    assert suggested(again) == {"name": "Evenings", "min_price": 5, **OFF}
    check = await send(home, again, name="Evenings", min_price=1.2, **OFF)
    assert read(check, "tried") == TRIED.format(1)
    assert read(check, "rule") == "Evenings: from 1.20 CNY/kWh"
    assert "Ask me" in read(check, "who_answers")
    assert await names(world, vehicle_id) == []
    flow = await go(home, check, "rule_save")
    assert read(flow) == "1. Evenings: from 1.20 CNY/kWh"
    assert (await wishes(world, vehicle_id))["consent_mode"] == "ask"
    asked = await world.offer(session_id)
    assert asked["state"] == "presented"

    flow = await go(home, flow, "rules_answer")
    assert read(flow, "who_answers") == "Your rules answer offers now."
    assert flow["menu_options"] == ["rule_add", "rule_pick", "rules_done"]
    await home.reaches("select", vehicle_id, "consent_mode", "rules")
    done = await go(home, flow, "rules_done")
    assert done["reason"] == "rules_kept"
    later = {"start_at": world.at(7_200), "end_at": world.at(9_000)}
    taken = await world.offer(session_id, **later)
    assert taken["state"] == "accepted"
    (rule,) = (await wishes(world, vehicle_id))["rules"]
    told = await world.phone.get(f"/v1/offers/{taken['offer_id']}")
    assert told["decision"]["rule_id"] == rule["rule_id"]


async def test_above_a_price_on_some_days_and_at_most_ten_kwh_a_day(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """The rule that the guide begins with: the day's limit is the car's, the rest the rule's."""
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    noon = (now + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    one_off = {"departure_at": rfc(noon + timedelta(days=1))}
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}/departures", {"one_off": one_off})
    days = [WEEKDAYS[now.weekday()], WEEKDAYS[noon.weekday()]]
    form = await go(home, await open_rules(home), "rule_add")
    check = await send(home, form, name="Dear", min_price=1.2, weekdays=days, **OFF)
    await go(home, check, "rule_save_and_answer")
    await home.set("number", vehicle_id, "max_discharge_wh_per_day", "set_value", value=10)

    async def answered(price: str, hour: int) -> tuple[str, int | None]:
        start = noon + timedelta(hours=hour)
        offer = await world.offer(
            session_id,
            start_at=rfc(start),
            end_at=rfc(start + timedelta(hours=1)),
            reward={"kind": "cash", "currency": "CNY", "price_per_kwh": price},
        )
        return offer["state"], (offer.get("decision") or {}).get("consented_energy_wh")

    assert await answered("1.1999", 0) == ("presented", None)
    assert await answered("1.2000", 0) == ("accepted", 6_000)
    assert await answered("1.5000", 2) == ("accepted", 4_000)
    assert await answered("1.5000", 4) == ("auto_declined", None)


async def test_every_condition_of_the_api_is_written_said_and_shown_again(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """In the owner's currency and kWh; a condition that is cleared holds no more."""
    flow = await go(home, await open_rules(home), "rule_add")
    typed = {
        "name": "All *of* it",
        "min_price": 1.25,
        "min_net": 2.5,
        "min_net_per_kwh": 0.4,
        "max_energy_kwh": 10.5,
        "purposes": ["peak_price", "backup"],
        "parks": [world.park.party_id],
        "weekdays": ["mon", "tue", "wed", "thu", "fri"],
        "from_time": "08:00:00",
        "to_time": "18:30:00",
        "counter": True,
        "enabled": False,
    }
    flow = await go(home, await send(home, flow, **typed), "rule_save_and_answer")
    told = await wishes(world, vehicle_id)
    assert told["consent_mode"] == "rules"
    (rule,) = told["rules"]
    assert rule == {
        "rule_id": rule["rule_id"],
        "name": "All *of* it",
        "enabled": False,
        "min_price_per_kwh": "1.25",
        "min_net_minor": 250,
        "min_net_per_kwh": "0.4",
        "max_energy_wh": 10_500,
        "purposes": ["peak_price", "backup"],
        "park_ids": [world.park.party_id],
        "weekdays": ["mon", "tue", "wed", "thu", "fri"],
        "between": {"start": "08:00", "end": "18:30"},
        "counter": True,
    }
    assert read(flow) == (
        "1. All *of* it: from 1.25 CNY/kWh, leaves at least 2.50 CNY, leaves at least"
        " 0.40 CNY/kWh, at most 10.5 kWh a deal, for High price, Backup power, of East Gate Park,"
        " arriving Monday to Friday, arriving from 08:00 to 18:30; asks for better terms (off)"
    )
    again = await act(home, rule["rule_id"], "change")
    assert suggested(again) == typed
    less = {"name": "All *of* it", "to_time": "06:00:00", "weekdays": ["sat", "mon"], **OFF}
    check = await send(home, again, **less)
    assert check["menu_options"] == ["rule_save", "rule"]
    flow = await go(home, check, "rule_save")
    assert read(flow) == "1. All *of* it: arriving Monday, Saturday, arriving from 00:00 to 06:00"
    (changed,) = (await wishes(world, vehicle_id))["rules"]
    assert changed["rule_id"] == rule["rule_id"]
    assert changed["min_price_per_kwh"] is changed["min_net_minor"] is None
    assert changed["purposes"] == changed["park_ids"] == []


async def test_rules_are_moved_switched_and_removed_by_what_they_say(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """Each step is kept as it is made; one that is switched on is tried first."""
    first, second, third = await written(home, world, vehicle_id, "One", "Two", "Three")
    for rule_id, what, order in (
        (third, "up", ["One", "Three", "Two"]),
        (first, "down", ["Three", "One", "Two"]),
        (second, "down", ["Three", "One", "Two"]),
        (second, "first", ["Two", "Three", "One"]),
        (second, "up", ["Two", "Three", "One"]),
        (third, "remove", ["Two", "One"]),
    ):
        flow = await act(home, rule_id, what)
        assert await names(world, vehicle_id) == order, what
        lines = [line.split(":")[0] for line in read(flow).splitlines()]
        assert lines == [f"{place}. {name}" for place, name in enumerate(order, 1)]
    flow = await act(home, second, "switch")
    assert read(flow).splitlines()[0] == "1. Two: every offer within your limits (off)"
    assert not (await wishes(world, vehicle_id))["rules"][0]["enabled"]
    check = await act(home, second, "switch")
    assert read(check, "tried") == "There has been no offer for this vehicle yet to try it on."
    assert not (await wishes(world, vehicle_id))["rules"][0]["enabled"]
    await go(home, check, "rule_save")
    assert (await wishes(world, vehicle_id))["rules"][0]["enabled"]


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("zh-Hans", ("不低于 1.20 CNY/kWh", "星期一 至 星期五到达", "已关闭")),
        ("zh-Hant", ("不低於 1.20 CNY/kWh", "星期一 至 星期五到達", "已關閉")),
    ],
)
async def test_rules_are_said_in_the_language_of_the_home(
    home: Home, world: OwnerWorld, vehicle_id: str, language: str, told: tuple[str, ...]
) -> None:
    home.hass.config.language = language
    rule = {
        "name": "白天",
        "enabled": False,
        "min_price_per_kwh": "1.2",
        "weekdays": ["mon", "tue", "wed", "thu", "fri"],
    }
    path = f"/v1/vehicles/{vehicle_id}/preferences"
    await heard(home, await world.phone.patch(path, {"rules": [rule]}))
    line = read(await open_rules(home))
    assert line.startswith("1. 白天")
    assert all(part in line for part in told), line
