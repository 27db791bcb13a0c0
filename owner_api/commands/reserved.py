"""A car's live deals: what they may still give, which every plan must keep."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from owner_api.core.machine import CommitmentState
from owner_api.core.model import Terms
from owner_api.planning.request import CommittedDischarge
from owner_api.store.documents import load
from owner_api.store.times import decode
from owner_api.store.tx import Tx

from .records import CommitmentRecord, Row

_LIVE_DEALS: Final = (
    "SELECT commitment_id, state, start_at, end_at, committed_energy_wh, energy_limit_wh,"
    " begin_register_wh, last_register_wh, terms FROM commitment"
    " INDEXED BY commitment_live WHERE vehicle_id = ?"
    " AND state IN ('pending_award', 'scheduled', 'active') ORDER BY start_at"
)


class LiveDeal(NamedTuple):
    """A commitment that has not ended: its state, and what any plan must keep of it."""

    commitment_id: str
    state: str
    fixed: CommittedDischarge

    @property
    def turn(self) -> tuple[bool, datetime, str]:
        """Where the deal stands among its car's live ones, as a record's ``turn``."""
        return self.state != CommitmentState.ACTIVE, self.fixed.start_at, self.commitment_id


def live_deals(tx: Tx, vehicle_id: str) -> list[LiveDeal]:
    """Return the vehicle's live deals as far as a plan or a status needs them, earliest first."""
    if (known := tx.recall("commitment", vehicle_id)) is not None:
        return [*known]
    found = [
        LiveDeal(
            row["commitment_id"],
            row["state"],
            CommittedDischarge(
                start_at=decode(row["start_at"]),
                end_at=decode(row["end_at"]),
                energy_wh=_left_wh(row),
                max_discharge_w=load(Terms, row["terms"]).max_discharge_w,
            ),
        )
        for row in tx.all(_LIVE_DEALS, vehicle_id)
    ]
    return keep_deals(tx, vehicle_id, found)


def keep_deals(tx: Tx, vehicle_id: str, deals: Iterable[LiveDeal]) -> list[LiveDeal]:
    """Return all live deals of a vehicle, earliest first, and let the writer remember them."""
    ordered = sorted(deals, key=lambda deal: deal.fixed.start_at)
    tx.remember("commitment", vehicle_id, tuple(ordered))
    return ordered


def new_deal(deal: CommitmentRecord) -> LiveDeal:
    """Return a deal that was made just now as a live one: all of it is still to be given."""
    kept = CommittedDischarge(
        start_at=deal.start_at,
        end_at=deal.end_at,
        energy_wh=deal.energy_limit_wh,
        max_discharge_w=deal.terms.max_discharge_w,
    )
    return LiveDeal(deal.commitment_id, deal.state.value, kept)


def before_leaving(deals: Iterable[LiveDeal], horizon: datetime) -> list[CommittedDischarge]:
    """Return what a plan that ends at ``horizon`` must keep of deals, all of it before that.

    Promise 2: where a window goes on beyond it, nothing keeps the park from taking all it may give
    before the car leaves. Spread over the whole window a part of it would be left out. The rest of
    the window takes nothing, but nobody charges in it when a later leave time is looked for.
    """
    kept = []
    for deal in deals:
        fixed = deal.fixed
        if fixed.start_at < horizon < fixed.end_at:
            kept.append(replace(fixed, end_at=horizon))
            fixed = replace(fixed, start_at=horizon, energy_wh=0)
        kept.append(fixed)
    return kept


def _left_wh(row: Row) -> int:
    """Return the energy (Wh) that a deal may still give, by its meter."""
    begin, last = row["begin_register_wh"], row["last_register_wh"]
    given = 0 if begin is None or last is None else max(0, last - begin)
    left: int = row["energy_limit_wh"] - min(row["committed_energy_wh"], given)
    return max(0, left)
