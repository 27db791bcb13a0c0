"""Everything an owner's device needs in one read: a full read can always repair a client."""

from datetime import timedelta
from typing import Final

from owner_api.calls import Call, Reply
from owner_api.core.canonical import instant_text
from owner_api.store.tx import Tx

from . import agreements, chargers, rewards
from .owner_views import commitment_view, offer_view, session_view
from .records import CommitmentRecord, OfferRecord, SessionRecord, VehicleRecord
from .vehicle_views import departures_view, preferences_view, vehicle_view

_RECENT: Final = timedelta(days=7)
_MOST: Final = 50


def snapshot(tx: Tx, call: Call) -> Reply:
    """Return the owner's whole world and the number of the last event it contains."""
    owner_id, now = call.principal.party_id, call.now
    vehicles = VehicleRecord.of_owner(tx, owner_id)
    head = tx.one("SELECT seq FROM stream_head WHERE party_id = ?", owner_id)
    since = now - _RECENT
    offers = tx.all(
        "SELECT * FROM offer WHERE owner_id = ? AND (state IN ('presented', 'countered')"
        " OR updated_at > ?) ORDER BY offer_id DESC LIMIT ?",
        owner_id,
        since,
        _MOST,
    )
    commitments = tx.all(
        "SELECT * FROM commitment WHERE owner_id = ? AND (end_at > ? OR ended_at > ?)"
        " ORDER BY commitment_id DESC LIMIT ?",
        owner_id,
        since,
        since,
        _MOST,
    )
    sessions = tx.all(
        "SELECT * FROM session WHERE owner_id = ? AND state != 'ended' ORDER BY session_id",
        owner_id,
    )
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
        "offers": [offer_view(tx, OfferRecord.from_row(row)) for row in reversed(offers)],
        "commitments": [
            commitment_view(tx, CommitmentRecord.from_row(row), now)
            for row in reversed(commitments)
        ],
        "rewards": rewards.totals(tx, owner_id, now),
        "last_event_id": head["seq"] if head else 0,
    }
    return Reply(body=shown)


def _server(tx: Tx, call: Call) -> dict[str, str]:
    row = tx.one("SELECT value FROM meta WHERE key = 'server_id'")
    return {
        "server_id": row["value"] if row else "",
        "version": "1",
        "time": instant_text(call.now),
    }
