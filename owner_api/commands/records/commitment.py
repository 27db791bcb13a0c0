"""A deal: what was agreed, and how far it has come."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Any, Self

from owner_api.core.machine import CommitmentState
from owner_api.core.model import (
    StopMarks,
    Terms,
)
from owner_api.problems import not_found
from owner_api.store.documents import load
from owner_api.store.tx import Tx

from .opened import instant


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentRecord:
    """An accepted offer and how its delivery stands.

    ``setpoint_w`` is what was allowed last (- out of the car), ``worst_setpoint_w`` the strongest
    discharge allowed since the meter was last read. ``powered_j`` is what has left since then (J)
    by powers that were told without registers that count.
    """

    commitment_id: str
    offer_id: str
    session_id: str
    vehicle_id: str
    owner_id: str
    park_id: str
    state: CommitmentState
    state_reason: str | None
    order_reference: str | None
    consented_energy_wh: int
    committed_energy_wh: int
    energy_limit_wh: int
    start_at: datetime
    end_at: datetime
    award_by: datetime
    decided_at: datetime
    terms: Terms
    terms_sha256: str
    quote_request: str
    soc_floor_pct: Decimal
    last_seq: int
    setpoint_w: int
    worst_setpoint_w: int
    lease_until: datetime | None
    instructed_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    soc_at_start_pct: Decimal | None
    begin_register_wh: int | None
    last_register_wh: int | None
    last_reading_at: datetime | None
    powered_j: int | None
    begin_reading_id: str | None
    last_reading_id: str | None
    stop: StopMarks | None
    settlement_id: str | None
    owner_stopped_at: datetime | None

    @property
    def counts_at(self) -> datetime:
        """When the deal counts in the owner's budgets: its window may have begun before the yes."""
        return max(self.start_at, self.decided_at)

    @property
    def rests_from(self) -> datetime | None:
        """From when on nothing flows for an ended deal, however late its end was noticed."""
        if self.ended_at is None:
            return None
        return min(self.ended_at, self.end_at, self.lease_until or self.end_at)

    @property
    def given_wh(self) -> int:
        """Energy the meter has seen leave since the deal began (Wh)."""
        if self.begin_register_wh is None or self.last_register_wh is None:
            return 0
        return max(0, self.last_register_wh - self.begin_register_wh)

    @property
    def delivered_wh(self) -> int:
        """Energy the meter has seen leave for this deal (Wh), at most what was committed."""
        return min(self.committed_energy_wh, self.given_wh)

    @property
    def powered_wh(self) -> int:
        """Energy (Wh) that has left by powers alone since the meter's registers last counted."""
        return ceil((self.powered_j or 0) / 3600)

    @property
    def unseen_wh(self) -> int:
        """Energy (Wh) that may have left since the last register of an ended deal.

        What its lease allowed, or more where a charger that heard no stop was seen to go on.
        """
        until, since, told_wh = self.lease_until, self.last_reading_at, self.powered_wh
        if until is None or since is None:
            return told_wh
        unseen_s = max(0.0, (until - since).total_seconds())
        allowed_wh = ceil(-self.worst_setpoint_w * unseen_s / 3600)
        return max(told_wh, min(allowed_wh, self.committed_energy_wh - self.delivered_wh))

    @property
    def may_have_left_wh(self) -> int:
        """Energy (Wh) that may have left by an ended deal, by its meter's last word and unseen.

        Also what nobody pays: a charger that ignores a stop gives more than was sold.
        """
        return self.given_wh + self.unseen_wh

    @property
    def turn(self) -> tuple[bool, datetime, str]:
        """Where the deal stands among its car's live ones: what runs, then by their begin."""
        return self.state is not CommitmentState.ACTIVE, self.start_at, self.commitment_id

    @classmethod
    def find(
        cls, tx: Tx, commitment_id: str, *, owner_id: str | None = None, park_id: str | None = None
    ) -> Self:
        """Load a commitment of the given owner or park; raise not_found otherwise."""
        row = tx.one(
            "SELECT * FROM commitment WHERE commitment_id = ? AND (? IS NULL OR owner_id = ?)"
            " AND (? IS NULL OR park_id = ?)",
            commitment_id,
            owner_id,
            owner_id,
            park_id,
            park_id,
        )
        if row is None:
            raise not_found()
        return cls.from_row(row)

    @classmethod
    def live_of_vehicle(cls, tx: Tx, vehicle_id: str) -> list[Self]:
        """Load the vehicle's commitments that have not ended, earliest first."""
        rows = tx.all(
            "SELECT * FROM commitment INDEXED BY commitment_live WHERE vehicle_id = ?"
            " AND state IN ('pending_award', 'scheduled', 'active') ORDER BY start_at",
            vehicle_id,
        )
        return [cls.from_row(row) for row in rows]

    @classmethod
    def live_or_in_time(cls, tx: Tx, vehicle_id: str, now: datetime) -> list[Self]:
        """Load the vehicle's commitments that live or whose window is not over, earliest first."""
        rows = tx.all(
            "SELECT * FROM commitment WHERE rowid IN ("
            " SELECT rowid FROM commitment WHERE vehicle_id = ?1 AND end_at > ?2"
            " UNION SELECT rowid FROM commitment INDEXED BY commitment_live WHERE vehicle_id = ?1"
            " AND state IN ('pending_award', 'scheduled', 'active')) ORDER BY start_at",
            vehicle_id,
            now,
        )
        return [cls.from_row(row) for row in rows]

    @classmethod
    def metered(cls, tx: Tx, session_id: str) -> list[Self]:
        """Load the session's commitments whose energy the meter still counts, newest first."""
        rows = tx.all(
            "SELECT * FROM commitment WHERE session_id = ? AND started_at IS NOT NULL"
            " AND settlement_id IS NULL ORDER BY started_at DESC",
            session_id,
        )
        return [cls.from_row(row) for row in rows]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Open a commitment row."""
        soc = row["soc_at_start_pct"]
        opened = {
            "state": CommitmentState(row["state"]),
            "terms": load(Terms, row["terms"]),
            "soc_floor_pct": Decimal(row["soc_floor_pct"]),
            "soc_at_start_pct": None if soc is None else Decimal(soc),
            "stop": load(StopMarks, row["stop"]) if row["stop"] else None,
        }
        instants = (
            "start_at",
            "end_at",
            "award_by",
            "decided_at",
            "lease_until",
            "instructed_at",
            "started_at",
            "ended_at",
            "last_reading_at",
            "owner_stopped_at",
        )
        opened |= {name: instant(row[name]) for name in instants}
        return cls(**{**row, **opened})
