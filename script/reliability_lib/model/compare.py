"""Hold the database against the model: every state after every step, and the books' sums."""

from collections.abc import Iterator, Set as AbstractSet
from datetime import datetime
import sqlite3

from .twin import Twin

_OFFERS = "SELECT offer_id, state, revision, commitment_id FROM offer"
_ENDED = "SELECT offer_id, revision, ended_as FROM offer_revision WHERE ended_as IS NOT NULL"
_DEALS = (
    "SELECT commitment_id, state, state_reason, committed_energy_wh, energy_limit_wh, last_seq,"
    " setpoint_w, lease_until, last_register_wh FROM commitment"
)
_SETTLEMENTS = (
    "SELECT commitment_id, version, settlement.state, delivered_wh, net_minor, status,"
    " already_paid_minor, settlement_id FROM settlement JOIN reward USING (settlement_id)"
)
_BALANCES = "SELECT account, currency, SUM(amount_minor) FROM posting GROUP BY account, currency"
_STAYS = "SELECT session_id, state FROM session"


class DivergedError(Exception):
    """The store and the model do not say the same."""


def stored_instant(at: datetime | None) -> str | None:
    """Return an instant as the database holds it."""
    return None if at is None else at.isoformat(timespec="microseconds")[:26] + "Z"


def compare(connection: sqlite3.Connection, twin: Twin) -> None:
    """Raise DivergedError at the first thing that differs, or when a currency does not sum to 0."""
    # One snapshot for all statements: each alone would take and give back the file's locks.
    connection.execute("BEGIN")
    try:
        _compare(connection, twin)
    finally:
        connection.execute("COMMIT")


def _compare(connection: sqlite3.Connection, twin: Twin) -> None:
    rows = connection.execute
    offers = {
        (o.offer_id, o.state, o.revision, o.deal and o.deal.commitment_id)
        for o in twin.offers.values()
    }
    _same("offers", set(rows(_OFFERS)), offers)
    ended = {(*key, state) for key, state in twin.superseded.items()}
    _same("ended revisions", set(rows(_ENDED)), ended)
    _same("deals", set(rows(_DEALS)), set(_deals(twin)))
    _settlements(connection, twin)
    balances, sums = set[tuple[str, str, int]](), dict[str, int]()
    for account, currency, total in rows(_BALANCES):
        sums[currency] = sums.get(currency, 0) + total
        balances.add((account, currency, total))
    if wrong := {currency: total for currency, total in sums.items() if total}:
        raise DivergedError(f"currencies that do not sum to zero: {wrong}")
    _same("balances", {b for b in balances if b[2]}, _balances(twin))
    stays = {(s.session_id, s.state) for s in twin.stays}
    _same("sessions", set(rows(_STAYS)), stays)


def _deals(twin: Twin) -> Iterator[tuple[object, ...]]:
    for d in twin.deals.values():
        lease = stored_instant(d.lease_until)
        energy = (d.committed_wh, d.committed_wh)
        yield (
            *(d.commitment_id, d.state, d.reason, *energy, d.last_seq, d.setpoint_w),
            *(lease, d.last_wh),
        )


def _settlements(connection: sqlite3.Connection, twin: Twin) -> None:
    known = {(s.deal.commitment_id, s.version): s for s in twin.settlements}
    found = set()
    for *row, settlement_id in connection.execute(_SETTLEMENTS):
        found.add(tuple(row))
        if settlement := known.get((row[0], row[1])):
            settlement.settlement_id = settlement_id
    expected = {
        (
            *(s.deal.commitment_id, s.version, s.state, s.delivered_wh, s.net_minor),
            *(s.reward, s.already_minor),
        )
        for s in twin.settlements
    }
    _same("settlements", found, expected)


def _balances(twin: Twin) -> set[tuple[str, str, int]]:
    return {(*key, total) for key, total in twin.balances().items() if total}


def _same(what: str, stored: AbstractSet[object], expected: AbstractSet[object]) -> None:
    if stored != expected:
        raise DivergedError(
            f"{what}: the store has {sorted(map(repr, stored - expected))[:3]},"
            f" the model {sorted(map(repr, expected - stored))[:3]}"
        )
