"""How far a reading can be trusted: its source, its quality, and a signing meter's words."""

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from owner_api.config import Config
from owner_api.core.model import SessionLive
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.schemas.evidence import READING_QUALITIES, READING_SOURCES
from owner_api.store.documents import from_json
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .edge import Json, instant
from .records import SessionRecord

_USUAL: Final = {"park": "meter", "owner": "sensor"}
_NOTHING: Final = {"source": "estimate", "quality": "missing"}

# Promise 4: zero power within this time, where the charger can be reached.
STOP_TAKES: Final = timedelta(seconds=5)
# More than any operator may take for rest.
_SURELY_OUT_W: Final = -500


def check_origins(readings: list[Json]) -> None:
    """Refuse a signed reading without its evidence, and evidence that no signature is claimed of.

    The maker's signature itself is not checked: nobody has given us the maker's key.
    """
    for number, reading in enumerate(readings):
        signed = reading.get("signed") is not None
        if signed != (reading.get("source") == "signed_meter"):
            limit = "given exactly when source is signed_meter"
            error = FieldError(pointer=f"/readings/{number}/signed", code="range", limit=limit)
            raise Problem(ProblemCode.INVALID_BODY, f"signed: {limit}", errors=(error,))


def at_rest(power_w: int | None, config: Config) -> bool:
    """Return whether nothing leaves the car any more: what is charged into it is rest too."""
    return (power_w or 0) > -config.stopped_power_w


def runs_on(session: SessionRecord, stop_asked_at: datetime) -> bool:
    """Return whether the meter says, later than a stop may take, that it has not worked.

    Promise 4: neither a park's confirmation nor the end of its lease beats what the meter shows of
    a car that is still there.
    """
    seen = session.live.power_seen_at
    late = seen is not None and seen >= stop_asked_at + STOP_TAKES
    return session.state != "ended" and late and surely_out(session.live.newest_power_w)


def surely_out(power_w: int | None) -> bool:
    """Return whether energy leaves the car, by more than a meter at rest may be wrong."""
    return (power_w or 0) < _SURELY_OUT_W


def is_estimate(reading: Json) -> bool:
    """Return whether a reading says that nobody measured it."""
    return bool(reading["source"] == "estimate" or reading["quality"] == "estimated")


def without_estimates(tx: Tx, session: SessionRecord) -> SessionLive:
    """Return what a session's meter last said where its last reading was an estimate.

    A meter's own word is held against that, and not against what somebody guessed since.
    """
    live = session.live
    if live.reading_id is None:
        return live
    last = tx.one("SELECT source, quality FROM reading WHERE reading_id = ?", live.reading_id)
    if last is None or not is_estimate(last):
        return live
    row = tx.one(
        "SELECT measured_at, received_at, import_register_wh, export_register_wh FROM reading"
        " WHERE session_id = ? AND measured_at >= coalesce(?, '')"
        " AND quality = 'ok' AND source != 'estimate' ORDER BY measured_at DESC LIMIT 1",
        session.session_id,
        live.counts_from,
    )
    if row is None:
        return live
    return replace(
        live,
        measured_at=decode(row["measured_at"]),
        received_at=decode(row["received_at"]),
        import_register_wh=row["import_register_wh"],
        export_register_wh=row["export_register_wh"],
    )


class Imported(NamedTuple):
    """An import register (Wh) and when it was measured."""

    wh: int
    at: datetime


def imported_by(tx: Tx, session: SessionRecord, at: datetime | None) -> Imported | None:
    """Return the import register as last read at ``at`` or before; None where none was."""
    row = tx.one(
        "SELECT import_register_wh AS wh, measured_at FROM reading WHERE session_id = ?"
        " AND measured_at <= ? AND measured_at >= coalesce(?, '')"
        " AND quality NOT IN ('missing', 'bad') ORDER BY measured_at DESC LIMIT 1",
        session.session_id,
        at,
        session.live.counts_from,
    )
    return None if row is None else Imported(row["wh"], decode(row["measured_at"]))


def imported_after(tx: Tx, session: SessionRecord, at: datetime | None) -> Imported | None:
    """Return the import register as first read at ``at`` or later; None where none was yet.

    A clock that runs ahead does not make a reading later than its arrival.
    """
    row = tx.one(
        "SELECT import_register_wh AS wh, measured_at FROM reading WHERE session_id = ?"
        " AND measured_at >= max(?, coalesce(?, '')) AND received_at >= ?"
        " AND quality NOT IN ('missing', 'bad') ORDER BY measured_at LIMIT 1",
        session.session_id,
        at,
        session.live.counts_from,
        at,
    )
    return None if row is None else Imported(row["wh"], decode(row["measured_at"]))


def imported_at(tx: Tx, session: SessionRecord, at: datetime | None) -> int | None:
    """Return what the import register (Wh) was at ``at``; None where nothing was read by then.

    Between two readings, which may be hours apart, it counts as evenly as time passes.
    """
    before = imported_by(tx, session, at)
    after = None if before is None else imported_after(tx, session, at)
    if at is None or before is None or after is None or after.at <= before.at:
        return None if before is None else before.wh
    return before.wh + round((after.wh - before.wh) * ((at - before.at) / (after.at - before.at)))


def imported_since(tx: Tx, park_id: str, evse_id: str, at: datetime) -> int | None:
    """Return the import register (Wh) as last read at a charger, in whichever session since ``at``.

    None where none was.
    """
    row = tx.one(
        "SELECT max(import_register_wh) AS wh FROM reading JOIN session USING (session_id)"
        " WHERE session.park_id = ? AND session.evse_id = ? AND reading.measured_at >= ?"
        " AND reading.quality NOT IN ('missing', 'bad')",
        park_id,
        evse_id,
        at,
    )
    return None if row is None or row["wh"] is None else int(row["wh"])


def source_of(reading: Json, meter: str) -> str:
    """Return where a reading comes from; the park's are a meter's, Home Assistant's a sensor's."""
    return str(reading.get("source", _USUAL[meter]))


def readings_behind(tx: Tx, begin_id: str | None, end_id: str | None) -> Json:
    """Return the readings that a deal's begin and end registers came from."""
    return {"begin": _reading(tx, begin_id), "end": _reading(tx, end_id)}


def _reading(tx: Tx, reading_id: str | None) -> Json | None:
    row = tx.one("SELECT * FROM reading WHERE reading_id = ?", reading_id)
    if row is None:
        return None
    signed = from_json(row["signed"]) if row["signed"] else None
    return {
        "measured_at": instant(row["measured_at"]),
        "export_register_wh": row["export_register_wh"],
        "source": row["source"],
        "quality": row["quality"],
        "evidence_sha256": None if signed is None else sha256(signed["data"].encode()).hexdigest(),
    }


def worst(readings: Json, *, read_after_end: bool) -> tuple[str, str]:
    """Return the worst source and quality of the readings; without a last word it is missing."""
    found = [reading or _NOTHING for reading in readings.values()]
    sources = (reading["source"] for reading in found)
    qualities = [reading["quality"] for reading in found]
    if not read_after_end:
        qualities.append("missing")
    return max(sources, key=READING_SOURCES.index), max(qualities, key=READING_QUALITIES.index)
