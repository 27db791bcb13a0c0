"""What a person asked for, or declined: no rule and no automation sells for less than that."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from owner_api.core.machine import OfferState
from owner_api.core.model import CounterTerms, Recharge, RewardPart, Terms
from owner_api.core.money import minor_digits
from owner_api.store.documents import dump, load
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .records import OfferRecord, Row
from .reward_parts import at_price

# By these a decision is a person's own.
_BY_PERSON: Final = frozenset({"tap", "voice"})

# Why no rule answers, as the offer says it.
ASKED_FOR_MORE: Final = "person_asked_for_more"
DECLINED: Final = "person_declined"

_SPOKEN: Final = (
    "SELECT * FROM offer WHERE offer_id = ?1 AND person_asked IS NOT NULL"
    " UNION ALL SELECT * FROM offer WHERE vehicle_id = ?2 AND person_asked IS NOT NULL"
    " AND asked_until > ?4 AND asked_from < ?3 AND offer_id != ?1"
)


def columns(
    tx: Tx, offer: OfferRecord, kind: str, method: str, counter: CounterTerms | None
) -> dict[str, object]:
    """Return what is kept beside an offer of a person's counter or no; of any other answer nothing.

    Both windows are spoken of, the one that was offered and the one that was asked for. A no leaves
    what was asked for before it as it is.
    """
    if method not in _BY_PERSON or kind == "accept":
        return {}
    terms = offer.terms
    if counter is not None:
        asked = countered(terms, counter)
        return {
            "person_asked": dump(asked),
            "asked_from": min(terms.start_at, asked.start_at),
            "asked_until": max(terms.end_at, asked.end_at),
        }
    row = tx.by_key("offer", offer.offer_id)
    assert row is not None
    if row["person_asked"] is None:
        # A no is said often, and has no time to write its terms anew.
        return {
            "person_asked": row["terms"],
            "asked_from": terms.start_at,
            "asked_until": terms.end_at,
        }
    return {
        "asked_from": min(terms.start_at, decode(row["asked_from"])),
        "asked_until": max(terms.end_at, decode(row["asked_until"])),
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


class Spoken(NamedTuple):
    """What a person said to an offer: the terms they asked for, and the offer if they declined."""

    asked: Terms
    declined: OfferRecord | None


def spoken(tx: Tx, vehicle_id: str, offer_id: str, terms: Terms) -> list[Spoken]:
    """Return what a person has said of the time that terms speak of.

    Said to that offer, whatever its window has become since, or to another one of the car for the
    same time: one may be withdrawn, or end, and be sent anew.
    """
    rows = tx.all(_SPOKEN, offer_id, vehicle_id, terms.end_at, terms.start_at)
    return [_spoken(row) for row in rows]


def _spoken(row: Row) -> Spoken:
    offer = OfferRecord.from_row(row)
    made = offer.decision if offer.state is OfferState.DECLINED else None
    by_person = made is not None and made.method in _BY_PERSON
    return Spoken(load(Terms, row["person_asked"]), offer if by_person else None)


def objection(words: Iterable[Spoken], terms: Terms, energy_wh: int | None = None) -> str | None:
    """Return why terms are not enough for what a person said, or None where they are.

    What was asked for is enough; what was declined is not, nor a part of it, until more is paid.
    ``energy_wh`` is what would be sold, by default all that is requested.
    """
    sold_wh = terms.requested_energy_wh if energy_wh is None else energy_wh
    for asked, declined in words:
        if not _holds(terms, sold_wh, asked):
            only_no = declined is not None and declined.terms == asked
            return DECLINED if only_no else ASKED_FOR_MORE
        if declined is not None and not _pays_more(terms, declined.terms, sold_wh):
            return DECLINED
    return None


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


def _pays_more(terms: Terms, declined: Terms, sold_wh: int) -> bool:
    """Return whether any kind of pay that was declined is more for the same energy."""
    given, refused = (_pay(each, sold_wh) for each in (terms, declined))
    return any(given.get(kind, -1) > amount for kind, amount in refused.items())


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
