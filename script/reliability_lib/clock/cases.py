"""One deal at one stage of its life, and a step of the server's clock there."""

from dataclasses import dataclass
from datetime import datetime
import random
from typing import Final

from owner_api.simulation.flow import Flow
from script.reliability_lib.stop.charging import last_power_at, plugged, tell
from script.reliability_lib.stop.cut_off import next_noon
from tests.owner_api.deal_world import Deal, presented

from .stepped import Stepped

_TICK_S: Final = 20
_TICK_WH: Final = 39
_POWER_W: Final = -7_000
_LEASE_S: Final = 60
_BLIND_S: Final = 60
_MOST_TICKS: Final = 50
_STAGES: Final = ("open", "lapsed", "agreed", "ordered", "running", "running", "running")
# What can flow from the last reading on: until it is too old, and until the lease is over.
_UNSEEN_WH: Final = (_BLIND_S + _LEASE_S + _TICK_S) * 2
_MOST_RESTS: Final = 60


async def case(at: Stepped, step_s: float, chance: random.Random) -> None:
    """Play one deal, step the clock somewhere in it, and set it right in the end."""
    stage = chance.choice(_STAGES)
    deal = await presented(at.world)
    at.found.deals += 1
    await at.listen(deal.owner, deal.park)
    if stage in {"open", "lapsed"}:
        await _answer(at, deal, step_s, lapsed=stage == "lapsed")
    elif await _agree(at, deal, step_s if stage == "agreed" else 0):
        if stage == "ordered":
            await at.step(step_s, deal.owner, deal.park)
            await at.world.move(_TICK_S)
            await at.step(-step_s, deal.owner, deal.park)
        await _run(at, deal, step_s if stage == "running" else 0, chance)
    await at.step(-at.offset.total_seconds())
    await at.listen(deal.owner, deal.park)
    if deal.commitment_id:
        shown = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
        at.found.states[f"{shown['state']} {shown['state_reason'] or ''}".strip()] += 1
    await next_noon(at.world)


async def _answer(at: Stepped, deal: Deal, step_s: float, *, lapsed: bool) -> None:
    """Say yes after the step; to an offer that had expired before it, that must be too late."""
    if lapsed:
        await at.world.move(1_201)
        at.found.lapsed += 1
    await at.step(step_s, deal.owner, deal.park)
    said = await at.world.decide(deal.owner, deal.offer)
    if said.status < 400:
        deal.commitment_id = said.body["commitment_id"]
        if lapsed:
            at.found.note("expired_taken", str(said.body["offer_id"]))


async def _agree(at: Stepped, deal: Deal, step_s: float) -> bool:
    """Say yes and order, with a step between; both are asked again after it."""
    body = {
        "offer_id": deal.offer["offer_id"],
        "revision": deal.offer["revision"],
        "terms_sha256": deal.offer["terms_sha256"],
        "decision": "accept",
        "method": "tap",
    }
    said = await at.send(deal.owner, "/v1/decisions", body)
    deal.commitment_id = said[1].body["commitment_id"]
    if step_s:
        await at.step(step_s, deal.owner, deal.park)
        await at.again(deal.owner, "/v1/decisions", body, said)
    order = {
        "order_reference": f"PO-{deal.commitment_id}",
        "terms_sha256": deal.offer["terms_sha256"],
        "committed_energy_wh": said[1].body["decision"]["consented_energy_wh"],
    }
    path = f"/v1/park/commitments/{deal.commitment_id}/award"
    ordered = await at.send(deal.park, path, order)
    await at.step(-at.offset.total_seconds(), deal.owner, deal.park)
    if ordered[1].status < 400:
        await at.again(deal.park, path, order, ordered)
    return ordered[1].status < 400


async def _run(at: Stepped, deal: Deal, step_s: float, chance: random.Random) -> None:
    """Deliver until no lease is granted, with a step on the way; then settle."""
    world, begin_wh = at.world, at.world.exported_wh
    await world.move(1_800)
    await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=80)
    await at.read(deal, 0, "begin")
    seen, silent, when = at.true, chance.random() < 0.5, chance.randrange(1, 5)
    felt: list[Flow] = []
    charger = plugged(at.true, felt)
    for tick in range(_MOST_TICKS):
        granted = await world.instruct(deal.park, deal.commitment_id)
        if granted.status != 201:
            break
        at.found.leases += 1
        # The park's charger counts the lease by a clock that nobody steps.
        lasts = datetime.fromisoformat(granted.body["valid_until"]) - world.clock.at
        at.found.longer += lasts.total_seconds() > _LEASE_S
        tell(charger, at.true, at.true + lasts)
        if tick == when and step_s:
            await at.step(step_s, deal.owner, deal.park)
        await world.move(_TICK_S)
        charger.advance(at.true)
        world.exported_wh += _TICK_WH
        if tick < when or (not silent and tick < when + 8):
            told = await at.read(deal, _POWER_W)
            if told.status == 201:
                seen = at.true
    charger.advance(at.true)
    charger.zero(at.true)
    if (last := last_power_at(felt)) is not None:
        blind_s = (last - seen).total_seconds()
        at.found.longest_s = max(at.found.longest_s, blind_s)
        hidden_s = -step_s if -_BLIND_S <= step_s < 0 else 0
        if blind_s > _BLIND_S + _LEASE_S + hidden_s:
            at.found.note("late", f"{blind_s:.0f} s after the last reading, step {step_s:.0f} s")
    await at.step(-at.offset.total_seconds(), deal.owner, deal.park)
    await _settle(at, deal, begin_wh, step_s)


async def _settle(at: Stepped, deal: Deal, begin_wh: int, step_s: float) -> None:
    """Read the meter at rest under the right clock; another step must not touch what came of it."""
    exported = at.world.exported_wh - begin_wh
    before = await _money(at, deal)
    if before:
        # The clock that was set right has passed the time for readings: paid is what was known.
        at.found.early += 1
        missing = exported - before[0].actual_wh
        if not 0 <= missing <= _UNSEEN_WH:
            at.found.note("resettled", f"{before} for {exported} Wh")
    for _ in range(_MOST_RESTS):
        if before or not exported:
            break
        await at.world.move(60)
        await at.read(deal, 0, "end")
        before = await _money(at, deal)
        if before and before[0].actual_wh != exported:
            at.found.note("resettled", f"{before} for {exported} Wh")
    at.found.settled += len(before)
    await at.step(step_s or -600, deal.owner, deal.park)
    await at.world.move(3_700)
    if await _money(at, deal) != before:
        at.found.note("resettled", f"{deal.commitment_id} after {step_s} s")


@dataclass(frozen=True)
class _Paid:
    """A settlement's figures; ``rewards`` is how many it was paid with."""

    version: int
    actual_wh: int
    delivered_wh: int
    gross_minor: int
    net_minor: int
    rewards: int


async def _money(at: Stepped, deal: Deal) -> list[_Paid]:
    rows = await at.world.agent.store.read(
        lambda tx: tx.all(
            "SELECT version, actual_wh, delivered_wh, gross_minor, net_minor,"
            " (SELECT COUNT(*) FROM reward WHERE reward.settlement_id = settlement.settlement_id)"
            " AS rewards FROM settlement WHERE commitment_id = ?",
            deal.commitment_id,
        )
    )
    return [_Paid(**row) for row in rows]
