"""What the agent counts with and an owner could not say: a car that fills slowly, pay in kind."""

from typing import Any

import pytest

from .conftest import Home
from .owner_world import OwnerWorld
from .test_subentries import change, send

# More than --fast has time for.
pytestmark = pytest.mark.slow


async def vehicle(world: OwnerWorld, vehicle_id: str, resource: str = "") -> Any:
    """Return a car, or its preferences, as the agent knows it."""
    return await world.phone.get(f"/v1/vehicles/{vehicle_id}{resource}")


async def open_step(home: Home, step: str) -> Any:
    """Open one form of a car."""
    menu = await change(home)
    assert step in menu["menu_options"]
    return await send(home, menu, next_step_id=step)


def suggested(flow: Any) -> dict[str, Any]:
    """Return what a form shows as filled in."""
    shown = {str(key): key.description for key in flow["data_schema"].schema}
    return {key: told["suggested_value"] for key, told in shown.items() if told}


async def test_promise_2_a_car_that_fills_slowly_sells_no_more_than_it_can_put_back(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """At home, where the last tenth takes hours: what could be sold falls once it is told."""
    await world.phone.patch(
        f"/v1/vehicles/{vehicle_id}/preferences",
        {"soc_ceiling_pct": 100, "soc_target_departure_pct": 100, "soc_min_departure_pct": 95},
    )
    one_off = {"one_off": {"departure_at": world.at(5 * 3_600)}}
    await world.phone.patch(f"/v1/vehicles/{vehicle_id}/departures", one_off)
    await world.phone.post("/v1/chargers", {"display_name": "Garage", "evse_id": "E07"})
    member = await world.join(vehicle_id)
    opened = {"evse_id": "E07", "plugged_in_at": world.at(0), "member_ref": member}
    session = await world.park.post("/v1/park/sessions", opened | {"meter": "owner"})
    times = {"start_at": world.at(60), "end_at": world.at(3_600)}
    ask = {"session_id": session["session_id"], **times}
    before = await world.park.post("/v1/park/availability", ask)
    assert before["available_energy_wh"] > 0

    flow = await open_step(home, "filling")
    assert suggested(flow) == {}
    rows = [{"from_pct": 90, "at_most_kw": 1.5}, {"from_pct": 80, "at_most_kw": 3.7}]
    done = await send(home, flow, taper=rows)
    assert done["reason"] == "reconfigure_successful"
    kept = (await vehicle(world, vehicle_id))["taper"]
    assert kept == [
        {"from_soc_pct": 80, "max_charge_w": 3_700},
        {"from_soc_pct": 90, "max_charge_w": 1_500},
    ]
    after = await world.park.post("/v1/park/availability", ask)
    assert after["available_energy_wh"] < before["available_energy_wh"]

    flow = await open_step(home, "filling")
    assert suggested(flow)["taper"] == [
        {"from_pct": 80, "at_most_kw": 3.7},
        {"from_pct": 90, "at_most_kw": 1.5},
    ]
    await send(home, flow)
    assert (await vehicle(world, vehicle_id))["taper"] == []


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([{"from_pct": 80}], "step_incomplete"),
        ([{"at_most_kw": 3}], "step_incomplete"),
        ([{"from_pct": 80, "at_most_kw": 0}], "step_incomplete"),
        ([{"from_pct": 80, "at_most_kw": 3}, {"from_pct": 90, "at_most_kw": 4}], "taper_rises"),
        ([{"from_pct": 80, "at_most_kw": 3}, {"from_pct": 80, "at_most_kw": 2}], "taper_rises"),
    ],
)
async def test_steps_that_no_car_has_are_refused_in_words(
    home: Home, world: OwnerWorld, vehicle_id: str, rows: list[dict[str, Any]], why: str
) -> None:
    """What was typed stays to be mended."""
    flow = await send(home, await open_step(home, "filling"), taper=rows)
    assert flow["errors"] == {"base": why}
    assert suggested(flow)["taper"] == rows
    assert (await vehicle(world, vehicle_id))["taper"] == []


async def test_an_owner_with_home_assistant_alone_takes_points_at_a_worth_of_their_own(
    home: Home, world: OwnerWorld, session_id: str, vehicle_id: str
) -> None:
    """Until it is said, an offer that pays in points is declined, whatever they are worth."""
    reward = {"kind": "points", "currency": "XPOINT", "price_per_kwh": "120"}
    declined = await world.offer(session_id, reward=reward)
    assert declined["state"] == "auto_declined"

    flow = await open_step(home, "pay")
    assert suggested(flow) == {"accepted_reward_kinds": ["cash"]}
    rates = [{"unit": "xpoint", "worth": 0.01}]
    done = await send(home, flow, accepted_reward_kinds=["points", "cash"], in_kind_rates=rates)
    assert done["reason"] == "reconfigure_successful"
    kept = await vehicle(world, vehicle_id, "/preferences")
    assert kept["accepted_reward_kinds"] == ["cash", "points"]
    assert kept["in_kind_rates"] == [{"currency": "XPOINT", "price_per_unit": "0.0100"}]
    shown = await world.offer(session_id, reward=reward)
    assert shown["state"] == "presented"
    net = await home.reaches("sensor", world.owner_id, "open_offers", "1")
    assert net is not None
    assert float(home.state("sensor", world.owner_id, "next_offer_net").state) > 0


async def test_pay_that_means_nothing_is_refused_in_words(
    home: Home, world: OwnerWorld, vehicle_id: str
) -> None:
    """And what somebody changed meanwhile is shown instead of written over."""
    flow = await send(home, await open_step(home, "pay"), accepted_reward_kinds=[])
    assert flow["errors"] == {"accepted_reward_kinds": "no_kind"}
    twice = [{"unit": "XPOINT", "worth": 1}, {"unit": "xpoint", "worth": 2}]
    for rates in ([{"unit": "points", "worth": 1}], [{"unit": "XPOINT"}], twice):
        flow = await send(home, flow, accepted_reward_kinds=["points"], in_kind_rates=rates)
        assert flow["errors"] == {"in_kind_rates": "rate_incomplete"}
    await world.phone.patch(
        f"/v1/vehicles/{vehicle_id}/preferences", {"accepted_reward_kinds": ["cash", "voucher"]}
    )
    await home.entry.runtime_data.coordinator.async_refresh()
    flow = await send(home, flow, accepted_reward_kinds=["cash"])
    assert flow["errors"] == {"base": "changed_meanwhile"}
    assert suggested(flow) == {"accepted_reward_kinds": ["cash", "voucher"]}
