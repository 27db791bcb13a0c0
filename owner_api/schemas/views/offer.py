"""What an owner reads of an offer, its judgement and their answer."""

from typing import Final

from probatio import Optional, Required

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
    DECISIONS,
    METHODS,
    PURPOSES,
)
from owner_api.schemas.terms import TERMS

from .shapes import ANY_PCT, AT, CODE, MINOR, PCT, WH, required
from .vehicle import PARK

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
        "energy_wh": Nullable(WH),
        "price_per_kwh": Nullable(price()),
        "start_at": Nullable(AT),
    }
)
REASON: Final = required(
    {
        "code": CODE,
        "limit": AnyJson(),
        "needed": AnyJson(),
        "available": AnyJson(),
        "unit": Nullable(text(1, 20)),
    }
)
PLAN_STEP: Final = required(
    {
        "start_at": AT,
        "power_w": integer(-1_000_000, 1_000_000),
        "soc_pct": ANY_PCT,
    }
)
LEFT: Final = "What is left to the owner, in their own currency whatever is paid (minor units)."
EVALUATION: Final = {
    Required("net_minor", description=LEFT): Nullable(MINOR),
    **required(
        {
            "evaluated_at": AT,
            "verdict": choice("accept", "counter", "decline"),
            "fits": Nullable(choice("all", "part", "none")),
            "max_energy_wh": WH,
            "quoted_energy_wh": Nullable(WH),
            "break_even_price_per_kwh": Nullable(price()),
            "breakdown": Nullable(
                required(
                    dict.fromkeys(
                        ("gross_minor", "refill_minor", "losses_minor", "wear_minor"), MINOR
                    )
                )
            ),
            "soc_now_pct": Nullable(PCT),
            "soc_after_pct": Nullable(ANY_PCT),
            "soc_at_departure_pct": Nullable(ANY_PCT),
            "soc_lowest_pct": Nullable(ANY_PCT),
            "soc_floor_pct": PCT,
            "soc_min_departure_pct": Nullable(PCT),
            "departure_at": Nullable(AT),
            "counter": Nullable(COUNTER),
            "reason": Nullable(REASON),
            "nearest": Nullable(ListOf(required({"change": text(1, 100), "to": AnyJson()}), 0, 20)),
            "plan": Nullable(ListOf(PLAN_STEP, 0, 20_000)),
            "prices_assumed_from": Nullable(AT),
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
        "decided_at": AT,
        "preferences_revision": integer(1, 10**9),
        "consented_energy_wh": Nullable(WH),
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
        "state_reason": Nullable(CODE),
        "issued_at": AT,
        "respond_by": AT,
        "terms": TERMS,
        "terms_sha256": sha256_hex(),
        "evaluation": Nullable(EVALUATION),
        "decision": Nullable(DECISION),
        "commitment_id": Nullable(typed_id("com")),
    }
)
DECIDED: Final = {**OFFER, **required({"receipt_id": typed_id("rcp")})}
RULE_PREVIEW: Final = required(
    {
        "considered": integer(0, 1_000),
        "accepted": integer(0, 1_000),
        "items": ListOf(
            {
                **required(
                    {
                        "offer_id": typed_id("off"),
                        "issued_at": AT,
                        "would_accept": boolean(),
                        "energy_wh": Nullable(WH),
                        "state": OFFER_STATE,
                    }
                ),
                Required("net_minor", description=LEFT): Nullable(MINOR),
            },
            0,
            200,
        ),
    }
)
