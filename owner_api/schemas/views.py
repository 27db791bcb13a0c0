"""Answers: what owners and parks read. The park's half is promise 7's allow-list."""

from typing import Any, Final

from probatio import Optional, Required

from .evidence import READING_QUALITIES, READING_SOURCES
from .fields import (
    AnyJson,
    ListOf,
    Nullable,
    boolean,
    choice,
    integer,
    number,
    price,
    sha256_hex,
    text,
    timestamp,
    typed_id,
)
from .owner import (
    DECISIONS,
    METHODS,
    PREFERENCES_PATCH,
    PURPOSES,
    SOC_SOURCES,
    VEHICLE_FIELDS,
    WEEKDAYS,
)
from .terms import RECHARGE, REWARD_KINDS, TERMS

_WH: Final = integer(0, 10**13)
_MINOR: Final = integer(-(10**15), 10**15)
_PCT: Final = number(0, 100)
_ANY_PCT: Final = number(-1_000, 1_000)
_CURRENCY: Final = text(3, 8)
_AT: Final = timestamp()
_CODE: Final = text(1, 40)


def required(fields: dict[str, Any]) -> dict[Any, Any]:
    """Return a closed object schema in which every field is required."""
    return {Required(key): leaf for key, leaf in fields.items()}


def listed(item: Any) -> dict[Any, Any]:  # noqa: ANN401 - a probatio schema of any shape
    """Return the schema of one page of items."""
    return required({"items": ListOf(item, 0, 200), "next_cursor": Nullable(text(1, 200))})


