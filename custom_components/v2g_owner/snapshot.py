"""Everything the owner API told us, as one frozen picture, and how one event changes it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from .decode import decode
from .models import (
    Agreement,
    Charger,
    Departures,
    Owner,
    Park,
    Preferences,
    Server,
    Session,
    Vehicle,
)
from .models_deal import Commitment, Offer, Reward, Rewards, Settlement

# A phone that was off may still show an offer that ended while Home Assistant was away as well.
ENDED_LATELY: Final = timedelta(days=1)
MOST_ENDED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvent:
    """One event of the owner's stream; ``seq`` counts without gaps."""

    seq: int
    type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotAnswer:
    """The answer to ``GET /v1/snapshot``."""

    server: Server
    owner: Owner
    last_event_id: int
    vehicles: tuple[Vehicle, ...] = ()
    preferences: tuple[Preferences, ...] = ()
    departures: tuple[Departures, ...] = ()
    chargers: tuple[Charger, ...] = ()
    parks: tuple[Park, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    sessions: tuple[Session, ...] = ()
    offers: tuple[Offer, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    rewards: Rewards


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The same by id; replaced, never changed in place."""

    server: Server
    owner: Owner
    last_event_id: int
    rewards: Rewards
    vehicles: Mapping[str, Vehicle] = field(default_factory=dict)
    preferences: Mapping[str, Preferences] = field(default_factory=dict)
    departures: Mapping[str, Departures] = field(default_factory=dict)
    chargers: Mapping[str, Charger] = field(default_factory=dict)
    parks: Mapping[str, Park] = field(default_factory=dict)
    agreements: Mapping[str, Agreement] = field(default_factory=dict)
    sessions: Mapping[str, Session] = field(default_factory=dict)
    offers: Mapping[str, Offer] = field(default_factory=dict)
    commitments: Mapping[str, Commitment] = field(default_factory=dict)

    @property
    def open_offers(self) -> list[Offer]:
        """Return the offers the owner can still answer: those that wait, the most urgent first.

        Those that were countered come after them: it is the park's turn.
        """
        still_open = (offer for offer in self.offers.values() if offer.is_open)
        return sorted(
            still_open, key=lambda offer: (not offer.waits, offer.respond_by, offer.offer_id)
        )

    @property
    def offers_meant(self) -> list[Offer]:
        """Return the offers that an answer which names none can mean.

        One that was countered can only be declined, and is meant when nothing else waits.
        """
        still_open = self.open_offers
        return [offer for offer in still_open if offer.waits] or still_open

    def recently_ended(self, now: datetime) -> list[str]:
        """Return the offers that a phone may still show although they ended, the newest first."""
        ended = (
            offer.offer_id
            for offer in self.offers.values()
            if not offer.is_open and now - offer.respond_by < ENDED_LATELY
        )
        return sorted(ended, reverse=True)[:MOST_ENDED]

    def newest_offer(self, vehicle_id: str) -> Offer | None:
        """Return the newest offer for a vehicle; the API's ids sort by the time they were made."""
        about = (offer for offer in self.offers.values() if offer.vehicle_id == vehicle_id)
        return max(about, key=lambda offer: offer.offer_id, default=None)

    @property
    def live_commitments(self) -> list[Commitment]:
        """Return the commitments that may still deliver, the earliest first."""
        live = (deal for deal in self.commitments.values() if deal.is_live)
        return sorted(live, key=lambda deal: (deal.start_at, deal.commitment_id))

    @property
    def stopping_commitments(self) -> list[Commitment]:
        """Return the commitments the owner has stopped that may still deliver."""
        return [deal for deal in self.commitments.values() if deal.is_stopping]

    @property
    def last_commitments(self) -> list[Commitment]:
        """Return the commitment of each vehicle that ended last, the newest first."""
        deals = self.commitments.values()
        ended = [deal for deal in deals if not deal.is_live and not deal.is_stopping]
        # An older API does not say when a deal ended, only when it was to end.
        ended.sort(key=lambda deal: (deal.ended_at or deal.end_at, deal.commitment_id))
        newest: dict[str | None, Commitment] = {}
        for deal in reversed(ended):
            newest.setdefault(deal.vehicle_id, deal)
        return list(newest.values())


def read_snapshot(answer: object) -> Snapshot:
    """Return a snapshot answer by id; raises BadAnswerError when it cannot be read."""
    read = decode(SnapshotAnswer, answer)
    return Snapshot(
        server=read.server,
        owner=read.owner,
        last_event_id=read.last_event_id,
        rewards=read.rewards,
        vehicles=_by("vehicle_id", read.vehicles),
        preferences=_by("vehicle_id", read.preferences),
        departures=_by("vehicle_id", read.departures),
        chargers=_by("charger_id", read.chargers),
        parks=_by("park_id", read.parks),
        agreements=_by("agreement_id", read.agreements),
        sessions=_by("session_id", read.sessions),
        offers=_by("offer_id", read.offers),
        commitments=_by("commitment_id", read.commitments),
    )


def _by[T](key: str, items: Iterable[T]) -> dict[str, T]:
    """Return the items by one of their ids."""
    return {getattr(item, key): item for item in items}


type Change = Callable[[Snapshot, dict[str, Any]], Snapshot]


def _put(cls: type[Any], name: str, key: str) -> Change:
    """Return the change that stores a view under its id."""

    def change(snapshot: Snapshot, data: dict[str, Any]) -> Snapshot:
        item = decode(cls, data)
        changed: Any = {name: {**getattr(snapshot, name), getattr(item, key): item}}
        return replace(snapshot, **changed)

    return change


def _drop(name: str, key: str) -> Change:
    """Return the change that forgets what has been deleted."""

    def change(snapshot: Snapshot, data: dict[str, Any]) -> Snapshot:
        items: Mapping[str, Any] = getattr(snapshot, name)
        kept: Any = {name: {k: item for k, item in items.items() if k != data.get(key)}}
        return replace(snapshot, **kept)

    return change


def _settle(snapshot: Snapshot, data: dict[str, Any]) -> Snapshot:
    """Attach a settlement to its commitment."""
    settlement = decode(Settlement, data)
    if (deal := snapshot.commitments.get(settlement.commitment_id)) is None:
        return snapshot
    settled = replace(deal, settlement=settlement)
    return replace(snapshot, commitments={**snapshot.commitments, deal.commitment_id: settled})


def _reward(snapshot: Snapshot, data: dict[str, Any]) -> Snapshot:
    """Note how far a settlement's reward has come; another payer's is not the one shown."""
    reward = decode(Reward, data)
    for deal in snapshot.commitments.values():
        if deal.settlement and deal.settlement.settlement_id == data.get("settlement_id"):
            known = deal.settlement.reward
            if known is not None and known.reward_id != reward.reward_id:
                return snapshot
            rewarded = replace(deal, settlement=replace(deal.settlement, reward=reward))
            return replace(
                snapshot, commitments={**snapshot.commitments, deal.commitment_id: rewarded}
            )
    return snapshot


def _rewards(snapshot: Snapshot, data: dict[str, Any]) -> Snapshot:
    """Take the new sums of all rewards."""
    return replace(snapshot, rewards=decode(Rewards, data))


def _owner(snapshot: Snapshot, data: dict[str, Any]) -> Snapshot:
    """Take what changed about the owner."""
    return replace(snapshot, owner=decode(Owner, data))


def _unchanged(snapshot: Snapshot, _data: dict[str, Any]) -> Snapshot:
    """Leave everything as it is: an offer that was revised goes on as what is told next."""
    return snapshot


_EXACT: dict[str, Change] = {
    "offer.superseded": _unchanged,
    "vehicle.deleted": _drop("vehicles", "vehicle_id"),
    "charger.deleted": _drop("chargers", "charger_id"),
    "session.ended": _drop("sessions", "session_id"),
    "rewards.updated": _rewards,
    "owner.updated": _owner,
}
_BY_SUBJECT: dict[str, Change] = {
    "vehicle": _put(Vehicle, "vehicles", "vehicle_id"),
    "preferences": _put(Preferences, "preferences", "vehicle_id"),
    "departures": _put(Departures, "departures", "vehicle_id"),
    "charger": _put(Charger, "chargers", "charger_id"),
    "session": _put(Session, "sessions", "session_id"),
    "agreement": _put(Agreement, "agreements", "agreement_id"),
    "offer": _put(Offer, "offers", "offer_id"),
    "commitment": _put(Commitment, "commitments", "commitment_id"),
    "stop": _put(Commitment, "commitments", "commitment_id"),
    "settlement": _settle,
    "reward": _reward,
}


def apply(snapshot: Snapshot, event: StreamEvent) -> Snapshot:
    """Return the snapshot after one event; an event of no concern only moves the counter.

    Raises BadAnswerError when the event's view cannot be read: then only a full read helps.
    """
    change = _EXACT.get(event.type) or _BY_SUBJECT.get(event.type.partition(".")[0])
    changed = snapshot if change is None else change(snapshot, event.data)
    return replace(changed, last_event_id=max(event.seq, changed.last_event_id))
