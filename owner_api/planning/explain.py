"""From two courses through the horizon to lines a person can recompute with a pencil."""

from collections import defaultdict
from decimal import Decimal

from .answer import Breakdown, ChargeLine, CostLines, SupplyStep
from .evaluation import Evaluation
from .horizon import Course
from .money import PRECISE, minor_digits, minor_per_unit, rounded_minor
from .request import Offer, Share
from .scale import price_of

ENERGY_DIGITS = 9
LINE_DIGITS = Decimal("1e-9")
# Enough that the curve summed over a large battery stays within a millionth of a currency unit.
CURVE_PRICE_DIGITS = 10


def explain(
    evaluation: Evaluation, offered: Course, without: Course
) -> tuple[CostLines, Breakdown]:
    """Return the lines for the quoted energy: inputs, before rounding, and rounded.

    With K = J(x) - J0 - wear x: refill = charge efficiency x discharge efficiency x K, losses
    the rest of K (design §5). K is computed from the energies as published, so that anyone's
    decimals give the same digits. Each line is rounded half-even once; gross has one line for each
    payer's price and one for its fixed reward.
    """
    request, scale = evaluation.request, evaluation.pieces.scale
    offer, wishes, vehicle = request.offer, request.preferences, request.vehicle
    sold_wh = evaluation.quoted_energy_wh
    charge = _charge_lines(evaluation, offered, without)
    stored = [scale.stored_wh(course.stored[-1], ENERGY_DIGITS) for course in (offered, without)]
    refill_price = price_of(evaluation.pieces.refill)
    minor = Decimal(minor_per_unit(offer.currency))
    per_wh = PRECISE.divide(minor, Decimal(1000))

    bought = sum(
        (line.price_per_kwh * (line.with_offer_wh - line.without_offer_wh) for line in charge),
        Decimal(0),
    )
    kept = PRECISE.divide(refill_price * (stored[0] - stored[1]), vehicle.charge_efficiency)
    extra = PRECISE.multiply(PRECISE.subtract(bought, kept), per_wh)
    round_trip = PRECISE.multiply(vehicle.charge_efficiency, vehicle.discharge_efficiency)
    refill = PRECISE.multiply(round_trip, extra)

    fixed = sum(share.fixed_minor for share in offer.shares)
    pro_rata = bool(fixed) and sold_wh < offer.requested_energy_wh
    each = [_paid(share, offer, sold_wh, per_wh) for share in offer.shares]
    uncapped = sum((one for one, _, _ in each), Decimal(0))
    paid = sum((other for _, other, _ in each), Decimal(0))
    capped = offer.cap_minor is not None and paid < uncapped
    losses = PRECISE.subtract(extra, refill)
    wear = PRECISE.multiply(wishes.degradation_cost_per_kwh * sold_wh, per_wh)
    lines = CostLines(
        currency=offer.currency,
        minor_digits=minor_digits(offer.currency),
        energy_wh=sold_wh,
        requested_energy_wh=offer.requested_energy_wh if pro_rata else None,
        price_per_kwh=offer.price_per_kwh,
        fixed_minor=fixed or None,
        cap_minor=offer.cap_minor if capped else None,
        charge=charge,
        stored_with_offer_wh=stored[0],
        stored_without_offer_wh=stored[1],
        refill_price_per_kwh=refill_price,
        wear_per_kwh=wishes.degradation_cost_per_kwh,
        charge_efficiency=vehicle.charge_efficiency,
        discharge_efficiency=vehicle.discharge_efficiency,
        uncapped_exact_minor=_line(uncapped),
        gross_exact_minor=_line(paid),
        refill_exact_minor=_line(refill),
        losses_exact_minor=_line(losses),
        wear_exact_minor=_line(wear),
        parts=offer.parts,
    )
    return lines, Breakdown(
        # As it is settled: each payer pays whole minor units.
        gross_minor=sum(rounded for _, _, rounded in each),
        refill_minor=rounded_minor(refill),
        losses_minor=rounded_minor(losses),
        wear_minor=rounded_minor(wear),
    )


def _paid(
    share: Share, offer: Offer, sold_wh: int, per_wh: Decimal
) -> tuple[Decimal, Decimal, int]:
    """Return what one payer pays for an energy: before and after its cap, and in whole minor units.

    Price and fixed reward are two lines of a settlement, and each is rounded once.
    """
    fixed = Decimal(share.fixed_minor)
    if share.fixed_minor and sold_wh < offer.requested_energy_wh:
        fixed = PRECISE.divide(fixed * sold_wh, Decimal(offer.requested_energy_wh))
    priced = PRECISE.multiply(share.price_per_kwh * sold_wh, per_wh)
    paid, rounded = PRECISE.add(priced, fixed), rounded_minor(priced) + rounded_minor(fixed)
    if share.cap_minor is None:
        return paid, paid, rounded
    return paid, min(paid, Decimal(share.cap_minor)), min(rounded, share.cap_minor)


def supply_steps(evaluation: Evaluation) -> tuple[SupplyStep, ...]:
    """Return the supply curve on whole Wh: exact at each of them.

    A true edge rarely falls on a whole Wh; the Wh that holds it is a step of its own at its mean
    price, so that summing the steps up to any whole Wh gives J(x) - J(0).
    """
    curve = evaluation.supply
    if curve is None:
        return ()
    scale = evaluation.pieces.scale
    unit, most = scale.per_sold_wh, evaluation.max_energy_wh
    ends = {most}
    for edge in curve.edges[:-1]:
        whole, rest = divmod(edge, unit)
        ends.update((whole, whole + 1) if rest else (whole,))
    whole_wh = sorted(end for end in ends if 0 < end <= most)
    wear = evaluation.request.preferences.degradation_cost_per_kwh
    steps: list[SupplyStep] = []
    done, paid = 0, curve.base
    for end in whole_wh:
        cost = curve.cost(end * unit)
        marginal = scale.sold_price_up(cost - paid, end - done, wear, CURVE_PRICE_DIGITS)
        if steps and steps[-1].marginal_price_per_kwh == marginal:
            steps.pop()
        steps.append(SupplyStep(energy_wh=end, marginal_price_per_kwh=marginal))
        done, paid = end, cost
    return tuple(steps)


def _charge_lines(
    evaluation: Evaluation, offered: Course, without: Course
) -> tuple[ChargeLine, ...]:
    scale = evaluation.pieces.scale
    totals: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for price, with_offer, alone in zip(
        evaluation.pieces.price, offered.charged, without.charged, strict=True
    ):
        if with_offer or alone:
            total = totals[price]
            total[0] += with_offer
            total[1] += alone
    return tuple(
        ChargeLine(
            price_per_kwh=price_of(price),
            with_offer_wh=scale.charged_wh(with_offer, ENERGY_DIGITS),
            without_offer_wh=scale.charged_wh(alone, ENERGY_DIGITS),
        )
        for price, (with_offer, alone) in sorted(totals.items())
    )


def _line(amount: Decimal) -> Decimal:
    return amount.quantize(LINE_DIGITS, context=PRECISE)
