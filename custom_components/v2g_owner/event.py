"""What happens to offers, deals and rewards, as events to automate on."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .const import COMMITMENT_STATES, OFFER_STATES, REWARD_STATES, SETTLEMENT_STATES
from .coordinator import V2GConfigEntry
from .entity import HubEntity, async_add_in_turns
from .money import major
from .quiet_spans import quiet_ends
from .service_targets import readable
from .snapshot import Snapshot, StreamEvent

PARALLEL_UPDATES = 0

type Facts = dict[str, Any]
# What tells one event from a repetition of it, such as an offer shown again with a new quote.
type Mark = tuple[str, Any]


@dataclass(frozen=True, kw_only=True)
class V2GEventDescription(EventEntityDescription):
    """Describes an event entity: which stream subjects it reports and what it says of them."""

    subjects: frozenset[str]
    facts_fn: Callable[[Facts, Snapshot], Facts]
    mark_fn: Callable[[StreamEvent], Mark]
    known_fn: Callable[[Snapshot], dict[str, Any]]
    standing_fn: Callable[[Snapshot], Facts] = lambda _snapshot: {}
    """What holds whatever happened last, and also where nothing did."""


def _offer_facts(offer: Facts, snapshot: Snapshot) -> Facts:
    """Return what an automation needs to judge and answer an offer.

    What it leaves is the owner's money, also where the park pays in points.
    """
    terms, found = offer.get("terms") or {}, offer.get("evaluation") or {}
    reward, counted_in = terms.get("reward") or {}, snapshot.owner.currency
    net_minor = found.get("net_minor")
    return {
        "offer_id": offer.get("offer_id"),
        "revision": offer.get("revision"),
        "vehicle_id": offer.get("vehicle_id"),
        "park": (offer.get("park") or {}).get("display_name"),
        "purpose": offer.get("purpose"),
        "state_reason": offer.get("state_reason"),
        "respond_by": offer.get("respond_by"),
        "start_at": terms.get("start_at"),
        "end_at": terms.get("end_at"),
        "energy_wh": terms.get("requested_energy_wh"),
        "quoted_energy_wh": found.get("quoted_energy_wh"),
        "lease_s": terms.get("lease_s"),
        "price_per_kwh": reward.get("price_per_kwh"),
        "currency": reward.get("currency"),
        "verdict": found.get("verdict"),
        "net": None if net_minor is None else major(net_minor, counted_in),
        "net_minor": net_minor,
        "net_currency": counted_in,
        "soc_after_pct": found.get("soc_after_pct"),
        "reason": found.get("reason"),
        "commitment_id": offer.get("commitment_id"),
    }


def _quiet_facts(snapshot: Snapshot) -> Facts:
    """Return when whoever kept silent in quiet hours asks about what still waits, of any car."""
    return {"quiet_ends": quiet_ends(snapshot, dt_util.utcnow())}


def _deal_facts(deal: Facts, _snapshot: Snapshot) -> Facts:
    """Return what an automation needs to know of a deal."""
    stop = deal.get("stop") or {}
    return {
        "commitment_id": deal.get("commitment_id"),
        "offer_id": deal.get("offer_id"),
        "vehicle_id": deal.get("vehicle_id"),
        "park": (deal.get("park") or {}).get("display_name"),
        "state": deal.get("state"),
        "state_reason": deal.get("state_reason"),
        # A park that was never let draw has delivered nothing, however the deal ended.
        "began": deal.get("lease_until") is not None,
        "start_at": deal.get("start_at"),
        "end_at": deal.get("end_at"),
        "committed_energy_wh": deal.get("committed_energy_wh"),
        "delivered_wh": deal.get("delivered_wh"),
        "earned_minor": deal.get("earned_minor"),
        "currency": deal.get("currency"),
        "stopped_at": stop.get("stopped_at"),
        "unplug_hint": deal.get("unplug_hint"),
    }


def _reward_facts(told: Facts, snapshot: Snapshot) -> Facts:
    """Return what an automation needs to know of a settled deal, or of its reward alone.

    News of a reward names only its settlement; the deal it is for is looked up.
    """
    settlement_id = told.get("settlement_id")
    known = next(
        (
            deal.settlement
            for deal in snapshot.commitments.values()
            if deal.settlement and deal.settlement.settlement_id == settlement_id
        ),
        None,
    )
    settlement = asdict(known) | told if known else told
    of_one = "reward_id" in told
    reward = told if of_one else told.get("reward") or {}
    # Of several payers each has a reward of its own; what is settled is their sum.
    amount_minor = told.get("amount_minor" if of_one else "net_minor")
    currency = told.get("currency")
    return {
        "settlement_id": settlement_id,
        "version": settlement.get("version"),
        "commitment_id": settlement.get("commitment_id"),
        # Silence until then is a yes to the figures.
        "dispute_until": readable(settlement.get("dispute_until")),
        "reason": settlement.get("reason"),
        "delivered_wh": settlement.get("delivered_wh"),
        "price_per_kwh": settlement.get("price_per_kwh"),
        # What the park owes is not what stays: the breakdown counts recharging, losses and wear.
        "net_minor": (settlement.get("breakdown") or {}).get("net_minor"),
        "net_currency": snapshot.owner.currency,
        "amount_minor": amount_minor,
        "currency": currency,
        # Of the whole deal, also where one payer's reward is the news.
        "owed_minor": known.net_minor if known else amount_minor,
        "owed_currency": known.currency if known else currency,
        "status": reward.get("status") or reward.get("step"),
        "reference": reward.get("reference"),
    }


def _offer_mark(event: StreamEvent) -> Mark:
    """Mark an offer: it is news when its state or its terms are."""
    return event.data.get("offer_id", ""), (event.type, event.data.get("revision"))


def _deal_mark(event: StreamEvent) -> Mark:
    """Mark a deal: it is news when its state, or how far a stop has come, is."""
    return event.data.get("commitment_id", ""), event.type


def _reward_mark(event: StreamEvent) -> Mark:
    """Mark a settlement: every event about one is news."""
    return event.data.get("settlement_id", ""), event.seq


EVENTS: tuple[V2GEventDescription, ...] = (
    V2GEventDescription(
        key="offers",
        translation_key="offers",
        event_types=[f"offer_{state}" for state in OFFER_STATES],
        subjects=frozenset({"offer"}),
        facts_fn=_offer_facts,
        mark_fn=_offer_mark,
        known_fn=lambda snapshot: {
            offer.offer_id: (f"offer.{offer.state}", offer.revision)
            for offer in snapshot.offers.values()
        },
        standing_fn=_quiet_facts,
    ),
    V2GEventDescription(
        key="deals",
        translation_key="deals",
        event_types=[
            *(f"commitment_{state}" for state in COMMITMENT_STATES),
            "stop_requested",
            "stop_confirmed",
            "stop_stopped",
        ],
        subjects=frozenset({"commitment", "stop"}),
        facts_fn=_deal_facts,
        mark_fn=_deal_mark,
        known_fn=lambda snapshot: {
            deal.commitment_id: f"commitment.{deal.state}" for deal in snapshot.commitments.values()
        },
    ),
    V2GEventDescription(
        key="rewards",
        translation_key="rewards",
        event_types=[
            *(f"settlement_{state}" for state in SETTLEMENT_STATES),
            *(f"reward_{state}" for state in REWARD_STATES),
        ],
        subjects=frozenset({"settlement", "reward"}),
        facts_fn=_reward_facts,
        mark_fn=_reward_mark,
        known_fn=lambda _snapshot: {},
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the event entities of the account."""
    coordinator = entry.runtime_data.coordinator
    await async_add_in_turns(
        async_add_entities, (StreamEventEntity(coordinator, description) for description in EVENTS)
    )


