"""Who is behind an action: a person's tap or an automation the owner wrote."""

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.core import Context, Event, HomeAssistant, callback
from homeassistant.helpers.http import current_request
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN

# As Home Assistant's own views read it; ``http`` need not be set up where no form can be sent.
_REQUEST_USER: Final = "hass_user"
_NOTIFICATION_TAP: Final = "mobile_app_notification_action"
_STARTERS: Final = ("automation_triggered", "script_started")
NOBODY_KNOWN: Final = "unknown"
"""What stands for an automation where neither one nor a person is known."""
_MOST_REMEMBERED: Final = 256
# By starter: one that waits for hours acts long after it started, whatever else starts meanwhile.
_MOST_RUNS: Final = 32
_STARTED_BY: HassKey[dict[str, str]] = HassKey(f"{DOMAIN}_started_by")
_TAPS: HassKey[dict[str, Tap]] = HassKey(f"{DOMAIN}_notification_taps")
_MODEL_TURNS: HassKey[dict[str, None]] = HassKey(f"{DOMAIN}_model_turns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """A person's tap on a notification's button."""

    user: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """How a decision came about, and who made it; the API keeps both on the owner's side."""

    method: str
    who: dict[str, str]
    asked_back: bool = True
    """Whether the person's own word is behind it; a language model's reading of it is not that."""


@callback
def async_remember_starters(hass: HomeAssistant) -> None:
    """Note which automation or script started which context.

    A context itself does not tell: it remembers its first event only if somebody listened to it.
    """
    started_by: dict[str, str] = hass.data.setdefault(_STARTED_BY, {})
    runs: defaultdict[str, deque[str]] = defaultdict(deque)
    taps: dict[str, Tap] = hass.data.setdefault(_TAPS, {})

    @callback
    def remember_starter(event: Event[Any]) -> None:
        starter = str(event.data.get("entity_id", NOBODY_KNOWN))
        if started_by.setdefault(event.context.id, starter) != starter:
            return
        runs[starter].append(event.context.id)
        if len(runs[starter]) > _MOST_RUNS:
            started_by.pop(runs[starter].popleft(), None)

    @callback
    def remember_tap(event: Event[Any]) -> None:
        if event.context.user_id is not None:
            action = str(event.data.get("action", ""))
            taps[event.context.id] = Tap(user=event.context.user_id, action=action)
            _forget_oldest(taps)

    for kind in _STARTERS:
        hass.bus.async_listen(kind, remember_starter)
    hass.bus.async_listen(_NOTIFICATION_TAP, remember_tap)


@callback
def async_remember_model_turn(hass: HomeAssistant, context: Context | None) -> None:
    """Note that a language model acts in a context: whatever it calls carries the person's own."""
    if context is not None:
        turns: dict[str, None] = hass.data.setdefault(_MODEL_TURNS, {})
        turns[context.id] = None
        _forget_oldest(turns)


def _forget_oldest(remembered: dict[str, Any]) -> None:
    """Keep the memory small."""
    if len(remembered) > _MOST_REMEMBERED:
        del remembered[next(iter(remembered))]


def who_fills_in() -> Context:
    """Return what is done by whoever sends the form that is filled in now.

    A form has no context, but comes by a request, which has a user; without one nobody is known.
    """
    request = current_request.get()
    user = None if request is None else request.get(_REQUEST_USER)
    return Context(user_id=None if user is None else user.id)


async def async_actor_of(
    hass: HomeAssistant, context: Context, offer_id: str | None = None
) -> Actor:
    """Return who acts in a context, on an offer where one is named.

    Only a person's own call carries a person's user and no parent: an automation gets a context of
    its own, whose parent is what triggered it, even when that was a person. The one exception is a
    tap on a notification's button whose name holds this very offer's id: the automation between
    only carries that person's answer. Where a language model works on what a person said, it is
    the model that acts.
    """
    started_by = hass.data.get(_STARTED_BY, {})
    # An automation that asked a model something goes on as itself.
    automated = started_by.get(context.id, "").startswith("automation.")
    if context.id in hass.data.get(_MODEL_TURNS, {}) and not automated:
        who = {"user": context.user_id or "voice unknown"}
        return Actor(method="voice", who=who, asked_back=False)
    if context.user_id is not None and context.parent_id is None:
        user = await hass.auth.async_get_user(context.user_id)
        if user is not None and user.system_generated:
            # Add-ons and the cloud act under users of their own, and nobody taps as one of them.
            return Actor(method="automation", who={"automation": (user.name or "unknown")[:200]})
        return Actor(method="tap", who={"user": context.user_id})
    # An automation that our own event triggered gets here before the bus has told that it started:
    # what is fired while listeners run waits until they are done.
    await asyncio.sleep(0)
    tap = hass.data.get(_TAPS, {}).get(context.parent_id or "")
    if tap is not None and offer_id is not None and offer_id in tap.action:
        return Actor(method="tap", who={"user": tap.user})
    starter = started_by.get(context.id, NOBODY_KNOWN)
    return Actor(method="automation", who={"automation": starter[:200]})
