"""Every event a stream may carry, for each role: its name, when it comes and what its data is.

The contract's `/v1/events` is made from this table, and tests hold it against what is emitted.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from .access import DEVICE_KINDS
from .fields import ListOf, choice, currency, integer, text, time_zone, timestamp, typed_id
from .ledger import CHECKPOINT_NEW, EPOCH_OPENED
from .views import (
    AGREEMENT,
    AGREEMENT_STATE,
    CHARGER,
    COMMITMENT,
    DEPARTURES,
    OFFER,
    PARK_COMMITMENT,
    PARK_OFFER,
    PARK_SESSION,
    PARK_SETTLEMENT,
    PREFERENCES,
    REWARD_MOVED,
    SESSION,
    SETTLEMENT,
    TOTALS,
    VEHICLE,
    required,
)

type Listener = Literal["owner", "park"]

# What comes before the dot is what the event is about; what follows is its new state, or what was
# done with it.
WHEN: Final[Mapping[str, str]] = {
    "agreement.active": "An owner joined the park with these vehicles",
    "agreement.withdrawn": "An owner left the park; its deals are revoked and its offers closed",
    "agreement.replaced": "The next one, told after it, took its place; the cars in both go on",
    "agreement.recharge_broken": "A recharge promise was broken: no rule says yes to the park now",
    "session.claimed": "A session was opened, or let go: nobody has said whose car it is",
    "session.bound": "The car is known; from now on offers reach its owner",
    "session.ended": "The car was unplugged, or another car or charger took the session's place",
    "offer.rejected": "The session was not bound; no owner saw the offer",
    "offer.auto_declined": "The agent said no for the owner, at once or when the owner forbade it",
    "offer.presented": "The owner was asked",
    "offer.accepted": "A yes, by the owner or a rule of theirs; a commitment waits for its award",
    "offer.declined": "The owner said no",
    "offer.countered": "The owner, or a rule of theirs, named terms that would be accepted",
    "offer.superseded": "The park replaced this revision by the next, which is told after it",
    "offer.expired": "Nobody answered by respond_by: a no",
    "offer.withdrawn": "The park took the offer back, the car left or the agreement ended",
    "commitment.pending_award": "The yes is recorded and its energy reserved until award_by",
    "commitment.scheduled": "The park's award was taken",
    "commitment.active": "The first instruction began the delivery",
    "commitment.completed": "The ordered energy was delivered, or the window ended",
    "commitment.curtailed": "It ended early: by the park, the site or the battery's limits",
    "commitment.revoked": "The owner took the yes back, or their limits no longer allow it",
    "commitment.failed": "The lease ran out, the link was lost or the car was unplugged",
    "commitment.lapsed": "No award came by award_by",
    "commitment.cancelled": "The park cancelled before the delivery began",
    "commitment.missed": "It was awarded, and the delivery did not begin in time",
    "commitment.progress": "The meter moved",
    "commitment.instructed": "The park's setpoint, for the owner's own charger to carry out",
    "commitment.settled": "A version of its settlement was written",
    "stop.requested": "The charger must be at zero now; no lease is renewed",
    "stop.confirmed": "The park said that its charger got the stop",
    "stop.stopped": "The meter shows no power, or the last lease is over",
    "settlement.provisional": "A version was computed; it may be disputed until dispute_until",
    "settlement.final": "Both sides agreed, or nobody objected in time; it is to be paid",
    "settlement.disputed": "The owner does not agree with the figures",
    "settlement.corrected": "This version was reversed; the next one is told beside",
    "reward.confirmed": "The settlement is final: payment_minor is to be paid",
    "reward.paid": "The park marked it as paid, with its reference",
    "reward.reversed": "Its settlement was corrected; what was paid counts for the next version",
    "rewards.updated": "The owner's totals changed",
    "vehicle.updated": "A vehicle's data, state or energy to offer changed",
    "vehicle.deleted": "The owner deleted a vehicle",
    "charger.updated": "A charger's data or meter changed",
    "charger.deleted": "The owner deleted a charger",
    "owner.updated": "The owner's name, clock, language or currency changed",
    "preferences.updated": "The owner's limits for a vehicle changed",
    "departures.updated": "A vehicle's leave times changed",
    "device.paired": "A device was paired with the owner",
    "device.revoked": "A device was shut out",
    "checkpoint.new": "The log grew by entries about this party: its new head and their receipts",
    "ledger.epoch": "The log goes on in a new epoch after a loss that is said openly",
}
_BOTH: Final = {
    "reward": REWARD_MOVED,
    "checkpoint": CHECKPOINT_NEW,
    "ledger": EPOCH_OPENED,
}
_FAMILIES: Final[Mapping[Listener, Mapping[str, Any]]] = {
    "park": {
        **_BOTH,
        "agreement": required(
            {"member_refs": ListOf(typed_id("mbr"), 1, 50), "state": AGREEMENT_STATE}
        ),
        "session": PARK_SESSION,
        "offer": PARK_OFFER,
        "commitment": PARK_COMMITMENT,
        "stop": PARK_COMMITMENT,
        "settlement": PARK_SETTLEMENT,
    },
    "owner": {
        **_BOTH,
        "agreement": AGREEMENT,
        "session": SESSION,
        "offer": OFFER,
        "commitment": COMMITMENT,
        "stop": COMMITMENT,
        "settlement": SETTLEMENT,
        "rewards": required(TOTALS),
        "vehicle": VEHICLE,
        "charger": CHARGER,
        "owner": required(
            {
                "owner_id": typed_id("own"),
                "display_name": text(0, 100),
                "time_zone": time_zone(),
                "language": text(2, 20),
                "currency": currency(),
                "revision": integer(1, 10**9),
            }
        ),
        "preferences": PREFERENCES,
        "departures": DEPARTURES,
        "device": required(
            {
                "device_id": typed_id("dev"),
                "display_name": text(1, 100),
                "kind": choice(*DEVICE_KINDS),
                "paired_at": timestamp(),
            }
        ),
    },
}
# What is told in few words although its family has a view.
_SHORT: Final[Mapping[str, Any]] = {
    "vehicle.deleted": required({"vehicle_id": typed_id("veh")}),
    "charger.deleted": required({"charger_id": typed_id("chg")}),
    "device.revoked": required({"device_id": typed_id("dev"), "reason": text(1, 40)}),
}
_NOT_FOR_PARKS: Final = frozenset(
    {
        "agreement.recharge_broken",
        "offer.superseded",
        "commitment.progress",
        "commitment.instructed",
        "commitment.settled",
    }
)


def _told(listener: Listener) -> dict[str, Any]:
    families = _FAMILIES[listener]
    left_out = _NOT_FOR_PARKS if listener == "park" else frozenset()
    return {
        name: _SHORT.get(name, families[family])
        for name in WHEN
        if (family := name.partition(".")[0]) in families and name not in left_out
    }


EVENTS: Final[Mapping[Listener, Mapping[str, Any]]] = {
    listener: _told(listener) for listener in _FAMILIES
}
