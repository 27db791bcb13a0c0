"""About which offers of a session its owner was asked: remembered, as a yes has no time to look."""

from math import ceil
from typing import Final

from owner_api.calls import Call
from owner_api.problems import Problem, ProblemCode
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .records import OfferRecord

_ASKED: Final = "asked"
# The session that was noted first makes room; of one that is not known anything may be open.
_MOST_SESSIONS: Final = 8_192


def check_room(tx: Tx, call: Call, session_id: str) -> None:
    """Refuse an offer too many of a session to wait for an answer.

    Promise 4: each is judged again when prices come or the owner agrees to another, and a thousand,
    as many as a week brings, would hold up everybody's stop for ten seconds.
    """
    most = call.config.waiting_offers_per_session
    known: set[str] | None = tx.lasting.get(_ASKED, {}).get(session_id)
    if known is not None and len(known) < most:
        return
    row = tx.one(
        "SELECT COUNT(*) AS waiting, MIN(respond_by) AS first FROM offer"
        " WHERE session_id = ? AND state = 'presented'",
        session_id,
    )
    if row is not None and row["waiting"] >= most:
        left_s = (decode(row["first"]) - call.now).total_seconds()
        raise Problem(
            ProblemCode.BUDGET_USED_UP,
            f"At most {most} offers of a session wait for an answer; withdraw one.",
            retry_after_s=max(1, ceil(left_s)),
        )


def note(tx: Tx, offer: OfferRecord) -> None:
    """Remember that its owner is asked about an offer, beside the open ones of its session."""
    known: dict[str, set[str]] = tx.lasting.setdefault(_ASKED, {})
    if offer.session_id in known:
        known[offer.session_id].add(offer.offer_id)
        return
    rows = tx.all(
        "SELECT offer_id FROM offer WHERE session_id = ? AND state = 'presented'",
        offer.session_id,
    )
    if len(known) >= _MOST_SESSIONS:
        del known[next(iter(known))]
    known[offer.session_id] = {row["offer_id"] for row in rows}


def answered(tx: Tx, offer: OfferRecord) -> None:
    """Remember that an offer waits for its owner no more."""
    known: dict[str, set[str]] = tx.lasting.get(_ASKED, {})
    known.get(offer.session_id, set()).discard(offer.offer_id)


def may_be(tx: Tx, session_id: str) -> bool:
    """Return whether any offer of a session may wait for its owner; some may have ended by now."""
    known: dict[str, set[str]] = tx.lasting.get(_ASKED, {})
    return bool(known.get(session_id, True))
