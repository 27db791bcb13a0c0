"""Messages between a park's dispatcher and the owner API: promise 7's allow-list, nothing more."""

from typing import Final

from probatio import Optional, Required

from .evidence import ORIGIN, READING_QUALITIES
from .fields import ListOf, Nullable, choice, integer, number, sha256_hex, text, timestamp, typed_id
from .owner import PURPOSES
from .terms import RECHARGE, TERMS

READING_CONTEXTS: Final = (
    "begin",
    "periodic",
    "end",
    "interruption_begin",
    "interruption_end",
)
METERS: Final = ("park", "owner")

SESSION_CREATE: Final = {
    Required("evse_id"): text(1, 64),
    Required("plugged_in_at"): timestamp(),
    Optional("evse_code"): text(4, 64),
    Optional("member_ref"): typed_id("mbr"),
    Optional("identifier_digest"): sha256_hex(),
    Optional("recharge"): Nullable(RECHARGE),
    Optional("meter"): choice(*METERS),
}
SESSION_END: Final = {Required("unplugged_at"): timestamp()}
AVAILABILITY_QUESTION: Final = {
    Required("session_id"): typed_id("ses"),
    Required("start_at"): timestamp(),
    Required("end_at"): timestamp(),
}
OFFER_CREATE: Final = {
    Required("session_id"): typed_id("ses"),
    Required("purpose"): choice(*PURPOSES),
    Required("respond_by"): timestamp(),
    Required("terms"): TERMS,
}
OFFER_REVISION: Final = {
    Required("revision", description="One more than the offer's newest."): integer(2, 10**6),
    Required("respond_by"): timestamp(),
    Required("terms"): TERMS,
}
AWARD: Final = {
    Required("order_reference"): text(1, 64),
    Required("terms_sha256"): sha256_hex(),
    Required("committed_energy_wh"): integer(1, 1_000_000),
}
INSTRUCTION: Final = {
    Required("seq"): integer(1, 10**9),
    Required("power_setpoint_w"): integer(-1_000_000, 0),
}
CANCELLATION: Final = {
    Optional("reason", description="Not kept: that the park ended it is all that is told."): text(
        0, 200
    )
}
STOP_CONFIRMATION: Final = {
    Required("confirmed_at", description="When the charger got the stop."): timestamp()
}
READINGS: Final = {
    Required("readings"): ListOf(
        {
            Required("measured_at"): timestamp(),
            Required("import_register_wh"): integer(0, 10**13),
            Required("export_register_wh"): integer(0, 10**13),
            Required("power_w"): integer(-1_000_000, 1_000_000),
            Optional(
                "context",
                description="begin and end are the first and last readings of a delivery.",
            ): choice(*READING_CONTEXTS),
            Optional("quality"): choice(*READING_QUALITIES),
            Optional("pack_temperature_c"): Nullable(number(-60, 120)),
            **ORIGIN,
        },
        1,
        100,
    ),
}
SETTLEMENT_CORRECTION: Final = {
    Required(
        "delivered_wh", description="What the park says was delivered; at most what was ordered."
    ): integer(0, 1_000_000),
    Required("reason"): text(1, 500),
}
PAYMENT: Final = {
    Required("reference", description="The park's own number of the payment."): text(1, 64),
    Optional("part", description="Which payer's; needed when there are several."): integer(0, 3),
}
CLAIM_PAYMENT: Final = {
    Required("reference", description="The park's own number of the payment."): text(1, 64)
}
