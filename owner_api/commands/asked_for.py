"""What a person asked for in a counter: no rule and no automation sells for less than that."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

from owner_api.core.model import CounterTerms, Recharge, RewardPart, Terms
from owner_api.core.money import minor_digits
from owner_api.store.documents import dump, load
from owner_api.store.tx import Tx

from .records import OfferRecord
from .reward_parts import at_price

# By these a decision is a person's own.
_BY_PERSON: Final = frozenset({"tap", "voice"})


def columns(offer: OfferRecord, counter: CounterTerms | None, method: str) -> dict[str, object]:
    """Return what is kept beside an offer of a person's counter; of any other answer nothing.

    Both windows are spoken of, the one that was offered and the one that was asked for.
    """
    if counter is None or method not in _BY_PERSON:
        return {}
    terms = countered(offer.terms, counter)
    return {
        "person_asked": dump(terms),
        "asked_from": min(offer.terms.start_at, terms.start_at),
        "asked_until": max(offer.terms.end_at, terms.end_at),
    }


def countered(terms: Terms, counter: CounterTerms) -> Terms:
    """Return the terms of an offer as a counter wants them."""
    if counter.energy_wh is not None:
        terms = replace(terms, requested_energy_wh=counter.energy_wh)
    if counter.price_per_kwh is not None:
        terms = replace(terms, reward=at_price(terms.reward, counter.price_per_kwh))
    if counter.start_at is not None:
        terms = moved(terms, counter.start_at)
    return terms


def moved(terms: Terms, start_at: datetime) -> Terms:
    """Return terms whose whole window begins at another time."""
    return replace(terms, start_at=start_at, end_at=start_at + (terms.end_at - terms.start_at))


def is_undercut(
    tx: Tx, vehicle_id: str, offer_id: str, terms: Terms, energy_wh: int | None = None
) -> bool:
    """Return whether terms are worse for the owner than what a person asked of a park.

    Asked with that offer, whatever its window has become since, or with another one of the car
    that speaks of the same time: one may be withdrawn, or end, and be sent anew. ``energy_wh`` is
    what would be sold, by default all that is requested.
    """
    rows = tx.all(
        "SELECT person_asked FROM offer WHERE vehicle_id = ? AND person_asked IS NOT NULL"
        " AND (offer_id = ? OR (asked_from < ? AND asked_until > ?))",
        vehicle_id,
        offer_id,
        terms.end_at,
        terms.start_at,
    )
    sold_wh = terms.requested_energy_wh if energy_wh is None else energy_wh
    return not all(_holds(terms, sold_wh, load(Terms, row["person_asked"])) for row in rows)


def _holds(terms: Terms, sold_wh: int, asked: Terms) -> bool:
    """Return whether terms are in nothing worse than those that were asked for.

    Less energy is a part of it, and a shorter window inside it too. What is paid in another kind or
    currency only a person can weigh.
    """
    window = asked.start_at <= terms.start_at and terms.end_at <= asked.end_at
    return (
        window
        and sold_wh <= asked.requested_energy_wh
        and terms.lease_s <= asked.lease_s
        and terms.dispute_window_s >= asked.dispute_window_s
        and _recharges(terms.recharge, asked.recharge)
        and _pays(terms, asked, sold_wh)
    )


def _recharges(given: Recharge | None, asked: Recharge | None) -> bool:
    """Return whether as much is put back, as early and as cheaply."""
    if asked is None or not asked.guaranteed:
        return True
    return (
        given is not None
        and given.guaranteed
        and given.energy_wh >= asked.energy_wh
        and given.by <= asked.by
        and given.price_per_kwh <= asked.price_per_kwh
    )


def _pays(terms: Terms, asked: Terms, sold_wh: int) -> bool:
    """Return whether each kind of pay is as much, to the last fraction, for what would be sold."""
    given, wanted = (_pay(each, sold_wh) for each in (terms, asked))
    return all(given.get(kind, -1) >= amount for kind, amount in wanted.items())


def _pay(terms: Terms, sold_wh: int) -> dict[tuple[str, str], Fraction]:
    """Return what is paid for energy by kind and currency (minor units, not rounded)."""
    paid: dict[tuple[str, str], Fraction] = {}
    for part in terms.reward.shares:
        kind = part.kind, part.currency
        paid[kind] = paid.get(kind, Fraction(0)) + _of_part(part, terms, sold_wh)
    return paid


def _of_part(part: RewardPart, terms: Terms, sold_wh: int) -> Fraction:
    price = Decimal(part.price_per_kwh).scaleb(minor_digits(part.currency))
    share = Fraction(min(sold_wh, terms.requested_energy_wh), terms.requested_energy_wh)
    paid = Fraction(price) * sold_wh / 1000 + part.fixed_minor * share
    return paid if part.cap_minor is None else min(paid, Fraction(part.cap_minor))
