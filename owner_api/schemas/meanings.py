"""What a field means where its name and limits do not say it: one meaning for one word.

The contract shows these beside every field of that name; a field whose meaning differs in one place
carries a description of its own there.
"""

from collections.abc import Mapping
from typing import Any, Final

from .fields import JsonSchema

MEANINGS: Final[Mapping[str, str]] = {
    # Who and where
    "evse_id": "The park's own name for the charger, another one for each charger of all its sites."
    " A new session there ends the one before, with its offers and deals.",
    "evse_code": "The code that stands on the charger. The session is bound when an owner who has"
    " joined the park checks in with it; case, width and the kind of dash do not count.",
    "member_ref": "The park's pseudonym for one vehicle (GET /v1/park/members). The session is"
    " bound when that vehicle says that it was plugged in within 120 s of plugged_in_at.",
    "identifier_digest": "SHA-256 in hex of what the car tells the charger of itself (ISO 15118's"
    " EVCCID, letters in upper case and without separators). The session is bound at once when the"
    " owner has given the same.",
    "plugged_in_at": "When the plug went in; binding compares it with the car's own word.",
    "unconfirmed_since": "Since when these limits are those of a backup that was put back and no"
    " person has confirmed them: until then no rule and no automation says yes, and no deal from"
    " before begins.",
    "withdrawn_at": "When it ended: withdrawn, or replaced by the owner's next with this park.",
    "meter": "Whose meter counts: the park's charger or, at home, the owner's.",
    # The meter
    "measured_at": "When it was read. An instant that is known already is not taken again.",
    "power_w": "W; + into the car, - out of it.",
    "import_register_wh": "Wh that have ever gone into cars at this charger (AC). Never falls.",
    "export_register_wh": "Wh that have ever come out of cars at this charger (AC). Never falls;"
    " what is paid is the difference of two readings.",
    "signed": "What a signing meter signed, word for word; exactly with source signed_meter.",
    "pack_temperature_c": "°C; outside of 0 to 45 nothing is discharged.",
    # An offer
    "purpose": "Why the park asks. Only backup may have a lease_s of more than 120.",
    "respond_by": "No answer by then is a no. After now and not after the window's end.",
    "requested_energy_wh": "Wh at the charger's AC meter that are wanted; never signed.",
    "min_energy_wh": "With less than this nothing is agreed; at most requested_energy_wh.",
    "max_energy_wh": "What the park could take at most; at least requested_energy_wh.",
    "max_discharge_w": "W, never signed: the strongest setpoint.",
    "price_per_kwh": "A decimal string in whole units of the currency: 1.2000 CNY are 120 fen.",
    "fixed_minor": "Minor units on top; pro rata when less than the request is delivered.",
    "cap_minor": "The reward is never more than this (minor units).",
    "payer": "Who pays; null is the park. The park answers for every payer.",
    "parts": "Several payers of one event. Price, fixed_minor, cap_minor and payer stand in each"
    " part, and price_per_kwh beside them is the sum of the parts of the same kind and currency.",
    "guaranteed": "A promise that the owner's agent counts on. One that is broken ends the yes of"
    " the owner's rules to this park.",
    "lease_s": "How long a setpoint may stand without the next instruction, at most.",
    "early_stop_policy": "pro_rata: what was delivered is paid, whoever ended it.",
    "dispute_window_s": "How long the owner may dispute a settlement.",
    "terms_sha256": "Names exactly these terms, in hex. Copy it, do not compute it: a decision or"
    " an award that names another is refused.",
    "counter_terms": "What the owner would accept; those that are null stay as they were offered."
    " The price is in the unit of the offer's own; another start_at moves the whole window.",
    "consented_energy_wh": "Wh that the owner said yes to; the most that may be awarded.",
    # A deal
    "order_reference": "The park's own number for the order; one deal each.",
    "committed_energy_wh": "Wh ordered: from min_energy_wh up to what was consented to.",
    "award_by": "An award after this is too late.",
    "seq": "Grows with every instruction of a deal; one that is not the newest is refused.",
    "last_seq": "The seq of the newest instruction that was taken, 0 before the first.",
    "recharge_due": "What the park has still to put back in this session, what is due first at the"
    " front; energy_wh is what is left of it.",
    "power_setpoint_w": "W, negative: out of the car. 0 pauses, and keeps the lease. "
    "The answer's may be weaker than what was asked.",
    "valid_until": "The lease: the charger must be at zero then unless a newer instruction was"
    " answered. It may be shorter than lease_s.",
    "lease_until": "When the newest lease ends, null before the first.",
    "stop": "Null until a running delivery was asked to end.",
    "stop_reason": "Why it ended, in one of four words; null when it simply was delivered.",
    "stopped_at": "When the meter showed no power, or the last lease was over.",
    # Money
    "basis": "measured by the registers, or claimed by the park in a correction.",
    "delivered_wh": "Wh that count: the registers' difference, at most what was ordered.",
    "actual_wh": "Wh by the registers, more than ordered too.",
    "break_even_price_per_kwh": "At this price nothing would be left to the owner; in their own"
    " currency, whatever the offer pays in.",
    "net_minor": "What the park owes for it (minor units).",
    "payment_minor": "What this version's payment moves: amount_minor - already_paid_minor.",
    "already_paid_minor": "What payments of earlier versions cover of it.",
    "overpaid_minor": "What was paid beyond the claims in force.",
    "dispute_until": "The owner may dispute until then; afterwards it becomes final.",
    "supersedes": "The version that this one corrects.",
    # Pages
    "cursor": "next_cursor of the page before; with the same query.",
    "next_cursor": "Null on the last page.",
}


def explained(schema: JsonSchema) -> JsonSchema:
    """Return a rendered schema with the meaning beside each field that has one."""
    return {
        key: _fields(value) if key == "properties" else _inside(value)
        for key, value in schema.items()
    }


def _fields(properties: Mapping[str, JsonSchema]) -> dict[str, JsonSchema]:
    shown = {}
    for name, schema in properties.items():
        told = {"description": MEANINGS[name]} if name in MEANINGS else {}
        # What a field says of itself stands.
        shown[name] = told | explained(schema)
    return shown


def _inside(value: Any) -> Any:  # noqa: ANN401 - any part of a schema
    if isinstance(value, dict):
        return explained(value)
    if isinstance(value, list):
        return [_inside(each) for each in value]
    return value