PARK: Final = required({"park_id": typed_id("prk"), "display_name": text(0, 100)})
NEXT_DEPARTURE: Final = required(
    {
        "departure_at": _AT,
        "source": choice("one_off", "calendar", "weekly", "forecast"),
        "soc_min_departure_pct": _PCT,
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
                    "soc_pct": _PCT,
                    "measured_at": _AT,
                    "source": Nullable(choice(*SOC_SOURCES)),
                }
            )
        ),
        "plugged_in": Nullable(boolean()),
        "power_w": Nullable(integer(-1_000_000, 1_000_000)),
        "charged_wh": _WH,
        "discharged_wh": _WH,
        "available_energy_wh": Nullable(_WH),
        "status": choice(
            "unknown", "unplugged", "idle", "charging", "discharging", "scheduled", "blocked"
        ),
        "status_reason": Nullable(_CODE),
        "next_departure": Nullable(NEXT_DEPARTURE),
        "session_id": Nullable(typed_id("ses")),
        "park_id": Nullable(typed_id("prk")),
        "v2g_wear_minor": _MINOR,
        "wear_price_per_kwh": required(dict.fromkeys(("low", "default", "high"), price("0"))),
    }
)
PREFERENCES: Final = required(
    {
        "vehicle_id": typed_id("veh"),
        "revision": integer(1, 10**9),
        **{str(key): leaf for key, leaf in PREFERENCES_PATCH.items() if str(key) != "rules"},
        "rules": ListOf(AnyJson(), 0, 50),
    }
)
_LEAVE: Final = required(
    {
        "departure_at": _AT,
        "soc_min_departure_pct": Nullable(_PCT),
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
        "calendar": Nullable(required({"read_at": _AT, "events": ListOf(_LEAVE, 0, 200)})),
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
        "import_register_wh": Nullable(_WH),
        "export_register_wh": Nullable(_WH),
        "vehicle_id": Nullable(typed_id("veh")),
        "last_seen_at": Nullable(_AT),
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
        "created_at": _AT,
        "withdrawn_at": Nullable(_AT),
        "recharge_broken": boolean(),
    }
)
SESSION_STATE: Final = choice("claimed", "bound", "ended")
_METER: Final = choice("park", "owner")
SESSION: Final = required(
    {
        "session_id": typed_id("ses"),
        "park": PARK,
        "evse_id": text(1, 64),
        "vehicle_id": Nullable(typed_id("veh")),
        "state": SESSION_STATE,
        "meter": _METER,
        "plugged_in_at": _AT,
        "unplugged_at": Nullable(_AT),
        "recharge": Nullable(RECHARGE),
        "recharge_broken": boolean(),
    }
)
OFFER_STATE: Final = choice(
    "received",
    "rejected",
    "auto_declined",
    "presented",
    "accepted",
    "declined",
    "countered",
    "superseded",
    "expired",
    "withdrawn",
)
COUNTER: Final = required(
    {
        "energy_wh": Nullable(_WH),
        "price_per_kwh": Nullable(price()),
        "start_at": Nullable(_AT),
    }
)
REASON: Final = required(
    {
        "code": _CODE,
        "limit": AnyJson(),
        "needed": AnyJson(),
        "available": AnyJson(),
        "unit": Nullable(text(1, 20)),
    }
)
PLAN_STEP: Final = required(
    {
        "start_at": _AT,
        "power_w": integer(-1_000_000, 1_000_000),
        "soc_pct": _ANY_PCT,
    }
)
_LEFT: Final = "What is left to the owner, in their own currency whatever is paid (minor units)."
EVALUATION: Final = {
    Required("net_minor", description=_LEFT): Nullable(_MINOR),
    **required(
        {
            "evaluated_at": _AT,
            "verdict": choice("accept", "counter", "decline"),
            "fits": Nullable(choice("all", "part", "none")),
            "max_energy_wh": _WH,
            "quoted_energy_wh": Nullable(_WH),
            "break_even_price_per_kwh": Nullable(price()),
            "breakdown": Nullable(
                required(
                    dict.fromkeys(
                        ("gross_minor", "refill_minor", "losses_minor", "wear_minor"), _MINOR
                    )
                )
            ),
            "soc_now_pct": Nullable(_PCT),
            "soc_after_pct": Nullable(_ANY_PCT),
            "soc_at_departure_pct": Nullable(_ANY_PCT),
            "soc_lowest_pct": Nullable(_ANY_PCT),
            "soc_floor_pct": _PCT,
            "soc_min_departure_pct": Nullable(_PCT),
            "departure_at": Nullable(_AT),
            "counter": Nullable(COUNTER),
            "reason": Nullable(REASON),
            "nearest": Nullable(ListOf(required({"change": text(1, 100), "to": AnyJson()}), 0, 20)),
            "plan": Nullable(ListOf(PLAN_STEP, 0, 20_000)),
            "prices_assumed_from": Nullable(_AT),
            "lease_s": integer(10, 900),
        }
    ),
}
DECISION: Final = required(
    {
        "decision_id": typed_id("dec"),
        "revision": integer(1, 10**6),
        "decision": choice(*DECISIONS),
        "method": choice(*METHODS),
        "decided_at": _AT,
        "preferences_revision": integer(1, 10**9),
        "consented_energy_wh": Nullable(_WH),
        "counter_terms": Nullable(COUNTER),
        "rule_id": Nullable(typed_id("rul")),
        "device_id": Nullable(typed_id("dev")),
        "actor": {Optional("user"): text(1, 100), Optional("automation"): text(1, 200)},
        "reason": Nullable(text(0, 200)),
    }
)
OFFER: Final = required(
    {
        "offer_id": typed_id("off"),
        "revision": integer(1, 10**6),
        "park": PARK,
        "vehicle_id": Nullable(typed_id("veh")),
        "session_id": typed_id("ses"),
        "evse_id": text(1, 64),
        "purpose": choice(*PURPOSES),
        "state": OFFER_STATE,
        "state_reason": Nullable(_CODE),
        "issued_at": _AT,
        "respond_by": _AT,
        "terms": TERMS,
        "terms_sha256": sha256_hex(),
        "evaluation": Nullable(EVALUATION),
        "decision": Nullable(DECISION),
        "commitment_id": Nullable(typed_id("com")),
    }
)
COMMITMENT_STATE: Final = choice(
    "pending_award",
    "lapsed",
    "cancelled",
    "revoked",
    "scheduled",
    "missed",
    "active",
    "completed",
    "curtailed",
    "failed",
)
STOP_MARKS: Final = required(
    {"requested_at": _AT, "confirmed_at": Nullable(_AT), "stopped_at": Nullable(_AT)}
)
_BEHIND: Final = Nullable(
    required(
        {
            "measured_at": _AT,
            "export_register_wh": _WH,
            "source": choice(*READING_SOURCES),
            "quality": choice(*READING_QUALITIES),
            "evidence_sha256": Nullable(sha256_hex()),
        }
    )
)
REWARD_STATUS: Final = choice("pending", "confirmed", "paid", "reversed")
SETTLEMENT_STATE: Final = choice("provisional", "final", "disputed", "corrected")
_ONE_REWARD: Final = {
    "reward_id": typed_id("rwd"),
    "part": integer(0, 3),
    "payer": Nullable(text(1, 100)),
    "kind": choice(*REWARD_KINDS),
    "status": REWARD_STATUS,
    "amount_minor": _MINOR,
    "already_paid_minor": _MINOR,
    "payment_minor": _MINOR,
    "currency": _CURRENCY,
    "reference": Nullable(text(1, 64)),
}
REWARD: Final = required({**_ONE_REWARD, "overpaid_minor": _MINOR})
REWARD_MOVED: Final = required({"settlement_id": typed_id("stl"), **_ONE_REWARD})
_FIGURES: Final = {
    "settlement_id": typed_id("stl"),
    "version": integer(1, 10**6),
    "commitment_id": typed_id("com"),
    "state": SETTLEMENT_STATE,
    "baseline_wh": _WH,
    "ordered_wh": _WH,
    "actual_wh": _WH,
    "delivered_wh": _WH,
    "deficiency_wh": _WH,
    "price_per_kwh": price(),
    "gross_minor": _MINOR,
    "fixed_minor": _MINOR,
    "penalty_minor": _MINOR,
    "net_minor": _MINOR,
    "currency": _CURRENCY,
    "basis": choice("measured", "claimed"),
    "source": choice(*READING_SOURCES),
    "quality": choice(*READING_QUALITIES),
    "readings": required({"begin": _BEHIND, "end": _BEHIND}),
    "begin_register_wh": _WH,
    "end_register_wh": _WH,
    "dispute_until": _AT,
    "supersedes": Nullable(typed_id("stl")),
    "reward": Nullable(REWARD),
    "rewards": ListOf(REWARD, 0, 4),
}
PARK_SETTLEMENT: Final = required(_FIGURES)
SETTLEMENT: Final = required(
    {
        **_FIGURES,
        "stop_reason": Nullable(_CODE),
        "reason": Nullable(text(1, 500)),
        "breakdown": {
            **required(
                dict.fromkeys(("gross_minor", "refill_minor", "losses_minor", "wear_minor"), _MINOR)
            ),
            Required("net_minor", description=_LEFT): _MINOR,
        },
        "created_at": _AT,
        "owner_confirmed_at": Nullable(_AT),
        "park_confirmed_at": Nullable(_AT),
    }
)
COMMITMENT: Final = required(
    {
        "commitment_id": typed_id("com"),
        "offer_id": typed_id("off"),
        "park": PARK,
        "vehicle_id": typed_id("veh"),
        "session_id": typed_id("ses"),
        "evse_id": text(1, 64),
        "state": COMMITMENT_STATE,
        "state_reason": Nullable(_CODE),
        "committed_energy_wh": _WH,
        "max_discharge_w": integer(1, 1_000_000),
        "start_at": _AT,
        "end_at": _AT,
        "ended_at": Nullable(_AT),
        "award_by": _AT,
        "lease_until": Nullable(_AT),
        "power_setpoint_w": Nullable(integer(-1_000_000, 0)),
        "delivered_wh": _WH,
        "power_w": Nullable(integer(-1_000_000, 1_000_000)),
        "soc_pct": Nullable(_PCT),
        "soc_floor_pct": _PCT,
        "earned_minor": _MINOR,
        "currency": _CURRENCY,
        "price_per_kwh": price(),
        "stop": Nullable(STOP_MARKS),
        "unplug_hint": boolean(),
        "settlement": Nullable(SETTLEMENT),
        "decision": Nullable(DECISION),
    }
)
DECIDED: Final = {**OFFER, **required({"receipt_id": typed_id("rcp")})}
STOP: Final = required(
    {
        "stop_id": typed_id("stp"),
        "receipt_id": typed_id("rcp"),
        "requested_at": _AT,
        "commitments": ListOf(COMMITMENT, 0, 200),
    }
)
_SUMS: Final = dict.fromkeys(("pending_minor", "confirmed_minor", "paid_minor"), _MINOR)
_IN_ALL: Final = {**_SUMS, "overpaid_minor": _MINOR}
TOTALS: Final = {
    "currency": _CURRENCY,
    **_IN_ALL,
    "this_month": required({"start_at": _AT, **_SUMS}),
    "others": ListOf(
        required({"currency": _CURRENCY, "charging_credit": boolean(), **_IN_ALL}), 0, 200
    ),
}
PARK_BALANCES: Final = required(
    {
        "park_id": typed_id("prk"),
        "items": ListOf(
            required({"currency": _CURRENCY, "charging_credit": boolean(), **_IN_ALL}), 0, 200
        ),
    }
)
REWARDS: Final = required({**TOTALS, "items": ListOf(SETTLEMENT, 0, 200)})
STATEMENT: Final = required(
    {
        "month": text(7, 7),
        "time_zone": text(1, 64),
        "lines": ListOf(AnyJson(), 0, 10_000),
        "totals": ListOf(
            required({"currency": _CURRENCY, "charging_credit": boolean(), "amount_minor": _MINOR}),
            0,
            200,
        ),
    }
)
SNAPSHOT: Final = required(
    {
        "server": required({"server_id": text(0, 100), "version": text(1, 40), "time": _AT}),
        "owner": AnyJson(),
        "vehicles": ListOf(VEHICLE, 0, 200),
        "preferences": ListOf(PREFERENCES, 0, 200),
        "departures": ListOf(DEPARTURES, 0, 200),
        "chargers": ListOf(CHARGER, 0, 200),
        "parks": ListOf(AnyJson(), 0, 1_000),
        "agreements": ListOf(AGREEMENT, 0, 1_000),
        "sessions": ListOf(SESSION, 0, 1_000),
        "offers": ListOf(OFFER, 0, 200),
        "commitments": ListOf(COMMITMENT, 0, 200),
        "rewards": required(TOTALS),
        "last_event_id": integer(0, 10**15),
    }
)

