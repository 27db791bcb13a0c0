"""The reference day: sun in the morning at 0.3, a dear grid from 14:00, twenty cars in between.

Twenty owners behave as owners do: most accept, some by a rule they wrote, one says
no, one says nothing, one asks for more, two stop midway, one drives off early, and one charger
loses its link.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from .battery import BatterySpec, TaperStep
from .car import Car
from .deal import Deal
from .guard import Guard
from .offers import terms
from .site import PEAK_PRICE, PV_PRICE, ZONE, Site
from .stage import Stage
from .visit import Guest
from .wishes import Answer, Policy, Wishes, always

SCENE: Final = "day"
DAY: Final = datetime(2026, 5, 18, tzinfo=ZONE)
CHARGED_PCT: Final = 80.0
OFFER_PRICE: Final = Decimal("0.90")
_BEST_PRICE: Final = Decimal("1.05")
_PLAN_EVERY: Final = timedelta(minutes=5)
_TAPER: Final = (
    TaperStep(from_soc_pct=80, max_charge_w=7_000),
    TaperStep(from_soc_pct=90, max_charge_w=3_500),
)


class Role(StrEnum):
    """How an owner behaves on the reference day."""

    ACCEPTS = "accepts"
    CAUTIOUS = "accepts, keeps 72 %"
    RULE = "accepts by a rule"
    DECLINES = "declines"
    SILENT = "says nothing"
    COUNTERS = "asks for 1.00"
    STOPS = "stops midway"
    STOPS_UNHEARD = "stops, charger out of reach"
    LEAVES_EARLY = "leaves early"
    LINK_LOST = "charger loses its link"


ROLES: Final = (
    *(Role.ACCEPTS,) * 8,
    *(Role.CAUTIOUS,) * 2,
    *(Role.RULE,) * 3,
    Role.LEAVES_EARLY,
    Role.LINK_LOST,
    Role.STOPS,
    Role.STOPS_UNHEARD,
    Role.COUNTERS,
    Role.DECLINES,
    Role.SILENT,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One car's day: when it comes with how much, when it goes, what it will be asked for."""

    guest: Guest
    role: Role
    arrive_at: datetime
    soc_pct: float
    leave_at: datetime
    ask_wh: int


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Return an instant of the reference day by the park's clock."""
    return DAY + timedelta(hours=hour, minutes=minute, seconds=second)


async def prepare(stage: Stage, roles: Sequence[Role] = ROLES) -> list[Plan]:
    """Register owners and their cars, one for each role; returns what each will do on the day."""
    return [await _plan(stage, number, role) for number, role in enumerate(roles)]


async def run(stage: Stage, plans: list[Plan]) -> None:
    """Play the day from arrival to the evening's settlements."""
    for plan in plans:
        stage.world.spawn(_day(stage, plan))
    stage.world.spawn(_charge_from_the_sun(stage, plans))
    await stage.world.run()


def notes(plans: list[Plan]) -> list[str]:
    """Return what the day was worth to the park, by its own meter."""
    deals = [deal for plan in plans for deal in plan.guest.deals]
    bought_wh = sum(deal.delivered_wh for deal in deals)
    paid = sum(deal.owed_minor for deal in deals)
    grid = Decimal(bought_wh) / 1000 * PEAK_PRICE * 100
    return [
        (
            f"The park bought {bought_wh / 1000:.1f} kWh for {paid / 100:.2f} CNY; from the grid "
            f"at {PEAK_PRICE} it had cost {grid / 100:.2f} CNY (charged at {PV_PRICE} before)."
        )
    ]


async def _plan(stage: Stage, number: int, role: Role) -> Plan:
    rng = stage.rng
    capacity_wh = rng.randrange(42_000, 80_000, 1_000)
    if role is Role.CAUTIOUS:
        # Small and careful: less to sell than the park asks for.
        capacity_wh = 45_000
    keep_pct = 72.0 if role is Role.CAUTIOUS else 50.0
    wishes = Wishes(
        floor_pct=30.0,
        min_departure_pct=keep_pct,
        refill_price="0.35",
        rule_min_price="0.8" if role is Role.RULE else None,
        counter_price="1.00",
        policy=_policy(role),
    )
    efficiency = rng.choice((0.91, 0.92, 0.93, 0.94))
    spec = BatterySpec(
        usable_capacity_wh=capacity_wh,
        charge_efficiency=efficiency,
        discharge_efficiency=efficiency,
        taper=_TAPER,
    )
    car = Car(name=f"car {number + 1:02}", spec=spec, guard=Guard(floor_pct=wishes.floor_pct))
    guest = await stage.add_guest(f"Owner {number + 1:02}", car, wishes, f"SUNRISE-{number + 1:02}")
    guest.note = role.value
    return Plan(
        guest=guest,
        role=role,
        arrive_at=at(8) + timedelta(seconds=rng.randrange(0, 5_400, 10)),
        soc_pct=rng.uniform(38, 62),
        leave_at=at(15, 30) + number * timedelta(minutes=13),
        ask_wh=rng.randrange(5_000, 10_001, 500),
    )


