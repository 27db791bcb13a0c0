"""Registers that were reset in a deal are refused; the power beside them is guarded by."""

from typing import Any

import pytest

from .deal_world import Deal, World, active
from .domain_world import commitment, rows, running, stop, world
from .test_domain_home_charger import at_home

__all__ = ["running", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

OUT_W = -7_000


class ParkMeter:
    """The meter at the park's charger."""

    def __init__(self, deal: Deal) -> None:
        """Read it from here on as the park does."""
        self.deal = deal
        self.world = deal.world

    @classmethod
    async def of(cls, world: World) -> ParkMeter:
        """Bring its deal to the first minute of its window."""
        return cls(await active(world))

    async def says(self, power_w: int) -> None:
        """Report what it shows now."""
        await self.world.meter(self.deal.park, self.deal.session_id, power_w)


class HomeMeter(ParkMeter):
    """The meter at the owner's charger."""

    charger_id: str

    @classmethod
    async def of(cls, world: World) -> HomeMeter:
        """Bring its deal to the first minute of its window."""
        deal, charger_id = await at_home(world)
        meter = cls(deal)
        meter.charger_id = charger_id
        await meter.says(0)
        return meter

    async def tells(self, **reading: Any) -> None:
        """Report what Home Assistant reads now."""
        told = {"measured_at": self.world.at(0)} | reading
        path = f"/v1/chargers/{self.charger_id}/telemetry"
        await self.deal.owner.post(path, {"readings": [told]})

    async def says(self, power_w: int) -> None:
        """Report what it shows now."""
        await self.tells(
            import_register_wh=self.world.imported_wh,
            export_register_wh=self.world.exported_wh,
            power_w=power_w,
        )


METERS = pytest.mark.parametrize("kind", [ParkMeter, HomeMeter])


@pytest.fixture(autouse=True)
def registers(world: World) -> None:
    """Let each test's meter have counted something."""
    world.imported_wh, world.exported_wh = 100_000, 5_000


async def counted(meter: ParkMeter) -> int:
    """Discharge for a minute with a meter that counts; returns the energy (Wh)."""
    begin = meter.world.exported_wh
    for _ in range(2):
        granted = await meter.world.instruct(meter.deal.park, meter.deal.commitment_id)
        assert granted.status == 201
        await flows(meter, 30)
    return meter.world.exported_wh - begin


async def flows(meter: ParkMeter, seconds: int, power_w: int = OUT_W) -> None:
    """Let it discharge for a while longer, its meter telling so."""
    for _ in range(seconds // 10):
        await meter.world.move(10, tick=False)
        meter.world.exported_wh += round(-power_w / 360)
        await meter.says(power_w)
        await meter.world.agent.tick()


def reset(world: World) -> None:
    """Let the meter count from nothing again."""
    world.exported_wh = world.imported_wh = 0


async def counted_and_reset(meter: ParkMeter) -> int:
    """Let the meter count from nothing after a minute; returns the energy before that (Wh)."""
    delivered_wh = await counted(meter)
    reset(meter.world)
    return delivered_wh


@METERS
async def test_promise_4_a_stop_that_a_meter_with_reset_registers_belies_says_to_unplug(
    world: World, kind: type[ParkMeter]
) -> None:
    """It was believed when the lease ended: nobody saw the power."""
    meter = await kind.of(world)
    await counted_and_reset(meter)
    await stop(meter.deal)
    await flows(meter, 130)
    shown = await commitment(meter.deal)
    assert shown["power_w"] == OUT_W
    assert shown["stop"]["stopped_at"] is None
    assert shown["unplug_hint"] is True

    await world.move(5)
    await meter.says(0)
    shown = await commitment(meter.deal)
    assert shown["stop"]["stopped_at"] == world.at(0)
    assert shown["unplug_hint"] is False


@METERS
async def test_promise_4_nothing_is_paid_from_reset_registers_nor_lost_of_those_before(
    world: World, kind: type[ParkMeter]
) -> None:
    meter = await kind.of(world)
    delivered_wh = await counted_and_reset(meter)
    await stop(meter.deal)
    await flows(meter, 1_000)
    assert (await commitment(meter.deal))["settlement"] is None
    await flows(meter, 20, power_w=0)
    await world.move(910)
    found = (await commitment(meter.deal))["settlement"]
    assert (found["delivered_wh"], found["quality"]) == (delivered_wh, "missing")


async def test_promise_4_registers_that_come_back_pay_all_that_left_while_they_were_gone(
    world: World,
) -> None:
    """A charger that starts again says nought for a while, and then what it has counted."""
    meter = await ParkMeter.of(world)
    delivered_wh = await counted(meter)
    true_wh, imported_wh = world.exported_wh, world.imported_wh
    reset(world)
    await stop(meter.deal)
    await flows(meter, 60)
    unseen_wh = world.exported_wh
    world.exported_wh, world.imported_wh = true_wh + unseen_wh, imported_wh
    await world.move(5)
    await meter.says(0)
    found = (await commitment(meter.deal))["settlement"]
    assert (found["delivered_wh"], found["quality"]) == (delivered_wh + unseen_wh, "ok")


@METERS
async def test_promise_3_more_power_than_was_agreed_to_ends_a_deal_whose_registers_are_refused(
    world: World, kind: type[ParkMeter]
) -> None:
    meter = await kind.of(world)
    await counted_and_reset(meter)
    await world.move(10)
    await meter.says(-15_000)
    shown = await commitment(meter.deal)
    assert (shown["state"], shown["state_reason"]) == ("curtailed", "site")


async def test_promise_3_a_pack_too_hot_ends_a_deal_whose_registers_are_refused(
    world: World,
) -> None:
    meter = await ParkMeter.of(world)
    await counted_and_reset(meter)
    await world.move(10)
    await world.meter(meter.deal.park, meter.deal.session_id, OUT_W, pack_temperature_c=51)
    assert (await commitment(meter.deal))["state_reason"] == "temperature"


@METERS
async def test_promise_4_a_meter_that_starts_anew_and_says_nought_of_all_has_seen_no_rest(
    world: World, kind: type[ParkMeter]
) -> None:
    """Its registers are not loaded yet, and no more is its power."""
    meter = await kind.of(world)
    await counted(meter)
    await stop(meter.deal)
    await flows(meter, 10)
    reset(world)
    await world.move(5)
    await meter.says(0)
    shown = await commitment(meter.deal)
    assert shown["stop"]["stopped_at"] is None
    assert shown["unplug_hint"] is True


async def test_promise_4_a_power_whose_registers_are_away_belies_a_stop_at_home(
    world: World,
) -> None:
    """Its energy counters are unavailable; its power is not, and is no settlement's evidence."""
    meter = await HomeMeter.of(world)
    delivered_wh = await counted(meter)
    await stop(meter.deal)
    for _ in range(13):
        await world.move(10)
        await meter.tells(power_w=OUT_W)
    shown = await commitment(meter.deal)
    assert shown["stop"]["stopped_at"] is None
    assert shown["unplug_hint"] is True
    await world.move(5)
    await meter.tells(power_w=0)
    assert (await commitment(meter.deal))["stop"]["stopped_at"] == world.at(0)
    kept = await rows(
        world,
        "SELECT DISTINCT quality FROM reading WHERE session_id = ?",
        meter.deal.session_id,
    )
    assert kept == [{"quality": "ok"}]
    await world.move(910)
    found = (await commitment(meter.deal))["settlement"]
    assert (found["delivered_wh"], found["quality"]) == (delivered_wh, "missing")


async def warranty_left_wh(meter: ParkMeter) -> int:
    """Ask for much more than the warranty allows; returns what it leaves (Wh)."""
    deal, world = meter.deal, meter.world
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    window = {"start_at": world.at(1_800), "end_at": world.at(5_400)}
    offer = await world.offer(deal.park, deal.session_id, **window)
    seen = (await deal.owner.get(f"/v1/offers/{offer['offer_id']}"))["evaluation"]
    assert seen["reason"]["code"] == "warranty"
    return int(seen["max_energy_wh"])


async def test_what_left_unseen_counts_against_a_warranty_also_where_the_meter_counts_anew(
    world: World,
) -> None:
    """Two readings of registers that begin at nought again made it free to be sold once more."""
    meter = await ParkMeter.of(world)
    path = f"/v1/vehicles/{meter.deal.vehicle_id}"
    capped = {"warranty_discharge_policy": "capped", "lifetime_discharge_cap_wh": 6_000}
    await meter.deal.owner.patch(path, capped)
    delivered_wh = await counted(meter)
    granted = await world.instruct(meter.deal.park, meter.deal.commitment_id)
    assert granted.status == 201
    # Until its lease ends the charger goes on: seven kilowatts for a minute.
    await world.move(90)
    await world.move(910)
    assert (await commitment(meter.deal))["settlement"]["delivered_wh"] == delivered_wh
    left_wh = 6_000 - delivered_wh - 117
    assert await warranty_left_wh(meter) == left_wh
    reset(world)
    for _ in range(2):
        await world.move(10)
        await meter.says(0)
    assert await warranty_left_wh(meter) == left_wh


async def test_promise_4_a_reading_that_comes_late_does_not_hide_the_power_told_after_it(
    world: World,
) -> None:
    """What was measured before a charger started anew may be sent after what it says since."""
    meter = await ParkMeter.of(world)
    await counted(meter)
    await stop(meter.deal)
    await world.move(10)
    known = {
        "measured_at": world.at(-5),
        "import_register_wh": world.imported_wh,
        "export_register_wh": world.exported_wh,
    }
    reset(world)
    await meter.says(OUT_W)
    await world.meter(meter.deal.park, meter.deal.session_id, 0, **known)
    shown = await commitment(meter.deal)
    assert shown["power_w"] == OUT_W
    assert shown["stop"]["stopped_at"] is None
    assert shown["settlement"] is None


@pytest.mark.parametrize("guessed_wh", [39, 5_000])
async def test_promise_9_a_meters_own_word_is_not_refused_for_an_estimate_before_it(
    world: World, guessed_wh: int
) -> None:
    """The meter said 30; 39 that somebody had guessed were paid, a quarter of an hour later."""
    deal = await active(world, min_energy_wh=0)
    vehicle = f"/v1/vehicles/{deal.vehicle_id}"
    before_wh, begin_wh = (await deal.owner.get(vehicle))["discharged_wh"], world.exported_wh
    await world.instruct(deal.park, deal.commitment_id, OUT_W)
    await world.move(20)
    guess = {"export_register_wh": begin_wh + guessed_wh, "source": "estimate"}
    await world.meter(deal.park, deal.session_id, OUT_W, **guess)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    world.exported_wh += 30
    await stop(deal)
    await world.move(3)
    await world.meter(deal.park, deal.session_id, 0)
    found = (await commitment(deal))["settlement"]
    assert (found["delivered_wh"], found["quality"]) == (30, "ok")
    assert (await deal.owner.get(vehicle))["discharged_wh"] - before_wh == 30


async def test_an_estimate_does_not_speak_against_a_meter_that_runs_ahead_of_it(
    world: World,
) -> None:
    deal = await active(world, min_energy_wh=0)
    await world.instruct(deal.park, deal.commitment_id, OUT_W)
    await world.move(50)
    await world.meter(deal.park, deal.session_id, OUT_W, source="estimate")
    await world.move(1)
    world.exported_wh += 1_500
    await world.meter(deal.park, deal.session_id, OUT_W)
    await stop(deal)
    await world.move(3)
    await world.meter(deal.park, deal.session_id, 0)
    assert (await commitment(deal))["settlement"]["delivered_wh"] == 1_500


async def test_a_meter_that_runs_backwards_is_refused_whatever_was_guessed_between(
    world: World,
) -> None:
    deal = await active(world, min_energy_wh=0)
    begin_wh = world.exported_wh
    await world.instruct(deal.park, deal.commitment_id, OUT_W)
    await world.move(20)
    await world.meter(deal.park, deal.session_id, OUT_W, export_register_wh=begin_wh + 38)
    guess = {"export_register_wh": begin_wh + 40, "source": "estimate"}
    await world.move(1)
    await world.meter(deal.park, deal.session_id, OUT_W, **guess)
    await world.move(1)
    await world.meter(deal.park, deal.session_id, OUT_W, export_register_wh=begin_wh + 20)
    assert (await commitment(deal))["delivered_wh"] == 40
    await stop(deal)


@METERS
async def test_promise_2_a_register_that_was_refused_is_no_beginning_to_carry_a_reading_from(
    world: World, kind: type[ParkMeter]
) -> None:
    """Counted from a leap that never was, nothing would seem to leave the battery."""
    meter = await kind.of(world)
    await counted(meter)
    await world.move(10)
    world.exported_wh += 1_000_000
    await meter.says(OUT_W)
    world.exported_wh -= 1_000_000
    await world.telemetry(meter.deal.owner, meter.deal.vehicle_id, soc_pct=79)
    await counted(meter)
    shown = await meter.deal.owner.get(f"/v1/vehicles/{meter.deal.vehicle_id}")
    assert shown["soc"]["soc_pct"] <= 78.8


async def test_promise_2_no_deal_begins_on_an_estimate_that_its_meter_may_not_have_reached(
    world: World,
) -> None:
    """It began 900 Wh too high: so much more left than was agreed to, and nobody paid for it."""
    deal = await active(world, min_energy_wh=0)
    begin_wh = world.exported_wh
    await world.move(10)
    guess = {"export_register_wh": begin_wh + 900, "source": "estimate"}
    await world.meter(deal.park, deal.session_id, **guess)
    refused = await world.instruct(deal.park, deal.commitment_id, OUT_W)
    assert (refused.status, refused.body["code"]) == (409, "no_lease")
    await world.move(10)
    await world.meter(deal.park, deal.session_id)
    assert (await world.instruct(deal.park, deal.commitment_id, OUT_W)).status == 201
    await world.move(20)
    world.exported_wh += 38
    await stop(deal)
    await world.move(3)
    await world.meter(deal.park, deal.session_id, 0)
    found = (await commitment(deal))["settlement"]
    assert (found["begin_register_wh"], found["delivered_wh"]) == (begin_wh, 38)


async def test_promise_2_what_was_guessed_before_a_car_was_known_is_not_taken_from_its_life(
    world: World,
) -> None:
    """It had given 900 Wh less than nothing, and its warranty's cap allowed as much more."""
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id = await world.add_vehicle(owner)
    vehicle = f"/v1/vehicles/{vehicle_id}"
    member = await world.join(owner, park, vehicle_id)
    body = {"evse_id": "E07", "plugged_in_at": world.at(0), "member_ref": member}
    session_id = (await park.post("/v1/park/sessions", body))["session_id"]
    await world.meter(park, session_id)
    await world.move(5)
    guess = {"export_register_wh": world.exported_wh + 900, "source": "estimate"}
    await world.meter(park, session_id, **guess)
    await world.telemetry(owner, vehicle_id, soc_pct=80)
    assert (await park.get(f"/v1/park/sessions/{session_id}"))["state"] == "bound"
    await world.telemetry(owner, vehicle_id, soc_pct=80)
    await world.move(5)
    world.exported_wh += 300
    await world.meter(park, session_id)
    shown = await owner.get(vehicle)
    assert shown["discharged_wh"] == 300
    # What has left since the reading is carried.
    assert shown["soc"]["soc_pct"] < 80
