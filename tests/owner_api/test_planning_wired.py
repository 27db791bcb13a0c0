"""The planner's numbers where owners meet them: prices, rules on trial, battery, forecast."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
import json
from pathlib import Path
from typing import Any

import pytest

from owner_api.commands import battery
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .deal_world import NOON, World, active, open_world, presented, rfc


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


async def test_reported_prices_replace_the_bands_and_the_late_ones_are_assumed_dear(
    world: World,
) -> None:
    deal = await presented(world)
    before = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert before["evaluation"]["prices_assumed_from"] is None
    prices = [
        {"start_at": world.at(-1800), "price_per_kwh": "0.9000"},
        {"start_at": world.at(1800), "price_per_kwh": "1.1000"},
    ]
    path = f"/v1/vehicles/{deal.vehicle_id}/prices"
    told = await deal.owner.post(path, {"entries": prices})
    assert told["known_until"] == world.at(5400)
    await deal.owner.patch(
        f"/v1/vehicles/{deal.vehicle_id}/preferences", {"later_refill_price_per_kwh": None}
    )
    after = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert after["evaluation"]["prices_assumed_from"] == world.at(5400)
    assert after["evaluation"]["net_minor"] < before["evaluation"]["net_minor"]


async def test_promise_9_an_open_offer_is_judged_by_the_prices_that_are_reported_meanwhile(
    world: World,
) -> None:
    """Nothing but prices came: what a yes would earn is told at once, and a yes gets just that."""
    deal = await presented(world)
    await deal.owner.patch(
        f"/v1/vehicles/{deal.vehicle_id}/preferences", {"later_refill_price_per_kwh": None}
    )
    before = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    dearer = [{"start_at": world.at(-1800), "price_per_kwh": "0.9500"}]
    await deal.owner.post(f"/v1/vehicles/{deal.vehicle_id}/prices", {"entries": dearer})
    after = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    assert after["evaluation"]["net_minor"] < before["evaluation"]["net_minor"]
    told = [row for row in await deal.owner.events() if row["type"] == "offer.presented"]
    assert json.loads(told[-1]["data"])["evaluation"] == after["evaluation"]


async def test_prices_that_have_all_ended_are_marked_and_never_cheaper_than_what_was_known(
    world: World,
) -> None:
    deal = await presented(world)
    before = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
    paths = [f"/v1/vehicles/{deal.vehicle_id}/{name}" for name in ("prices", "preferences")]
    ended = [
        {"start_at": world.at(-9000), "price_per_kwh": "1.1000"},
        {"start_at": world.at(-5400), "price_per_kwh": "0.1000"},
    ]
    await deal.owner.post(paths[0], {"entries": ended})
    await deal.owner.patch(paths[1], {"later_refill_price_per_kwh": None})
    after = (await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}"))["evaluation"]
    assert after["prices_assumed_from"] == world.at(-1800)
    assert after["net_minor"] < before["evaluation"]["net_minor"]
    # The owner's own band is known as well, and dearer than what was reported last.
    bands = {"tariff": {"bands": [{"start": "00:00", "price_per_kwh": "1.3"}]}}
    await deal.owner.patch(paths[1], bands)
    dearer = (await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}"))["evaluation"]
    assert dearer["prices_assumed_from"] == world.at(-1800)
    assert dearer["net_minor"] < after["net_minor"]
    # Taking the reported prices back leaves the owner's word alone, and nothing assumed.
    await deal.owner.post(paths[0], {"entries": []})
    await deal.owner.patch(
        paths[1], {"tariff": {"bands": [{"start": "00:00", "price_per_kwh": "0.66"}]}}
    )
    plain = (await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}"))["evaluation"]
    assert plain["prices_assumed_from"] is None


async def test_promise_9_a_reported_price_holds_until_the_next_one_however_far_that_is(
    world: World,
) -> None:
    """Steps need not be hourly: only after the last one told is a price assumed."""
    deal = await presented(world)
    path = f"/v1/vehicles/{deal.vehicle_id}"
    hour = 3_600

    async def judged(steps: dict[int, str]) -> Any:
        told = [{"start_at": world.at(at), "price_per_kwh": price} for at, price in steps.items()]
        await deal.owner.post(f"{path}/prices", {"entries": told})
        await deal.owner.patch(f"{path}/preferences", {"later_refill_price_per_kwh": None})
        shown = await deal.owner.get(f"/v1/offers/{deal.offer['offer_id']}")
        return shown["evaluation"]

    # The leave time lies before the last step; the first has held for three hours or three days.
    for began in (-3 * hour, -72 * hour):
        sparse = await judged({began: "2.0000", hour: "0.5000", 7 * hour: "0.4000"})
        assert sparse["prices_assumed_from"] is None
        hourly = {at * hour: "2.0000" if at < 1 else "0.5000" for at in range(-1, 8)}
        assert sparse["net_minor"] == (await judged(hourly))["net_minor"]
    # A day that was told and has ended says nothing of a time three days on.
    ended = await judged({-72 * hour: "2.0000"})
    assert ended["prices_assumed_from"] is None


async def test_promise_10_a_band_in_the_hour_that_spring_skips_makes_no_deal_look_better(
    world: World,
) -> None:
    """The cheap half hour is never shown on that day; it stood for the prices until midnight."""
    night = [
        {"start": "00:00", "price_per_kwh": "0.60"},
        {"start": "02:30", "price_per_kwh": "0.05"},
        {"start": "03:00", "price_per_kwh": "0.60"},
    ]
    owner, park = await world.add_owner(), await world.add_park()
    own = await owner.call("GET", "/v1/me")
    berlin = {"time_zone": "Europe/Berlin"}
    assert (
        await owner.call("PATCH", "/v1/me", berlin, etag=str(own.body["revision"]))
    ).status < 300
    wishes = {"tariff": {"bands": night}, "later_refill_price_per_kwh": None}
    vehicle_id = await world.add_vehicle(owner, **wishes, soc_min_departure_pct=80)
    garage = {"display_name": "Garage", "evse_id": "H", "max_charge_w": 7_000}
    await owner.post("/v1/chargers", garage)
    member = await world.join(owner, park, vehicle_id)
    nets = []
    for day in ("2027-03-28", "2027-03-29"):
        world.clock.at = datetime.fromisoformat(f"{day}T06:00:00Z")
        leaves = {"one_off": {"departure_at": f"{day}T18:00:00Z"}}
        await owner.patch(f"/v1/vehicles/{vehicle_id}/departures", leaves)
        await world.telemetry(owner, vehicle_id, soc_pct=80, plugged_in=False)
        world.clock.at += timedelta(minutes=5)
        await world.telemetry(owner, vehicle_id, soc_pct=80)
        at_home = {"evse_id": "H", "plugged_in_at": world.at(0), "member_ref": member}
        session = await park.post("/v1/park/sessions", at_home | {"meter": "owner"})
        offer = await world.offer(park, session["session_id"])
        judged = (await owner.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]
        nets.append(judged["net_minor"])
    assert nets[0] == nets[1]


async def test_a_rule_is_tried_on_past_offers_before_it_may_speak(world: World) -> None:
    deal = await presented(world)
    reward = {"kind": "cash", "currency": "CNY", "price_per_kwh": "0.7000"}
    await world.offer(deal.park, deal.session_id, reward=reward)
    path = f"/v1/vehicles/{deal.vehicle_id}/rule-preview"
    rule = {"name": "One yuan or more", "min_price_per_kwh": "1"}
    found = await deal.owner.call("POST", path, {"rule": rule, "last": 5})
    assert found.status == 200
    assert (found.body["considered"], found.body["accepted"]) == (2, 1)
    net_rule = {"name": "Four a kWh", "min_net_per_kwh": "4"}
    found = await deal.owner.call("POST", path, {"rule": net_rule})
    assert found.body["accepted"] == 0


async def test_the_battery_view_tells_what_selling_cost_beside_age(world: World) -> None:
    deal = await active(world)
    await deal.deliver(1800)
    await deal.owner.post("/v1/stops")
    for _ in range(72):
        await world.move(3600, tick=False)
        await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=73)
    found = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}/battery-health")
    assert found["days"] == 2
    assert float(found["calendar_pct"]) > 0
    assert float(found["calendar_saved_pct"]) > 0
    assert found["discharged_wh"] == 60 * 58
    shown = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    assert float(shown["wear_price_per_kwh"]["low"]) < float(shown["wear_price_per_kwh"]["default"])


async def test_promise_10_a_long_past_is_read_once_for_the_battery_view_not_once_for_each_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, not timed: a year of quarters of an hour took seconds of the server."""
    owner = await world.add_owner()
    vehicle_id = await world.add_vehicle(owner)
    read: list[str] = []

    def counted(text: str) -> datetime:
        read.append(text)
        return decode(text)

    def keep(day: int) -> Callable[[Tx], None]:
        def filled(tx: Tx) -> None:
            for hour in range(24):
                tx.insert(
                    "soc_sample",
                    vehicle_id=vehicle_id,
                    at=NOON.replace(hour=0, minute=0) - timedelta(days=day, hours=-hour),
                    soc_pct=str(50 + hour),
                    charged_wh=0,
                    discharged_wh=0,
                    pack_temperature_c=None if hour % 2 else "20",
                )

        return filled

    monkeypatch.setattr(battery, "decode", counted)
    for day in range(1, 21):
        await world.agent.store.write(keep(day))
        if day in (5, 20):
            read.clear()
            shown = await owner.get(f"/v1/vehicles/{vehicle_id}/battery-health")
            # The last day waits for its midnight.
            assert shown["days"] == day - 1
            assert 24 * day <= len(read) <= 24 * day + 10


