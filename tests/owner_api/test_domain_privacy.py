"""Promise 7: a park cannot tell apart two owners whose availability rounds alike.

Both owners of a pair live through the same minutes of the same server, each with a park of its
own, so that even the times in what the two parks see must be equal.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
import random
from typing import Any

import pytest

from .deal_world import NOON, World
from .domain_world import leave_at, preferences, running, world
from .park_record import ParkRecord

__all__ = ["running", "world"]
# More than --fast has time for.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

POWER_W = -7000


@dataclass(frozen=True, kw_only=True)
class Life:
    """What the owners of a pair differ in."""

    floor_pct: float
    minimum_pct: float
    soc_pct: float
    leaves: str
    min_price: str
    tariff: str
    later: str
    wear: str


def life(chance: random.Random, released_wh: int) -> Life:
    """Draw an owner who can release ``released_wh`` (or all the window takes) and no more.

    60 kWh at 0.933, less the margin of 2.5 points for the reading, above the departure minimum;
    the last 60 Wh before the next step stay out of reach of rounding.
    """
    floor = chance.uniform(10, 40)
    minimum = chance.uniform(floor, 60)
    spare = chance.uniform(60, 499) if released_wh < 7000 else chance.uniform(60, 3000)
    soc = minimum + 2.5 + (released_wh + spare) / 0.933 / 600
    return Life(
        floor_pct=round(floor, 1),
        minimum_pct=round(minimum, 1),
        soc_pct=round(soc, 4) + (round(minimum, 1) - minimum),
        leaves=chance.choice(["weekly", "one_off", "calendar"]),
        min_price=f"{chance.uniform(0, 0.9):.4f}",
        tariff=f"{chance.uniform(0.2, 0.9):.4f}",
        later=f"{chance.uniform(0.1, 0.5):.4f}",
        wear=f"{chance.uniform(0, 0.2):.4f}",
    )


async def settle_in(world: World, drawn: Life) -> ParkRecord:
    """Make the owner, the park and their agreement; plug the car in."""
    owner, park = await world.add_owner(), await world.add_park()
    vehicle_id = await world.add_vehicle(
        owner,
        soc_floor_pct=drawn.floor_pct,
        soc_ceiling_pct=99,
        soc_min_departure_pct=drawn.minimum_pct,
        soc_target_departure_pct=95,
        min_price_per_kwh=drawn.min_price,
        later_refill_price_per_kwh=drawn.later,
        degradation_cost_per_kwh=drawn.wear,
        tariff={"bands": [{"start": "00:00", "price_per_kwh": drawn.tariff}]},
    )
    away = f"/v1/vehicles/{vehicle_id}/departures"
    if drawn.leaves == "one_off":
        await leave_at(owner, vehicle_id, world.at(2.5 * 3600))
    elif drawn.leaves == "calendar":
        event = {"departure_at": world.at(3.1 * 3600), "summary": "Dentist"}
        await owner.patch(away, {"calendar": {"read_at": world.at(0), "events": [event]}})
    record = ParkRecord(
        world=world, owner=owner, park=park, vehicle_id=vehicle_id, soc_pct=drawn.soc_pct
    )
    record.member = await world.join(owner, park, vehicle_id)
    await record.tell()
    await record.ask("GET", "/v1/park/members")
    body = {"evse_id": "E07", "plugged_in_at": world.at(0), "member_ref": record.member}
    opened = await record.ask("POST", "/v1/park/sessions", body)
    assert opened.body["state"] == "bound"
    record.session_id = opened.body["session_id"]
    return record


async def question(record: ParkRecord) -> int:
    """Ask what could be sold in the usual window."""
    world = record.world
    body = {
        "session_id": record.session_id,
        "start_at": world.at(1800),
        "end_at": world.at(5400),
    }
    answer = await record.ask("POST", "/v1/park/availability", body)
    return int(answer.body["available_energy_wh"])


async def offer(record: ParkRecord, **changes: Any) -> None:
    world = record.world
    body = {
        "session_id": record.session_id,
        "purpose": "peak_price",
        "respond_by": world.at(1200),
        "terms": world.terms(min_energy_wh=1000, **changes),
    }
    record.offer = (await record.ask("POST", "/v1/park/offers", body)).body
    await record.ask("GET", f"/v1/park/offers/{record.offer['offer_id']}")


async def answer_with(record: ParkRecord, decision: str, **more: Any) -> None:
    answer = await record.world.decide(record.owner, record.offer, decision, **more)
    assert answer.status == 201, answer.body
    record.commitment_id = answer.body["commitment_id"] or ""
    await record.ask("GET", f"/v1/park/offers/{record.offer['offer_id']}")


async def award(record: ParkRecord) -> None:
    path = f"/v1/park/commitments/{record.commitment_id}"
    shown = await record.ask("GET", path)
    body = {
        "order_reference": "PO-1",
        "terms_sha256": record.offer["terms_sha256"],
        "committed_energy_wh": shown.body["committed_energy_wh"],
    }
    await record.ask("POST", f"{path}/award", body)


async def finish(record: ParkRecord) -> None:
    """Read the settlement, agree with it and pay it."""
    await record.ask("GET", f"/v1/park/commitments/{record.commitment_id}")
    shown = await record.owner.get(f"/v1/commitments/{record.commitment_id}")
    if shown["settlement"] is None:
        return
    path = f"/v1/park/settlements/{shown['settlement']['settlement_id']}"
    await record.ask("GET", path)
    await record.ask("POST", f"{path}/confirmation")
    await record.owner.post(f"{path.replace('/park', '')}/confirmation")
    await record.ask("POST", f"{path}/payment", {"reference": "PAY-1"})


class Pair:
    """Two owners whose every step is taken at the same instant."""

    def __init__(self, world: World, *records: ParkRecord) -> None:
        self.world, self.records = world, records

    async def both(self, step: Callable[[ParkRecord], Awaitable[Any]]) -> list[Any]:
        return [await step(record) for record in self.records]

    async def each(self, step: Callable[[ParkRecord], None]) -> None:
        for record in self.records:
            step(record)

    async def deliver(self, seconds: int, step_s: int = 60) -> None:
        """Discharge under renewed leases, the car reporting every five minutes."""
        await self.both(lambda record: record.instruct(POWER_W))
        for passed in range(step_s, seconds + 1, step_s):
            for record in self.records:
                record.runs(POWER_W, step_s)
            await self.world.move(step_s, tick=False)
            await self.both(lambda record: record.meter(POWER_W if record.lease_until else 0))
            if passed % 300 == 0:
                await self.both(lambda record: record.tell())
            await self.world.agent.tick()
            await self.both(lambda record: record.instruct(POWER_W))
            if all(record.lease_until is None for record in self.records):
                return

    async def are_alike(self) -> None:
        first, *others = [await record.transcript() for record in self.records]
        for other in others:
            assert first.split(b"\n") == other.split(b"\n")


def noon_after(at: datetime) -> datetime:
    """Return the next 05:30 UTC, at which every pair's day begins."""
    noon = at.replace(hour=NOON.hour, minute=NOON.minute, second=0, microsecond=0)
    return noon if noon > at else noon + timedelta(days=1)


