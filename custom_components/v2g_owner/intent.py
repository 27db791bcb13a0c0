"""Intents for the built-in voice assistant; its sentences are files to copy (docs/voice)."""

from collections.abc import Awaitable, Callable
from datetime import time
from typing import Any, Final, override

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import intent
import probatio

from .loading import connected_accounts
from .voice import (
    Speaker,
    async_ask_back,
    async_confirm,
    async_offer_facts,
    async_set_leave,
    async_stop_all,
    earned_facts,
    offer_speech,
    open_offers,
    refusal,
    speaker_of,
    speech,
)

type Say = Callable[[intent.Intent, dict[str, Any]], Awaitable[str]]


def _speaker(said: intent.Intent) -> Speaker:
    """Return who said it."""
    return speaker_of(said.context, said.device_id, said.language)


async def _offers(said: intent.Intent, _slots: dict[str, Any]) -> str:
    """Read out what is on offer."""
    offers = open_offers(said.hass)
    if not offers:
        return await speech(said.hass, said.language, "no_offer")
    facts = [await async_offer_facts(*pair, said.language) for pair in offers]
    return " ".join([await offer_speech(said.hass, said.language, "offer", each) for each in facts])


async def _earned(said: intent.Intent, _slots: dict[str, Any]) -> str:
    """Say what was earned this month."""
    told = [
        await speech(said.hass, said.language, "earned", earned_facts(each))
        for each in connected_accounts(said.hass)
    ]
    return " ".join(told) or await speech(said.hass, said.language, "no_account")


async def _leave(said: intent.Intent, slots: dict[str, Any]) -> str:
    """Set when a car leaves."""
    clock = time(slots["hour"], slots.get("minute", 0))
    facts = await async_set_leave(said.hass, clock, slots.get("name"))
    return await speech(said.hass, said.language, "leave", facts)


async def _accept(said: intent.Intent, _slots: dict[str, Any]) -> str:
    """Ask back before anything is accepted."""
    _, facts = await async_ask_back(said.hass, _speaker(said))
    return await offer_speech(said.hass, said.language, "ask_back", facts)


async def _confirm(said: intent.Intent, _slots: dict[str, Any]) -> str:
    """Accept what was read out."""
    facts = await async_confirm(said.hass, _speaker(said))
    return await speech(said.hass, said.language, "accepted", facts)


async def _stop(said: intent.Intent, _slots: dict[str, Any]) -> str:
    """Stop at once; nothing is asked back."""
    await async_stop_all(said.hass, _speaker(said))
    return await speech(said.hass, said.language, "stopped")


_LEAVE_SLOTS: Final = {
    probatio.Required("hour"): probatio.All(probatio.Coerce(int), probatio.Range(min=0, max=23)),
    probatio.Optional("minute"): probatio.All(probatio.Coerce(int), probatio.Range(min=0, max=59)),
    probatio.Optional("name"): intent.non_empty_string,
}
INTENTS: Final[dict[str, tuple[str, Say, dict[Any, Any]]]] = {
    "V2GOpenOffers": ("Reads out the open offers", _offers, {}),
    "V2GEarned": ("Says what was earned this month", _earned, {}),
    "V2GSetLeaveTime": ("Sets when a car leaves", _leave, _LEAVE_SLOTS),
    "V2GAcceptOffer": ("Asks back before an offer is accepted", _accept, {}),
    "V2GConfirmAccept": ("Accepts the offer that was just read out", _confirm, {}),
    "V2GStop": ("Stops discharging at once", _stop, {}),
}


class OwnerIntentHandler(intent.IntentHandler):
    """Answers one thing that can be said."""

    def __init__(self, intent_type: str, description: str, say: Say, slots: dict[Any, Any]) -> None:
        """Tie a name to what it says."""
        self.intent_type = intent_type
        self.description = description
        self._say = say
        self._slots = slots

    @property
    @override
    def slot_schema(self) -> dict[Any, Any] | None:
        """What a sentence may carry."""
        return self._slots

    @override
    async def async_handle(self, intent_obj: intent.Intent) -> intent.IntentResponse:
        """Say it, or say why not."""
        slots = self.async_validate_slots(intent_obj.slots)
        given = {key: slot["value"] for key, slot in slots.items()}
        response = intent_obj.create_response()
        try:
            response.async_set_speech(await self._say(intent_obj, given))
        except HomeAssistantError as error:
            response.async_set_error(
                intent.IntentResponseErrorCode.FAILED_TO_HANDLE,
                await refusal(intent_obj.hass, intent_obj.language, error),
            )
        return response


async def async_setup_intents(hass: HomeAssistant) -> None:
    """Register what can be said."""
    for intent_type, (description, say, slots) in INTENTS.items():
        intent.async_register(hass, OwnerIntentHandler(intent_type, description, say, slots))
