"""One row per route: who it is for and a request that is valid but for whose objects it names.

A value ``$name`` stands for an object's id, ``$receipt`` for a whole receipt of the caller's. The
rows repeat the role on purpose: a route that loses its role in the server must not lose it here
too.
"""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What a route is asked; ``shared`` answers hold nothing of any party's own."""

    role: str
    body: Any = None
    query: str = ""
    form: bool = False
    shared: bool = False
    ends: int = 0


NOW: Final = "2026-12-01T06:01:00Z"
EVSE_CODE: Final = "Q7Q7"
_TERMS: Final = {
    "start_at": "2026-12-01T08:00:00Z",
    "end_at": "2026-12-01T09:00:00Z",
    "requested_energy_wh": 1000,
    "min_energy_wh": 500,
    "max_energy_wh": 2000,
    "max_discharge_w": 7000,
    "reward": {"kind": "cash", "currency": "CNY", "price_per_kwh": "1.2000"},
    "lease_s": 60,
    "dispute_window_s": 3600,
}
_RESPOND: Final = "2026-12-01T07:30:00Z"
_METER: Final = {
    "measured_at": NOW,
    "import_register_wh": 100_000,
    "export_register_wh": 6_000,
    "power_w": 0,
}
_DECISION: Final = {
    "offer_id": "$offer_id",
    "revision": 1,
    "terms_sha256": "$terms_sha256",
    "decision": "decline",
    "method": "tap",
}
_NEW_CAR: Final = {"display_name": "New car", "usable_capacity_wh": 50_000}
_WALLBOX: Final = {"readings": [{"measured_at": NOW, "vehicle_id": "$vehicle_id"}]}
_NEW_SESSION: Final = {"evse_id": "E99", "plugged_in_at": NOW, "member_ref": "$member_ref"}
_NEW_OFFER: Final = {
    "session_id": "$session_id",
    "purpose": "test",
    "respond_by": _RESPOND,
    "terms": _TERMS,
}
_AVAILABILITY: Final = {
    "session_id": "$session_id",
    "start_at": _TERMS["start_at"],
    "end_at": _TERMS["end_at"],
}
_AWARD: Final = {
    "order_reference": "PO-probe",
    "terms_sha256": "$terms_sha256",
    "committed_energy_wh": 1000,
}
_PAIR: Final = {"code": "ABCD-EFGH", "device_name": "Nobody's", "kind": "home_assistant"}
_GRANT: Final = {"grant_type": "refresh_token", "refresh_token": "x" * 43}
_JOIN: Final = {"park_id": "$park_id", "terms_version": 1, "vehicle_ids": ["$vehicle_id"]}


def _public(body: Any = None, *, form: bool = False) -> tuple[Row, ...]:
    return (Row(role="public", body=body, form=form, shared=True),)


def _any(query: str = "", *, shared: bool = True) -> tuple[Row, ...]:
    return (Row(role="any", query=query, shared=shared),)


def _owner(body: Any = None, *, ends: int = 0, shared: bool = False) -> tuple[Row, ...]:
    return (Row(role="owner", body=body, ends=ends, shared=shared),)


def _park(body: Any = None, *, ends: int = 0) -> tuple[Row, ...]:
    return (Row(role="park", body=body, ends=ends),)


_VEHICLE: Final = "/v1/vehicles/{vehicle_id}"
_CHARGER: Final = "/v1/chargers/{charger_id}"
_SETTLEMENT: Final = "/v1/settlements/{settlement_id}"
_SESSION: Final = "/v1/park/sessions/{session_id}"
_OFFER: Final = "/v1/park/offers/{offer_id}"
_DEAL: Final = "/v1/park/commitments/{commitment_id}"
_BILL: Final = "/v1/park/settlements/{settlement_id}"

