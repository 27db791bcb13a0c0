"""Reading a party's stream back, and forgetting what is old."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .pending import Event
from .times import decode
from .tx import Tx

# So many rows of a table are looked at together; when half of them went, there may be more.
PRUNE_AT_ONCE: Final = 5_000
_GOES_ON: Final = PRUNE_AT_ONCE // 2
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


def begin_anew(tx: Tx, parties: Iterable[str], now: datetime) -> None:
    """Have the streams of these parties go on from numbers that were never given.

    What a restore lost has given numbers after the newest that is kept. Given again, they would
    pass over what is new for whoever goes on from one of the lost; as it is, no earlier number is
    covered. Nobody's stream has had an event for each millisecond until now.
    """
    tx.run("DELETE FROM outbox")
    for party_id in parties:
        tx.run(
            "INSERT INTO stream_head (party_id, seq) VALUES (?1, ?2)"
            " ON CONFLICT (party_id) DO UPDATE SET seq = max(seq, excluded.seq)",
            party_id,
            int(now.timestamp() * 1_000),
        )


def oldest_at(tx: Tx) -> datetime | None:
    """Return when the event that was written first was, None without any."""
    row = tx.one("SELECT at FROM outbox ORDER BY rowid LIMIT 1")
    return None if row is None else decode(row["at"])


def prune(tx: Tx, *, events_before: datetime, repeats_before: datetime) -> bool:
    """Drop some old events and stored answers; tell whether there may be more of them.

    Looked at are those that were written first, without an index of their ages: what a clock wrote
    that was ahead stays until its own time has come. Only the oldest end of a stream is dropped: a
    clock that stepped back must not leave a gap.
    """
    events = tx.run(
        "DELETE FROM outbox WHERE rowid IN ("
        " WITH first AS MATERIALIZED ("
        "  SELECT rowid AS number, stream, seq, at FROM outbox ORDER BY rowid LIMIT ?1),"
        " young AS (SELECT stream, min(seq) AS seq FROM first WHERE at >= ?2 GROUP BY stream)"
        "  SELECT number FROM first LEFT JOIN young ON young.stream = first.stream"
        "  WHERE at < ?2 AND (young.seq IS NULL OR first.seq < young.seq))",
        PRUNE_AT_ONCE,
        events_before,
    )
    repeats = tx.run(
        "DELETE FROM idempotency WHERE number IN (SELECT first.number FROM"
        " (SELECT number, created_at FROM idempotency ORDER BY number LIMIT ?) AS first"
        " WHERE first.created_at < ?)",
        PRUNE_AT_ONCE,
        repeats_before,
    )
    tx.forget_numbers("idempotency")
    return max(events, repeats) >= _GOES_ON
