"""What can be said and asked aloud; accepting is asked back and needs a second, separate yes."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from math import ceil
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.ulid import ulid_now

from .actor import Actor
from .api import Json
from .const import DOMAIN, LOGGER
from .coordinator import V2GCoordinator
from .decisions import async_stop_everywhere, decide, find_offer, quoted
from .decode import BadAnswerError, decode
from .errors import translated_errors
from .instants import utc_text
from .loading import connected_accounts
from .models import Vehicle
from .models_deal import Offer
from .moments import async_moments
from .money import amount
from .reward_month import reward_month

# The voice assistant counts countries where Home Assistant's texts count scripts.
_SCRIPTS: Final = {
    "zh": "zh-Hans",
    "zh-cn": "zh-Hans",
    "zh-sg": "zh-Hans",
    "zh-hk": "zh-Hant",
    "zh-tw": "zh-Hant",
}
# Long enough to listen to the terms, too short for a yes to something else said later.
CONFIRM_WITHIN: Final = timedelta(minutes=1)
# Promise 4: what holds longer is for backup only, and is said before the yes.
_LONGEST_USUAL_LEASE_S: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Who speaks: a person where Home Assistant knows one, else the device they speak to."""

    user_id: str | None
    device_id: str | None
    turn: str
    """The context of what they said: another sentence has another one."""
    language: str

    @property
    def name(self) -> str:
        """Who is asked back; nobody else's yes counts."""
        return self.user_id or f"voice {self.device_id or 'unknown'}"

    @property
    def actor(self) -> Actor:
        """Who decides, as the API records it."""
        return Actor(method="voice", who={"user": self.name})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An offer that was read out and waits for its yes."""

    token: str
    entry_id: str
    offer_id: str
    revision: int
    quoted_wh: int | None
    speaker: str
    turn: str
    until: datetime


_ASKED: HassKey[dict[str, Asked]] = HassKey(f"{DOMAIN}_voice")


def open_offers(hass: HomeAssistant) -> list[tuple[V2GCoordinator, Offer]]:
    """Return the offers that wait for a person, the most urgent first."""
    # Nobody can decline aloud, and a yes to one that was countered is refused.
    found = [
        (each, offer)
        for each in connected_accounts(hass)
        for offer in each.data.open_offers
        if offer.waits
    ]
    return sorted(found, key=lambda pair: pair[1].respond_by)


async def async_offer_facts(coordinator: V2GCoordinator, offer: Offer, language: str) -> Json:
    """Return what a person needs to hear about an offer, in local time and whole units."""
    vehicle = coordinator.data.vehicles.get(offer.vehicle_id or "")
    judged, terms = offer.evaluation, offer.terms
    moments = await async_moments(coordinator.hass, _written(language))
    start, end = moments.span(terms.start_at, terms.end_at)
    wh = quoted(offer) or terms.requested_energy_wh
    # What it leaves is the owner's money, also where the park pays in points.
    net, currency = judged.net_minor if judged else None, coordinator.data.owner.currency
    lease_s = terms.lease_s or 0
    long = {"stop_may_take_min": ceil(lease_s / 60)} if lease_s > _LONGEST_USUAL_LEASE_S else {}
    return {
        "park": offer.park.display_name,
        "vehicle": vehicle.display_name if vehicle else "",
        "energy_kwh": f"{wh / 1000:g}",
        "net": "?" if net is None else amount(net, currency),
        "currency": currency,
        "start": start,
        "end": end,
        "respond_by": moments.at(offer.respond_by),
        **long,
    }


def earned_facts(coordinator: V2GCoordinator) -> Json:
    """Return what an account earned this month."""
    rewards = coordinator.data.rewards
    _, month = reward_month(coordinator.data)
    return {
        "currency": rewards.currency,
        "pending": amount(month.pending_minor, rewards.currency),
        "confirmed": amount(month.confirmed_minor, rewards.currency),
        "paid": amount(month.paid_minor, rewards.currency),
    }


async def async_ask_back(hass: HomeAssistant, speaker: Speaker) -> tuple[Asked, Json]:
    """Remember which offer a person is about to accept; raises when it is unclear which.

    Nothing is accepted by this: the yes must be said in another turn, within a minute.
    """
    offers = open_offers(hass)
    if len(offers) != 1:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="several_open_offers" if offers else "no_open_offer",
            translation_placeholders={"count": str(len(offers))},
        )
    coordinator, offer = offers[0]
    asked = Asked(
        token=ulid_now(),
        entry_id=coordinator.config_entry.entry_id,
        offer_id=offer.offer_id,
        revision=offer.revision,
        quoted_wh=quoted(offer),
        speaker=speaker.name,
        turn=speaker.turn,
        until=dt_util.utcnow() + CONFIRM_WITHIN,
    )
    hass.data.setdefault(_ASKED, {})[speaker.name] = asked
    return asked, await async_offer_facts(coordinator, offer, speaker.language)


async def async_confirm(hass: HomeAssistant, speaker: Speaker, token: str | None = None) -> Json:
    """Accept what was read out; raises unless the same person says so in time, in another turn.

    The offer must still be as it was read: a new revision is a new question.
    """
    asked = hass.data.get(_ASKED, {}).pop(speaker.name, None)
    if (
        asked is None
        or asked.turn == speaker.turn
        or dt_util.utcnow() > asked.until
        or token not in {None, asked.token}
    ):
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="nothing_to_confirm"
        )
    for coordinator in connected_accounts(hass):
        if coordinator.config_entry.entry_id == asked.entry_id:
            offer = find_offer(coordinator, asked.offer_id)
            told = await decide(
                coordinator,
                offer,
                "accept",
                speaker.actor,
                revision=asked.revision,
                quoted_wh=asked.quoted_wh,
            )
            agreed = _agreed(told["answer"], offer)
            return await async_offer_facts(coordinator, agreed, speaker.language)
    raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_open_offer")


def _agreed(answer: Json, asked_about: Offer) -> Offer:
    """Return an offer as it was accepted: with what the car could still give, be it less."""
    try:
        return decode(Offer, answer)
    except BadAnswerError as error:
        # The yes stands; that its answer cannot be read must not sound as if it had failed.
        LOGGER.debug("An accepted offer cannot be read: %s", error)
        return asked_about


async def async_stop_all(hass: HomeAssistant, speaker: Speaker) -> None:
    """Stop every car of every account, at home first; raises where an API could not be told."""
    await async_stop_everywhere(hass, speaker.actor, {})


async def async_set_leave(hass: HomeAssistant, clock: time, name: str | None = None) -> Json:
    """Set a car's one-off leave time to the next time it is so late; raises when unclear which."""
    coordinator, vehicle = _vehicle(hass, name)
    now = dt_util.now()
    leave_at = dt_util.as_local(datetime.combine(now.date(), clock, now.tzinfo))
    if leave_at <= now:
        tomorrow = now.date() + timedelta(days=1)
        leave_at = dt_util.as_local(datetime.combine(tomorrow, clock, now.tzinfo))
    departure = {"departure_at": utc_text(leave_at)}
    with translated_errors(coordinator, "departures"):
        await coordinator.async_write("departures", vehicle.vehicle_id, {"one_off": departure})
    return {
        "vehicle": vehicle.display_name,
        "day": leave_at.date().isoformat(),
        "time": leave_at.strftime("%H:%M"),
    }


