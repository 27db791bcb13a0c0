"""A vehicle with its owner's preferences and leave times."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self, cast
from zoneinfo import ZoneInfo

from owner_api.core.model import (
    Departures,
    Preferences,
    Vehicle,
    VehicleLive,
)
from owner_api.problems import not_found
from owner_api.store.documents import load
from owner_api.store.tx import Tx

from .opened import Given, Opened, instant


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
    unconfirmed_since: datetime | None

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
            owner_stopped_at=instant(row["owner_stopped_at"]),
            unconfirmed_since=instant(row["unconfirmed_since"]),
        )


def _vehicle(row: Given, owner: Given | None) -> VehicleRecord:
    assert owner is not None
    beside = {name: owner[name] for name in ("time_zone", "currency")}
    return VehicleRecord.from_row({**row, **beside})


_vehicles: Final = Opened(_vehicle)
