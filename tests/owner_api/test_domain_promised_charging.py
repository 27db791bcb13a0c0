"""Only charging that somebody still promises counts: not what was given, nor what cannot flow."""

from typing import Any

import pytest

from .deal_world import Caller, Deal, World, active
from .domain_world import rows, running, settled, world

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

PROMISED_WH = 10_000


class Car:
    """A car with its owner and a park, plugged in where a test wants it."""

    def __init__(self, world: World, owner: Caller, park: Caller, vehicle_id: str) -> None:
        self.world, self.owner, self.park, self.vehicle_id = world, owner, park, vehicle_id

    async def plug_in(self, soc_pct: float, **session: Any) -> str:
        """Open a session and return its id."""
        world, member = self.world, await self.world.join(self.owner, self.park, self.vehicle_id)
        await world.telemetry(self.owner, self.vehicle_id, soc_pct=soc_pct)
        body = {"evse_id": "E07", "plugged_in_at": world.at(0), "member_ref": member} | session
        opened = await self.park.post("/v1/park/sessions", body)
        assert opened["state"] == "bound"
        return str(opened["session_id"])

    async def could_sell(self, session_id: str, seconds: int = 3_600) -> int:
        """Return the most energy of an offer that begins now, as its owner sees it."""
        world = self.world
        window = {"start_at": world.at(0), "end_at": world.at(seconds)}
        offer = await world.offer(self.park, session_id, requested_energy_wh=10_000, **window)
        shown = await self.owner.get(f"/v1/offers/{offer['offer_id']}")
        return int(shown["evaluation"]["max_energy_wh"])


async def car(world: World) -> Car:
    """Add a car that reads its battery exactly."""
    owner, park = await world.add_owner(), await world.add_park()
    return Car(world, owner, park, await world.add_vehicle(owner, soc_margin_pct=0))


def battery_only_wh(soc_pct: float) -> int:
    """Return what the car could give and still leave with 50 %, nobody charging it."""
    return int((soc_pct - 50) / 100 * 60_000 * 0.933)


def recharge(world: World, energy_wh: int, by_s: int) -> dict[str, Any]:
    """Return a park's guarantee that begins now."""
    return {
        "guaranteed": True,
        "energy_wh": energy_wh,
        "start_at": world.at(0),
        "by": world.at(by_s),
        "max_w": 7_000,
        "price_per_kwh": "0.3",
    }


@pytest.mark.parametrize(
    ("given_wh", "soc_pct", "left_wh"), [(10_000, 57, 0), (13_000, 57, 0), (4_000, 52, 6_000)]
)
async def test_promise_2_a_recharge_that_was_already_given_is_not_counted_again(
    world: World, given_wh: int, soc_pct: float, left_wh: int
) -> None:
    here = await car(world)
    session_id = await here.plug_in(42, recharge=recharge(world, PROMISED_WH, 4 * 3_600))
    await world.meter(here.park, session_id)
    await world.move(5_400)
    world.imported_wh += given_wh
    await world.meter(here.park, session_id)
    await world.telemetry(here.owner, here.vehicle_id, soc_pct=soc_pct)
    most = battery_only_wh(soc_pct) + int(left_wh * 0.933 * 0.933)
    assert most - 200 <= await here.could_sell(session_id) <= most


@pytest.mark.parametrize("read_after", [True, False])
async def test_promise_2_what_the_meter_has_not_told_yet_is_not_counted_beside_the_battery(
    world: World, *, read_after: bool
) -> None:
    """A car reports what it was given for an hour; the meter, which is read seldom, afterwards."""
    here = await car(world)
    session_id = await here.plug_in(42, recharge=recharge(world, 5_000, 4 * 3_600))
    await world.meter(here.park, session_id)
    await world.move(3_600)
    world.imported_wh += 5_000
    soc_pct = 42 + 5_000 * 0.933 / 600
    await world.telemetry(here.owner, here.vehicle_id, soc_pct=soc_pct)
    if read_after:
        await world.move(30)
        await world.meter(here.park, session_id)
    assert await here.could_sell(session_id) <= max(0, battery_only_wh(soc_pct))


async def test_promise_2_the_recharge_of_an_earlier_deal_counts_from_where_it_began(
    world: World,
) -> None:
    deal = await active(
        world,
        soc_pct=60,
        preferences={"soc_margin_pct": 0},
        recharge=recharge(world, 5_000, 12_000),
        requested_energy_wh=1_000,
        min_energy_wh=500,
    )
    await deal.deliver(480, soc_pct=60)
    await deal.park.post(f"/v1/park/commitments/{deal.commitment_id}/cancellation")
    await settled(deal)
    promised = await _could_sell(deal, soc_pct=58)
    await world.move(3_000)
    world.imported_wh += 5_000
    await world.meter(deal.park, deal.session_id)
    given = await _could_sell(deal, soc_pct=58)
    assert given <= battery_only_wh(58) < promised
    await world.move(9_000)
    (shown,) = (await deal.owner.get("/v1/sessions"))["items"]
    assert shown["recharge_broken"] is False


