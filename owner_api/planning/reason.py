"""Why a request is not accepted: the one limit that binds, what it needs and what there is."""

from decimal import Decimal

from .answer import Reason
from .evaluation import COLDEST_PACK_C, HOTTEST_PACK_C, Evaluation, warranty_left_wh


def reason(evaluation: Evaluation) -> Reason:
    """Return the reason for anything but an accept."""
    if evaluation.block is not None:
        return _blocked(evaluation)
    if evaluation.supply is None:
        without = evaluation.cost_without is not None
        return (_window_in_the_way if without else _unreachable)(evaluation)
    return (_too_cheap if evaluation.fits == "all" else _too_much)(evaluation)


def _blocked(evaluation: Evaluation) -> Reason:
    request = evaluation.request
    if evaluation.block == "temperature":
        pack = request.vehicle.pack_temperature_c or Decimal(0)
        return Reason(
            code="temperature",
            limit="/vehicle/pack_temperature_c",
            needed=COLDEST_PACK_C if pack < COLDEST_PACK_C else HOTTEST_PACK_C,
            available=pack,
            unit="°C",
        )
    if evaluation.block == "warranty":
        return Reason(
            code="warranty",
            limit="/vehicle/warranty_discharge_policy",
            needed=request.offer.requested_energy_wh,
            available=0,
            unit="Wh",
        )
    # Amounts in two currencies cannot be compared; the code says which was expected.
    return Reason(
        code="currency",
        limit="/offer/currency",
        needed=0,
        available=0,
        unit=request.currency or "",
    )


def _percent(evaluation: Evaluation, stored: int) -> Decimal:
    capacity = evaluation.request.vehicle.usable_capacity_wh
    return evaluation.pieces.scale.percent_down(capacity, stored)


def _most_stored(evaluation: Evaluation, *, window_charges: bool) -> tuple[list[int], bool]:
    """Return the fullest course, and whether it keeps above every lower bound."""
    pieces = evaluation.pieces
    first, last = pieces.window_pieces()
    stored, holds = [pieces.start], True
    for index, charge in enumerate(pieces.charge):
        added = charge if window_charges or not first <= index < last else 0
        level = min(pieces.high, stored[-1] + added) - pieces.drain[index]
        holds = holds and level >= pieces.low[index + 1]
        stored.append(level)
    return stored, holds


def _unreachable(evaluation: Evaluation) -> Reason:
    """Explain why the car is in trouble even without the offer."""
    wishes = evaluation.request.preferences
    stored, holds = _most_stored(evaluation, window_charges=True)
    if not holds:
        return Reason(
            code="below_floor",
            limit="/preferences/soc_floor_pct",
            needed=wishes.soc_floor_pct,
            available=_percent(evaluation, min(stored)),
            unit="%",
        )
    return Reason(
        code="departure_unreachable",
        limit="/preferences/soc_min_departure_pct",
        needed=wishes.soc_min_departure_pct,
        available=_percent(evaluation, stored[-1]),
        unit="%",
    )


def _window_in_the_way(evaluation: Evaluation) -> Reason:
    """Explain why the window alone, selling nothing, breaks the plan."""
    pieces, wishes = evaluation.pieces, evaluation.request.preferences
    stored, holds = _most_stored(evaluation, window_charges=False)
    if not holds:
        return Reason(
            code="below_floor",
            limit="/preferences/soc_floor_pct",
            needed=wishes.soc_floor_pct,
            available=_percent(evaluation, stored[pieces.window_pieces()[0]]),
            unit="%",
        )
    return Reason(
        code="window_blocks_recharge",
        limit="/preferences/soc_min_departure_pct",
        needed=wishes.soc_min_departure_pct,
        available=_percent(evaluation, stored[-1]),
        unit="%",
    )


def _too_cheap(evaluation: Evaluation) -> Reason:
    offer, wishes = evaluation.request.offer, evaluation.request.preferences
    energy = offer.requested_energy_wh
    unit = f"{offer.currency}/kWh"
    if not evaluation.price_is_enough:
        return Reason(
            code="price",
            limit="/preferences/min_price_per_kwh",
            needed=wishes.min_price_per_kwh,
            available=offer.price_per_kwh,
            unit=unit,
        )
    return Reason(
        code="price",
        limit="/offer/price_per_kwh",
        needed=evaluation.price_for(evaluation.total_cost(energy), energy),
        available=-evaluation.price_for(-evaluation.gross(energy), energy),
        unit=unit,
    )


def _too_much(evaluation: Evaluation) -> Reason:
    """Say which limit keeps the request from fitting whole."""
    request, pieces = evaluation.request, evaluation.pieces
    needed, most = request.offer.requested_energy_wh, evaluation.max_energy_wh
    if 0 < most < request.offer.min_energy_wh:
        return Reason(
            code="min_energy",
            limit="/offer/min_energy_wh",
            needed=request.offer.min_energy_wh,
            available=most,
            unit="Wh",
        )
    if most == request.budget_left_wh:
        return Reason(
            code="budget", limit="/budget_left_wh", needed=needed, available=most, unit="Wh"
        )
    if most == warranty_left_wh(request):
        return Reason(
            code="warranty",
            limit="/vehicle/warranty_left_wh",
            needed=needed,
            available=most,
            unit="Wh",
        )
    first, last = pieces.window_pieces()
    powered = sum(pieces.sellable[first:last]) // pieces.scale.per_sold_wh
    if most == powered:
        return Reason(
            code="power",
            limit=_power_limit(evaluation),
            needed=needed,
            available=most,
            unit="Wh",
        )
    ahead, arriving = evaluation.ahead.costs[last], evaluation.arrive[first]
    if arriving is not None and arriving.right < pieces.floor:
        return Reason(
            code="below_floor",
            limit="/preferences/soc_floor_pct",
            needed=request.preferences.soc_floor_pct,
            available=_percent(evaluation, arriving.right),
            unit="%",
        )
    floor_binds = ahead is not None and ahead.left <= pieces.low[last]
    return Reason(
        code="energy",
        limit="/preferences/soc_floor_pct" if floor_binds else "/preferences/soc_min_departure_pct",
        needed=needed,
        available=most,
        unit="Wh",
    )


def _power_limit(evaluation: Evaluation) -> str:
    request, window = evaluation.request, evaluation.pieces.window
    if window[0] == window[1]:
        return "/departure_at" if request.offer.end_at > request.now else "/offer/end_at"
    if request.offer.max_discharge_w <= request.vehicle.max_discharge_w:
        return "/offer/max_discharge_w"
    return "/vehicle/max_discharge_w"