async def pair_of(world: World, seed: int, released_wh: int) -> Pair:
    chance = random.Random(seed)  # noqa: S311 - the same pairs every time
    drawn = [life(chance, released_wh) for _ in range(2)]
    pair = Pair(world, *[await settle_in(world, each) for each in drawn])
    assert await pair.both(question) == [released_wh, released_wh], drawn
    return pair


RELEASED = (1000, 2500, 4000, 5500, 6000, 7000)


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param((0, 1, 2), id="few"),
        pytest.param(range(3, 60), id="many"),
    ],
)
async def test_promise_7_accepting_owners_whose_availability_rounds_alike_look_the_same(
    world: World, seeds: Sequence[int]
) -> None:
    """From the question to the payment, whatever binds: the order, the floor or the leave time."""
    for seed in seeds:
        pair = await pair_of(world, seed, RELEASED[seed % len(RELEASED)])
        await pair.both(offer)
        assert {record.offer["state"] for record in pair.records} == {"presented"}
        await pair.both(lambda record: answer_with(record, "accept"))
        await pair.both(award)
        await world.move(1800)
        await pair.both(lambda record: record.tell())
        await pair.both(lambda record: record.meter(0))
        await pair.deliver(3600)
        await world.move(30)
        await pair.both(lambda record: record.meter(0))
        await pair.both(finish)
        await pair.are_alike()
        await world.move(18 * 3600)
        world.clock.at = noon_after(world.clock.at)


