"""From the meter to a settlement: measured once, priced, booked, and made final."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from owner_api.config import Config
from owner_api.core.machine import (
    Finalize,
    Rejection,
    SettlementCommand,
    SettlementFacts,
    SettlementState,
    decide_settlement,
)
from owner_api.core.model import VehicleLive
from owner_api.core.money import minor_digits
from owner_api.core.settlement import Delivery, measure, price, priced, total
from owner_api.problems import Problem, ProblemCode, not_found
from owner_api.store.documents import dump, from_json, load, to_json
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from . import announce, deals, measured, recharges, rewards
from .edge import Json
from .park_views import stop_reason
from .planner import ask
from .records import CommitmentRecord, Row, SessionRecord

type NewId = Callable[[str], str]

# What the meter said: a correction claims another energy and leaves these as they are.
METER: Final = ("begin_register_wh", "end_register_wh", "source", "quality", "readings")


def settle_if_read(
    tx: Tx,
    deal: CommitmentRecord,
    session: SessionRecord,
    now: datetime,
    config: Config,
    new_id: NewId,
) -> bool:
    """Settle an ended deal once the meter has spoken after its end; return whether it has.

    A window or lease is over before anybody notices: the last word may come between. A power that
    was told later, without registers, may say that it was not the last.
    """
    rests_from = deal.rests_from
    if _waits_since(deal) is None or rests_from is None:
        return False
    live = session.live
    rests = all(measured.at_rest(each, config) for each in (live.power_w, live.newest_power_w))
    read = rests and live.seen_at is not None and live.seen_at >= rests_from
    if read:
        settle(tx, deal, now, new_id, read_after_end=True)
    return read


def settle_if_silent(
    tx: Tx,
    deal: CommitmentRecord,
    session: SessionRecord,
    now: datetime,
    config: Config,
    new_id: NewId,
    heard_since: datetime | None,
) -> None:
    """Settle an ended deal by its last reading once the grace for another one has passed.

    Promise 4: a meter that says that the stop has not worked is not silent. As long as it says so
    the owner is told, and what leaves for the deal is paid.
    """
    ended_at = _waits_since(deal)
    if ended_at is None:
        return
    since = max(ended_at, heard_since or ended_at)
    if deal.stop is not None and measured.runs_on(session, deal.stop.requested_at):
        since = max(since, session.live.power_seen_at or since)
    if now - since >= timedelta(seconds=config.reading_grace_s):
        settle(tx, deal, now, new_id, read_after_end=False)


def _waits_since(deal: CommitmentRecord) -> datetime | None:
    """Return when a deal ended that is still to be settled, None for any other."""
    return deal.ended_at if deal.settlement_id is None and deals.has_delivered(deal) else None


def settle(
    tx: Tx, deal: CommitmentRecord, now: datetime, new_id: NewId, *, read_after_end: bool
) -> None:
    """Write version 1: what flowed between the first and the last reading of the deal."""
    begin, end = deal.begin_register_wh or 0, deal.last_register_wh or 0
    delivery = measure(
        ordered_wh=deal.committed_energy_wh, begin_register_wh=begin, end_register_wh=end
    )
    readings = measured.readings_behind(tx, deal.begin_reading_id, deal.last_reading_id)
    source, quality = measured.worst(readings, read_after_end=read_after_end)
    meter = {
        "basis": "measured",
        "begin_register_wh": begin,
        "end_register_wh": end,
        "source": source,
        "quality": quality,
        "readings": to_json(readings).decode(),
    }
    write(tx, deal, delivery, now, new_id, meter=meter)
    _keep_unseen(tx, deal)
    recharges.expect(tx, deal, now)


def write(
    tx: Tx,
    deal: CommitmentRecord,
    delivery: Delivery,
    now: datetime,
    new_id: NewId,
    *,
    meter: Json,
    version: int = 1,
    supersedes: str | None = None,
    reason: str | None = None,
) -> str:
    """Write one version of a settlement, book its reward and tell both sides; return its id.

    ``meter`` holds the columns that say what the meter said and how far it can be trusted.
    """
    reward = deal.terms.reward
    worth = [
        (part, priced(delivery, part, deal.terms.requested_energy_wh)) for part in reward.shares
    ]
    amounts = total([found for part, found in worth if part in reward.head])
    cash_minor = sum(found.net_minor for part, found in worth if part.kind == "cash")
    settlement_id = new_id("stl")
    lines = breakdown(deal, delivery, cash_minor)
    tx.insert(
        "settlement",
        settlement_id=settlement_id,
        version=version,
        commitment_id=deal.commitment_id,
        owner_id=deal.owner_id,
        park_id=deal.park_id,
        state=SettlementState.PROVISIONAL.value,
        baseline_wh=delivery.baseline_wh,
        ordered_wh=delivery.ordered_wh,
        actual_wh=delivery.actual_wh,
        delivered_wh=delivery.delivered_wh,
        deficiency_wh=delivery.deficiency_wh,
        **meter,
        price_per_kwh=reward.price_per_kwh,
        gross_minor=amounts.gross_minor,
        fixed_minor=amounts.fixed_minor,
        penalty_minor=amounts.penalty_minor,
        net_minor=amounts.net_minor,
        currency=reward.currency,
        breakdown=to_json(lines).decode(),
        stop_reason=stop_reason(deal.state_reason),
        dispute_until=now + timedelta(seconds=deal.terms.dispute_window_s),
        supersedes=supersedes,
        reason=reason,
        created_at=now,
        updated_at=now,
    )
    tx.update("commitment", {"commitment_id": deal.commitment_id}, settlement_id=settlement_id)
    add_wear(tx, deal.vehicle_id, lines["wear_minor"])
    row = find(tx, settlement_id)
    rewards.earn(tx, row, [(part, found.net_minor) for part, found in worth], now, new_id)
    announce.settlement(tx, row, now)
    rewards.announce_totals(tx, deal.owner_id, now)
    announce.commitment(tx, deal.commitment_id, now, "commitment.settled", park=False)
    return settlement_id


def _keep_unseen(tx: Tx, deal: CommitmentRecord) -> None:
    """Count what may have left since the meter's last word until it speaks again.

    It may have to speak of an earlier deal too, whose lease had longer to run than its settlement.
    """
    unseen_wh = deal.unseen_wh
    session = SessionRecord.find(tx, deal.session_id)
    ends = [at for at in (deal.lease_until, session.live.power_seen_at) if at is not None]
    if not unseen_wh or not ends:
        return
    before_wh, until = session.live.unseen or (0, ends[0])
    silent = replace(session.live, unseen=(before_wh + unseen_wh, max(until, *ends)))
    tx.update("session", {"session_id": session.session_id}, live=dump(silent))
    live = _live(tx, deal.vehicle_id)
    since = deal.last_reading_at or ends[0]
    known = replace(
        live,
        unseen_wh=live.unseen_wh + unseen_wh,
        unseen_from=min(since, live.unseen_from or since),
    )
    _keep_live(tx, deal.vehicle_id, known)


def add_wear(tx: Tx, vehicle_id: str, minor: int) -> None:
    """Add to what selling has cost the vehicle's battery so far."""
    live = _live(tx, vehicle_id)
    _keep_live(tx, vehicle_id, replace(live, v2g_wear_minor=live.v2g_wear_minor + minor))