@pytest.mark.parametrize(
    ("wh_in_the_end", "after_s", "broken"),
    [(60, 0, False), (60, 20, False), (0, 20, True), (0, 900, True), (60, 900, True)],
)
async def test_a_recharge_that_ends_on_time_is_kept_though_its_last_reading_comes_later(
    world: World, wh_in_the_end: int, after_s: int, *, broken: bool
) -> None:
    """The agent itself counts on the last stretch only; without a reading it waits for 15 min."""
    here = await car(world)
    session_id = await here.plug_in(60, recharge=recharge(world, 1_000, 600))
    for _ in range(19):
        await world.meter(here.park, session_id, 6_000)
        await world.move(30)
        world.imported_wh += 50
    await world.meter(here.park, session_id, 6_000)
    await world.move(30)
    world.imported_wh += wh_in_the_end
    await world.move(after_s)
    await world.meter(here.park, session_id, 6_000)
    # What comes too late was not promised.
    world.imported_wh += 500
    await world.move(30)
    await world.meter(here.park, session_id)
    await world.move(1)
    shown = (await here.owner.get("/v1/sessions"))["items"][0]
    assert shown["recharge_broken"] is broken


async def _could_sell(deal: Deal, soc_pct: float) -> int:
    here = Car(deal.world, deal.owner, deal.park, deal.vehicle_id)
    await deal.world.telemetry(deal.owner, deal.vehicle_id, soc_pct=soc_pct)
    return await here.could_sell(deal.session_id)


async def at_home(world: World, soc_pct: float, **charger: Any) -> tuple[Car, str]:
    """Plug a car in at its owner's garage; return it and its session."""
    here = await car(world)
    if charger:
        garage = {"display_name": "Garage", "evse_id": "HOME1"} | charger
        await here.owner.post("/v1/chargers", garage)
    return here, await here.plug_in(soc_pct, evse_id="HOME1", meter="owner")


async def test_promise_2_at_home_no_more_charging_is_promised_than_the_owners_charger_can_do(
    world: World,
) -> None:
    here, session_id = await at_home(world, 55, max_charge_w=1_400, max_discharge_w=7_000)
    most = await here.could_sell(session_id, 7_200)
    # From the window's end to a quarter of an hour before 18:00.
    charged_wh = 2.25 * 1_400 * 0.933
    assert 0 < most <= ((55 - 50) * 600 + charged_wh) * 0.933


async def test_promise_2_at_home_no_more_is_sold_than_the_owners_charger_can_give(
    world: World,
) -> None:
    here, session_id = await at_home(world, 90, max_charge_w=7_000, max_discharge_w=2_000)
    assert await here.could_sell(session_id) <= 2_000


async def test_promise_2_where_the_owner_has_no_such_charger_nobody_promises_to_charge(
    world: World,
) -> None:
    here, session_id = await at_home(world, 57)
    assert await here.could_sell(session_id) <= battery_only_wh(57)
    elsewhere = {"display_name": "Barn", "evse_id": "HOME2", "max_charge_w": 7_000}
    await here.owner.post("/v1/chargers", elsewhere)
    assert await here.could_sell(session_id) <= battery_only_wh(57)


async def test_promise_2_of_two_chargers_with_one_name_the_weaker_one_is_believed(
    world: World,
) -> None:
    here, session_id = await at_home(world, 55, max_charge_w=1_400)
    twin = {"display_name": "Old garage", "evse_id": "HOME1", "max_charge_w": 7_000}
    await here.owner.post("/v1/chargers", twin)
    assert await here.could_sell(session_id, 7_200) <= (5 * 600 + 2.25 * 1_400 * 0.933) * 0.933


async def test_a_charger_whose_power_the_owner_did_not_tell_is_bounded_by_the_car(
    world: World,
) -> None:
    here, session_id = await at_home(world, 57, display_name="Carport")
    assert await here.could_sell(session_id) == 7_000


@pytest.mark.parametrize("how", ["weaker", "deleted", "renamed"])
async def test_promise_2_a_deal_that_counted_on_a_charger_is_judged_again_when_that_changes(
    world: World, how: str
) -> None:
    here, session_id = await at_home(world, 52, max_charge_w=7_000)
    window = {"start_at": world.at(600), "end_at": world.at(7_200)}
    offer = await world.offer(here.park, session_id, requested_energy_wh=6_000, **window)
    answer = await world.decide(here.owner, offer)
    assert answer.status == 201, answer.body
    garage = (await here.owner.get("/v1/chargers"))["items"][0]
    path = f"/v1/chargers/{garage['charger_id']}"
    if how == "deleted":
        await here.owner.call("DELETE", path, etag=str(garage["revision"]))
    else:
        changes = {"weaker": {"max_charge_w": 1_000}, "renamed": {"evse_id": "HOME2"}}[how]
        await here.owner.patch(path, changes)
    deal = await here.owner.get(f"/v1/commitments/{answer.body['commitment_id']}")
    assert (deal["state"], deal["state_reason"]) == ("revoked", "preferences")


