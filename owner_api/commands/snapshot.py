"""Everything an owner's device needs in one read: a full read can always repair a client."""

from datetime import datetime, timedelta
from typing import Final

from owner_api.calls import Call, Reply
from owner_api.core.canonical import instant_text
from owner_api.store.tx import Tx

from . import agreements, chargers
from .balances import totals
from .owner_views import LIVE, commitment_view, offer_view, session_view
from .records import CommitmentRecord, OfferRecord, Row, SessionRecord, VehicleRecord
from .standing import OF_CARS, OPEN_SESSIONS
from .vehicle_views import departures_view, preferences_view, vehicle_view

_RECENT: Final = timedelta(days=7)
_MOST_ENDED: Final = 50
# No server was away for longer, so what lately changed had its time within these days.
_AWAY: Final = timedelta(days=60)


def snapshot(tx: Tx, call: Call) -> Reply:
    """Return the owner's whole world and the number of the last event it contains."""
    owner_id, now = call.principal.party_id, call.now
    vehicles = VehicleRecord.of_owner(tx, owner_id)
    head = tx.one("SELECT seq FROM stream_head WHERE party_id = ?", owner_id)
    since = now - _RECENT
    offers = _standing_and_recent(
        tx,
        ("offer", "respond_by"),
        "state IN ('presented', 'countered')",
        "updated_at > ?2",
        owner_id,
        since,
    )
    commitments = _standing_and_recent(
        tx,
        ("commitment", "end_at"),
        f"state IN {LIVE}",
        "(end_at > ?2 OR ended_at > ?2)",
        owner_id,
        since,
    )
    sessions = tx.all(f"{OPEN_SESSIONS} ORDER BY session_id", owner_id)
    owner = tx.one("SELECT * FROM owner WHERE owner_id = ?", owner_id)
    assert owner is not None
    shown = {
        "server": _server(tx, call),
        "owner": {
            key: owner[key]
            for key in (
                "owner_id",
                "display_name",
                "time_zone",
                "language",
                "currency",
                "revision",
            )
        },
        "vehicles": [vehicle_view(tx, record, now) for record in vehicles],
        "preferences": [preferences_view(record) for record in vehicles],
        "departures": [departures_view(record, now) for record in vehicles],
        "chargers": chargers.all_views(tx, owner_id),
        "parks": tx.all(
            "SELECT park_id, display_name, terms_version, terms_sha256 FROM park ORDER BY park_id"
        ),
        "agreements": agreements.all_views(tx, owner_id),
        "sessions": [session_view(tx, SessionRecord.from_row(row)) for row in sessions],
        "offers": [offer_view(tx, OfferRecord.from_row(row)) for row in offers],
        "commitments": [
            commitment_view(tx, CommitmentRecord.from_row(row), now) for row in commitments
        ],
        "rewards": totals(tx, owner_id, now),
        "last_event_id": head["seq"] if head else 0,
    }
    return Reply(body=shown)


def _standing_and_recent(
    tx: Tx,
    table_and_time: tuple[str, str],
    standing: str,
    recent: str,
    owner_id: str,
    since: datetime,
) -> list[Row]:
    """Return the rows that still count, all of them, and the newest of those that lately did.

    Promise 8: what an owner may answer or has to keep is not pushed out by what came after it.
    """
    table, time = table_and_time
    # The names are the caller's constants.
    chosen = (
        f"SELECT * FROM {table} INDEXED BY {table}_of_car"  # noqa: S608 - as said
        f" WHERE {OF_CARS} AND owner_id = ?1 AND {time} > ?3"
    )
    rows = tx.all(f"{chosen} AND {standing}", owner_id, since, since - _AWAY)
    rows += tx.all(
        f"{chosen} AND NOT {standing} AND {recent} ORDER BY {table}_id DESC LIMIT ?4",
        owner_id,
        since,
        since - _AWAY,
        _MOST_ENDED,
    )
    return sorted(rows, key=lambda row: str(row[f"{table}_id"]))


def _server(tx: Tx, call: Call) -> dict[str, str]:
    row = tx.one("SELECT value FROM meta WHERE key = 'server_id'")
    return {
        "server_id": row["value"] if row else "",
        "version": "1",
        "time": instant_text(call.now),
    }
