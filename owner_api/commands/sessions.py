"""Plug-in sessions at a park: opened, read and ended over HTTP."""

from datetime import timedelta

from owner_api.calls import Call, Reply
from owner_api.core.model import Recharge, SessionLive
from owner_api.core.owed import OwedRecharges
from owner_api.problems import FieldError, Problem, ProblemCode
from owner_api.store.documents import dump
from owner_api.store.tx import Tx

from . import announce, binding, recharges
from .edge import build
from .owner_views import session_view
from .paging import read_page
from .park_views import session_view as park_session_view
from .records import SessionRecord


def open_session(tx: Tx, call: Call) -> Reply:
    """Open a session; a second car on the same EVSE ends the first one's session."""
    body, park_id = call.body, call.principal.party_id
    if body["plugged_in_at"] > call.now + timedelta(seconds=call.config.clock_skew_s):
        raise Problem(
            ProblemCode.INVALID_BODY,
            "The plug-in time lies in the future.",
            errors=(FieldError(pointer="/plugged_in_at", code="range", limit="not after now"),),
        )
    earlier = tx.all(
        "SELECT session_id FROM session WHERE park_id = ? AND evse_id = ?"
        " AND state IN ('bound', 'claimed')",
        park_id,
        body["evse_id"],
    )
    for row in earlier:
        binding.end(tx, row["session_id"], call.now, call.now)
    session_id = call.new_id("ses")
    recharge = build(Recharge, body["recharge"]) if body.get("recharge") else None
    if recharge and recharge.start_at >= recharge.by:
        raise Problem(
            ProblemCode.WINDOW_INVALID,
            "recharge.by: after recharge.start_at",
            errors=(FieldError(pointer="/recharge/by", code="range", limit="after start_at"),),
        )
    tx.insert(
        "session",
        session_id=session_id,
        park_id=park_id,
        evse_id=body["evse_id"],
        evse_code=binding.code_digest(body["evse_code"]) if body.get("evse_code") else None,
        identifier_digest=body.get("identifier_digest"),
        state="claimed",
        meter=body.get("meter", "park"),
        plugged_in_at=body["plugged_in_at"],
        recharge=dump(recharge) if recharge else None,
        **recharges.columns(OwedRecharges().besides(recharge, for_deal=False))
        if recharge and recharge.guaranteed
        else {},
        live=dump(SessionLive()),
        created_at=call.now,
    )
    binding.claim(tx, call, session_id)
    announce.session(tx, session_id, call.now)
    shown = park_session_view(SessionRecord.find(tx, session_id))
    return Reply(body=shown, status=201, location=f"/v1/park/sessions/{session_id}")


def end_by_park(tx: Tx, call: Call) -> Reply:
    """End a session because the car was unplugged."""
    session = SessionRecord.find(tx, call.params["session_id"], call.principal.party_id)
    if session.state != "ended":
        unplugged = max(session.plugged_in_at, min(call.body["unplugged_at"], call.now))
        binding.end(tx, session.session_id, unplugged, call.now)
    return Reply(body=park_session_view(SessionRecord.find(tx, session.session_id)))


def list_for_owner(tx: Tx, call: Call) -> Reply:
    """List the owner's sessions."""
    return read_page(
        tx,
        call,
        "SELECT * FROM session WHERE owner_id = ?",
        call.principal.party_id,
        key="session_id",
        view=lambda row: session_view(tx, SessionRecord.from_row(row)),
    )


def list_for_park(tx: Tx, call: Call) -> Reply:
    """List the park's sessions that have not ended."""
    return read_page(
        tx,
        call,
        # By an index of these alone: of a park's others there are ever more.
        "SELECT * FROM session INDEXED BY session_of_park WHERE park_id = ?"
        " AND (state = 'bound' OR state = 'claimed')",
        call.principal.party_id,
        key="session_id",
        view=lambda row: park_session_view(SessionRecord.from_row(row)),
    )


def get_for_park(tx: Tx, call: Call) -> Reply:
    """Return one of the park's sessions."""
    session = SessionRecord.find(tx, call.params["session_id"], call.principal.party_id)
    return Reply(body=park_session_view(session))