async def test_a_deal_at_home_outlives_a_new_name_of_its_charger(world: World) -> None:
    here, session_id = await at_home(world, 52, max_charge_w=7_000)
    window = {"start_at": world.at(600), "end_at": world.at(7_200)}
    offer = await world.offer(here.park, session_id, requested_energy_wh=6_000, **window)
    answer = await world.decide(here.owner, offer)
    garage = (await here.owner.get("/v1/chargers"))["items"][0]
    await here.owner.patch(f"/v1/chargers/{garage['charger_id']}", {"display_name": "Carport"})
    deal = await here.owner.get(f"/v1/commitments/{answer.body['commitment_id']}")
    assert deal["state"] == "pending_award"


async def test_promise_8_charging_that_is_under_way_as_promised_revokes_no_deal(
    world: World,
) -> None:
    """What came in since the last reading stands in no reading, and is still to be counted on."""
    here = await car(world)
    session_id = await here.plug_in(45, recharge=recharge(world, 12_000, 4 * 3_600))
    await world.meter(here.park, session_id)
    window = {"start_at": world.at(5_400), "end_at": world.at(9_000)}
    offer = await world.offer(
        here.park, session_id, requested_energy_wh=6_000, min_energy_wh=1_000, **window
    )
    answer = await world.decide(here.owner, offer)
    assert answer.status == 201, answer.body
    deal = f"/v1/commitments/{answer.body['commitment_id']}"
    award = {"order_reference": "P1", "terms_sha256": offer["terms_sha256"]}
    award["committed_energy_wh"] = answer.body["decision"]["consented_energy_wh"]
    await here.park.post(f"/v1/park{deal.removeprefix('/v1')}/award", award)
    for _ in range(45):
        await world.move(60)
        world.imported_wh += 117
        await world.meter(here.park, session_id, 7_000)
    path = f"/v1/vehicles/{here.vehicle_id}/departures"
    await here.owner.patch(path, {"calendar": {"read_at": world.at(0), "events": []}})
    assert (await here.owner.get(deal))["state"] == "scheduled"
    charged = 45 + 45 * 117 * 0.933 / 600
    await world.telemetry(here.owner, here.vehicle_id, soc_pct=charged)
    assert (await here.owner.get(deal))["state"] == "scheduled"


async def test_promise_2_what_was_promised_to_a_car_is_not_promised_to_the_next(
    world: World,
) -> None:
    here = await car(world)
    session_id = await here.plug_in(45, recharge=recharge(world, 12_000, 4 * 3_600))
    assert (await here.owner.post("/v1/erasure", {"confirm": "erase"}))["erased"]
    kept = "SELECT recharge, recharge_from_wh, recharge_due_at FROM session WHERE session_id = ?"
    assert await rows(world, kept, session_id) == [
        {"recharge": None, "recharge_from_wh": None, "recharge_due_at": None}
    ]


@pytest.mark.parametrize(("begin_s", "state"), [(7_200, "auto_declined"), (5_400, "presented")])
async def test_promise_2_a_recharge_counts_as_fast_as_the_filling_battery_takes_it(
    world: World, begin_s: int, state: str
) -> None:
    """Half an hour at 7 kW would put back what is missing; above 70 % the car takes half."""
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id = await world.add_vehicle(owner, soc_margin_pct=0, soc_min_departure_pct=74)
    taper = {"taper": [{"from_soc_pct": 70, "max_charge_w": 3_500}]}
    await owner.patch(f"/v1/vehicles/{vehicle_id}", taper)
    member = await world.join(owner, park, vehicle_id)
    session_id = await world.plug_in(owner, park, vehicle_id, member, 80)
    recharge = {
        "guaranteed": True,
        "energy_wh": 3_500,
        "start_at": world.at(begin_s),
        "by": world.at(9_000),
        "max_w": 7_000,
        "price_per_kwh": "0.30",
    }
    window = {"start_at": world.at(60), "end_at": world.at(3_660)}
    offer = await world.offer(park, session_id, **window, min_energy_wh=6_000, recharge=recharge)
    assert offer["state"] == state


async def test_a_taper_keeps_no_hours_from_a_car_that_nobody_charges(world: World) -> None:
    """The four hours that the last percents take were kept back before leaving, for no charging."""
    sold = await car(world)
    taper = {"taper": [{"from_soc_pct": 60, "max_charge_w": 2_000}]}
    await sold.owner.patch(f"/v1/vehicles/{sold.vehicle_id}", taper)
    least = {"soc_min_departure_pct": 78, "soc_target_departure_pct": 80}
    await sold.owner.patch(f"/v1/vehicles/{sold.vehicle_id}/preferences", least)
    session_id = await sold.plug_in(95)
    last_hour = {"start_at": world.at(3 * 3_600), "end_at": world.at(4 * 3_600)}
    offer = await world.offer(sold.park, session_id, **last_hour)
    assert offer["state"] == "presented"