ROWS: Final[dict[tuple[str, str], tuple[Row, ...]]] = {
    ("GET", "/healthz"): _public(),
    ("GET", "/readyz"): _public(),
    ("GET", "/openapi.json"): _public(),
    ("GET", "/v1/server"): _public(),
    ("GET", "/v1/jwks.json"): _public(),
    ("POST", "/v1/pair"): _public(_PAIR),
    ("POST", "/v1/token"): _public(_GRANT, form=True),
    ("POST", "/v1/ledger/witness"): _public({"checkpoint": "not a note"}),
    ("GET", "/v1/events"): _any("?after=0", shared=False),
    ("GET", "/v1/me"): _any(shared=False),
    ("GET", "/v1/ledger/checkpoint"): _any(),
    ("GET", "/v1/ledger/proofs/inclusion"): _any("?position=0"),
    ("GET", "/v1/ledger/proofs/consistency"): _any("?from=1"),
    ("GET", "/v1/ledger/epochs"): _any(),
    ("GET", "/v1/ledger/keys"): _any(),
    ("POST", "/v1/ledger/receipts"): (Row(role="any", body="$receipt", shared=True),),
    ("GET", "/v1/receipts"): (
        Row(role="any"),
        Row(role="any", query="?subject_id=$commitment_id"),
    ),
    ("GET", "/v1/receipts/{receipt_id}"): _any(shared=False),
    ("POST", "/v1/pairing-codes"): _owner({"label": "Next"}),
    ("PATCH", "/v1/me"): _owner({"language": "en"}),
    ("GET", "/v1/devices"): _owner(),
    ("DELETE", "/v1/devices/{device_id}"): _owner(ends=3),
    ("GET", "/v1/parks"): _owner(shared=True),
    ("GET", "/v1/snapshot"): _owner(),
    ("GET", "/v1/vehicles"): _owner(),
    ("POST", "/v1/vehicles"): _owner(_NEW_CAR),
    ("GET", _VEHICLE): _owner(),
    ("PATCH", _VEHICLE): _owner({"chemistry": "lfp"}),
    ("DELETE", _VEHICLE): _owner(ends=3),
    ("GET", f"{_VEHICLE}/preferences"): _owner(),
    ("PATCH", f"{_VEHICLE}/preferences"): _owner({"cooldown_s": 60}),
    ("POST", f"{_VEHICLE}/preferences/confirmation"): _owner({"revision": 1}),
    ("GET", f"{_VEHICLE}/departures"): _owner(),
    ("PATCH", f"{_VEHICLE}/departures"): _owner({"weekly": {"mon": "17:00"}}),
    ("POST", f"{_VEHICLE}/telemetry"): _owner({"readings": [{"measured_at": NOW, "soc_pct": 70}]}),
    ("GET", f"{_VEHICLE}/battery-health"): _owner(),
    ("GET", f"{_VEHICLE}/schedule"): (
        Row(role="owner"),
        Row(role="owner", query="?charger_id=$charger_id&min_power_w=1400"),
    ),
    ("POST", f"{_VEHICLE}/prices"): _owner(
        {"entries": [{"start_at": NOW, "price_per_kwh": "0.3000"}]}
    ),
    ("POST", f"{_VEHICLE}/rule-preview"): _owner({"rule": {"name": "Any"}}),
    ("GET", "/v1/chargers"): _owner(),
    ("POST", "/v1/chargers"): _owner({"display_name": "New wallbox"}),
    ("GET", _CHARGER): _owner(),
    ("PATCH", _CHARGER): _owner({"max_charge_w": 3_600}),
    ("DELETE", _CHARGER): _owner(ends=3),
    ("POST", f"{_CHARGER}/telemetry"): (
        Row(role="owner", body={"readings": [{"measured_at": NOW, "power_w": 0}]}),
        Row(role="owner", body=_WALLBOX),
    ),
    ("GET", "/v1/agreements"): _owner(),
    ("POST", "/v1/agreements"): _owner(_JOIN),
    ("POST", "/v1/agreements/{agreement_id}/withdrawal"): _owner(ends=2),
    ("POST", "/v1/check-ins"): _owner(
        {"vehicle_id": "$vehicle_id", "evse_code": EVSE_CODE}, ends=1
    ),
    ("GET", "/v1/sessions"): _owner(),
    ("GET", "/v1/offers"): (Row(role="owner"), Row(role="owner", query="?state=all")),
    ("GET", "/v1/offers/{offer_id}"): _owner(),
    ("POST", "/v1/decisions"): _owner(_DECISION),
    ("POST", "/v1/stops"): (
        Row(role="owner", body={"commitment_id": "$commitment_id"}, ends=1),
        Row(role="owner", body={"vehicle_id": "$vehicle_id"}, ends=1),
        Row(role="owner", body={}, ends=1),
    ),
    ("GET", "/v1/commitments"): _owner(),
    ("GET", "/v1/commitments/{commitment_id}"): _owner(),
    ("GET", _SETTLEMENT): _owner(),
    ("POST", f"{_SETTLEMENT}/dispute"): _owner({"reason": "Too little"}),
    ("POST", f"{_SETTLEMENT}/confirmation"): _owner(),
    ("GET", "/v1/rewards"): _owner(),
    ("GET", "/v1/statements/{month}"): (
        Row(role="owner"),
        Row(role="owner", query="?format=csv"),
    ),
    ("GET", "/v1/export"): _owner(),
    ("GET", "/v1/erasure"): _owner(shared=True),
    ("POST", "/v1/erasure"): _owner({"confirm": "erase"}, ends=4),
    ("GET", "/v1/park/members"): _park(),
    ("GET", "/v1/park/sessions"): _park(),
    ("POST", "/v1/park/sessions"): _park(_NEW_SESSION),
    ("GET", _SESSION): _park(),
    ("POST", f"{_SESSION}/readings"): _park({"readings": [_METER]}),
    ("POST", f"{_SESSION}/end"): _park({"unplugged_at": NOW}, ends=2),
    ("POST", "/v1/park/availability"): _park(_AVAILABILITY),
    ("GET", "/v1/park/offers"): _park(),
    ("POST", "/v1/park/offers"): _park(_NEW_OFFER),
    ("GET", _OFFER): _park(),
    ("POST", f"{_OFFER}/revisions"): _park(
        {"revision": 2, "respond_by": _RESPOND, "terms": _TERMS}
    ),
    ("POST", f"{_OFFER}/withdrawal"): _park(ends=1),
    ("GET", "/v1/park/commitments"): (Row(role="park", query="?state=all"),),
    ("GET", _DEAL): _park(),
    ("POST", f"{_DEAL}/award"): _park(_AWARD),
    ("POST", f"{_DEAL}/instructions"): _park({"seq": 900, "power_setpoint_w": 0}),
    ("POST", f"{_DEAL}/stop-confirmation"): _park({"confirmed_at": NOW}),
    ("POST", f"{_DEAL}/cancellation"): _park({"reason": "probe"}, ends=1),
    ("GET", "/v1/park/balances"): _park(),
    ("GET", "/v1/park/settlements"): _park(),
    ("GET", _BILL): _park(),
    ("POST", f"{_BILL}/confirmation"): _park(),
    ("POST", f"{_BILL}/correction"): _park({"delivered_wh": 10, "reason": "probe"}),
    ("POST", f"{_BILL}/payment"): _park({"reference": "TX-1"}, ends=1),
    ("GET", "/v1/park/claims"): _park(),
    ("POST", "/v1/park/claims/{reward_id}/payment"): _park({"reference": "TX-2"}, ends=1),
}