def test_the_temperature_of_a_day_is_the_mean_of_what_was_told_on_it_midnight_to_midnight() -> None:
    told = {0: 10.0, 6: None, 12: 20.0, 23: None, 24: 40.0, 48: None, 71: None, 72: 30.0}
    times = [NOON.replace(hour=0, minute=0) + timedelta(hours=hour) for hour in told]
    days = [times[0] + timedelta(days=day) for day in range(3)]
    found = [battery.temperature(times, list(told.values()), day) for day in days]
    assert found == [15.0, 40.0, 25.0]


async def test_without_the_owners_word_the_forecast_of_own_stays_sets_the_leave_time(
    world: World,
) -> None:
    deal = await presented(world)
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    await deal.owner.patch(
        f"/v1/vehicles/{deal.vehicle_id}/departures", {"weekly": dict.fromkeys(days)}
    )
    shown = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    assert shown["status_reason"] == "departure_unknown"
    member = (await deal.park.get("/v1/park/members"))["items"][0]["member_ref"]
    session_id = deal.session_id
    for _ in range(8):
        await world.move(8 * 3600, tick=False)
        await deal.park.post(f"/v1/park/sessions/{session_id}/end", {"unplugged_at": world.at(0)})
        await world.telemetry(deal.owner, deal.vehicle_id, plugged_in=False)
        await world.move(16 * 3600, tick=False)
        session_id = await world.plug_in(deal.owner, deal.park, deal.vehicle_id, member)
    shown = await deal.owner.get(f"/v1/vehicles/{deal.vehicle_id}")
    leaving = shown["next_departure"]
    assert leaving["source"] == "forecast"
    assert rfc(world.clock.at) < leaving["departure_at"] <= rfc(world.clock.at + timedelta(hours=8))
