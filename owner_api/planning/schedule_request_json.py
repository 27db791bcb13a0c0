"""Read a `v2g.schedule-request/1` object: the quote's own words, without an offer."""

from dataclasses import dataclass
from decimal import Decimal

from .check import MAX_ENTRIES, MAX_TARIFF_ENTRIES
from .request_fields import (
    Fields,
    instant,
    integer,
    list_of,
    price,
    ratio,
    read_object,
    record,
    rounded_down,
    rounded_up,
    schema_of,
)
from .request_json import (
    CHARGING_READER,
    COMMITMENT_READER,
    TAPER_READER,
    TARIFF_ENTRY_READER,
    VEHICLE_READER,
)
from .schedule import ScheduleRequest

SCHEMA = "v2g.schedule-request/1"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wishes:
    """What the owner asked for, in percent."""

    soc_floor_pct: Decimal
    soc_ceiling_pct: Decimal
    soc_min_departure_pct: Decimal
    soc_target_departure_pct: Decimal = Decimal(0)


def parse_schedule_request(message: object) -> ScheduleRequest:
    """Return the request that `message` (decoded JSON) describes.

    Raises QuoteRequestError with the JSON pointer of the first field at fault.
    """
    fields = read_object(message, REQUIRED, OPTIONAL)
    del fields["schema"]
    wishes = fields.pop("preferences")
    return ScheduleRequest(
        soc_floor_pct=wishes.soc_floor_pct,
        soc_ceiling_pct=wishes.soc_ceiling_pct,
        soc_min_departure_pct=wishes.soc_min_departure_pct,
        soc_target_departure_pct=wishes.soc_target_departure_pct,
        **fields,
    )


_WISHES = record(
    _Wishes,
    {
        "soc_floor_pct": rounded_up,
        "soc_ceiling_pct": rounded_down,
        "soc_min_departure_pct": rounded_up,
    },
    {"soc_target_departure_pct": ratio},
)
REQUIRED: Fields = {
    "schema": schema_of(SCHEMA),
    "now": instant,
    "departure_at": instant,
    "vehicle": VEHICLE_READER,
    "preferences": _WISHES,
    "tariff": list_of(TARIFF_ENTRY_READER, MAX_TARIFF_ENTRIES),
}
OPTIONAL: Fields = {
    "departure_buffer_s": integer,
    "later_refill_price_per_kwh": price,
    "charging": list_of(CHARGING_READER, MAX_ENTRIES),
    "taper": list_of(TAPER_READER, MAX_ENTRIES),
    "commitments": list_of(COMMITMENT_READER, MAX_ENTRIES),
    "min_power_w": integer,
    "min_block_s": integer,
    "hysteresis_pct": rounded_up,
    "reading_error_pct": rounded_up,
}
