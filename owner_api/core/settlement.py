"""What was delivered and what it is worth: UFTP's clamp, one rounding per line, no penalty."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from .model import RewardPart
from .money import minor_digits


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """Energies of one deal in Wh at the charger's AC meter, all non-negative."""

    baseline_wh: int
    ordered_wh: int
    actual_wh: int
    delivered_wh: int
    deficiency_wh: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """Money of one deal in minor units; ``net_minor`` is what the park owes."""

    gross_minor: int
    fixed_minor: int
    penalty_minor: int
    net_minor: int


def measure(*, ordered_wh: int, begin_register_wh: int, end_register_wh: int) -> Delivery:
    """Return the delivery between two readings of the export register.

    ``delivered = min(ordered, actual)``, never negative: more than ordered is not paid, and a
    register that ran backwards counts as nothing delivered. The baseline is zero export.
    """
    actual = max(0, end_register_wh - begin_register_wh)
    delivered = min(ordered_wh, actual)
    return Delivery(
        baseline_wh=0,
        ordered_wh=ordered_wh,
        actual_wh=actual,
        delivered_wh=delivered,
        deficiency_wh=ordered_wh - delivered,
    )


def claimed(*, ordered_wh: int, actual_wh: int, delivered_wh: int) -> Delivery:
    """Return a delivery as somebody says it was, beside what the meter said (``actual_wh``)."""
    return Delivery(
        baseline_wh=0,
        ordered_wh=ordered_wh,
        actual_wh=actual_wh,
        delivered_wh=delivered_wh,
        deficiency_wh=ordered_wh - delivered_wh,
    )


def price(
    delivery: Delivery,
    *,
    price_per_kwh: Decimal,
    requested_wh: int,
    fixed_minor: int,
    cap_minor: int | None,
    minor_digits: int,
) -> Amounts:
    """Return the money for a delivery; each line is rounded half-even once.

    A fixed reward counts pro rata below the request; a cap bounds the sum. What was delivered is
    paid whatever ended the deal (promise 4), so there is no penalty.
    """
    delivered = Decimal(delivery.delivered_wh)
    gross = round_half_even((delivered * price_per_kwh / 1000).scaleb(minor_digits))
    # Multiplied first: a share that does not terminate would be rounded twice.
    counted = min(delivery.delivered_wh, requested_wh)
    fixed = round_half_even(Decimal(fixed_minor * counted) / requested_wh)
    total = gross + fixed if cap_minor is None else min(cap_minor, gross + fixed)
    return Amounts(gross_minor=gross, fixed_minor=fixed, penalty_minor=0, net_minor=total)


def priced(delivery: Delivery, part: RewardPart, requested_wh: int) -> Amounts:
    """Return what one payer owes for a delivery (minor units of the part's currency)."""
    return price(
        delivery,
        price_per_kwh=Decimal(part.price_per_kwh),
        requested_wh=requested_wh,
        fixed_minor=part.fixed_minor,
        cap_minor=part.cap_minor,
        minor_digits=minor_digits(part.currency),
    )


def total(amounts: Iterable[Amounts]) -> Amounts:
    """Return what several payers owe together, line by line."""
    found = tuple(amounts)
    return Amounts(
        gross_minor=sum(each.gross_minor for each in found),
        fixed_minor=sum(each.fixed_minor for each in found),
        penalty_minor=sum(each.penalty_minor for each in found),
        net_minor=sum(each.net_minor for each in found),
    )


def round_half_even(amount: Decimal) -> int:
    """Return the nearest integer; a tie goes to the even one."""
    return int(amount.to_integral_value(rounding=ROUND_HALF_EVEN))
