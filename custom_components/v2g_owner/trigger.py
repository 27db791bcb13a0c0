"""Triggers of our own: an offer comes, a discharge starts or stops, a reward is confirmed."""

from typing import ClassVar, override

from homeassistant.core import HomeAssistant, State
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.trigger import (
    NotTriggeredReasonReporter,
    StatelessEntityTriggerBase,
    Trigger,
)

from .ours import only_ours


class StreamEventTrigger(StatelessEntityTriggerBase):
    """Triggers when one of our event entities reports one of some events."""

    _domain_specs = {"event": DomainSpec()}  # noqa: RUF012 - as the base class declares it
    _translation_key: ClassVar[str]
    _event_types: ClassVar[frozenset[str]]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        """Keep the event entity that can report it."""
        return only_ours(self._hass, super().entity_filter(entities), self._translation_key)

    @override
    def is_valid_state(
        self, state: State, report_not_triggered: NotTriggeredReasonReporter
    ) -> bool:
        """Tell whether the event is one of those waited for."""
        return state.attributes.get("event_type") in self._event_types


class OfferReceived(StreamEventTrigger):
    """An offer waits for the owner's answer."""

    _translation_key = "offers"
    _event_types = frozenset({"offer_presented"})


class DischargeStarted(StreamEventTrigger):
    """A vehicle begins to deliver."""

    _translation_key = "deals"
    _event_types = frozenset({"commitment_active"})


class DischargeStopped(StreamEventTrigger):
    """A delivery that had begun ends, for whatever reason."""

    _translation_key = "deals"
    _event_types = frozenset(
        {
            "commitment_completed",
            "commitment_curtailed",
            "commitment_revoked",
            "commitment_failed",
        }
    )

    @override
    def is_valid_state(
        self, state: State, report_not_triggered: NotTriggeredReasonReporter
    ) -> bool:
        """Tell whether it is an end, and one of a deal that had begun."""
        ended = super().is_valid_state(state, report_not_triggered)
        return ended and state.attributes.get("began") is True


class RewardConfirmed(StreamEventTrigger):
    """A reward can no longer be disputed."""

    _translation_key = "rewards"
    _event_types = frozenset({"reward_confirmed"})


TRIGGERS: dict[str, type[Trigger]] = {
    "offer_received": OfferReceived,
    "discharge_started": DischargeStarted,
    "discharge_stopped": DischargeStopped,
    "reward_confirmed": RewardConfirmed,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return our triggers."""
    return TRIGGERS
