"""What a quote refuses to compute, said before any work is done."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from .request import QuoteRequest

MAX_ENERGY_WH = 10_000_000
MAX_POWER_W = 10_000_000
MAX_PRICE = Decimal(1_000_000)
MAX_HORIZON = timedelta(days=366)
MAX_BUFFER_S = 86_400
MAX_MINOR = 10**12
MAX_TARIFF_ENTRIES = 40_000
MAX_ENTRIES = 1_000
MAX_SHARES = 4


class QuoteRequestError(ValueError):
    """A request that is malformed, contradicts itself or is beyond any real car.

    `code` is one of malformed | unknown_field | missing_field | wrong_type | out_of_range |
    contradiction; `pointer` is the JSON pointer of the field; `limit` says what would pass.
    """

    def __init__(self, code: str, pointer: str, detail: str, limit: str) -> None:
        super().__init__(f"{pointer or '/'}: {detail}")
        self.code = code
        self.pointer = pointer
        self.detail = detail
        self.limit = limit

    def within(self, name: str) -> QuoteRequestError:
        """Return the same error seen from one level further out."""
        step = name.replace("~", "~0").replace("/", "~1")
        return QuoteRequestError(self.code, f"/{step}{self.pointer}", self.detail, self.limit)


def check(request: QuoteRequest) -> None:
    """Raise QuoteRequestError unless `request` describes a possible car, tariff and offer."""
    _check_vehicle(request)
    _check_preferences(request)
    _check_times(request)
    _check_offer(request)
    _check_promises(request)
    _at_most(request.budget_left_wh, MAX_ENERGY_WH, "/budget_left_wh")
    _check_price(request.later_refill_price_per_kwh, "/later_refill_price_per_kwh")


def _refuse(pointer: str, detail: str, limit: str, code: str = "out_of_range") -> None:
    raise QuoteRequestError(code, pointer, detail, limit)


def _at_most(value: int | None, most: int, pointer: str, least: int = 0) -> None:
    if value is not None and not least <= value <= most:
        _refuse(pointer, f"is {value}", f"{least}..{most}")


def _check_percent(value: Decimal, pointer: str) -> None:
    if not 0 <= value <= 100:
        _refuse(pointer, f"is {value}", "0..100")


def _check_price(value: Decimal | None, pointer: str, least: Decimal = -MAX_PRICE) -> None:
    if value is not None and not least <= value <= MAX_PRICE:
        _refuse(pointer, f"is {value}", f"{least}..{MAX_PRICE}")


def _check_vehicle(request: QuoteRequest) -> None:
    vehicle = request.vehicle
    _at_most(vehicle.usable_capacity_wh, MAX_ENERGY_WH, "/vehicle/usable_capacity_wh", least=1)
    _at_most(vehicle.max_charge_w, MAX_POWER_W, "/vehicle/max_charge_w")
    _at_most(vehicle.max_discharge_w, MAX_POWER_W, "/vehicle/max_discharge_w")
    _at_most(vehicle.warranty_left_wh, 10**12, "/vehicle/warranty_left_wh")
    _check_percent(vehicle.soc_pct, "/vehicle/soc_pct")
    for value, pointer in (
        (vehicle.charge_efficiency, "/vehicle/charge_efficiency"),
        (vehicle.discharge_efficiency, "/vehicle/discharge_efficiency"),
    ):
        if not Decimal("0.1") <= value <= 1:
            _refuse(pointer, f"is {value}", "0.1..1")


def _check_preferences(request: QuoteRequest) -> None:
    wishes = request.preferences
    _check_percent(wishes.soc_floor_pct, "/preferences/soc_floor_pct")
    _check_percent(wishes.soc_ceiling_pct, "/preferences/soc_ceiling_pct")
    _check_percent(wishes.soc_min_departure_pct, "/preferences/soc_min_departure_pct")
    if wishes.soc_floor_pct > wishes.soc_ceiling_pct:
        _refuse(
            "/preferences/soc_floor_pct",
            f"the floor {wishes.soc_floor_pct} lies above the ceiling {wishes.soc_ceiling_pct}",
            f"0..{wishes.soc_ceiling_pct}",
            "contradiction",
        )
    zero = Decimal(0)
    _check_price(wishes.degradation_cost_per_kwh, "/preferences/degradation_cost_per_kwh", zero)
    _check_price(wishes.min_price_per_kwh, "/preferences/min_price_per_kwh", zero)


def _check_times(request: QuoteRequest) -> None:
    now = request.now
    if request.departure_at <= now:
        _refuse("/departure_at", "is not after now", f"after {now.isoformat()}", "contradiction")
    if request.departure_at - now > MAX_HORIZON:
        latest = (now + MAX_HORIZON).isoformat()
        _refuse("/departure_at", "is more than a year away", f"at most {latest}")
    _at_most(request.departure_buffer_s, MAX_BUFFER_S, "/departure_buffer_s")
    tariff = request.tariff
    if not 1 <= len(tariff) <= MAX_TARIFF_ENTRIES:
        _refuse("/tariff", f"has {len(tariff)} entries", f"1..{MAX_TARIFF_ENTRIES} entries")
    if tariff[0].start_at > now:
        _refuse(
            "/tariff/0/start_at",
            "the tariff starts after now",
            f"at or before {now.isoformat()}",
            "contradiction",
        )
    for index, (entry, later) in enumerate(pairwise(tariff)):
        if later.start_at <= entry.start_at:
            limit = f"after {entry.start_at.isoformat()}"
            _refuse(f"/tariff/{index + 1}/start_at", "is out of order", limit, "contradiction")
    for index, entry in enumerate(tariff):
        if abs(entry.price_per_kwh) > MAX_PRICE:
            _check_price(entry.price_per_kwh, f"/tariff/{index}/price_per_kwh")


def _check_offer(request: QuoteRequest) -> None:
    offer = request.offer
    if offer.end_at <= offer.start_at:
        limit = f"after {offer.start_at.isoformat()}"
        _refuse("/offer/end_at", "is not after start_at", limit, "contradiction")
    _at_most(offer.requested_energy_wh, MAX_ENERGY_WH, "/offer/requested_energy_wh", least=1)
    _at_most(offer.min_energy_wh, offer.requested_energy_wh, "/offer/min_energy_wh")
    _at_most(offer.max_discharge_w, MAX_POWER_W, "/offer/max_discharge_w")
    _check_price(offer.price_per_kwh, "/offer/price_per_kwh", Decimal(0))
    _at_most(offer.fixed_minor, MAX_MINOR, "/offer/fixed_minor")
    _at_most(offer.cap_minor, MAX_MINOR, "/offer/cap_minor")
    for index, share in enumerate(offer.parts):
        pointer = f"/offer/parts/{index}"
        _check_price(share.price_per_kwh, f"{pointer}/price_per_kwh", Decimal(0))
        _at_most(share.fixed_minor, MAX_MINOR, f"{pointer}/fixed_minor")
        _at_most(share.cap_minor, MAX_MINOR, f"{pointer}/cap_minor")
    if offer.parts:
        total = sum((share.price_per_kwh for share in offer.parts), Decimal(0))
        if total != offer.price_per_kwh or offer.fixed_minor or offer.cap_minor is not None:
            limit = f"{total}, the sum of the parts, with fixed_minor and cap_minor in the parts"
            _refuse("/offer/price_per_kwh", "is not the parts' sum", limit, "contradiction")


def _check_promises(request: QuoteRequest) -> None:
    for name, entries in (
        ("charging", request.charging or ()),
        ("taper", request.taper),
        ("commitments", request.commitments),
    ):
        if len(entries) > MAX_ENTRIES:
            _refuse(f"/{name}", f"has {len(entries)} entries", f"at most {MAX_ENTRIES}")
    for index, promise in enumerate(request.charging or ()):
        pointer = f"/charging/{index}"
        if promise.end_at <= promise.start_at:
            limit = f"after {promise.start_at.isoformat()}"
            _refuse(f"{pointer}/end_at", "is not after start_at", limit, "contradiction")
        _at_most(promise.max_w, MAX_POWER_W, f"{pointer}/max_w")
        _check_price(promise.price_per_kwh, f"{pointer}/price_per_kwh")
    for index, step in enumerate(request.taper):
        pointer = f"/taper/{index}"
        _check_percent(step.from_soc_pct, f"{pointer}/from_soc_pct")
        _at_most(step.max_charge_w, MAX_POWER_W, f"{pointer}/max_charge_w", least=1)
        if index and (
            step.from_soc_pct <= request.taper[index - 1].from_soc_pct
            or step.max_charge_w > request.taper[index - 1].max_charge_w
        ):
            _refuse(
                pointer, "the taper does not fall", "rising SoC, falling power", "contradiction"
            )
    for index, taken in enumerate(request.commitments):
        pointer = f"/commitments/{index}"
        if taken.end_at <= taken.start_at:
            limit = f"after {taken.start_at.isoformat()}"
            _refuse(f"{pointer}/end_at", "is not after start_at", limit, "contradiction")
        _at_most(taken.energy_wh, MAX_ENERGY_WH, f"{pointer}/energy_wh")
        _at_most(taken.max_discharge_w, MAX_POWER_W, f"{pointer}/max_discharge_w")
