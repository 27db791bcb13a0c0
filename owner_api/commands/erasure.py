"""Forgetting an owner: the person goes, the books stay.

Names, preferences, leave times, what the car last told, devices and events are overwritten or
deleted, and so is all that was kept of the car to watch over a deal. Deals, meter registers and
money stay, with a settlement's own figures, under ids that no longer lead to anybody: they are the
park's books too, and nothing there is rewritten.
"""

from datetime import datetime
from typing import Any

from owner_api.calls import Call, NewId, Principal
from owner_api.config import Config
from owner_api.core.model import Departures, Preferences, Vehicle, VehicleLive
from owner_api.store import Tx
from owner_api.store.documents import dump, from_json, load, to_json
from owner_api.store.outbox import OF_PARTY

from . import agreements, binding, devices, journal
from .owners import find_owner

type Json = dict[str, Any]

ERASED = "erased"
_LIVE_DOCUMENT = dump(VehicleLive())
_NO_WORDS: Json = {"actor": {}, "device_id": None, "reason": None, "counter_terms": None}


def erase_owner(tx: Tx, *, owner_id: str, now: datetime, new_id: NewId, config: Config) -> Json:
    """Forget an owner, or say what has to end first; raises not_found.

    Agreements are withdrawn in either case, which stops what runs and lets nothing new begin.
    Answers ``{"erased": bool, "waits_for": [...]}``: deals without a final settlement still need
    the vehicle's figures, so the command is to be repeated once they are settled.
    """
    find_owner(tx, owner_id)
    _withdraw(tx, owner_id, now, new_id, config)
    waits_for = _unsettled(tx, owner_id)
    if waits_for:
        return {"owner_id": owner_id, "erased": False, "waits_for": waits_for}
    for device in devices.views(tx, owner_id):
        devices.revoke(
            tx, now=now, owner_id=owner_id, device_id=device["device_id"], reason="erased"
        )
    _forget_access(tx, owner_id)
    _forget_deals(tx, owner_id)
    _forget_vehicles(tx, owner_id, now)
    journal.erase(tx, owner_id, now)
    tx.run("DELETE FROM earlier_zone WHERE owner_id = ?", owner_id)
    tx.run(f"DELETE FROM outbox WHERE {OF_PARTY}", owner_id)  # noqa: S608 - a constant
    tx.update(
        "owner",
        {"owner_id": owner_id},
        display_name=ERASED,
        time_zone="UTC",
        language="en",
        erased_at=now,
    )
    return {"owner_id": owner_id, "erased": True, "waits_for": []}


def _withdraw(tx: Tx, owner_id: str, now: datetime, new_id: NewId, config: Config) -> None:
    active = tx.all(
        "SELECT agreement_id FROM agreement WHERE owner_id = ? AND state = 'active'", owner_id
    )
    for row in active:
        call = Call(
            principal=Principal(kind="owner", party_id=owner_id),
            now=now,
            config=config,
            new_id=new_id,
            params={"agreement_id": row["agreement_id"]},
        )
        agreements.withdraw(tx, call)


def _unsettled(tx: Tx, owner_id: str) -> list[str]:
    """Return the ids of deals that are live, unsettled, or settled but not for good."""
    deals = tx.all(
        "SELECT commitment_id AS id FROM commitment WHERE owner_id = ? AND settlement_id IS NULL"
        " AND (state IN ('pending_award', 'scheduled', 'active') OR started_at IS NOT NULL)",
        owner_id,
    )
    settlements = tx.all(
        "SELECT settlement_id AS id FROM settlement WHERE owner_id = ?"
        " AND state IN ('provisional', 'disputed')",
        owner_id,
    )
    return [row["id"] for row in (*deals, *settlements)]


def _forget_access(tx: Tx, owner_id: str) -> None:
    tx.run(
        "DELETE FROM idempotency WHERE number IN (SELECT number FROM idempotency"
        " INDEXED BY idempotency_keys"
        " WHERE client IN (SELECT device_id FROM device WHERE owner_id = ?))",
        owner_id,
    )
    tx.run("DELETE FROM pairing_code WHERE owner_id = ?", owner_id)
    tx.update("device", {"owner_id": owner_id}, display_name=ERASED, last_seen_at=None)


def _forget_vehicles(tx: Tx, owner_id: str, now: datetime) -> None:
    for row in tx.all("SELECT vehicle_id, body FROM vehicle WHERE owner_id = ?", owner_id):
        # The charger is the park's: the next car there must find it free.
        binding.release(tx, row["vehicle_id"], now)
        capacity = load(Vehicle, row["body"]).usable_capacity_wh
        tx.update(
            "vehicle",
            {"vehicle_id": row["vehicle_id"]},
            body=dump(Vehicle(display_name=ERASED, usable_capacity_wh=capacity)),
            identifier_digest=None,
            live=_LIVE_DOCUMENT,
            preferences=dump(Preferences()),
            departures=dump(Departures()),
            owner_stopped_at=None,
            deleted_at=now,
        )
        for table in ("soc_sample", "vehicle_price"):
            tx.run(f"DELETE FROM {table} WHERE vehicle_id = ?", row["vehicle_id"])  # noqa: S608 - named above
    tx.run("DELETE FROM charger WHERE owner_id = ?", owner_id)


def _forget_deals(tx: Tx, owner_id: str) -> None:
    """Drop what the evaluation knew of the car and the person, who said yes, and their words."""
    forgotten = ("evaluation", "arrival", "person_asked", "asked_from", "asked_until")
    tx.update("offer", {"owner_id": owner_id}, **dict.fromkeys(forgotten))
    tx.update(
        "commitment",
        {"owner_id": owner_id},
        quote_request="{}",
        soc_floor_pct="0",
        soc_at_start_pct=None,
        owner_stopped_at=None,
    )
    tx.update("settlement", {"owner_id": owner_id}, dispute=None)
    tx.update("session", {"owner_id": owner_id}, identifier_digest=None)
    for row in tx.all("SELECT offer_id, decision FROM offer WHERE owner_id = ?", owner_id):
        if row["decision"] is not None:
            body = from_json(row["decision"]) | _NO_WORDS
            tx.update("offer", {"offer_id": row["offer_id"]}, decision=to_json(body).decode())
