"""The terms a park hears back: the best ones computed, in its own unit, each of them tried."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from owner_api.core.model import CounterTerms, RewardTerms, Terms
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .asked_for import moved
from .edge import Json, build
from .evaluate import judge, unwanted
from .records import SessionRecord, VehicleRecord
from .released import in_steps
from .reward_parts import at_price, price_that_pays


def best_counter(
    tx: Tx,
    vehicle: VehicleRecord,
    session: SessionRecord,
    terms: Terms,
    evaluation: Json | None,
    now: datetime,
) -> CounterTerms | None:
    """Return the computed best terms that would be accepted if they came now; None without any.

    Each is enough by itself, and so are they together; another start, which moves the whole
    window, is asked for only where nothing else helps.
    """
    best = (evaluation or {}).get("counter") or {}

    def holds(tried: Terms) -> bool:
        judged = judge(tx, vehicle, session, tried, now, counter=False)
        return judged.feasible and unwanted(vehicle, tried, judged) is None

    energy = _energy(terms, best.get("energy_wh"))
    if energy and not holds(replace(terms, requested_energy_wh=energy)):
        # The best energy was good; what may be told of it is less, and may not be.
        energy = None
    price = _price(vehicle, terms.reward, best.get("price_per_kwh"))
    if price and not holds(replace(terms, reward=at_price(terms.reward, price))):
        # Where the price's own part is capped, more of it is no more money.
        price = None
    start = None if energy or price else best.get("start_at")
    if start and not holds(moved(terms, decode(start))):
        start = None
    found = {"energy_wh": energy, "price_per_kwh": price, "start_at": start}
    return build(CounterTerms, found) if any(found.values()) else None


def _energy(terms: Terms, best_wh: int | None) -> int | None:
    """Return the energy (Wh) cut to what a park may learn; None if it wants more at least."""
    energy = in_steps(best_wh or 0)
    return energy if energy >= max(1, terms.min_energy_wh) else None


def _price(vehicle: VehicleRecord, reward: RewardTerms, needed: str | None) -> str | None:
    """Return what the offer's own price would have to be; None if no price of its kind would do."""
    if needed is None:
        return None
    return price_that_pays(vehicle.preferences, vehicle.currency, reward, Decimal(needed))
