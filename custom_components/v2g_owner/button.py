"""Answers to the one open offer, and stop."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .actor import Actor, async_actor_of
from .const import SUBENTRY_VEHICLE
from .control_entities import RESUME, STOP_NOW, ResumeButton, StopNowButton, controlled
from .coordinator import V2GConfigEntry, V2GCoordinator
from .decisions import decide, find_offer, require_counter, stop
from .entity import HubEntity, VehicleEntity, async_add_in_turns
from .leave_once import LeaveOnceEntity

PARALLEL_UPDATES = 0

type Answer = Callable[[V2GCoordinator, Actor], Awaitable[Any]]


@dataclass(frozen=True, kw_only=True)
class AnswerButtonDescription(ButtonEntityDescription):
    """Describes one of the three equal answers to an offer."""

    press_fn: Answer
    after_counter: bool = False
    """Whether it also answers an offer that was countered."""


def _answer(decision: str) -> Answer:
    """Return what sends a plain accept or decline of the offer shown."""

    async def press(coordinator: V2GCoordinator, actor: Actor) -> None:
        await decide(coordinator, find_offer(coordinator, None), decision, actor)

    return press


async def _counter(coordinator: V2GCoordinator, actor: Actor) -> None:
    """Ask for the best terms the API computed."""
    offer = find_offer(coordinator, None)
    require_counter(offer)
    await decide(coordinator, offer, "counter", actor)


ANSWERS: tuple[AnswerButtonDescription, ...] = (
    AnswerButtonDescription(
        key="accept_offer", translation_key="accept_offer", press_fn=_answer("accept")
    ),
    AnswerButtonDescription(
        key="decline_offer",
        translation_key="decline_offer",
        press_fn=_answer("decline"),
        after_counter=True,
    ),
    AnswerButtonDescription(
        key="counter_offer", translation_key="counter_offer", press_fn=_counter
    ),
)
STOP = ButtonEntityDescription(key="stop", translation_key="stop")
FORGET_LEAVE_ONCE = ButtonEntityDescription(
    key="forget_leave_once",
    translation_key="forget_leave_once",
    entity_category=EntityCategory.CONFIG,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the buttons of the account, its vehicles and the chargers this home controls."""
    coordinator = entry.runtime_data.coordinator
    # What stops comes first, and whether or not the agent answers.
    for subentry, executor in controlled(hass, entry):
        await async_add_in_turns(
            async_add_entities,
            [
                StopNowButton(coordinator, STOP_NOW, subentry, executor),
                ResumeButton(coordinator, RESUME, subentry, executor),
            ],
            subentry,
        )
    await async_add_in_turns(async_add_entities, [StopButton(coordinator, STOP)])
    for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        await async_add_in_turns(
            async_add_entities, [VehicleStopButton(coordinator, STOP, subentry)], subentry
        )
    if coordinator.alone:
        return
    await async_add_in_turns(
        async_add_entities, [AnswerButton(coordinator, description) for description in ANSWERS]
    )
    for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        await async_add_in_turns(
            async_add_entities,
            [ForgetLeaveOnceButton(coordinator, FORGET_LEAVE_ONCE, subentry)],
            subentry,
        )


class AnswerButton(HubEntity, ButtonEntity):
    """One answer; it works only while exactly one offer is meant, so that it is clear which."""

    entity_description: AnswerButtonDescription

    @property
    @override
    def available(self) -> bool:
        """Tell whether there is exactly one offer to answer, and so."""
        if not super().available:
            return False
        meant = self.coordinator.data.offers_meant
        return len(meant) == 1 and (meant[0].waits or self.entity_description.after_counter)

    @override
    async def async_press(self) -> None:
        """Answer the offer, in the revision shown."""
        await self.entity_description.press_fn(
            self.coordinator, await async_actor_of(self.hass, _context(self._context))
        )


class StopButton(HubEntity, ButtonEntity):
    """Stops every discharge of the owner's vehicles."""

    @property
    @override
    def available(self) -> bool:
        """Stay there whatever else fails: trying to stop must always be possible."""
        return True

    @override
    async def async_press(self) -> None:
        """Stop."""
        await stop(self.coordinator, await async_actor_of(self.hass, _context(self._context)), {})


class VehicleStopButton(VehicleEntity, ButtonEntity):
    """Stops the discharge of one vehicle."""

    @property
    @override
    def available(self) -> bool:
        """Stay there whatever else fails: trying to stop must always be possible."""
        return True

    @override
    async def async_press(self) -> None:
        """Stop this vehicle."""
        actor = await async_actor_of(self.hass, _context(self._context))
        await stop(self.coordinator, actor, {"vehicle_id": self.vehicle_id})


class ForgetLeaveOnceButton(LeaveOnceEntity, ButtonEntity):
    """Returns to the calendar's and the week's leave times."""

    @property
    @override
    def available(self) -> bool:
        """Tell whether there is an exception to forget."""
        return super().available and self.one_off is not None

    @override
    async def async_press(self) -> None:
        """Forget the exception."""
        await self.async_write_departures({"one_off": None})


def _context(context: Context | None) -> Context:
    """Return the context of a press; one without any counts as an automation's."""
    return context or Context()
