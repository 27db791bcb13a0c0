"""Turn what the API refused into translated errors for the person who asked."""

from collections.abc import Generator
from contextlib import contextmanager

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.translation import async_get_translations

from .api_errors import OwnerApiError, OwnerApiProblem
from .const import DOMAIN
from .coordinator import V2GCoordinator

# What the API sends along as ``current`` when a request was about something that has changed.
_CURRENT = {"offer_id": "offer.current", "commitment_id": "commitment.current"}


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
        raise _sentence(error, by_the_caller=error.is_the_callers) from error
    except OwnerApiError as error:
        raise _sentence(error, by_the_caller=False) from error


def _sentence(error: OwnerApiError, *, by_the_caller: bool) -> HomeAssistantError:
    """Return the Home Assistant error for an API error."""
    kind = ServiceValidationError if by_the_caller else HomeAssistantError
    return kind(
        translation_domain=DOMAIN,
        translation_key=error.translation_key,
        translation_placeholders=error.placeholders,
    )


async def async_sentence(hass: HomeAssistant, error: OwnerApiError) -> str:
    """Return what an API error says in Home Assistant's language; the API's own words if none."""
    texts = await async_get_translations(hass, hass.config.language, "exceptions", {DOMAIN})
    key = f"component.{DOMAIN}.exceptions.{error.translation_key}.message"
    return texts.get(key, "{detail}").format(**error.placeholders)
