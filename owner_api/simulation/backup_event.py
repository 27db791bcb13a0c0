"""The base-station event: the mains fail, ten parked cars carry the station for three hours."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
import math
from typing import Final

from . import recharge
from .deal import Deal
from .offers import terms
from .reference_day import DAY
from .stage import Stage
from .visit import Guest

SCENE: Final = "backup"
CARS: Final = 10
PRICE: Final = Decimal("2.00")
ASK_WH: Final = 8_000
STATION_W: Final = 18_000
# Longer than 120 s is for backup only, and the owner sees it before saying yes.
LEASE_S: Final = 600
# Back before the first owner leaves, guaranteed: who keeps much can sell more.
_RECHARGE_WH: Final = 3_000
_MAX_W: Final = 4_000
_DAY_TWO: Final = DAY + timedelta(days=1)
_FAILS_AT: Final = _DAY_TWO + timedelta(hours=9, minutes=35)
_CARRY_FROM: Final = _DAY_TWO + timedelta(hours=10)
_CARRY_FOR: Final = timedelta(hours=3)
_SHARE_EVERY: Final = timedelta(seconds=50)


@dataclass(slots=True)
class Outage:
    """What the station needed and what the cars gave, Wh."""

    deals: list[Deal] = field(default_factory=list)
    station_w: float = STATION_W
    needed_wh: float = 0.0
    given_wh: int = 0
    recharges_broken: int = 0


async def run(stage: Stage, station_w: float = STATION_W) -> Outage:
    """Play the event with the first ten cars; returns what was carried."""
    outage = Outage(station_w=station_w)
    for number, guest in enumerate(stage.guests[:CARS]):
        stage.world.spawn(_stay(stage, guest, number, outage))
    stage.world.spawn(_carry(stage, outage))
    await stage.world.run()
    outage.given_wh = sum(deal.delivered_wh for deal in outage.deals)
    return outage


def notes(outage: Outage) -> list[str]:
    """Return how much of the station's need the cars carried, by the park's meter."""
    carried = outage.given_wh / outage.needed_wh if outage.needed_wh else 0.0
    return [
        (
            f"The base station needed {outage.needed_wh / 1000:.1f} kWh in three hours; "
            f"the cars gave {outage.given_wh / 1000:.1f} kWh ({carried:.1%}). "
            f"Recharge promises broken: {outage.recharges_broken}."
        )
    ]


async def _stay(stage: Stage, guest: Guest, number: int, outage: Outage) -> None:
    """Come in the morning, be asked when the mains fail, leave in the afternoon."""
    world, host = stage.world, stage.host
    leave_at = _DAY_TWO + timedelta(hours=15, minutes=10 * number)
    await world.until(_DAY_TWO + timedelta(hours=8, seconds=stage.rng.randrange(0, 3_600)))
    guest.note = "carries the station"
    await host.arrive(guest, stage.rng.uniform(76, 88), leave_at)
    await world.until(_FAILS_AT)
    await guest.owner.report(guest.owned)
    deal = await host.ask(
        guest,
        purpose="backup",
        terms=terms(
            start_at=_CARRY_FROM,
            end_at=_CARRY_FROM + _CARRY_FOR,
            energy_wh=ASK_WH,
            price=PRICE,
            lease_s=LEASE_S,
            recharge=recharge.promise(
                energy_wh=_RECHARGE_WH,
                start_at=_DAY_TWO + timedelta(hours=13, minutes=20),
                by=_DAY_TWO + timedelta(hours=14, minutes=30),
                max_w=6_000,
                price_per_kwh="0.35",
            ),
        )
        | {"max_discharge_w": _MAX_W},
        respond_by=_CARRY_FROM - timedelta(minutes=5),
        look_at=_FAILS_AT + timedelta(seconds=stage.rng.randrange(30, 900)),
    )
    outage.deals.append(deal)
    if guest is stage.guests[:CARS][-1]:
        guest.note = "stops after an hour"
        await world.until(_CARRY_FROM + timedelta(minutes=62, seconds=13))
        await guest.owner.stop(guest.owned, deal.offer_id)
    await world.until(leave_at)
    outage.recharges_broken += await guest.owner.recharge_broken(guest.owned)
    await host.leave(guest)
    await world.until(_DAY_TWO + timedelta(hours=20))
    if deal.commitment_id:
        outcome = await guest.owner.outcome(guest.owned, deal.offer_id)
        settlement = outcome["settlement"]
        if settlement and settlement["state"] == "provisional":
            await guest.owner.confirm(settlement["settlement_id"])


async def _carry(stage: Stage, outage: Outage) -> None:
    """Share the station's load among the cars that carry it, and again whenever one drops out."""
    world = stage.world
    now = _CARRY_FROM - timedelta(seconds=10)
    while now < _CARRY_FROM + _CARRY_FOR:
        await world.until(now)
        need_w = outage.station_w * (1 + 0.15 * math.sin(now.timestamp() / 1_500))
        if now >= _CARRY_FROM:
            outage.needed_wh += need_w * _SHARE_EVERY.total_seconds() / 3600
        carrying = [deal for deal in outage.deals if deal.state == "accepted" and not deal.over]
        for deal in carrying:
            deal.power_w = -min(float(_MAX_W), need_w / len(carrying))
        now = max(now, _CARRY_FROM - _SHARE_EVERY) + _SHARE_EVERY
