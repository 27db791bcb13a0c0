"""The request of the issue, and small ways to change it."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from owner_api.planning.quote import answer_to_json, parse_request, quote

EXAMPLE: dict[str, Any] = {
    "schema": "v2g.quote-request/1",
    "now": "2026-12-01T05:30:00Z",
    "departure_at": "2026-12-01T10:00:00Z",
    "departure_buffer_s": 0,
    "vehicle": {
        "usable_capacity_wh": 60_000,
        "soc_pct": 60.0,
        "max_charge_w": 7_000,
        "max_discharge_w": 7_000,
        "charge_efficiency": 0.933,
        "discharge_efficiency": 0.933,
    },
    "preferences": {
        "soc_floor_pct": 20,
        "soc_ceiling_pct": 90,
        "soc_min_departure_pct": 50,
        "degradation_cost_per_kwh": "0.0600",
        "min_price_per_kwh": "0",
    },
    "tariff": [{"start_at": "2026-12-01T00:00:00Z", "price_per_kwh": "0.6600"}],
    "later_refill_price_per_kwh": "0.3200",
    "offer": {
        "start_at": "2026-12-01T06:00:00Z",
        "end_at": "2026-12-01T08:00:00Z",
        "requested_energy_wh": 8_000,
        "min_energy_wh": 0,
        "max_discharge_w": 7_000,
        "price_per_kwh": "1.2000",
        "currency": "CNY",
    },
}


def changed(request: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with the values at some JSON pointers replaced."""
    copy = deepcopy(dict(request))
    for pointer, value in changes.items():
        *path, name = pointer.strip("/").split("/")
        place: Any = copy
        for step in path:
            place = place[int(step)] if isinstance(place, list) else place[step]
        if isinstance(place, list):
            place[int(name)] = value
        else:
            place[name] = value
    return copy


def ask(request: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the answer to a request, its fields replaced: `offer__price_per_kwh="1"`."""
    pointers = {f"/{name.replace('__', '/')}": value for name, value in changes.items()}
    return answer_to_json(quote(parse_request(changed(request, pointers))))


def example(**changes: Any) -> dict[str, Any]:
    """Return the answer to the issue's request with some fields replaced."""
    return ask(EXAMPLE, **changes)
