"""What a park reads: promise 7's allow-list."""

from typing import Final

from owner_api.schemas.fields import (
    ListOf,
    Nullable,
    boolean,
    choice,
    integer,
    sha256_hex,
    text,
    typed_id,
)
from owner_api.schemas.owner import (
    DECISIONS,
    PURPOSES,
)
from owner_api.schemas.terms import RECHARGE, TERMS

from .deal import COMMITMENT_STATE, IN_ALL, ONE_REWARD, STOP_MARKS
from .offer import COUNTER, OFFER_STATE
from .shapes import AT, CURRENCY, WH, required
from .vehicle import METER, SESSION_STATE

PARK_BALANCES: Final = required(
    {
        "park_id": typed_id("prk"),
        "items": ListOf(
            required({"currency": CURRENCY, "charging_credit": boolean(), **IN_ALL}), 0, 200
        ),
    }
)
CLAIM_STATUS: Final = choice("open", "in_books", "superseded", "paid")
PARK_CLAIM: Final = required(
    {
        **ONE_REWARD,
        "settlement_id": typed_id("stl"),
        "version": integer(1, 10**6),
        "commitment_id": typed_id("com"),
        "delivered_wh": WH,
        "status": CLAIM_STATUS,
        "receipt_id": typed_id("rcp"),
        "claimed_at": AT,
        "paid_at": Nullable(AT),
    }
)
MEMBER: Final = required({"member_ref": typed_id("mbr"), "terms_version": integer(1, 10**6)})
PARK_SESSION: Final = required(
    {
        "session_id": typed_id("ses"),
        "evse_id": text(1, 64),
        "state": SESSION_STATE,
        "meter": METER,
        "plugged_in_at": AT,
        "unplugged_at": Nullable(AT),
        "recharge_due": ListOf(RECHARGE, 0, 200),
    }
)
AVAILABILITY: Final = required(
    {
        "session_id": typed_id("ses"),
        "start_at": AT,
        "end_at": AT,
        "available_energy_wh": WH,
    }
)
PARK_OFFER: Final = required(
    {
        "offer_id": typed_id("off"),
        "revision": integer(1, 10**6),
        "session_id": typed_id("ses"),
        "purpose": choice(*PURPOSES),
        "state": OFFER_STATE,
        "issued_at": AT,
        "respond_by": AT,
        "terms": TERMS,
        "terms_sha256": sha256_hex(),
        "reason": Nullable(choice("not_available", "less_energy", "price", "later")),
        "decision": Nullable(
            required(
                {
                    "decision": choice(*DECISIONS),
                    "decided_at": AT,
                    "consented_energy_wh": Nullable(WH),
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
        "committed_energy_wh": WH,
        "max_discharge_w": integer(1, 1_000_000),
        "start_at": AT,
        "end_at": AT,
        "award_by": AT,
        "lease_until": Nullable(AT),
        "last_seq": integer(0, 10**9),
        "delivered_wh": WH,
        "stop_reason": Nullable(choice("owner", "vehicle", "site", "link")),
        "stop": Nullable(STOP_MARKS),
    }
)
INSTRUCTION: Final = required(
    {
        "instruction_id": typed_id("ins"),
        "seq": integer(1, 10**9),
        "power_setpoint_w": integer(-1_000_000, 0),
        "valid_until": AT,
    }
)
