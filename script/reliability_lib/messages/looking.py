"""What the database holds in the end, against what the post has seen answered."""

from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
import sqlite3
from typing import Final

from script.reliability_lib.powercut.books import unsound

from .post import Post
from .trade import Trade

# An award is logged for both sides.
_ROWS: Final = {
    "vehicle": "SELECT COUNT(*) FROM vehicle",
    "agreement": "SELECT COUNT(*) FROM agreement",
    "session": "SELECT COUNT(*) FROM session",
    "offer": "SELECT COUNT(*) FROM offer",
    "decision": "SELECT COUNT(*) FROM ledger_leaf WHERE kind = 'decision'",
    "award": "SELECT COUNT(*) / 2 FROM ledger_leaf WHERE kind = 'commitment.scheduled'",
    "instruction": "SELECT COUNT(*) FROM instruction",
    "reading": "SELECT COUNT(*) FROM reading",
    "stop": "SELECT COUNT(*) FROM receipt WHERE kind = 'stop'",
}


def look(database: Path, post: Post, trades: Iterable[Trade]) -> None:
    """Count effects that are there twice or not at all, overtaken setpoints and wrong sums."""
    found, answered = post.found, Counter(effect[0] for effect in post.effects)
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for kind, counted in _ROWS.items():
            rows = int(connection.execute(counted).fetchone()[0])
            found.rows[kind] = rows
            found.doubled += max(0, rows - answered[kind])
            found.lost += max(0, answered[kind] - rows)
            if rows != answered[kind]:
                found.first.append(f"{kind}: {rows} rows for {answered[kind]} answered")
        newest: dict[str, int] = {}
        for deal, seq in connection.execute(
            "SELECT commitment_id, seq FROM instruction ORDER BY rowid"
        ):
            found.taken += seq <= newest.get(deal, 0)
            newest[deal] = max(seq, newest.get(deal, 0))
        for trade in trades:
            if trade.commitment_id:
                _settled(connection, post, trade)
        for what in unsound(connection, whole=True, file=True):
            found.note("invalid", what)


def _settled(connection: sqlite3.Connection, post: Post, trade: Trade) -> None:
    """Hold a settlement against the charger's own register: late readings must not move it."""
    rows = connection.execute(
        "SELECT actual_wh, state FROM settlement WHERE commitment_id = ?", (trade.commitment_id,)
    ).fetchall()
    started = connection.execute(
        "SELECT started_at FROM commitment WHERE commitment_id = ?", (trade.commitment_id,)
    ).fetchone()[0]
    if started is None and not rows:
        return
    post.found.rows["settlement"] += len(rows)
    if len(rows) != 1 or rows[0][0] != trade.exported_wh - 5_000:
        post.found.note("unsettled", f"{rows} for {trade.exported_wh - 5_000} Wh")
