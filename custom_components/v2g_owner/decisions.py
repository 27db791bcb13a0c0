"""Answer offers and stop discharging: what buttons and actions share."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .actor import Actor
from .api import Json
from .api_errors import OwnerApiAuthError, OwnerApiConnectionError
from .const import DOMAIN
from .coordinator import V2GConfigEntry, V2GCoordinator
from .drivers import async_check_may_answer
from .errors import translated_errors
from .executors import async_stop_at_home
from .instants import utc_text
from .models_deal import Offer


def find_offer(coordinator: V2GCoordinator, offer_id: str | None) -> Offer:
    """Return the offer meant: the named one, else the only one; raises when unclear."""
    if offer_id is not None:
        if (offer := coordinator.data.offers.get(offer_id)) is None:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="offer_unknown",
                translation_placeholders={"offer_id": offer_id},
            )
        return offer
    offers = coordinator.data.offers_meant
    if len(offers) != 1:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="several_open_offers" if offers else "no_open_offer",
            translation_placeholders={"count": str(len(offers))},
        )
    return offers[0]


def require_counter(offer: Offer) -> None:
    """Raise when the API found no better terms; without terms of the owner's it sends its own.

    It tries them before they are released, and knows in which unit each payer pays.
    """
    counter = offer.evaluation.counter if offer.evaluation else None
    if counter is None or not (counter.energy_wh or counter.price_per_kwh or counter.start_at):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_counter")


def quoted(offer: Offer) -> int | None:
    """Return the energy (Wh) that an offer says will be sold, None while that is not known."""
    return offer.evaluation.quoted_energy_wh if offer.evaluation else None


async def decide(
    coordinator: V2GCoordinator,
    offer: Offer,
    decision: str,
    actor: Actor,
    *,
    terms: Json | None = None,
    revision: int | None = None,
    quoted_wh: int | None = None,
) -> Json:
    """Send the owner's answer to exactly the terms shown; raises a translated error on a no.

    ``terms`` may name energy_wh, price_per_kwh, start_at, departure_at and reason. ``quoted_wh`` is
    the energy that was shown where that may be longer ago: a yes covers no more.
    """
    if revision is not None and revision != offer.revision:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="stale_terms")
    if decision == "accept" and revision is None and actor.method == "tap":
        _check_seen(coordinator, offer)
    if decision == "accept" and not actor.asked_back:
        # Promise 1: a model that switches the button on has heard no yes to what it read out.
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="not_asked_back")
    body = {
        "offer_id": offer.offer_id,
        "revision": offer.revision,
        "terms_sha256": offer.terms_sha256,
        "decision": decision,
        "method": actor.method,
        "actor": actor.who,
        **{key: _wire(value) for key, value in (terms or {}).items()},
    }
    if decision == "accept" and (shown_wh := quoted_wh or quoted(offer)) is not None:
        body["quoted_energy_wh"] = shown_wh
    if decision != "decline" and (user := actor.who.get("user")) is not None:
        await async_check_may_answer(coordinator, offer.vehicle_id, user)
    with translated_errors(coordinator):
        answer = await coordinator.api.post("/v1/decisions", body)
    coordinator.meant_lately.answer(offer)
    return {"offer_id": offer.offer_id, "revision": offer.revision, "answer": answer}


def _check_seen(coordinator: V2GCoordinator, offer: Offer) -> None:
    """Raise where a person who names no revision may have looked at other terms.

    Promise 1: a park can revise an offer, or send another in its place, just before the tap. An
    automation has no eyes: it answers what it was started by, and may name the revision.
    """
    if coordinator.meant_lately.may_be_unseen(offer, coordinator.hass.loop.time()):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="just_changed")


async def stop(coordinator: V2GCoordinator, actor: Actor, what: dict[str, str]) -> None:
    """Stop discharging, all of it unless ``what`` names a commitment_id or vehicle_id.

    At the owner's own chargers it stops at once, whether or not the API can be told.
    """
    await async_stop_at_home(coordinator.hass, [what], coordinator.config_entry.entry_id)
    await async_tell_stops(actor, [(coordinator, what)])


async def async_tell_stops(
    actor: Actor, stops: Iterable[tuple[V2GCoordinator, dict[str, str]]]
) -> list[Json]:
    """Tell each API what to stop; what failed is raised only once every one has been told."""
    told, failures = await _async_tell_each(actor, stops)
    if failures:
        raise _worst(failures)
    return told


async def async_stop_everywhere(
    hass: HomeAssistant, actor: Actor, what: dict[str, str]
) -> list[Json]:
    """Stop all of it, or the commitment_id that ``what`` names, whichever account it is of.

    At home it stops first. Raises where an account could not be told, once all others have been.
    """
    await async_stop_at_home(hass, [what])
    entries: list[V2GConfigEntry] = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    if not entries:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_account")
    connected = [
        entry.runtime_data.coordinator
        for entry in entries
        if entry.state is ConfigEntryState.LOADED
    ]
    commitment_id = what.get("commitment_id")
    if holders := [each for each in connected if commitment_id in each.data.commitments]:
        return await async_tell_stops(actor, [(each, what) for each in holders])
    told, failures = await _async_tell_each(actor, [(each, what) for each in connected])
    if commitment_id is not None and told:
        # That the others do not know it is no failure: the news of it had not yet come.
        return told
    if len(connected) < len(entries):
        raise stop_not_told()
    if failures:
        raise _worst(failures)
    return told


async def _async_tell_each(
    actor: Actor, stops: Iterable[tuple[V2GCoordinator, dict[str, str]]]
) -> tuple[list[Json], list[BaseException]]:
    """Tell each API what to stop; return what they answered and what failed."""
    answers = await asyncio.gather(
        *(_async_tell_stop(coordinator, actor, what) for coordinator, what in stops),
        return_exceptions=True,
    )
    failures = [each for each in answers if isinstance(each, BaseException)]
    return [each for each in answers if not isinstance(each, BaseException)], failures


def _worst(failures: list[BaseException]) -> BaseException:
    """Return what to show: one API's no must not hide that another was not told."""
    return min(failures, key=lambda failure: isinstance(failure, ServiceValidationError))


async def _async_tell_stop(coordinator: V2GCoordinator, actor: Actor, what: dict[str, str]) -> Json:
    """Tell one API what to stop."""
    with translated_errors(coordinator):
        try:
            return await coordinator.api.post("/v1/stops", {**what, "actor": actor.who})
        except (OwnerApiConnectionError, OwnerApiAuthError) as error:
            # To pair anew is asked elsewhere; whoever stops has to know what may still run.
            raise stop_not_told() from error


def stop_not_told() -> HomeAssistantError:
    """Return what says that only the owner's own chargers were stopped, and what to do."""
    return HomeAssistantError(translation_domain=DOMAIN, translation_key="stop_not_told")


def _wire(value: Any) -> Any:  # noqa: ANN401 - any JSON value, or a time
    """Return a value as the API takes it."""
    return utc_text(value) if isinstance(value, datetime) else value
