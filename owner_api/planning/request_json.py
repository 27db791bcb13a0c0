"""Read a `v2g.quote-request/1` object, refusing what is not one with the field's pointer."""

from .check import MAX_ENTRIES, MAX_SHARES, MAX_TARIFF_ENTRIES, check
from .request import (
    ChargingPromise,
    CommittedDischarge,
    Offer,
    Preferences,
    QuoteRequest,
    Share,
    TaperStep,
    TariffEntry,
    Vehicle,
)
from .request_fields import (
    Fields,
    currency,
    instant,
    integer,
    list_of,
    policy,
    price,
    ratio,
    read_object,
    record,
    rounded_down,
    rounded_up,
    schema_of,
)

SCHEMA = "v2g.quote-request/1"


def parse_request(message: object) -> QuoteRequest:
    """Return the request that `message` (decoded JSON) describes.

    Raises QuoteRequestError with the JSON pointer of the first field at fault.
    """
    fields = read_object(message, REQUIRED, OPTIONAL)
    del fields["schema"]
    request = QuoteRequest(**fields)
    check(request)
    return request


VEHICLE_READER = record(
    Vehicle,
    {
        "usable_capacity_wh": integer,
        "soc_pct": rounded_down,
        "max_charge_w": integer,
        "max_discharge_w": integer,
        "charge_efficiency": ratio,
        "discharge_efficiency": ratio,
    },
    {
        "pack_temperature_c": ratio,
        "warranty_discharge_policy": policy,
        "warranty_left_wh": integer,
    },
)
_PREFERENCES = record(
    Preferences,
    {
        "soc_floor_pct": rounded_up,
        "soc_ceiling_pct": rounded_down,
        "soc_min_departure_pct": rounded_up,
        "degradation_cost_per_kwh": price,
        "min_price_per_kwh": price,
    },
    {},
)
_SHARE = record(Share, {"price_per_kwh": price}, {"fixed_minor": integer, "cap_minor": integer})
_OFFER = record(
    Offer,
    {
        "start_at": instant,
        "end_at": instant,
        "requested_energy_wh": integer,
        "min_energy_wh": integer,
        "max_discharge_w": integer,
        "price_per_kwh": price,
        "currency": currency,
    },
    {"fixed_minor": integer, "cap_minor": integer, "parts": list_of(_SHARE, MAX_SHARES)},
)
TARIFF_ENTRY_READER = record(TariffEntry, {"start_at": instant, "price_per_kwh": price}, {})
CHARGING_READER = record(
    ChargingPromise,
    {"start_at": instant, "end_at": instant, "max_w": integer},
    {"price_per_kwh": price},
)
TAPER_READER = record(TaperStep, {"from_soc_pct": rounded_down, "max_charge_w": integer}, {})
COMMITMENT_READER = record(
    CommittedDischarge,
    {"start_at": instant, "end_at": instant, "energy_wh": integer, "max_discharge_w": integer},
    {},
)
REQUIRED: Fields = {
    "schema": schema_of(SCHEMA),
    "now": instant,
    "departure_at": instant,
    "vehicle": VEHICLE_READER,
    "preferences": _PREFERENCES,
    "tariff": list_of(TARIFF_ENTRY_READER, MAX_TARIFF_ENTRIES),
    "offer": _OFFER,
}
OPTIONAL: Fields = {
    "departure_buffer_s": integer,
    "later_refill_price_per_kwh": price,
    "charging": list_of(CHARGING_READER, MAX_ENTRIES),
    "taper": list_of(TAPER_READER, MAX_ENTRIES),
    "commitments": list_of(COMMITMENT_READER, MAX_ENTRIES),
    "budget_left_wh": integer,
    "currency": currency,
}
