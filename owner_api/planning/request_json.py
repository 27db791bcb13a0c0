"""Read a `v2g.quote-request/1` object, refusing what is not one with the field's pointer."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation
import math
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

SCHEMA = "v2g.quote-request/1"
MAX_PRICE_DECIMALS = 8
# Finer than any meter; it keeps the integers of the exact computation short.
FINEST_NUMBER = Decimal("1e-12")
POLICIES = ("unknown", "allowed", "capped", "prohibited")

type Reader = Callable[[object, str], Any]


def parse_request(message: Mapping[str, object]) -> QuoteRequest:
    """Return the request that `message` (decoded JSON) describes.

    Raises QuoteRequestError with the JSON pointer of the first field at fault.
    """
    fields = _object(
        message,
        "",
        {
            "schema": _schema,
            "now": _time,
            "departure_at": _time,
            "vehicle": _vehicle,
            "preferences": _preferences,
            "tariff": _list_of(_tariff_entry, MAX_TARIFF_ENTRIES),
            "offer": _offer,
        },
        {
            "departure_buffer_s": _integer,
            "later_refill_price_per_kwh": _price,
            "charging": _list_of(_charging, MAX_ENTRIES),
            "taper": _list_of(_taper, MAX_ENTRIES),
            "commitments": _list_of(_commitment, MAX_ENTRIES),
            "budget_left_wh": _integer,
            "currency": _currency,
        },
    )
    del fields["schema"]
    request = QuoteRequest(**fields)
    check(request)
    return request


def _fail(code: str, pointer: str, detail: str, limit: str) -> NoReturn:
    raise QuoteRequestError(code, pointer, detail, limit)


def _object(
    value: object, pointer: str, required: Mapping[str, Reader], optional: Mapping[str, Reader]
) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        _fail("wrong_type", pointer, "is not an object", "a JSON object")
    fields = {}
    for name, reader in required.items():
        if name not in value:
            _fail("missing_field", f"{pointer}/{name}", "is missing", "a value")
        fields[name] = reader(value[name], f"{pointer}/{name}")
    for name, item in value.items():
        if name in required:
            continue
        if name not in optional:
            known = ", ".join(sorted({*required, *optional}))
            _fail("unknown_field", f"{pointer}/{name}", "is not known here", f"one of {known}")
        if item is not None:
            fields[name] = optional[name](item, f"{pointer}/{name}")
    return fields


def _list_of(reader: Reader, most: int) -> Reader:
    def read(value: object, pointer: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            _fail("wrong_type", pointer, "is not a list", "a JSON array")
        if len(value) > most:
            _fail("out_of_range", pointer, f"has {len(value)} entries", f"at most {most} entries")
        return tuple(reader(item, f"{pointer}/{index}") for index, item in enumerate(value))

    return read


def _schema(value: object, pointer: str) -> str:
    if value != SCHEMA:
        _fail("out_of_range", pointer, f"is {value!r:.40}", SCHEMA)
    return SCHEMA


def _integer(value: object, pointer: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        _fail("wrong_type", pointer, "is not a whole number", "an integer")
    return value


def _number(value: object, pointer: str, rounding: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        _fail("wrong_type", pointer, "is not a number", "a number")
    if isinstance(value, float) and not math.isfinite(value):
        _fail("out_of_range", pointer, f"is {value}", "a finite number")
    if isinstance(value, int) and abs(value) > 10**9:
        _fail("out_of_range", pointer, "is too large", "a percentage or a ratio")
    number = _decimal(str(value), pointer)
    if abs(number) > 10**9:
        _fail("out_of_range", pointer, f"is {value}", "a percentage or a ratio")
    if number != number.quantize(FINEST_NUMBER, rounding):
        return number.quantize(FINEST_NUMBER, rounding)
    return number


def _decimal(text: str, pointer: str) -> Decimal:
    try:
        number = Decimal(text) if len(text) <= 40 else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        _fail("wrong_type", pointer, f"is {text!r:.50}", "a decimal number")
    return number


def _ratio(value: object, pointer: str) -> Decimal:
    return _number(value, pointer, ROUND_HALF_EVEN)


def _rounded_down(value: object, pointer: str) -> Decimal:
    return _number(value, pointer, ROUND_FLOOR)


def _rounded_up(value: object, pointer: str) -> Decimal:
    return _number(value, pointer, ROUND_CEILING)


def _price(value: object, pointer: str) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        _fail("wrong_type", pointer, "is not a string", 'a decimal string such as "0.6600"')
    number = _decimal(value, pointer)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -MAX_PRICE_DECIMALS or number.adjusted() > 9:
        limit = f"at most {MAX_PRICE_DECIMALS} decimals"
        _fail("out_of_range", pointer, f"is {value!r:.40}", limit)
    return number


def _time(value: object, pointer: str) -> datetime:
    limit = "RFC 3339 with an offset, such as 2026-12-01T05:30:00Z"
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value) if len(value) >= 20 else None
        except ValueError:
            moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        _fail("wrong_type", pointer, f"is {value!r:.40}", limit)
    if not 1970 < moment.year < 9000:
        _fail("out_of_range", pointer, f"is {value!r:.40}", "a year from 1971 to 8999")
    return moment


def _currency(value: object, pointer: str) -> str:
    if not isinstance(value, str) or len(value) != 3 or not (value.isascii() and value.isupper()):
        _fail("wrong_type", pointer, f"is {value!r:.40}", "three capital letters (ISO 4217)")
    return value


def _policy(value: object, pointer: str) -> str:
    if not isinstance(value, str) or value not in POLICIES:
        _fail("out_of_range", pointer, f"is {value!r:.40}", " | ".join(POLICIES))
    return value


def _vehicle(value: object, pointer: str) -> Vehicle:
    required = {
        "usable_capacity_wh": _integer,
        "soc_pct": _rounded_down,
        "max_charge_w": _integer,
        "max_discharge_w": _integer,
        "charge_efficiency": _ratio,
        "discharge_efficiency": _ratio,
    }
    optional = {
        "pack_temperature_c": _ratio,
        "warranty_discharge_policy": _policy,
        "warranty_left_wh": _integer,
    }
    return Vehicle(**_object(value, pointer, required, optional))


def _preferences(value: object, pointer: str) -> Preferences:
    required = {
        "soc_floor_pct": _rounded_up,
        "soc_ceiling_pct": _rounded_down,
        "soc_min_departure_pct": _rounded_up,
        "degradation_cost_per_kwh": _price,
        "min_price_per_kwh": _price,
    }
    return Preferences(**_object(value, pointer, required, {}))


def _offer(value: object, pointer: str) -> Offer:
    required = {
        "start_at": _time,
        "end_at": _time,
        "requested_energy_wh": _integer,
        "min_energy_wh": _integer,
        "max_discharge_w": _integer,
        "price_per_kwh": _price,
        "currency": _currency,
    }
    optional = {"fixed_minor": _integer, "cap_minor": _integer}
    return Offer(**_object(value, pointer, required, optional))


def _tariff_entry(value: object, pointer: str) -> TariffEntry:
    required = {"start_at": _time, "price_per_kwh": _price}
    return TariffEntry(**_object(value, pointer, required, {}))


def _charging(value: object, pointer: str) -> ChargingPromise:
    required = {"start_at": _time, "end_at": _time, "max_w": _integer}
    return ChargingPromise(**_object(value, pointer, required, {"price_per_kwh": _price}))


def _taper(value: object, pointer: str) -> TaperStep:
    required = {"from_soc_pct": _rounded_down, "max_charge_w": _integer}
    return TaperStep(**_object(value, pointer, required, {}))


def _commitment(value: object, pointer: str) -> CommittedDischarge:
    required = {
        "start_at": _time,
        "end_at": _time,
        "energy_wh": _integer,
        "max_discharge_w": _integer,
    }
    return CommittedDischarge(**_object(value, pointer, required, {}))