class StreamEventEntity(HubEntity, EventEntity):
    """Reports what the stream tells; what happened before Home Assistant started is not news."""

    entity_description: V2GEventDescription

    @property
    @override
    def _made_from(self) -> tuple[object, ...] | None:
        """The quiet hours alone: whatever else is shown changes with an event."""
        wishes = self.coordinator.data.preferences
        return (self.available, [(key, each.quiet_hours) for key, each in wishes.items()])

    @property
    @override
    def extra_state_attributes(self) -> Facts:
        """Return what holds whatever happened last."""
        return self.entity_description.standing_fn(self.coordinator.data)

    @override
    async def async_added_to_hass(self) -> None:
        """Note how things stand, then listen."""
        await super().async_added_to_hass()
        self._known = self.entity_description.known_fn(self.coordinator.data)
        self.async_on_remove(self.coordinator.async_subscribe_events(self._async_handle_event))

    @callback
    def _async_handle_event(self, event: StreamEvent) -> None:
        """Report an event that is ours and says something new."""
        description = self.entity_description
        kind = event.type.replace(".", "_")
        if event.type.partition(".")[0] not in description.subjects or kind not in self.event_types:
            return
        subject, mark = description.mark_fn(event)
        if self._known.get(subject) == mark:
            return
        self._known[subject] = mark
        self._trigger_event(kind, description.facts_fn(event.data, self.coordinator.data))
        self.async_write_ha_state()
