"""What an owner reads of deals, settlements and rewards, and everything in one read."""

from typing import Final

from probatio import Required

from owner_api.schemas.evidence import READING_QUALITIES, READING_SOURCES
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
from owner_api.schemas.terms import REWARD_KINDS

from .offer import DECISION, LEFT, OFFER
from .shapes import AT, CODE, CURRENCY, MINOR, PCT, WH, required
from .vehicle import AGREEMENT, CHARGER, DEPARTURES, PARK, PREFERENCES, SESSION, VEHICLE

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
    {"requested_at": AT, "confirmed_at": Nullable(AT), "stopped_at": Nullable(AT)}
)
_BEHIND: Final = Nullable(
    required(
        {
            "measured_at": AT,
            "export_register_wh": WH,
            "source": choice(*READING_SOURCES),
            "quality": choice(*READING_QUALITIES),
            "evidence_sha256": Nullable(sha256_hex()),
        }
    )
)
REWARD_STATUS: Final = choice("pending", "confirmed", "paid", "reversed")
SETTLEMENT_STATE: Final = choice("provisional", "final", "disputed", "corrected")
ONE_REWARD: Final = {
    "reward_id": typed_id("rwd"),
    "part": integer(0, 3),
    "payer": Nullable(text(1, 100)),
    "kind": choice(*REWARD_KINDS),
    "status": REWARD_STATUS,
    "amount_minor": MINOR,
    "already_paid_minor": MINOR,
    "payment_minor": MINOR,
    "currency": CURRENCY,
    "reference": Nullable(text(1, 64)),
}
REWARD: Final = required({**ONE_REWARD, "overpaid_minor": MINOR})
REWARD_MOVED: Final = required({"settlement_id": typed_id("stl"), **ONE_REWARD})
FIGURES: Final = {
    "settlement_id": typed_id("stl"),
    "version": integer(1, 10**6),
    "commitment_id": typed_id("com"),
    "state": SETTLEMENT_STATE,
    "baseline_wh": WH,
    "ordered_wh": WH,
    "actual_wh": WH,
    "delivered_wh": WH,
    "deficiency_wh": WH,
    "price_per_kwh": price(),
    "gross_minor": MINOR,
    "fixed_minor": MINOR,
    "penalty_minor": MINOR,
    "net_minor": MINOR,
    "currency": CURRENCY,
    "basis": choice("measured", "claimed"),
    "source": choice(*READING_SOURCES),
    "quality": choice(*READING_QUALITIES),
    "readings": required({"begin": _BEHIND, "end": _BEHIND}),
    "begin_register_wh": WH,
    "end_register_wh": WH,
    "dispute_until": AT,
    "supersedes": Nullable(typed_id("stl")),
    "reward": Nullable(REWARD),
    "rewards": ListOf(REWARD, 0, 4),
}
PARK_SETTLEMENT: Final = required(FIGURES)
SETTLEMENT: Final = required(
    {
        **FIGURES,
        "stop_reason": Nullable(CODE),
        "reason": Nullable(text(1, 500)),
        "breakdown": {
            **required(
                dict.fromkeys(("gross_minor", "refill_minor", "losses_minor", "wear_minor"), MINOR)
            ),
            Required("net_minor", description=LEFT): MINOR,
        },
        "created_at": AT,
        "owner_confirmed_at": Nullable(AT),
        "park_confirmed_at": Nullable(AT),
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
        "state_reason": Nullable(CODE),
        "committed_energy_wh": WH,
        "max_discharge_w": integer(1, 1_000_000),
        "start_at": AT,
        "end_at": AT,
        "ended_at": Nullable(AT),
        "award_by": AT,
        "lease_until": Nullable(AT),
        "power_setpoint_w": Nullable(integer(-1_000_000, 0)),
        "delivered_wh": WH,
        "power_w": Nullable(integer(-1_000_000, 1_000_000)),
        "soc_pct": Nullable(PCT),
        "soc_floor_pct": PCT,
        "earned_minor": MINOR,
        "currency": CURRENCY,
        "price_per_kwh": price(),
        "stop": Nullable(STOP_MARKS),
        "unplug_hint": boolean(),
        "settlement": Nullable(SETTLEMENT),
        "decision": Nullable(DECISION),
    }
)
STOP: Final = required(
    {
        "stop_id": typed_id("stp"),
        "receipt_id": typed_id("rcp"),
        "requested_at": AT,
        "commitments": ListOf(COMMITMENT, 0, 200),
    }
)
_SUMS: Final = dict.fromkeys(("pending_minor", "confirmed_minor", "paid_minor"), MINOR)
IN_ALL: Final = {**_SUMS, "overpaid_minor": MINOR}
TOTALS: Final = {
    "currency": CURRENCY,
    **IN_ALL,
    "this_month": required({"start_at": AT, **_SUMS}),
    "others": ListOf(
        required({"currency": CURRENCY, "charging_credit": boolean(), **IN_ALL}), 0, 200
    ),
}
REWARDS: Final = required({**TOTALS, "items": ListOf(SETTLEMENT, 0, 200)})
STATEMENT: Final = required(
    {
        "month": text(7, 7),
        "time_zone": text(1, 64),
        "lines": ListOf(AnyJson(), 0, 10_000),
        "totals": ListOf(
            required({"currency": CURRENCY, "charging_credit": boolean(), "amount_minor": MINOR}),
            0,
            200,
        ),
    }
)
SNAPSHOT: Final = required(
    {
        "server": required({"server_id": text(0, 100), "version": text(1, 40), "time": AT}),
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
