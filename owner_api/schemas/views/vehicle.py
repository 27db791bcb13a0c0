"""What an owner reads of cars, chargers, agreements and sessions."""

from typing import Final

from probatio import Required

from owner_api.schemas.fields import (
    AnyJson,
    ListOf,
    Nullable,
    boolean,
    choice,
    integer,
    price,
    sha256_hex,
    text,
    typed_id,
)
from owner_api.schemas.owner import (
    PREFERENCES_PATCH,
    SOC_SOURCES,
    VEHICLE_FIELDS,
    WEEKDAYS,
)
from owner_api.schemas.terms import RECHARGE

from .shapes import AT, CODE, CURRENCY, MINOR, PCT, WH, required

PARK: Final = required({"park_id": typed_id("prk"), "display_name": text(0, 100)})
NEXT_DEPARTURE: Final = required(
    {
        "departure_at": AT,
        "source": choice("one_off", "calendar", "weekly", "forecast"),
        "soc_min_departure_pct": PCT,
        "summary": Nullable(text(0, 200)),
    }
)
VEHICLE: Final = required(
    {
        "vehicle_id": typed_id("veh"),
        "revision": integer(1, 10**9),
        "display_name": text(1, 100),
        **VEHICLE_FIELDS,
        "soc": Nullable(
            required(
                {
                    "soc_pct": PCT,
                    "measured_at": AT,
                    "source": Nullable(choice(*SOC_SOURCES)),
                }
            )
        ),
        "plugged_in": Nullable(boolean()),
        "power_w": Nullable(integer(-1_000_000, 1_000_000)),
        "charged_wh": WH,
        "discharged_wh": WH,
        "available_energy_wh": Nullable(WH),
        "status": choice(
            "unknown", "unplugged", "idle", "charging", "discharging", "scheduled", "blocked"
        ),
        "status_reason": Nullable(CODE),
        "next_departure": Nullable(NEXT_DEPARTURE),
        "session_id": Nullable(typed_id("ses")),
        "park_id": Nullable(typed_id("prk")),
        "v2g_wear_minor": MINOR,
        "wear_price_per_kwh": required(dict.fromkeys(("low", "default", "high"), price("0"))),
    }
)
PREFERENCES: Final = required(
    {
        "vehicle_id": typed_id("veh"),
        "revision": integer(1, 10**9),
        "unconfirmed_since": Nullable(AT),
        **{str(key): leaf for key, leaf in PREFERENCES_PATCH.items() if str(key) != "rules"},
        "rules": ListOf(AnyJson(), 0, 50),
    }
)
_LEAVE: Final = required(
    {
        "departure_at": AT,
        "soc_min_departure_pct": Nullable(PCT),
        "summary": Nullable(text(0, 200)),
    }
)
DEPARTURES: Final = required(
    {
        "vehicle_id": typed_id("veh"),
        "revision": integer(1, 10**9),
        "time_zone": text(1, 64),
        "weekly": required(dict.fromkeys(WEEKDAYS, Nullable(text(5, 5)))),
        "one_off": Nullable(_LEAVE),
        "calendar": Nullable(required({"read_at": AT, "events": ListOf(_LEAVE, 0, 200)})),
        "next": Nullable(NEXT_DEPARTURE),
    }
)
CHARGER: Final = required(
    {
        "charger_id": typed_id("chg"),
        "revision": integer(1, 10**9),
        "display_name": text(1, 100),
        "evse_id": Nullable(text(1, 64)),
        "max_charge_w": Nullable(integer(0, 1_000_000)),
        "max_discharge_w": Nullable(integer(0, 1_000_000)),
        "online": Nullable(boolean()),
        "power_w": Nullable(integer(-1_000_000, 1_000_000)),
        "import_register_wh": Nullable(WH),
        "export_register_wh": Nullable(WH),
        "vehicle_id": Nullable(typed_id("veh")),
        "last_seen_at": Nullable(AT),
    }
)
AGREEMENT_STATE: Final = choice("active", "withdrawn", "replaced")
AGREEMENT: Final = required(
    {
        "agreement_id": typed_id("agr"),
        "park": PARK,
        "terms_version": integer(1, 10**6),
        "terms_sha256": sha256_hex(),
        "state": AGREEMENT_STATE,
        "vehicle_ids": ListOf(typed_id("veh"), 0, 50),
        "created_at": AT,
        "withdrawn_at": Nullable(AT),
        "recharge_broken": boolean(),
    }
)
SESSION_STATE: Final = choice("claimed", "bound", "ended")
METER: Final = choice("park", "owner")
SESSION: Final = required(
    {
        "session_id": typed_id("ses"),
        "park": PARK,
        "evse_id": text(1, 64),
        "vehicle_id": Nullable(typed_id("veh")),
        "state": SESSION_STATE,
        "meter": METER,
        "plugged_in_at": AT,
        "unplugged_at": Nullable(AT),
        "recharge": Nullable(RECHARGE),
        "recharge_broken": boolean(),
    }
)
_DECIMAL: Final = text(1, 40)
BATTERY_HEALTH: Final = required(
    {
        "vehicle_id": typed_id("veh"),
        "model": text(1, 40),
        "since": Nullable(AT),
        "days": integer(0, 100_000),
        "days_outside_tests": integer(0, 100_000),
        "discharged_wh": WH,
        "capacity_left_pct": _DECIMAL,
        "calendar_pct": _DECIMAL,
        "driving_cycling_pct": _DECIMAL,
        "v2g_cycling_pct": _DECIMAL,
        "v2g_cost_minor": MINOR,
        "calendar_saved_pct": _DECIMAL,
        "calendar_saved_minor": MINOR,
        "efc": _DECIMAL,
        "v2g_efc": _DECIMAL,
        "currency": CURRENCY,
    }
)
SCHEDULE: Final = required(
    {
        "schema": choice("v2g.schedule/1"),
        "vehicle_id": typed_id("veh"),
        "made_at": AT,
        "soc_pct": PCT,
        "soc_measured_at": AT,
        "departure_at": AT,
        "departure_source": choice("one_off", "calendar", "weekly", "forecast"),
        "soc_min_departure_pct": PCT,
        "soc_target_departure_pct": PCT,
        "currency": CURRENCY,
        "prices_assumed_from": Nullable(AT),
        "commitments": integer(0, 1_000),
        "end_at": AT,
        "charge_energy_wh": WH,
        "soc_at_departure_pct": PCT,
        "short_of_minimum_wh": WH,
        "repair_cost_at_most": _DECIMAL,
        "short_blocks": integer(0, 100_000),
        "steps": ListOf(
            required(
                {
                    "start_at": AT,
                    "power_w": integer(0, 10_000_000),
                    "start_below_pct": PCT,
                    "stop_at_pct": PCT,
                    "planned": boolean(),
                }
            ),
            0,
            20_000,
        ),
    }
)
PRICES_TAKEN: Final = required({"entries": integer(0, 1_000), "known_until": Nullable(AT)})
READINGS_TAKEN: Final = {Required("accepted", description="How many were new."): integer(0, 100)}
