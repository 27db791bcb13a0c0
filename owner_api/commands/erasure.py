"""Forgetting an owner: the person goes, the books stay.

Names, preferences, leave times, what the car last told, devices and events are overwritten or
deleted, and so is all that was kept of the car to watch over a deal. Deals, meter registers and
money stay, with a settlement's own figures, under ids that no longer lead to anybody: they are the
park's books too, and nothing there is rewritten.

Promise 4: what years have gathered is forgotten piece by piece, or everybody's stop would wait for
it. Who it was is gone with the first piece; the others follow at the next ticks.
"""

from datetime import datetime
from typing import Any, Final

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
# Of each table of deals, its key and what is overwritten: what the evaluation knew of the car and
# the person, who said yes, and their words.
_IN_DEALS: Final[dict[str, tuple[str, Json]]] = {
    "offer": (
        "offer_id",
        dict.fromkeys(("evaluation", "arrival", "person_asked", "asked_from", "asked_until")),
    ),
    "commitment": (
        "commitment_id",
        {
            "quote_request": "{}",
            "soc_floor_pct": "0",
            "soc_at_start_pct": None,
            "owner_stopped_at": None,
        },
    ),
    "settlement": ("settlement_id", {"dispute": None}),
    "session": ("session_id", {"identifier_digest": None}),
}
# How what is deleted is found: what the cars told of their batteries, and the events.
_DELETED: Final = {
    "soc_sample": "vehicle_id IN (SELECT vehicle_id FROM vehicle WHERE owner_id = ?)",
    "outbox": OF_PARTY,
}
_ENTRIES: Final = "ledger_entry"
_ORDER: Final = (*_IN_DEALS, _ENTRIES, *_DELETED)
# So many rows are a few hundredths of a second.
PIECE: Final = 1_000


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
    _forget_vehicles(tx, owner_id, now)
    tx.run("DELETE FROM earlier_zone WHERE owner_id = ?", owner_id)
    tx.update(
        "owner",
        {"owner_id": owner_id},
        display_name=ERASED,
        time_zone="UTC",
        language="en",
        erased_at=now,
        forgetting=f"{_ORDER[0]}:",
    )
    go_on(tx, now)
    return {"owner_id": owner_id, "erased": True, "waits_for": []}


def go_on(tx: Tx, now: datetime) -> bool:
    """Forget the next piece of an owner who is being erased; tell whether there may be more."""
    row = tx.one("SELECT owner_id, forgetting FROM owner WHERE forgetting > '' LIMIT 1")
    if row is None:
        return False
    owner_id, left, place = row["owner_id"], PIECE, row["forgetting"]
    while left > 0 and place is not None:
        table, _, after = place.partition(":")
        done, last = _forget_some(tx, owner_id, table, after, left, now)
        left -= done
        following = _ORDER.index(table) + 1
        if left > 0:
            # All of this table: the next one begins.
            place = f"{_ORDER[following]}:" if following < len(_ORDER) else None
        else:
            place = f"{table}:{last}"
    tx.update("owner", {"owner_id": owner_id}, forgetting=place)
    return True


def _forget_some(
    tx: Tx, owner_id: str, table: str, after: str, limit: int, now: datetime
) -> tuple[int, str]:
    """Forget rows of one table, no more than ``limit``; return how many, and the last one's id."""
    if table == _ENTRIES:
        return journal.erase(tx, owner_id, now, limit), ""
    if table in _DELETED:
        found = f"SELECT rowid FROM {table} WHERE {_DELETED[table]} LIMIT ?"  # noqa: S608 - constants
        sql = f"DELETE FROM {table} WHERE rowid IN ({found})"  # noqa: S608 - as said
        return tx.run(sql, owner_id, limit), ""
    key, changes = _IN_DEALS[table]
    words = ", decision" if table == "offer" else ""
    rows = tx.all(
        # The names are those of our own tables and columns.
        f"SELECT {key}{words} FROM {table} WHERE owner_id = ? AND {key} > ?"  # noqa: S608 - as said
        f" ORDER BY {key} LIMIT ?",
        owner_id,
        after,
        limit,
    )
    for row in rows:
        said = {}
        if row.get("decision") is not None:
            said["decision"] = to_json(from_json(row["decision"]) | _NO_WORDS).decode()
        tx.update(table, {key: row[key]}, **changes, **said)
    return len(rows), rows[-1][key] if rows else after


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
            unconfirmed_since=None,
            deleted_at=now,
        )
        tx.run("DELETE FROM vehicle_price WHERE vehicle_id = ?", row["vehicle_id"])
    tx.run("DELETE FROM charger WHERE owner_id = ?", owner_id)