@pytest.mark.parametrize("how", ["stop", "floor", "leaves", "forbids"])
async def test_promise_7_why_an_owner_stops_does_not_show(world: World, how: str) -> None:
    """The first owner presses stop; the second ends it some other way of an owner's."""
    pair = await pair_of(world, 1, 6000)
    await pair.both(offer)
    await pair.both(lambda record: answer_with(record, "accept"))
    await pair.both(award)
    await world.move(1800)
    await pair.both(lambda record: record.tell())
    await pair.both(lambda record: record.meter(0))
    await pair.deliver(300)
    first, second = pair.records
    await first.owner.post("/v1/stops", {})
    if how == "stop":
        await second.owner.post("/v1/stops", {"vehicle_id": second.vehicle_id})
    elif how == "floor":
        await preferences(second.owner, second.vehicle_id, soc_min_departure_pct=94)
    elif how == "leaves":
        at = world.at(600)
        await leave_at(second.owner, second.vehicle_id, at)
    else:
        await preferences(second.owner, second.vehicle_id, discharge_allowed=False)
    await pair.both(lambda record: record.instruct(POWER_W))
    await world.move(3)
    await pair.both(lambda record: record.meter(0))
    await pair.both(finish)
    await pair.are_alike()


async def nothing_to_give(world: World, why: str) -> ParkRecord:
    """Return an owner who cannot sell now, for one of the reasons there are."""
    chance = random.Random(why)  # noqa: S311 - the same owner every time
    record = await settle_in(world, life(chance, 0 if why == "empty" else 7000))
    owner, vehicle_id = record.owner, record.vehicle_id
    if why == "floor":
        changes = {"soc_floor_pct": 90, "soc_min_departure_pct": 90}
        await preferences(owner, vehicle_id, **changes)
    elif why == "leaves before":
        await leave_at(owner, vehicle_id, world.at(1200))
    elif why == "allows nothing":
        await preferences(owner, vehicle_id, discharge_allowed=False)
    elif why == "never":
        await preferences(owner, vehicle_id, consent_mode="never")
    elif why == "budget":
        await preferences(owner, vehicle_id, max_discharge_events_per_day=0)
    elif why == "energy budget":
        await preferences(owner, vehicle_id, max_discharge_wh_per_day=499)
    elif why == "hot pack":
        await world.telemetry(owner, vehicle_id, pack_temperature_c=46)
    elif why == "warranty":
        await owner.patch(f"/v1/vehicles/{vehicle_id}", {"warranty_discharge_policy": "prohibited"})
    elif why == "not plugged in":
        await world.telemetry(owner, vehicle_id, plugged_in=False)
    return record


async def test_promise_7_all_who_have_nothing_to_give_look_the_same(world: World) -> None:
    """Ten reasons, one word: not_available."""
    reasons = (
        "empty",
        "floor",
        "leaves before",
        "allows nothing",
        "never",
        "budget",
        "energy budget",
        "hot pack",
        "warranty",
        "not plugged in",
    )
    pair = Pair(world, *[await nothing_to_give(world, why) for why in reasons])
    assert await pair.both(question) == [0] * len(reasons)
    await pair.both(offer)
    told = {(record.offer["state"], record.offer["reason"]) for record in pair.records}
    assert told == {("auto_declined", "not_available")}
    await world.move(3600)
    await pair.both(lambda r: r.ask("GET", f"/v1/park/offers/{r.offer['offer_id']}"))
    await pair.are_alike()


