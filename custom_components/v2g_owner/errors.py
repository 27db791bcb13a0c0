"""Turn what the API refused into translated errors for the person who asked."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.translation import (
    async_get_cached_translations,
    async_get_translations,
)

from .api_errors import OwnerApiError, OwnerApiProblem
from .const import DOMAIN
from .coordinator import V2GCoordinator
from .judgement import OFFER_REASONS

# What the API sends along as ``current`` when a request was about something that has changed.
_CURRENT = {"offer_id": "offer.current", "commitment_id": "commitment.current"}
# Of these, what there is falls short of what is needed; of the others a sign would mislead.
_SHORT: Final = frozenset({"budget", "energy", "min_energy", "power", "price", "warranty"})
_THOUSANDS: Final = frozenset({"Wh", "W"})
# What must hold of the limits that a car has, by the field that the API names when it does not.
_MUST_HOLD: Final = {
    "soc_floor_pct": ("<", "soc_ceiling_pct"),
    "soc_min_departure_pct": ("≥", "soc_floor_pct"),
    "soc_target_departure_pct": ("≥", "soc_min_departure_pct"),
}


@contextmanager
def translated_errors(coordinator: V2GCoordinator, resource: str | None = None) -> Generator[None]:
    """Raise each API error in the owner's language; show the new value where the API sent one.

    ``resource`` names the stream subject of a versioned resource, such as ``preferences``.
    """
    try:
        yield
    except OwnerApiProblem as error:
        if error.current is not None:
            subject = next((_CURRENT[key] for key in _CURRENT if key in error.current), None)
            kind = f"{resource}.updated" if resource else subject
            if kind is not None:
                coordinator.async_apply(kind, error.current)
        told = error.placeholders | _in_words(coordinator.hass, error)
        raise _sentence(error, told, by_the_caller=error.is_the_callers) from error
    except OwnerApiError as error:
        raise _sentence(error, error.placeholders, by_the_caller=False) from error


def _in_words(hass: HomeAssistant, error: OwnerApiProblem) -> dict[str, str]:
    """Return in Home Assistant's language what the API tells by codes and by names of fields."""
    texts = async_get_cached_translations(hass, hass.config.language, "entity", DOMAIN)
    prefix = f"component.{DOMAIN}.entity"
    named = {field: texts.get(f"{prefix}.number.{field}.name", field) for field in error.limits}
    told = {}
    if named:
        told["limits"] = "; ".join(
            f"{name}: {error.limits[field]}" for field, name in named.items()
        )
    if named.keys() and named.keys() <= _MUST_HOLD.keys():
        told["detail"] = "; ".join(
            f"{name} {sign} {texts.get(f'{prefix}.number.{other}.name', other)}"
            for (sign, other), name in ((_MUST_HOLD[field], name) for field, name in named.items())
        )
    if why := _why(texts, prefix, error) or _refusal(hass, error):
        told["detail"] = why
    return told


def _why(texts: dict[str, str], prefix: str, error: OwnerApiProblem) -> str | None:
    """Return which limit stands against a yes; None for other noes."""
    reason = (error.current or {}).get("reason")
    code = reason.get("code") if isinstance(reason, dict) else None
    if not isinstance(reason, dict) or code not in OFFER_REASONS:
        return None
    words = texts.get(f"{prefix}.sensor.next_offer_reason.state.{code}")
    available, needed, unit = reason.get("available"), reason.get("needed"), reason.get("unit")
    if words is None or code not in _SHORT or unit is None or None in {available, needed}:
        return words
    return f"{words} ({_amount(available, unit)} < {_amount(needed, unit)})"


def _refusal(hass: HomeAssistant, error: OwnerApiProblem) -> str | None:
    """Return our sentence for the API's word for why; None for a word that is not known here."""
    texts = async_get_cached_translations(hass, hass.config.language, "exceptions", DOMAIN)
    told = texts.get(f"component.{DOMAIN}.exceptions.why_{error.reason}.message")
    return told and told.format(parks=", ".join(error.parks))


def _amount(value: Any, unit: str) -> str:  # noqa: ANN401 - a number or a decimal string
    """Return an amount as people read it: kWh and kW instead of Wh and W."""
    return f"{value / 1000:g} k{unit}" if unit in _THOUSANDS else f"{value} {unit}"


def _sentence(
    error: OwnerApiError, told: dict[str, str], *, by_the_caller: bool
) -> HomeAssistantError:
    """Return the Home Assistant error for an API error."""
    kind = ServiceValidationError if by_the_caller else HomeAssistantError
    return kind(
        translation_domain=DOMAIN,
        translation_key=error.translation_key,
        translation_placeholders=told,
    )


async def async_sentence(hass: HomeAssistant, error: OwnerApiError | HomeAssistantError) -> str:
    """Return what an error says in Home Assistant's language; the API's own words if none."""
    texts = await async_get_translations(hass, hass.config.language, "exceptions", {DOMAIN})
    key = f"component.{DOMAIN}.exceptions.{error.translation_key}.message"
    if isinstance(error, HomeAssistantError):
        told = error.translation_placeholders or {}
    elif isinstance(error, OwnerApiProblem):
        told = error.placeholders | _in_words(hass, error)
    else:
        told = error.placeholders
    return texts.get(key, "{detail}").format(**told)
