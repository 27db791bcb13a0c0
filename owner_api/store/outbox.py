"""Reading a party's stream back, and forgetting what is old."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .pending import Event
from .tx import Tx

PRUNE_AT_ONCE: Final = 5_000
# How a party's events are found; its id is the parameter.
OF_PARTY: Final = "stream = (SELECT stream FROM stream_head WHERE party_id = ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What is kept of a stream: ``head`` is the newest number (0 before the first event)."""

    oldest: int
    head: int

    def covers(self, after: int) -> bool:
        """Tell whether everything that follows number ``after`` is still there."""
        return self.oldest - 1 <= after <= self.head


def span(tx: Tx, party_id: str) -> Span:
    """Return which events of a party are kept."""
    row = tx.one("SELECT seq FROM stream_head WHERE party_id = ?", party_id)
    head = 0 if row is None else int(row["seq"])
    first = tx.one(f"SELECT min(seq) AS seq FROM outbox WHERE {OF_PARTY}", party_id)  # noqa: S608 - a constant
    oldest = head + 1 if first is None or first["seq"] is None else int(first["seq"])
    return Span(oldest=oldest, head=head)


def after(tx: Tx, party_id: str, seq: int, limit: int) -> list[Event]:
    """Return up to ``limit`` events that follow number ``seq``, in order."""
    rows = tx.all(
        f"SELECT seq, type, at, data FROM outbox WHERE {OF_PARTY} AND seq > ?"  # noqa: S608 - a constant
        " ORDER BY seq LIMIT ?",
        party_id,
        seq,
        limit,
    )
    return [Event(party_id, row["seq"], row["type"], row["at"], row["data"]) for row in rows]


def prune(tx: Tx, *, events_before: datetime, repeats_before: datetime) -> Mapping[str, int]:
    """Drop old events and stored answers; returns how many of each.

    Only the oldest end of a stream is dropped: a clock that stepped back must not leave a gap.
    """
    events = tx.run(
        "DELETE FROM outbox WHERE (stream, seq) IN ("
        " SELECT stream, seq FROM outbox AS old WHERE at < ? AND NOT EXISTS ("
        "  SELECT 1 FROM outbox AS kept WHERE kept.stream = old.stream"
        "  AND kept.seq < old.seq AND kept.at >= ?)"
        " ORDER BY seq LIMIT ?)",
        events_before,
        events_before,
        PRUNE_AT_ONCE,
    )
    repeats = tx.run(
        "DELETE FROM idempotency WHERE (client, route, key_sha256) IN ("
        " SELECT client, route, key_sha256 FROM idempotency WHERE created_at < ? LIMIT ?)",
        repeats_before,
        PRUNE_AT_ONCE,
    )
    return {"outbox": events, "idempotency": repeats}
