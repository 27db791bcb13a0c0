"""A car at a park's charger."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Self

from owner_api.core.model import (
    Recharge,
    SessionLive,
)
from owner_api.core.owed import OwedRecharges
from owner_api.problems import not_found
from owner_api.store.documents import load
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .opened import instant

_NOTHING: Final = OwedRecharges()


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRecord:
    """One plug-in session at a park's charger."""

    session_id: str
    park_id: str
    owner_id: str | None
    vehicle_id: str | None
    evse_id: str
    evse_code: str | None
    identifier_digest: str | None
    state: str
    meter: str
    plugged_in_at: datetime
    unplugged_at: datetime | None
    recharge: Recharge | None
    owed: OwedRecharges
    recharge_due_at: datetime | None
    recharge_broken_at: datetime | None
    recharge_from_wh: int | None
    live: SessionLive

    @property
    def recharge_begin_wh(self) -> int | None:
        """The import register (Wh) from which what is owed is counted, None before any reading."""
        begin = self.recharge_from_wh
        return self.live.first_import_register_wh if begin is None else begin

    def recharged_wh(self, register_wh: int | None) -> int:
        """Energy (Wh) that entered the car for what is owed, by an import register.

        Without one by the newest.
        """
        begin = self.recharge_begin_wh
        register_wh = self.live.import_register_wh if register_wh is None else register_wh
        if begin is None or register_wh is None:
            return 0
        return max(0, register_wh - begin)

    @property
    def recharge_left(self) -> tuple[Recharge, ...]:
        """What the park has still to put back, each with the energy (Wh) that is left of it."""
        if self.recharge_due_at is None:
            return ()
        owed = self.owed.given(self.recharged_wh(None)).recharges
        return tuple(replace(each.promise, energy_wh=each.left_wh) for each in owed if each.left_wh)

    @classmethod
    def find(cls, tx: Tx, session_id: str, park_id: str | None = None) -> Self:
        """Load a session of ``park_id`` (of any park when None); raise not_found otherwise."""
        row = tx.by_key("session", session_id)
        if row is None or park_id not in (None, row["park_id"]):
            raise not_found()
        return cls.from_row(row)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Open a session row."""
        return cls(
            session_id=row["session_id"],
            park_id=row["park_id"],
            owner_id=row["owner_id"],
            vehicle_id=row["vehicle_id"],
            evse_id=row["evse_id"],
            evse_code=row["evse_code"],
            identifier_digest=row["identifier_digest"],
            state=row["state"],
            meter=row["meter"],
            plugged_in_at=decode(row["plugged_in_at"]),
            unplugged_at=instant(row["unplugged_at"]),
            recharge=load(Recharge, row["recharge"]) if row["recharge"] else None,
            owed=load(OwedRecharges, row["recharge_owed"]) if row["recharge_owed"] else _NOTHING,
            recharge_due_at=instant(row["recharge_due_at"]),
            recharge_broken_at=instant(row["recharge_broken_at"]),
            recharge_from_wh=row["recharge_from_wh"],
            live=load(SessionLive, row["live"]),
        )
