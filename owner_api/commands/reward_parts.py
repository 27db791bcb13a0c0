"""What of a reward is money for the owner: cash, and in kind only at a rate the owner set."""

from dataclasses import replace
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any, Final

from owner_api.core.canonical import decimal_text, field_names
from owner_api.core.model import Preferences, RewardPart, RewardTerms
from owner_api.core.money import minor_digits, money, own_unit
from owner_api.planning.request import Share
from owner_api.planning.request_fields import price
from owner_api.problems import FieldError, Problem, ProblemCode

# As fine as a price may be; what is finer than that is not counted.
_FINEST: Final = Decimal("0.000001")
# No offer's price is higher.
_HIGHEST: Final = Decimal(100_000)
# What may be counted in money; a charging credit in money is booked apart from cash.
_IN_MONEY: Final = frozenset({"cash", "charging_credit"})


def check_parts(reward: RewardTerms) -> None:
    """Refuse parts that the reward's own figures are not the sum of."""
    if reward.parts is None:
        return
    head = reward.head
    total = sum((Decimal(part.price_per_kwh) for part in head), Decimal(0))
    alone = (reward.fixed_minor, reward.cap_minor, reward.payer) == (0, None, None)
    checks = (
        (bool(head), "kind", "the kind and currency of at least one part"),
        (
            total == Decimal(reward.price_per_kwh),
            "price_per_kwh",
            f"{decimal_text(total)}, the sum of the parts of this kind and currency",
        ),
        (alone, "parts", "with parts, fixed_minor, cap_minor and payer stand in the parts"),
    )
    for holds, name, limit in checks:
        if not holds:
            error = FieldError(pointer=f"/terms/reward/{name}", code="range", limit=limit)
            raise Problem(ProblemCode.INVALID_BODY, f"reward.{name}: {limit}", errors=(error,))


def check_currencies(reward: RewardTerms) -> None:
    """Refuse cash in a unit of our own and, but for charging credit, what is in kind in money."""
    inside = reward.parts is not None
    for number, part in enumerate(reward.shares):
        pointer, limit = f"/parts/{number}" if inside else "", None
        if part.kind == "cash" and not money(part.currency):
            limit = "money: three letters of ISO 4217"
        elif part.kind not in _IN_MONEY and not own_unit(part.currency):
            limit = "a unit of our own, for what is no money: X and three to seven more"
        if limit is not None:
            error = FieldError(
                pointer=f"/terms/reward{pointer}/currency", code="format", limit=limit
            )
            raise Problem(ProblemCode.INVALID_BODY, f"reward.currency: {limit}", errors=(error,))


def counted(preferences: Preferences, currency: str, reward: RewardTerms) -> list[RewardPart]:
    """Return the parts that count toward the verdict, as money in the owner's currency."""
    found = []
    for part in reward.shares:
        rate = _rate(preferences, currency, part)
        if rate is not None:
            found.append(part if part.kind == "cash" else _as_money(part, rate, currency))
    return found


def _rate(preferences: Preferences, currency: str, of: RewardPart | RewardTerms) -> Decimal | None:
    """Return what one unit is worth in the owner's currency; None if it does not count."""
    if of.kind == "cash":
        return Decimal(1) if of.currency == currency else None
    rates = {rate.currency: Decimal(rate.price_per_unit) for rate in preferences.in_kind_rates}
    return rates.get(of.currency)


def _as_money(part: RewardPart, rate: Decimal, currency: str) -> RewardPart:
    """Return what an in-kind part is worth to the owner, rounded down (``rate`` is per unit)."""

    def minor(units: int) -> int:
        return int((units * rate).scaleb(minor_digits(currency)))

    per_kwh = (Decimal(part.price_per_kwh) * rate).quantize(_FINEST, ROUND_DOWN)
    return RewardPart(
        payer=part.payer,
        kind="cash",
        currency=currency,
        price_per_kwh=decimal_text(per_kwh),
        fixed_minor=minor(part.fixed_minor),
        cap_minor=None if part.cap_minor is None else minor(part.cap_minor),
    )


def counted_price(preferences: Preferences, currency: str, reward: RewardTerms) -> Decimal:
    """Return the price per kWh (currency units) of all that counts."""
    parts = counted(preferences, currency, reward)
    return sum((Decimal(part.price_per_kwh) for part in parts), Decimal(0))


def price_that_pays(
    preferences: Preferences, currency: str, reward: RewardTerms, needed: Decimal
) -> str | None:
    """Return the reward's own price at which all that counts is ``needed`` per kWh, rounded up.

    It is in the reward's own unit, beside what the other parts pay, and never less than offered.
    None if no such price is sure to be enough.
    """
    rate, head = _rate(preferences, currency, reward), reward.head
    missing = needed - counted_price(preferences, currency, reward)
    # Of several payers with caps nobody knows who would pay the difference.
    several = len(head) > 1
    if not rate or (several and any(part.cap_minor is not None for part in head)):
        return None
    if missing <= 0:
        return reward.price_per_kwh
    if several and reward.kind != "cash":
        # The worth of each payer's part is rounded down.
        missing += len(head) * _FINEST
    price = Decimal(reward.price_per_kwh) + (missing / rate).quantize(_FINEST, ROUND_UP)
    return decimal_text(price) if price <= _HIGHEST else None


def at_price(reward: RewardTerms, price_per_kwh: str) -> RewardTerms:
    """Return a reward of another price; of several payers of its kind the first pays the rest."""
    changed = replace(reward, price_per_kwh=price_per_kwh)
    if reward.parts is None:
        return changed
    first = reward.head[0]
    price = Decimal(first.price_per_kwh) + Decimal(price_per_kwh) - Decimal(reward.price_per_kwh)
    dearer = replace(first, price_per_kwh=decimal_text(price))
    return replace(changed, parts=tuple(dearer if each is first else each for each in reward.parts))


def planned(parts: list[RewardPart]) -> dict[str, Any]:
    """Return what the planner's offer says of the pay; one part is its own, several are listed."""
    shares = [
        Share(
            price_per_kwh=price(part.price_per_kwh),
            fixed_minor=part.fixed_minor,
            cap_minor=part.cap_minor,
        )
        for part in parts
    ]
    if len(shares) == 1:
        return {name: getattr(shares[0], name) for name in field_names(shares[0])}
    total = sum((share.price_per_kwh for share in shares), Decimal(0))
    return {"price_per_kwh": total, "parts": tuple(shares)}
