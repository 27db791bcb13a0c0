"""Everything a database holds about one owner, in one JSON document, piece by piece."""

from collections.abc import Generator, Iterator
from datetime import datetime
from typing import Any, Final

from owner_api.store import Tx
from owner_api.store.documents import from_json, to_json

from .owners import find_owner

type Json = dict[str, Any]

FORMAT: Final = "v2g-owner/export/1"
PIECE_BYTES: Final = 65_536

# Each table that knows an owner, and how its rows are found. A test holds this list complete.
EXPORTED: Final[dict[str, str]] = {
    "owner": "owner_id = :owner",
    "earlier_zone": "owner_id = :owner",
    "device": "owner_id = :owner",
    "pairing_code": "owner_id = :owner",
    "vehicle": "owner_id = :owner",
    "soc_sample": "vehicle_id IN (SELECT vehicle_id FROM vehicle WHERE owner_id = :owner)",
    "vehicle_price": "vehicle_id IN (SELECT vehicle_id FROM vehicle WHERE owner_id = :owner)",
    "charger": "owner_id = :owner",
    "agreement": "owner_id = :owner",
    "member": "owner_id = :owner",
    "session": "owner_id = :owner",
    "offer": "owner_id = :owner",
    "commitment": "owner_id = :owner",
    "settlement": "owner_id = :owner",
    "reward": "owner_id = :owner",
    "claim": "owner_id = :owner",
    "earlier_correction": (
        "settlement_id IN (SELECT settlement_id FROM claim WHERE owner_id = :owner"
        " UNION SELECT settlement_id FROM settlement WHERE owner_id = :owner)"
    ),
    "earlier_reward": (
        "commitment_id IN (SELECT commitment_id FROM claim WHERE owner_id = :owner"
        " UNION SELECT commitment_id FROM commitment WHERE owner_id = :owner)"
    ),
    "earlier_payment": (
        "reward_id IN (SELECT reward_id FROM reward WHERE owner_id = :owner"
        " UNION SELECT reward_id FROM earlier_reward WHERE commitment_id IN ("
        "SELECT commitment_id FROM claim WHERE owner_id = :owner"
        " UNION SELECT commitment_id FROM commitment WHERE owner_id = :owner))"
    ),
    "question": "session_id IN (SELECT session_id FROM session WHERE owner_id = :owner)",
    "reading": "session_id IN (SELECT session_id FROM session WHERE owner_id = :owner)",
    "offer_revision": "offer_id IN (SELECT offer_id FROM offer WHERE owner_id = :owner)",
    "instruction": (
        "commitment_id IN (SELECT commitment_id FROM commitment WHERE owner_id = :owner)"
    ),
    "posting": (
        "settlement_id IN (SELECT settlement_id FROM settlement WHERE owner_id = :owner"
        " UNION SELECT settlement_id FROM claim WHERE owner_id = :owner)"
    ),
    "outbox": "stream = (SELECT stream FROM stream_head WHERE party_id = :owner)",
    "ledger_entry": "position IN (SELECT position FROM receipt WHERE party_id = :owner)",
    "receipt": "party_id = :owner",
}
# What is about an owner and yet no use to anybody but a thief, or holds nothing of its own.
LEFT_OUT: Final[dict[str, str]] = {
    "refresh_token": "digests of secrets",
    "idempotency": "copies of answers, kept for repeats",
    "stream_head": "a counter; the events are exported",
    "ledger_leaf": "digests; the entries behind them are exported",
    "ledger_node": "digests",
    "ledger_checkpoint": "the server's own",
    "ledger_key": "the server's own",
    "meta": "the server's own",
    "park": "a park's own",
    "alembic_version": "the schema's own",
}
# Secrets, and a number that only finds rows and would tell how many parties a server has.
_UNSHOWN_COLUMNS: Final = frozenset({"secret_sha256", "stream"})


class Export:
    """Every row about an owner by table, documents opened, written as it is read.

    ``park_names`` says who stands behind each park id in the rows. However much there is, a piece
    and a row are all that is in memory. Raises not_found.
    """

    def __init__(self, tx: Tx, *, owner_id: str, now: datetime) -> None:
        find_owner(tx, owner_id)
        self.rows = 0
        self._tx = tx
        self._owner_id = owner_id
        self._now = now
        self._parks: set[str] = set()
        self._pieces = self._joined()

    def next(self) -> bytes:
        """Return the next piece of the JSON document, nothing after its last."""
        return next(self._pieces, b"")

    def close(self) -> None:
        """Read no further, on the thread that has read."""
        self._pieces.close()

    def _joined(self) -> Generator[bytes]:
        piece = bytearray()
        for part in self._parts():
            piece += part
            if len(piece) >= PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece)

    def _parts(self) -> Iterator[bytes]:
        head = {"format": FORMAT, "exported_at": self._now, "owner_id": self._owner_id}
        yield to_json(head)[:-1]
        for number, (table, where) in enumerate(EXPORTED.items()):
            yield b'%b"%b":[' % (b"," if number else b',"tables":{', table.encode())
            comma = b""
            for row in self._tx.each(_select(table, where), self._owner_id):
                self._note(row)
                yield comma + to_json(_opened(row))
                comma = b","
            yield b"]"
        yield b'},"park_names":%b}' % to_json(self._park_names())

    def _note(self, row: Json) -> None:
        self.rows += 1
        if row.get("park_id"):
            self._parks.add(row["park_id"])

    def _park_names(self) -> dict[str, str]:
        names = self._tx.each("SELECT park_id, display_name FROM park ORDER BY park_id")
        return {
            row["park_id"]: row["display_name"] for row in names if row["park_id"] in self._parks
        }


def _select(table: str, where: str) -> str:
    # Names and conditions come from the constant above; the id travels as a parameter.
    condition = where.replace(":owner", "?1")
    # Only the numbers are collected and sorted: whole rows would be, all of them, before the first.
    numbers = f'SELECT rowid FROM "{table}" WHERE {condition}'  # noqa: S608 - as said
    return f'SELECT * FROM "{table}" WHERE rowid IN ({numbers}) ORDER BY rowid'  # noqa: S608 - as said


def _opened(row: Json) -> Json:
    return {name: _value(value) for name, value in row.items() if name not in _UNSHOWN_COLUMNS}


def _value(value: Any) -> Any:  # noqa: ANN401 - a column's value
    """Return a document column as the JSON it holds; every other value as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return from_json(value)
        except ValueError:
            return value
    return value
