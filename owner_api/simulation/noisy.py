"""Recorded stays at 2020's prices, in cars whose word is not exact: what an owner is promised.

Each car tells its state of charge in steps, late and biased, and its true efficiencies are not
those of its papers. Owners say yes to whatever pays; the park asks once in each stay of an hour or
more, at a moment at which the car is there, without knowing how long it stays. A car gets the
energy that was recorded and not a Wh more, so nothing hides what a deal took.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
import random
from typing import Any, Final

from owner_api.sessions_csv import Session

from . import recharge
from .car import Car
from .deal import Deal
from .dispatch import STEP, next_step
from .gauge import WORST, Gauge, draw_noise
from .guard import Guard
from .market import DayAhead
from .offers import terms
from .replaying import (
    RULE_SHARE,
    SHORTEST_ASKED,
    Progress,
    Replay,
    car_name,
    fitting_battery,
    gained_pct,
)
from .stage import Stage
from .truth import Truth, true_value
from .visit import Guest
from .wishes import Answer, Wishes

SCENE: Final = "noisy"
_DISCHARGE_W: Final = 11_000
_BUFFER_S: Final = 900
_FIRST_ASKED: Final = timedelta(minutes=6)
_LAST_ASKED: Final = timedelta(minutes=10)
_LEAD_S: Final = (300, 2_400)
_ASK_WH: Final = (1_000, 4_001, 250)
_LEAST_WH: Final = 500
# Room for the asked energy at full power: half as much time again.
_SPREAD: Final = 1.5
# What a car needs back per Wh sold, whatever its losses.
_RECHARGE_PER_SOLD: Final = 1.25
_RECHARGE_W: Final = 7_400
_A_MINUTE: Final = timedelta(minutes=1)
_A_CENT: Final = Decimal("0.01")


class Leave(StrEnum):
    """How the API knows when a car leaves."""

    TOLD = "told"
    Q05 = "q05"
    Q10 = "q10"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """What the recordings do not say, each drawn evenly between two ends.

    ``full_pct`` is what a stay would end with without offers, the wishes are multiples of 5 %.
    A park keeps its word at the last moment it may: ``recharge_in_h`` after the window.
    """

    floor_pct: tuple[int, int] = (20, 35)
    min_departure_pct: tuple[int, int] = (40, 65)
    full_pct: tuple[float, float] = (55.0, 100.0)
    recharge_share: float = 0.8
    recharge_in_h: tuple[float, float] = (0.0, 3.0)
    price_factor: tuple[float, float] = (0.9, 1.7)


@dataclass(slots=True, kw_only=True)
class Trade:
    """One offer, and what it was worth by the true state when it was made."""

    guest: Guest
    deal: Deal
    truth: Truth


class NoisyRun(Replay):
    """Plays recorded sessions at the prices of ``market``; ``trades`` holds what came of it.

    ``worst`` gives every car all errors that make it look fuller, at their bounds; ``margin_pct``
    replaces the API's default margin.
    """

    def __init__(
        self,
        stage: Stage,
        sessions: tuple[Session, ...],
        market: DayAhead,
        leave: Leave,
        *,
        draws: Draws,
        worst: bool = False,
        margin_pct: float | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.trades: list[Trade] = []
        super().__init__(stage, sessions, progress)
        self._market = market
        self._leave = leave
        self._draws = draws
        self._worst = worst
        self._margin_pct = margin_pct

    async def _guest(self, user_id: str, number: int, stays: list[Session]) -> Guest:
        """Draw a car that every recorded charge of this user fits into, and its owner's wishes."""
        name = car_name(user_id, number)
        rng = random.Random(f"{self._stage.seed}/{name}/car")
        nameplate = fitting_battery(stays, rng, max_discharge_w=_DISCHARGE_W)
        wishes = Wishes(
            floor_pct=_fives(self._draws.floor_pct, rng),
            min_departure_pct=_fives(self._draws.min_departure_pct, rng),
            min_price="0",
            refill_price=None,
            rule_min_price="0.01" if rng.random() < RULE_SHARE else None,
            departure_guard=None if self._leave is Leave.TOLD else self._leave.value,
            soc_margin_pct=self._margin_pct,
            policy=_whatever_pays,
        )
        noise = WORST if self._worst else draw_noise(rng)
        car = Car(
            name=name,
            spec=nameplate.with_errors(noise.charge_error, noise.discharge_error),
            nameplate=nameplate,
            guard=Guard(floor_pct=wishes.floor_pct),
            gauge=Gauge(noise, random.Random(f"{self._stage.seed}/{name}/gauge")),
        )
        return await self._stage.add_guest(name, car, wishes, f"GARAGE-{name}")

    async def _stay(self, guest: Guest, stay: Session, rng: random.Random) -> None:
        """Play one stay: charge what was recorded, be asked once, leave as recorded."""
        world, host = self._stage.world, self._stage.host
        spec = guest.owned.car.spec
        await world.until(stay.plugged_in_at)
        gained = gained_pct(spec, stay)
        low_pct = max(gained + 10.0, self._draws.full_pct[0])
        high_pct = max(low_pct, self._draws.full_pct[1])
        full_pct = rng.uniform(low_pct, high_pct) if gained < 90 else 100.0
        told = stay.unplugged_at if self._leave is Leave.TOLD else None
        await host.arrive(guest, max(0.0, full_pct - gained), told)
        world.spawn(self._charge(guest, stay))
        if stay.unplugged_at - stay.plugged_in_at >= SHORTEST_ASKED:
            await self._ask(guest, stay, rng)
        await world.until(stay.unplugged_at)
        await host.leave(guest)

    async def _charge(self, guest: Guest, stay: Session) -> None:
        """Charge for as long as the recorded energy takes; what a deal displaces is not made up."""
        world, session_id = self._stage.world, guest.session_id
        power_w = float(guest.owned.car.spec.max_charge_w)
        guest.charger.plan_charging(world.now(), power_w, 100.0)
        await world.until(stay.plugged_in_at + timedelta(hours=stay.energy_wh / power_w))
        if guest.session_id == session_id:
            guest.charger.plan_charging(world.now(), 0.0, 100.0)

    async def _ask(self, guest: Guest, stay: Session, rng: random.Random) -> None:
        """Make one offer while the car is there, and note what it is worth by the true state."""
        world, owned = self._stage.world, guest.owned
        asked = self._terms(stay, rng)
        offer_at = asked["start_at"] - asked.pop("lead")
        await world.until(offer_at)
        prices = self._market.known(world.now())
        await guest.owner.tell_prices(owned, prices)
        await guest.owner.report(owned)
        offer = terms(**asked) | {"max_discharge_w": _DISCHARGE_W}
        truth = true_value(
            owned.car,
            owned.wishes,
            offer,
            now=world.now(),
            leave_at=stay.unplugged_at,
            buffer_s=_BUFFER_S,
            prices=prices,
        )
        deal = await self._stage.host.ask(
            guest,
            purpose="peak_price",
            terms=offer,
            respond_by=asked["start_at"] - timedelta(seconds=80),
            look_at=world.now() + timedelta(seconds=rng.randrange(20, 150, 10)),
        )
        self.trades.append(Trade(guest=guest, deal=deal, truth=truth))
        if self._leave is not Leave.TOLD and deal.state in ("presented", "accepted"):
            world.spawn(self._judge_forecast(guest, deal))

    def _terms(self, stay: Session, rng: random.Random) -> dict[str, Any]:
        """Draw what the park asks for: the dearest of three windows that it might choose."""
        lead = timedelta(seconds=rng.randrange(*_LEAD_S, 60))
        latest = stay.unplugged_at - _LAST_ASKED
        starts = [
            next_step(_between(stay.plugged_in_at + _FIRST_ASKED, latest, rng) + lead)
            for _ in range(3)
        ]
        start_at = max(starts, key=self._market.price)
        energy_wh = rng.randrange(*_ASK_WH)
        steps = int(energy_wh / _DISCHARGE_W * _SPREAD * 3_600 / STEP.total_seconds()) + 1
        end_at = start_at + steps * STEP
        # The park pays its own price in that hour, less or more: it is worth now this, now that.
        factor = Decimal(str(round(rng.uniform(*self._draws.price_factor), 3)))
        price = max(Decimal(0), self._market.price(start_at) * factor)
        promised = None
        if rng.random() < self._draws.recharge_share:
            promised = self._recharge(end_at, energy_wh, start_at - lead, rng)
        return {
            "lead": lead,
            "start_at": start_at,
            "end_at": end_at,
            "energy_wh": energy_wh,
            "min_energy_wh": _LEAST_WH,
            "price": price.quantize(_A_CENT, rounding=ROUND_HALF_EVEN),
            "recharge": promised,
        }

    def _recharge(
        self, end_at: datetime, energy_wh: int, asked_at: datetime, rng: random.Random
    ) -> dict[str, Any]:
        """Promise to put back what is sold, in one stretch that ends when the promise falls due.

        The price is the lowest that is known when it is promised.
        """
        cheapest = min(price for _, price in self._market.known(asked_at))
        back_wh = int(energy_wh * _RECHARGE_PER_SOLD)
        start_at = end_at + timedelta(
            seconds=round(rng.uniform(*self._draws.recharge_in_h) * 3_600)
        )
        stretch = timedelta(seconds=back_wh * 3_600 // _RECHARGE_W)
        return recharge.promise(
            energy_wh=back_wh,
            start_at=start_at,
            by=start_at + stretch + _A_MINUTE,
            max_w=_RECHARGE_W,
            price_per_kwh=str(max(Decimal(0), cheapest)),
        )

    async def _judge_forecast(self, guest: Guest, deal: Deal) -> None:
        """Have a car that stays beyond its forecast leave time judged when that falls due."""
        world, session_id, guard = self._stage.world, guest.session_id, guest.owned.car.guard
        await world.until(deal.start_at)
        due = guard.forecast_of(deal.offer_id)
        if due is None:
            return
        await world.until(due)
        if guest.session_id == session_id:
            guest.owned.car.could_leave(due, guest.owned.wishes.min_departure_pct)


def _whatever_pays(offer: dict[str, Any]) -> Answer:
    """Say yes to what can be kept and leaves something."""
    judged = offer["evaluation"] or {}
    pays = judged.get("quoted_energy_wh") and (judged.get("net_minor") or 0) > 0
    return Answer.ACCEPT if pays else Answer.SILENCE


def _between(first: datetime, last: datetime, rng: random.Random) -> datetime:
    return first + rng.random() * (last - first)


def _fives(ends: tuple[int, int], rng: random.Random) -> float:
    return float(rng.randrange(ends[0], ends[1] + 1, 5))