def _vehicle(hass: HomeAssistant, name: str | None) -> tuple[V2GCoordinator, Vehicle]:
    """Return the car meant: the named one, else the only one."""
    found = [
        (coordinator, vehicle)
        for coordinator in connected_accounts(hass)
        for vehicle in coordinator.data.vehicles.values()
        if name is None or vehicle.display_name.casefold() == name.strip().casefold()
    ]
    if len(found) != 1:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="vehicle_unclear",
            translation_placeholders={"count": str(len(found))},
        )
    return found[0]


async def speech(hass: HomeAssistant, language: str, key: str, facts: Json | None = None) -> str:
    """Return a sentence in the speaker's language."""
    texts = await async_get_translations(hass, _written(language), "common", {DOMAIN})
    return texts[f"component.{DOMAIN}.common.voice_{key}"].format(**(facts or {}))


async def offer_speech(hass: HomeAssistant, language: str, key: str, facts: Json) -> str:
    """Return a sentence about an offer, and before it what its lease means where it is long."""
    told = await speech(hass, language, key, facts)
    if "stop_may_take_min" not in facts:
        return told
    return f"{await speech(hass, language, 'long_lease', facts)} {told}"


async def refusal(hass: HomeAssistant, language: str, error: HomeAssistantError) -> str:
    """Return why something was not done, in the speaker's language."""
    texts = await async_get_translations(hass, _written(language), "exceptions", {DOMAIN})
    text = texts.get(f"component.{DOMAIN}.exceptions.{error.translation_key}.message")
    return str(error) if text is None else text.format(**(error.translation_placeholders or {}))


def _written(language: str) -> str:
    """Return the script in which a spoken Chinese is written; other languages stay."""
    return _SCRIPTS.get(language.replace("_", "-").lower(), language)


def speaker_of(
    context: Any,  # noqa: ANN401 - Context or None
    device_id: str | None,
    language: str,
) -> Speaker:
    """Return who spoke."""
    return Speaker(
        user_id=context.user_id if context else None,
        device_id=device_id,
        turn=context.id if context else "",
        language=language,
    )
