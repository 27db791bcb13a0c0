"""Rows with their documents opened: one typed record per vehicle, session, offer, commitment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Any, Final, Self, cast
from zoneinfo import ZoneInfo

from owner_api.core.machine import CommitmentState, OfferState
from owner_api.core.model import (
    Decision,
    Departures,
    Preferences,
    Recharge,
    SessionLive,
    StopMarks,
    Terms,
    Vehicle,
    VehicleLive,
)
from owner_api.core.owed import OwedRecharges
from owner_api.problems import not_found
from owner_api.store.documents import from_json, load
from owner_api.store.times import decode
from owner_api.store.tx import Tx

type Row = dict[str, Any]
type _Given = Mapping[str, Any]

_NOTHING: Final = OwedRecharges()
# Vehicles and offers that the writer may meet again before their rows change.
_MOST: Final = 8_192


def _at(text: str | None) -> datetime | None:
    return None if text is None else decode(text)


class _Opened[R]:
    """Records that are opened once per row: a row that the writer remembers is never changed."""

    def __init__(self, opener: Callable[[_Given, _Given | None], R]) -> None:
        self._open = opener
        self._known: dict[str, tuple[_Given, _Given | None, R]] = {}

    def opened(self, key: str, row: _Given, beside: _Given | None = None) -> R:
        """Return the record of a row and, where it takes one, of the row beside it."""
        known = self._known.get(key)
        if known is not None and known[0] is row and known[1] is beside:
            return known[2]
        if len(self._known) >= _MOST:
            self._known.clear()
        record = self._open(row, beside)
        self._known[key] = row, beside, record
        return record


@dataclass(frozen=True, kw_only=True, slots=True)
class VehicleRecord:
    """A vehicle with everything the owner said about it."""

    vehicle_id: str
    owner_id: str
    revision: int
    body: Vehicle
    live: VehicleLive
    preferences: Preferences
    preferences_revision: int
    departures: Departures
    departures_revision: int
    zone: ZoneInfo
    currency: str
    owner_stopped_at: datetime | None

    @classmethod
    def find(cls, tx: Tx, vehicle_id: str, owner_id: str | None = None) -> Self:
        """Load a vehicle of ``owner_id`` (of anyone when None); raise not_found otherwise."""
        row = tx.by_key("vehicle", vehicle_id)
        if row is None or row["deleted_at"] is not None or owner_id not in (None, row["owner_id"]):
            raise not_found()
        return cls._beside_owner(tx, row)

    @classmethod
    def kept(cls, tx: Tx, vehicle_id: str) -> Self | None:
        """Load a vehicle, also one that was deleted: its deals remain."""
        row = tx.by_key("vehicle", vehicle_id)
        return None if row is None else cls._beside_owner(tx, row)

    @classmethod
    def _beside_owner(cls, tx: Tx, row: Mapping[str, Any]) -> Self:
        owner = tx.by_key("owner", row["owner_id"])
        assert owner is not None
        return cast("Self", _vehicles.opened(row["vehicle_id"], row, owner))

    @classmethod
    def of_owner(cls, tx: Tx, owner_id: str) -> list[Self]:
        """Load all vehicles of an owner, oldest first."""
        rows = tx.all(
            "SELECT v.*, o.time_zone, o.currency FROM vehicle v JOIN owner o USING (owner_id)"
            " WHERE v.owner_id = ? AND v.deleted_at IS NULL ORDER BY v.vehicle_id",
            owner_id,
        )
        return [cls.from_row(row) for row in rows]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Open a row joined with its owner's time zone and currency."""
        return cls(
            vehicle_id=row["vehicle_id"],
            owner_id=row["owner_id"],
            revision=row["revision"],
            body=load(Vehicle, row["body"]),
            live=load(VehicleLive, row["live"]),
            preferences=load(Preferences, row["preferences"]),
            preferences_revision=row["preferences_revision"],
            departures=load(Departures, row["departures"]),
            departures_revision=row["departures_revision"],
            zone=ZoneInfo(row["time_zone"]),
            currency=row["currency"],
            owner_stopped_at=_at(row["owner_stopped_at"]),
        )


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
            unplugged_at=_at(row["unplugged_at"]),
            recharge=load(Recharge, row["recharge"]) if row["recharge"] else None,
            owed=load(OwedRecharges, row["recharge_owed"]) if row["recharge_owed"] else _NOTHING,
            recharge_due_at=_at(row["recharge_due_at"]),
            recharge_broken_at=_at(row["recharge_broken_at"]),
            recharge_from_wh=row["recharge_from_wh"],
            live=load(SessionLive, row["live"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferRecord:
    """An offer in its newest revision."""

    offer_id: str
    park_id: str
    owner_id: str | None
    vehicle_id: str | None
    session_id: str
    revision: int
    state: OfferState
    state_reason: str | None
    purpose: str
    issued_at: datetime
    respond_by: datetime
    terms: Terms
    terms_sha256: str
    evaluation_json: str | None
    arrival_json: str | None
    decision: Decision | None
    commitment_id: str | None

    @classmethod
    def find(
        cls, tx: Tx, offer_id: str, *, owner_id: str | None = None, park_id: str | None = None
    ) -> Self:
        """Load an offer of the given owner or park; raise not_found otherwise."""
        row = tx.by_key("offer", offer_id)
        if (
            row is None
            or owner_id not in (None, row["owner_id"])
            or park_id not in (None, row["park_id"])
        ):
            raise not_found()
        return cast("Self", _offers.opened(offer_id, row))

    @property
    def evaluation(self) -> Row | None:
        """How the offer was judged, as its owner sees it."""
        return None if self.evaluation_json is None else dict(from_json(self.evaluation_json))

    @property
    def arrival(self) -> Row | None:
        """What a rule looks at, as it was when the newest terms came; of old offers as it is."""
        if self.arrival_json is None:
            return self.evaluation
        return dict(from_json(self.arrival_json))

    def changed(self, tx: Tx, **values: object) -> Self:
        """Write some columns and return the offer as it is from then on."""
        row = tx.change("offer", self.offer_id, **values)
        return cast("Self", _offers.opened(self.offer_id, row))

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Open an offer row."""
        return cls(
            offer_id=row["offer_id"],
            park_id=row["park_id"],
            owner_id=row["owner_id"],
            vehicle_id=row["vehicle_id"],
            session_id=row["session_id"],
            revision=row["revision"],
            state=OfferState(row["state"]),
            state_reason=row["state_reason"],
            purpose=row["purpose"],
            issued_at=decode(row["issued_at"]),
            respond_by=decode(row["respond_by"]),
            terms=load(Terms, row["terms"]),
            terms_sha256=row["terms_sha256"],
            evaluation_json=row["evaluation"],
            arrival_json=row["arrival"],
            decision=load(Decision, row["decision"]) if row["decision"] else None,
            commitment_id=row["commitment_id"],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentRecord:
    """An accepted offer and how its delivery stands.

    ``setpoint_w`` is what was allowed last (- out of the car), ``worst_setpoint_w`` the strongest
    discharge allowed since the meter was last read.
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
    def delivered_wh(self) -> int:
        """Energy the meter has seen leave for this deal (Wh), at most what was committed."""
        if self.begin_register_wh is None or self.last_register_wh is None:
            return 0
        return min(self.committed_energy_wh, max(0, self.last_register_wh - self.begin_register_wh))

    @property
    def may_have_left_wh(self) -> int:
        """Energy (Wh) that may have left for an ended deal: until it is settled, also unseen."""
        seen_wh, until, since = self.delivered_wh, self.lease_until, self.last_reading_at
        if self.settlement_id is not None or until is None or since is None:
            return seen_wh
        unseen_s = max(0.0, (until - since).total_seconds())
        unseen_wh = ceil(-self.worst_setpoint_w * unseen_s / 3600)
        return min(self.committed_energy_wh, seen_wh + unseen_wh)

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
            "SELECT * FROM commitment WHERE vehicle_id = ?"
            " AND state IN ('pending_award', 'scheduled', 'active') ORDER BY start_at",
            vehicle_id,
        )
        return [cls.from_row(row) for row in rows]

    @classmethod
    def live_or_in_time(cls, tx: Tx, vehicle_id: str, now: datetime) -> list[Self]:
        """Load the vehicle's commitments that live or whose window is not over, earliest first."""
        rows = tx.all(
            "SELECT * FROM commitment WHERE vehicle_id = ? AND (end_at > ?"
            " OR state IN ('pending_award', 'scheduled', 'active')) ORDER BY start_at",
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
        opened |= {name: _at(row[name]) for name in instants}
        return cls(**{**row, **opened})


def _vehicle(row: _Given, owner: _Given | None) -> VehicleRecord:
    assert owner is not None
    beside = {name: owner[name] for name in ("time_zone", "currency")}
    return VehicleRecord.from_row({**row, **beside})


def _offer(row: _Given, _beside: _Given | None) -> OfferRecord:
    return OfferRecord.from_row(row)


_vehicles: Final = _Opened(_vehicle)
_offers: Final = _Opened(_offer)
