"""What a park may ask about a session or guess about a car, and how often."""

from datetime import timedelta
from math import ceil

from owner_api.calls import Call, Reply
from owner_api.core.model import Terms
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .edge import build
from .evaluate import judge
from .records import SessionRecord, VehicleRecord


def spend_question(tx: Tx, call: Call, session: SessionRecord) -> None:
    """Promise 7: count a question or offer against the session's hourly budget.

    A car's sessions at one park share it: who opens and ends them must not get a new one each time.
    """
    since = call.now - timedelta(hours=1)
    row = tx.one(
        "SELECT COUNT(*) AS asked, MIN(asked_at) AS first FROM ("
        " SELECT question_id, asked_at FROM question WHERE session_id = ?1 AND asked_at > ?2"
        " UNION SELECT question_id, asked_at FROM question JOIN session USING (session_id)"
        " WHERE question.vehicle_id = ?3 AND asked_at > ?2 AND park_id = ?4)",
        session.session_id,
        since,
        session.vehicle_id,
        session.park_id,
    )
    limit = call.config.asks_per_session_per_hour
    if row is not None and row["asked"] >= limit:
        raise Problem(
            ProblemCode.BUDGET_USED_UP,
            f"At most {limit} questions and offers in an hour per session, and per car in all its"
            " sessions here.",
            retry_after_s=ceil((decode(row["first"]) - since).total_seconds()),
        )
    tx.insert(
        "question",
        question_id=call.new_id("evt"),
        session_id=session.session_id,
        asked_at=call.now,
        vehicle_id=session.vehicle_id,
    )


def check_claims(tx: Tx, call: Call, vehicle_id: str) -> None:
    """Promise 7: refuse one more claim to a car after an hour's budget of those left unbound.

    Each tells whether the car was plugged in then. What was bound was no guess, so a car that is
    plugged in again is not refused; nor does it matter here whether this claim is right.
    """
    since = call.now - timedelta(hours=1)
    row = tx.one(
        "SELECT COUNT(*) AS guessed, MIN(created_at) AS first FROM session"
        " WHERE created_at > ? AND park_id = ? AND vehicle_id = ? AND bound_by IS NULL",
        since,
        call.principal.party_id,
        vehicle_id,
    )
    limit = call.config.asks_per_session_per_hour
    if row is not None and row["guessed"] >= limit:
        raise Problem(
            ProblemCode.BUDGET_USED_UP,
            f"At most {limit} sessions in an hour may name a car and not be bound to it.",
            retry_after_s=ceil((decode(row["first"]) - since).total_seconds()),
        )


def availability(tx: Tx, call: Call) -> Reply:
    """Answer how much energy a bound session could give in a window, rounded down to 500 Wh."""
    body = call.body
    session = SessionRecord.find(tx, body["session_id"], call.principal.party_id)
    if session.state == "ended":
        raise Problem(ProblemCode.SESSION_ENDED, "The car has left this charger.")
    if not call.now < body["end_at"] or body["start_at"] >= body["end_at"]:
        error = FieldError(pointer="/end_at", code="range", limit="after start_at and after now")
        raise Problem(ProblemCode.WINDOW_INVALID, "The window is empty.", errors=(error,))
    spend_question(tx, call, session)
    found = 0
    if session.state == "bound" and session.vehicle_id:
        vehicle = VehicleRecord.find(tx, session.vehicle_id)
        # A question names no reward, so that it asks for the first kind that the owner takes.
        kind = vehicle.preferences.accepted_reward_kinds[0]
        asked = {
            "start_at": body["start_at"],
            "end_at": body["end_at"],
            "requested_energy_wh": 1_000_000,
            "min_energy_wh": 0,
            "max_energy_wh": 1_000_000,
            "max_discharge_w": max(1, vehicle.body.max_discharge_w),
            "reward": {"kind": kind, "currency": vehicle.currency, "price_per_kwh": "0"},
        }
        found = judge(tx, vehicle, session, build(Terms, asked), call.now).available_wh
    shown = {
        "session_id": session.session_id,
        "start_at": body["start_at"],
        "end_at": body["end_at"],
        "available_energy_wh": found,
    }
    return Reply(body=shown, status=201)
