"""Read a `v2g.quote-request/1` object, refusing what is not one with the field's pointer."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation
import math
import re
from typing import Any, NoReturn

from .check import MAX_ENTRIES, MAX_TARIFF_ENTRIES, QuoteRequestError, check
from .request import (
    ChargingPromise,
    CommittedDischarge,
    Offer,
    Preferences,
    QuoteRequest,
    TaperStep,
    TariffEntry,
    Vehicle,
)
from .scale import PRICE_DIGITS

SCHEMA = "v2g.quote-request/1"
PRICE_PATTERN = re.compile(rf"-?[0-9]{{1,9}}(\.[0-9]{{1,{PRICE_DIGITS}}})?")
# Finer than any meter; it keeps the integers of the exact computation short.
FINEST_NUMBER = Decimal("1e-12")
POLICIES = ("unknown", "allowed", "capped", "prohibited")

type Reader = Callable[[object], Any]
type Fields = Mapping[str, Reader]


def parse_request(message: object) -> QuoteRequest:
    """Return the request that `message` (decoded JSON) describes.

    Raises QuoteRequestError with the JSON pointer of the first field at fault.
    """
    fields = _object(message, REQUIRED, OPTIONAL)
    del fields["schema"]
    request = QuoteRequest(**fields)
    check(request)
    return request


def _fail(code: str, detail: str, limit: str) -> NoReturn:
    # Whoever called the reader puts the name in front: pointers cost nothing on good input.
    raise QuoteRequestError(code, "", detail, limit)


def _object(value: object, required: Fields, optional: Fields) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        _fail("wrong_type", "is not an object", "a JSON object")
    fields = {}
    name = ""
    try:
        for name, reader in required.items():
            if name not in value:
                _fail("missing_field", "is missing", "a value")
            fields[name] = reader(value[name])
        if len(fields) == len(value):
            return fields
        for name, item in value.items():
            if name in required:
                continue
            if name not in optional:
                known = ", ".join(sorted({*required, *optional}))
                _fail("unknown_field", "is not known here", f"one of {known}")
            if item is not None:
                fields[name] = optional[name](item)
    except QuoteRequestError as error:
        raise error.within(name) from None
    return fields


def _list_of(reader: Reader, most: int) -> Reader:
    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            _fail("wrong_type", "is not a list", "a JSON array")
        if len(value) > most:
            _fail("out_of_range", f"has {len(value)} entries", f"at most {most} entries")
        items = []
        try:
            for item in value:
                items.append(reader(item))  # noqa: PERF401 - the index of a failure is needed
        except QuoteRequestError as error:
            raise error.within(str(len(items))) from None
        return tuple(items)

    return read


def _schema(value: object) -> str:
    if value != SCHEMA:
        _fail("out_of_range", f"is {value!r:.40}", SCHEMA)
    return SCHEMA


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        _fail("wrong_type", "is not a whole number", "an integer")
    return value


def _number(value: object, rounding: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        _fail("wrong_type", "is not a number", "a number")
    if isinstance(value, float) and not math.isfinite(value):
        _fail("out_of_range", f"is {value}", "a finite number")
    if isinstance(value, int) and abs(value) > 10**9:
        _fail("out_of_range", "is too large", "a percentage or a ratio")
    number = _decimal(str(value))
    if number.adjusted() > 9:
        _fail("out_of_range", f"is {value}", "a percentage or a ratio")
    if number != number.quantize(FINEST_NUMBER, rounding):
        return number.quantize(FINEST_NUMBER, rounding)
    return number


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text) if len(text) <= 40 else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        _fail("wrong_type", f"is {text!r:.50}", "a decimal number")
    return number


def _ratio(value: object) -> Decimal:
    return _number(value, ROUND_HALF_EVEN)


def _rounded_down(value: object) -> Decimal:
    return _number(value, ROUND_FLOOR)


def _rounded_up(value: object) -> Decimal:
    return _number(value, ROUND_CEILING)


def _price(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        _fail("wrong_type", "is not a string", 'a decimal string such as "0.6600"')
    if not PRICE_PATTERN.fullmatch(value):
        limit = f"digits, a point and at most {PRICE_DIGITS} decimals"
        _fail("out_of_range", f"is {value!r:.40}", limit)
    return Decimal(value)


def _time(value: object) -> datetime:
    limit = "RFC 3339 with an offset, such as 2026-12-01T05:30:00Z"
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value) if len(value) >= 20 else None
        except ValueError:
            moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        _fail("wrong_type", f"is {value!r:.40}", limit)
    if not 1970 < moment.year < 9000:
        _fail("out_of_range", f"is {value!r:.40}", "a year from 1971 to 8999")
    return moment


def _currency(value: object) -> str:
    if not isinstance(value, str) or len(value) != 3 or not (value.isascii() and value.isupper()):
        _fail("wrong_type", f"is {value!r:.40}", "three capital letters (ISO 4217)")
    return value


def _policy(value: object) -> str:
    if not isinstance(value, str) or value not in POLICIES:
        _fail("out_of_range", f"is {value!r:.40}", " | ".join(POLICIES))
    return value


def _record(kind: Callable[..., Any], required: Fields, optional: Fields) -> Reader:
    def read(value: object) -> Any:  # noqa: ANN401 - the kind decides
        return kind(**_object(value, required, optional))

    return read


_VEHICLE = _record(
    Vehicle,
    {
        "usable_capacity_wh": _integer,
        "soc_pct": _rounded_down,
        "max_charge_w": _integer,
        "max_discharge_w": _integer,
        "charge_efficiency": _ratio,
        "discharge_efficiency": _ratio,
    },
    {
        "pack_temperature_c": _ratio,
        "warranty_discharge_policy": _policy,
        "warranty_left_wh": _integer,
    },
)
_PREFERENCES = _record(
    Preferences,
    {
        "soc_floor_pct": _rounded_up,
        "soc_ceiling_pct": _rounded_down,
        "soc_min_departure_pct": _rounded_up,
        "degradation_cost_per_kwh": _price,
        "min_price_per_kwh": _price,
    },
    {},
)
_OFFER = _record(
    Offer,
    {
        "start_at": _time,
        "end_at": _time,
        "requested_energy_wh": _integer,
        "min_energy_wh": _integer,
        "max_discharge_w": _integer,
        "price_per_kwh": _price,
        "currency": _currency,
    },
    {"fixed_minor": _integer, "cap_minor": _integer},
)
_TARIFF_ENTRY = _record(TariffEntry, {"start_at": _time, "price_per_kwh": _price}, {})
_CHARGING = _record(
    ChargingPromise,
    {"start_at": _time, "end_at": _time, "max_w": _integer},
    {"price_per_kwh": _price},
)
_TAPER = _record(TaperStep, {"from_soc_pct": _rounded_down, "max_charge_w": _integer}, {})
_COMMITMENT = _record(
    CommittedDischarge,
    {"start_at": _time, "end_at": _time, "energy_wh": _integer, "max_discharge_w": _integer},
    {},
)
REQUIRED: Fields = {
    "schema": _schema,
    "now": _time,
    "departure_at": _time,
    "vehicle": _VEHICLE,
    "preferences": _PREFERENCES,
    "tariff": _list_of(_TARIFF_ENTRY, MAX_TARIFF_ENTRIES),
    "offer": _OFFER,
}
OPTIONAL: Fields = {
    "departure_buffer_s": _integer,
    "later_refill_price_per_kwh": _price,
    "charging": _list_of(_CHARGING, MAX_ENTRIES),
    "taper": _list_of(_TAPER, MAX_ENTRIES),
    "commitments": _list_of(_COMMITMENT, MAX_ENTRIES),
    "budget_left_wh": _integer,
    "currency": _currency,
}
