"""What an owner had ended before a restore ends again, once they show their receipt of it.

Promises 1 and 4: a park that was left, and a deal that was stopped or delivered, stood again for
good. Neither ever comes back to life by itself, so whoever proves an end proves it for now.
"""

from datetime import datetime
from typing import Final

from owner_api.core.machine import CommitmentState
from owner_api.core.receipt import Entry
from owner_api.store.tx import Tx

from . import agreements, deals
from .records import CommitmentRecord

_LEFT: Final = "agreement.withdrawn"
# The proof says that energy has left under the deal's yes, which covers no more.
_DELIVERED: Final = frozenset({"active", "completed", "curtailed", "failed"})
_STANDS: Final = frozenset({CommitmentState.PENDING_AWARD, CommitmentState.SCHEDULED})


def end_again(tx: Tx, owner_id: str, entry: Entry, now: datetime) -> None:
    """Do what an owner's replayed entry proves was over; what is over here too stays as it is.

    A deal that the restored books have begun ends with its lease, and is settled by its readings.
    """
    said = dict(entry.body)
    # A park's own word of it names no agreement.
    if entry.kind == _LEFT and "agreement_id" in said:
        agreements.withdraw_again(tx, owner_id, said, datetime.fromisoformat(entry.at), now)
    elif entry.kind.startswith("commitment."):
        sql = "SELECT * FROM commitment WHERE commitment_id = ? AND owner_id = ?"
        if (row := tx.one(sql, said["commitment_id"], owner_id)) is None:
            return
        deal = CommitmentRecord.from_row(row)
        if deal.state not in _STANDS:
            return
        if said["state"] == CommitmentState.REVOKED:
            deals.finish(tx, deal, CommitmentState.REVOKED, said["state_reason"] or "owner", now)
        elif said["state"] in _DELIVERED:
            # These books saw nothing of it: what was earned is claimed by other receipts.
            deals.finish(tx, deal, CommitmentState.MISSED, "not_started", now)