async def test_promise_7_too_little_is_one_word_whichever_limit_makes_it_so(world: World) -> None:
    """500 Wh of a minimum of 1,000: by the battery, the leave time or a budget."""
    chance = random.Random(7)  # noqa: S311 - the same owners every time
    records = [await settle_in(world, life(chance, 500)) for _ in range(3)]
    records += [await settle_in(world, life(chance, 7000)) for _ in range(2)]
    budget, hurry = records[-2:]
    await preferences(budget.owner, budget.vehicle_id, max_discharge_wh_per_day=900)
    # The window opens in 1800 s; 15 minutes before leaving it must be over.
    await leave_at(hurry.owner, hurry.vehicle_id, world.at(1800 + 900 + 450))
    pair = Pair(world, *records)
    assert await pair.both(question) == [500] * 5
    await pair.both(offer)
    told = {(record.offer["state"], record.offer["reason"]) for record in pair.records}
    assert told == {("auto_declined", "less_energy")}
    await pair.are_alike()


async def test_promise_7_whoever_finds_it_too_cheap_looks_the_same(world: World) -> None:
    """Too cheap for the owner's own limit, for the refill or for the wear: one word, no figure."""
    reward = {"kind": "cash", "currency": "CNY", "price_per_kwh": "0.2"}
    chance = random.Random(3)  # noqa: S311 - the same owners every time
    records = [await settle_in(world, life(chance, 6000)) for _ in range(3)]
    limit, refill, wear = records
    free = {"later_refill_price_per_kwh": "0", "degradation_cost_per_kwh": "0"}
    cheap = free | {"min_price_per_kwh": "0"}
    for record, changes in (
        (limit, free | {"min_price_per_kwh": "0.5"}),
        (refill, cheap | {"later_refill_price_per_kwh": "2"}),
        (wear, cheap | {"degradation_cost_per_kwh": "2"}),
    ):
        await preferences(record.owner, record.vehicle_id, **changes)
    pair = Pair(world, *records)
    await pair.both(lambda record: offer(record, reward=reward))
    told = {(record.offer["state"], record.offer["reason"]) for record in pair.records}
    assert told == {("auto_declined", "price")}
    await pair.are_alike()


@pytest.mark.parametrize("decision", ["decline", "counter", "silence"])
async def test_promise_7_a_no_a_counter_and_a_silence_say_nothing_more(
    world: World, decision: str
) -> None:
    pair = await pair_of(world, 2, 5500)
    await pair.both(offer)
    if decision == "counter":
        released = {"energy_wh": 4000, "price_per_kwh": "1.3"}
        await pair.both(lambda record: answer_with(record, "counter", **released))
    elif decision == "decline":
        first, second = pair.records
        await answer_with(first, "decline")
        await answer_with(second, "decline", reason="I need the car", method="voice")
    await world.move(1300)
    await pair.both(lambda r: r.ask("GET", f"/v1/park/offers/{r.offer['offer_id']}"))
    await pair.are_alike()


async def test_promise_7_no_word_of_the_owners_world_is_in_what_a_park_reads(
    world: World,
) -> None:
    """The allow-list, looked at from the other end: no key outside it ever appears."""
    pair = await pair_of(world, 0, 6000)
    await pair.both(offer)
    await pair.both(lambda record: answer_with(record, "accept"))
    await pair.both(award)
    transcript = await pair.records[0].transcript()
    for word in (
        b"soc",
        b"floor",
        b"departure",
        b"vehicle",
        b"owner_id",
        b"veh_",
        b"own_",
        b"preferences",
        b"evaluation",
        b"breakdown",
        b"rule",
        b"method",
        b"device",
    ):
        assert word not in transcript, word