def _policy(role: Role) -> Policy:
    if role is Role.COUNTERS:
        return _wants_one_yuan
    answers = {Role.DECLINES: Answer.DECLINE, Role.SILENT: Answer.SILENCE}
    return always(answers.get(role, Answer.ACCEPT))


def _wants_one_yuan(offer: dict[str, Any]) -> Answer:
    enough = Decimal(offer["terms"]["reward"]["price_per_kwh"]) >= 1
    return Answer.ACCEPT if enough else Answer.COUNTER


async def _day(stage: Stage, plan: Plan) -> None:
    """Live one car's day."""
    world, host, guest = stage.world, stage.host, plan.guest
    await world.until(plan.arrive_at)
    await host.arrive(guest, plan.soc_pct, plan.leave_at)
    await world.until(at(13, 35))
    await guest.owner.report(guest.owned)
    await world.until(at(13, 40))
    deal = await _ask(stage, plan)
    if deal.state in ("presented", "accepted"):
        world.spawn(_misbehave(stage, plan, deal))
    leave_at = plan.leave_at
    if plan.role is Role.LEAVES_EARLY:
        await world.until(at(14, 30))
        leave_at = at(14, 50)
        await guest.owner.set_leave(guest.owned, leave_at)
    await world.until(leave_at)
    await host.leave(guest)
    await world.until(at(20, 30))
    await _confirm(guest, deal)


async def _ask(stage: Stage, plan: Plan) -> Deal:
    """Ask for the energy, at a time before the offer that no two phones share."""
    end_at = min(at(16, 15), plan.leave_at - timedelta(minutes=25))
    deal = await stage.host.ask(
        plan.guest,
        purpose="peak_price",
        terms=terms(start_at=at(14, 5), end_at=end_at, energy_wh=plan.ask_wh, price=OFFER_PRICE),
        respond_by=at(13, 58),
        look_at=at(13, 41) + timedelta(seconds=stage.rng.randrange(0, 600)),
    )
    deal.best_price = _BEST_PRICE
    return deal


async def _misbehave(stage: Stage, plan: Plan, deal: Deal) -> None:
    """Do what makes this owner's or charger's day different."""
    world, guest = stage.world, plan.guest
    charger = guest.charger
    if plan.role is Role.STOPS:
        await world.until(at(14, 22, 7))
        await guest.owner.stop(guest.owned, deal.offer_id)
    elif plan.role is Role.STOPS_UNHEARD:
        await world.until(at(14, 20, 3))
        charger.reachable = False
        await world.until(at(14, 20, 25))
        await guest.owner.stop(guest.owned, deal.offer_id)
        await world.until(at(14, 40))
        charger.reachable = True
    elif plan.role is Role.LINK_LOST:
        await world.until(at(14, 25, 10))
        charger.reachable = False
        await world.until(at(14, 50))
        charger.reachable = True


async def _confirm(guest: Guest, deal: Deal) -> None:
    """Look at the settlement in the evening and confirm it."""
    if deal.commitment_id is None:
        return
    outcome = await guest.owner.outcome(guest.owned, deal.offer_id)
    settlement = outcome["settlement"]
    if settlement and settlement["state"] == "provisional":
        await guest.owner.confirm(settlement["settlement_id"])


async def _charge_from_the_sun(stage: Stage, plans: list[Plan]) -> None:
    """Share what the roof leaves over among the cars that are not full yet, until 13:30."""
    site = Site(seed=stage.seed)
    world = stage.world
    now = at(8)
    while now < at(13, 30):
        await world.until(now)
        chargers = [plan.guest.charger for plan in plans if plan.guest.session_id]
        for charger in chargers:
            charger.advance(now)
        wanting = [
            plan
            for plan in plans
            if plan.guest.session_id and plan.guest.owned.car.battery.soc_pct < CHARGED_PCT - 1e-6
        ]
        share_w = site.surplus_w(now) / len(wanting) if wanting else 0.0
        for plan in wanting:
            plan.guest.charger.plan_charging(now, share_w, CHARGED_PCT)
        now += _PLAN_EVERY
    await world.until(now)
    for plan in plans:
        plan.guest.charger.plan_charging(now, 0.0, CHARGED_PCT)