CLAIM_STATUS: Final = choice("open", "in_books", "superseded", "paid")
PARK_CLAIM: Final = required(
    {
        **_ONE_REWARD,
        "settlement_id": typed_id("stl"),
        "version": integer(1, 10**6),
        "commitment_id": typed_id("com"),
        "delivered_wh": _WH,
        "status": CLAIM_STATUS,
        "receipt_id": typed_id("rcp"),
        "claimed_at": _AT,
        "paid_at": Nullable(_AT),
    }
)
MEMBER: Final = required({"member_ref": typed_id("mbr"), "terms_version": integer(1, 10**6)})
PARK_SESSION: Final = required(
    {
        "session_id": typed_id("ses"),
        "evse_id": text(1, 64),
        "state": SESSION_STATE,
        "meter": _METER,
        "plugged_in_at": _AT,
        "unplugged_at": Nullable(_AT),
        "recharge_due": ListOf(RECHARGE, 0, 200),
    }
)
AVAILABILITY: Final = required(
    {
        "session_id": typed_id("ses"),
        "start_at": _AT,
        "end_at": _AT,
        "available_energy_wh": _WH,
    }
)
PARK_OFFER: Final = required(
    {
        "offer_id": typed_id("off"),
        "revision": integer(1, 10**6),
        "session_id": typed_id("ses"),
        "purpose": choice(*PURPOSES),
        "state": OFFER_STATE,
        "issued_at": _AT,
        "respond_by": _AT,
        "terms": TERMS,
        "terms_sha256": sha256_hex(),
        "reason": Nullable(choice("not_available", "less_energy", "price", "later")),
        "decision": Nullable(
            required(
                {
                    "decision": choice(*DECISIONS),
                    "decided_at": _AT,
                    "consented_energy_wh": Nullable(_WH),
                    "counter_terms": Nullable(COUNTER),
                }
            )
        ),
        "commitment_id": Nullable(typed_id("com")),
    }
)
PARK_COMMITMENT: Final = required(
    {
        "commitment_id": typed_id("com"),
        "offer_id": typed_id("off"),
        "session_id": typed_id("ses"),
        "state": COMMITMENT_STATE,
        "order_reference": Nullable(text(1, 64)),
        "committed_energy_wh": _WH,
        "max_discharge_w": integer(1, 1_000_000),
        "start_at": _AT,
        "end_at": _AT,
        "award_by": _AT,
        "lease_until": Nullable(_AT),
        "last_seq": integer(0, 10**9),
        "delivered_wh": _WH,
        "stop_reason": Nullable(choice("owner", "vehicle", "site", "link")),
        "stop": Nullable(STOP_MARKS),
    }
)
INSTRUCTION: Final = required(
    {
        "instruction_id": typed_id("ins"),
        "seq": integer(1, 10**9),
        "power_setpoint_w": integer(-1_000_000, 0),
        "valid_until": _AT,
    }
)
_DECIMAL: Final = text(1, 40)
BATTERY_HEALTH: Final = required(
    {
        "vehicle_id": typed_id("veh"),
        "model": text(1, 40),
        "since": Nullable(_AT),
        "days": integer(0, 100_000),
        "days_outside_tests": integer(0, 100_000),
        "discharged_wh": _WH,
        "capacity_left_pct": _DECIMAL,
        "calendar_pct": _DECIMAL,
        "driving_cycling_pct": _DECIMAL,
        "v2g_cycling_pct": _DECIMAL,
        "v2g_cost_minor": _MINOR,
        "calendar_saved_pct": _DECIMAL,
        "calendar_saved_minor": _MINOR,
        "efc": _DECIMAL,
        "v2g_efc": _DECIMAL,
        "currency": _CURRENCY,
    }
)
SCHEDULE: Final = required(
    {
        "schema": choice("v2g.schedule/1"),
        "vehicle_id": typed_id("veh"),
        "made_at": _AT,
        "soc_pct": _PCT,
        "soc_measured_at": _AT,
        "departure_at": _AT,
        "departure_source": choice("one_off", "calendar", "weekly", "forecast"),
        "soc_min_departure_pct": _PCT,
        "soc_target_departure_pct": _PCT,
        "currency": _CURRENCY,
        "prices_assumed_from": Nullable(_AT),
        "commitments": integer(0, 1_000),
        "end_at": _AT,
        "charge_energy_wh": _WH,
        "soc_at_departure_pct": _PCT,
        "short_of_minimum_wh": _WH,
        "repair_cost_at_most": _DECIMAL,
        "short_blocks": integer(0, 100_000),
        "steps": ListOf(
            required(
                {
                    "start_at": _AT,
                    "power_w": integer(0, 10_000_000),
                    "start_below_pct": _PCT,
                    "stop_at_pct": _PCT,
                    "planned": boolean(),
                }
            ),
            0,
            20_000,
        ),
    }
)
PRICES_TAKEN: Final = required({"entries": integer(0, 1_000), "known_until": Nullable(_AT)})
RULE_PREVIEW: Final = required(
    {
        "considered": integer(0, 1_000),
        "accepted": integer(0, 1_000),
        "items": ListOf(
            {
                **required(
                    {
                        "offer_id": typed_id("off"),
                        "issued_at": _AT,
                        "would_accept": boolean(),
                        "energy_wh": Nullable(_WH),
                        "state": OFFER_STATE,
                    }
                ),
                Required("net_minor", description=_LEFT): Nullable(_MINOR),
            },
            0,
            200,
        ),
    }
)
READINGS_TAKEN: Final = required({"accepted": integer(0, 100)})