def _live(tx: Tx, vehicle_id: str) -> VehicleLive:
    row = tx.one("SELECT live FROM vehicle WHERE vehicle_id = ?", vehicle_id)
    assert row is not None
    return load(VehicleLive, row["live"])


def _keep_live(tx: Tx, vehicle_id: str, live: VehicleLive) -> None:
    tx.update("vehicle", {"vehicle_id": vehicle_id}, live=dump(live))


def breakdown(deal: CommitmentRecord, delivery: Delivery, cash_minor: int) -> Json:
    """Return the owner's economics of what was delivered, from the inputs kept at consent."""
    lines: dict[str, Any] = {"refill_minor": 0, "losses_minor": 0, "wear_minor": 0}
    request, delivered_wh = from_json(deal.quote_request), delivery.delivered_wh
    gross_minor = cash_minor
    # Empty once the owner is erased: a park may still correct, and nobody reads the owner's costs.
    if delivered_wh and request:
        gross_minor = _counted_minor(request["offer"], delivery)
        request["offer"] |= {"requested_energy_wh": delivered_wh, "min_energy_wh": 0}
        request.pop("budget_left_wh", None)
        request["vehicle"].pop("warranty_discharge_policy", None)
        found = ask(request)["breakdown"]
        lines = {key: (found or {}).get(key, 0) for key in lines}
    costs = sum(lines.values())
    lines["gross_minor"] = gross_minor
    lines["net_minor"] = gross_minor - costs
    return lines


def _counted_minor(offer: Json, delivery: Delivery) -> int:
    """Return what of a delivery's pay is money to the owner, as it was when it was quoted.

    A reward in kind stands beside it, in a unit of its own, unless the owner has set a rate.
    """
    shares = offer.get("parts") or [offer]
    return sum(
        price(
            delivery,
            price_per_kwh=Decimal(share["price_per_kwh"]),
            requested_wh=offer["requested_energy_wh"],
            fixed_minor=share.get("fixed_minor", 0),
            cap_minor=share.get("cap_minor"),
            minor_digits=minor_digits(offer["currency"]),
        ).net_minor
        for share in shares
    )


def find(
    tx: Tx, settlement_id: str, *, owner_id: str | None = None, park_id: str | None = None
) -> Row:
    """Load a settlement of the given owner or park; raise not_found otherwise."""
    row = tx.one(
        "SELECT * FROM settlement WHERE settlement_id = ? AND (? IS NULL OR owner_id = ?)"
        " AND (? IS NULL OR park_id = ?)",
        settlement_id,
        owner_id,
        owner_id,
        park_id,
        park_id,
    )
    if row is None:
        raise not_found()
    return row


def decide(row: Row, command: SettlementCommand, now: datetime, *, confirmed: bool = False) -> str:
    """Return the state that a command leads to; raise the rejection as a problem."""
    facts = SettlementFacts(
        state=SettlementState(row["state"]),
        dispute_until=decode(row["dispute_until"]),
        both_confirmed=confirmed,
        owner_confirmed=row["owner_confirmed_at"] is not None,
    )
    move = decide_settlement(facts, command, now)
    if isinstance(move, Rejection):
        raise Problem(ProblemCode(move.code), move.detail)
    return move.to.value


def finalize(
    tx: Tx, settlement_id: str, now: datetime, new_id: NewId, *, confirmed: bool = False
) -> Row:
    """Make a settlement final and its reward confirmed."""
    row = find(tx, settlement_id)
    to = decide(row, Finalize(), now, confirmed=confirmed)
    tx.update("settlement", {"settlement_id": settlement_id}, state=to, updated_at=now)
    rewards.confirm(tx, settlement_id, now, new_id)
    changed = find(tx, settlement_id)
    announce.settlement(tx, changed, now)
    rewards.announce_totals(tx, changed["owner_id"], now)
    return changed
