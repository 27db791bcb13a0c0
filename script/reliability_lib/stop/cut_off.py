"""Stops that cannot reach the charger: the lease ends what nobody can.

The clock is virtual, so that the second in which the car falls silent is exact.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
import random
from typing import Final

from owner_api.simulation.charger import Charger, UnreachableError
from owner_api.simulation.flow import Flow
from tests.owner_api.deal_world import NOON, Answer, Deal, World, active, open_world

from .charging import last_power_at, plugged, tell


class Fault(StrEnum):
    """What goes wrong on the way to the charger."""

    LINK_CUT = "the park's link to its charger is cut"
    FROZEN = "the park's process is frozen"
    SUPPRESSED = "the answers to the park are suppressed"


SECOND: Final = timedelta(seconds=1)
AT_MOST: Final = timedelta(seconds=120)


@dataclass
class CutOff:
    """What the cut-off stops came to."""

    cases: dict[Fault, int] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    early: int = 0
    longest_s: float = 0
    asked: int = 0
    renewed: list[str] = field(default_factory=list)


async def cut_off(folder: Path, each: int, seed: int, *, ignores_lease: bool = False) -> CutOff:
    """Stop so many deals under each fault, each at a random moment of its lease."""
    found, chance = CutOff(), random.Random(seed)  # noqa: S311 - a plan to repeat
    async with open_world(folder) as world:
        for fault in Fault:
            for _ in range(each):
                lease_s = chance.choice((10, 30, 60, 120))
                deal = await active(world, lease_s=lease_s)
                await _case(world, deal, fault, chance, found, ignores_lease=ignores_lease)
                found.cases[fault] = found.cases.get(fault, 0) + 1
                await next_noon(world)
    return found


async def next_noon(world: World) -> None:
    """Go to noon of the next day, where the usual deal fits before the car leaves."""
    days = (world.clock.at - NOON) // timedelta(days=1) + 1
    world.clock.at = NOON + timedelta(days=days)
    await world.agent.tick()


async def _case(
    world: World,
    deal: Deal,
    fault: Fault,
    chance: random.Random,
    found: CutOff,
    *,
    ignores_lease: bool,
) -> None:
    felt: list[Flow] = []
    charger = plugged(world.clock.at, felt, ignores_lease=ignores_lease)
    until = await _renew(world, deal, charger)
    stay_s = max(1, int((until - world.clock.at).total_seconds()) - 2)
    # From some moment on the charger hears nothing more; what it was told last is all it knows.
    await _pass(world, charger, chance.randrange(1, max(2, stay_s // 2)))
    if fault is Fault.LINK_CUT:
        charger.reachable = False
    elif fault is Fault.SUPPRESSED:
        # The API grants more, and nobody hears it: the charger keeps to what it has.
        await world.instruct(deal.park, deal.commitment_id)
    await _pass(world, charger, chance.randrange(0, max(1, stay_s // 2)))
    asked_at = world.clock.at
    await deal.owner.post("/v1/stops", {"commitment_id": deal.commitment_id})
    if fault is Fault.LINK_CUT:
        with suppress(UnreachableError):
            charger.zero(world.clock.at)
    await _whatever_arrives(world, deal, found, asked_at)
    charger.advance(until + timedelta(seconds=600))
    silent = last_power_at(felt)
    assert silent is not None
    if silent > until:
        found.late.append(f"{fault}: {(silent - until).total_seconds():.3f} s after its lease")
    found.early += silent < until
    found.longest_s = max(found.longest_s, (silent - asked_at).total_seconds())


async def _renew(world: World, deal: Deal, charger: Charger) -> datetime:
    answer = await world.instruct(deal.park, deal.commitment_id)
    assert answer.status == 201, answer.body
    until = datetime.fromisoformat(answer.body["valid_until"])
    tell(charger, world.clock.at, until)
    return until


async def _pass(world: World, charger: Charger, seconds: int) -> None:
    await world.move(seconds)
    charger.advance(world.clock.at)


async def _whatever_arrives(world: World, deal: Deal, found: CutOff, asked_at: datetime) -> None:
    """Ask for a new lease in every way, at once and until the old one is long over."""
    before = await _lease(deal)
    path = f"/v1/park/commitments/{deal.commitment_id}"
    terms = {
        "order_reference": "PO-1",
        "terms_sha256": deal.offer["terms_sha256"],
        "committed_energy_wh": 3000,
    }
    for wait_s in (0, 1, 7, 60, 120):
        await world.move(wait_s)
        await world.meter(deal.park, deal.session_id, -7000)
        await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
        tries: list[Answer] = [
            await world.instruct(deal.park, deal.commitment_id),
            await world.instruct(deal.park, deal.commitment_id, 0),
            await deal.park.call("POST", f"{path}/award", terms),
            await deal.park.call("POST", f"{path}/instructions", _far_ahead(world)),
        ]
        for answer in tries:
            found.asked += 1
            if answer.status < 400 and "valid_until" in answer.body:
                found.renewed.append(f"granted until {answer.body['valid_until']}")
        if await _lease(deal) != before:
            found.renewed.append(f"the lease of a deal stopped at {asked_at} moved")


def _far_ahead(world: World) -> dict[str, int]:
    return {"seq": next(world.sequence) + 10**8, "power_setpoint_w": -1}


async def _lease(deal: Deal) -> str | None:
    shown = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
    until = shown["lease_until"]
    return None if until is None else str(until)
