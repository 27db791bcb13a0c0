"""Where the prices of a chosen sensor come from: its attributes, an action, its bare state."""

from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.core import HomeAssistant, State
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from .const import LOGGER
from .price_forms import Prices, from_now, read_items, read_lists, read_state
from .price_units import UnreadablePricesError

_DAYS: Final = 2
# Some of these actions ask a server on the internet each time.
_ASK_AGAIN: Final = timedelta(hours=1)


class PriceSource:
    """Reads the prices that one sensor stands for."""

    def __init__(self, hass: HomeAssistant, entity_id: str) -> None:
        """Prepare; nothing is asked yet."""
        self._hass = hass
        self._entity_id = entity_id
        self._asked: Prices = {}
        self._asked_at: datetime | None = None

    async def async_read(self, now: datetime, currency: str) -> Prices:
        """Return prices (``currency`` per kWh, by instant) from the one that holds now on.

        Empty while the sensor knows nothing. Raises UnreadablePricesError when what it says is
        no price in the owner's currency.
        """
        state = self._hass.states.get(self._entity_id)
        if state is None or state.state == "unavailable":
            return {}
        unit = state.attributes.get("unit_of_measurement")
        listed = from_now(read_lists(state.attributes, unit, currency), now)
        if not listed:
            listed = from_now(await self._async_ask(state, now, currency), now)
        if listed and min(listed) <= now:
            return listed
        # What is told begins later: until then the price that the sensor shows holds.
        return from_now(read_state(state, currency, now) | listed, now)

    async def _async_ask(self, state: State, now: datetime, currency: str) -> Prices:
        """Return what the sensor's own integration answers when asked, at most once an hour."""
        if self._asked_at is None or now - self._asked_at >= _ASK_AGAIN:
            self._asked, self._asked_at = await self._async_answers(state, now, currency), now
        return self._asked

    async def _async_answers(self, state: State, now: datetime, currency: str) -> Prices:
        """Ask for today and tomorrow; an integration without such an action says nothing."""
        entry = er.async_get(self._hass).async_get(self._entity_id)
        if entry is None or (question := _QUESTIONS.get(entry.platform)) is None:
            return {}
        action, unit_of_energy = question
        if not self._hass.services.has_service(entry.platform, action):
            return {}
        money = str(state.attributes.get("unit_of_measurement", "")).partition("/")[0]
        found: Prices = {}
        for ahead in range(_DAYS):
            day = dt_util.start_of_local_day(dt_util.as_local(now) + timedelta(days=ahead))
            try:
                answer = await self._hass.services.async_call(
                    entry.platform,
                    action,
                    _asked_for(entry, day),
                    blocking=True,
                    return_response=True,
                )
            except HomeAssistantError as error:
                # Tomorrow's prices are not out yet, or the server is away: what is known counts.
                LOGGER.debug("%s.%s told nothing: %s", entry.platform, action, error)
                continue
            items = _items(entry, dict(answer or {}))
            found |= read_items(items, f"{money}/{unit_of_energy}", currency)
        return found


# Each integration's action, and the energy its prices are for.
_QUESTIONS: Final = {
    "nordpool": ("get_prices_for_date", "MWh"),
    "tibber": ("get_prices", "kWh"),
    "energyzero": ("get_energy_prices", "kWh"),
    "easyenergy": ("get_energy_usage_prices", "kWh"),
}


def _asked_for(entry: er.RegistryEntry, day: datetime) -> dict[str, Any]:
    """Return what one integration's action wants to know for one local day."""
    if entry.platform == "nordpool":
        return {"config_entry": entry.config_entry_id, "date": day.date().isoformat()}
    end = dt_util.start_of_local_day(day + timedelta(days=1, hours=1))
    span = {"start": day.isoformat(), "end": end.isoformat()}
    if entry.platform == "tibber":
        return span
    return {"config_entry": entry.config_entry_id, "incl_vat": True, **span}


def _items(entry: er.RegistryEntry, answer: dict[str, Any]) -> Any:  # noqa: ANN401 - foreign
    """Return the list of prices in an answer: of the sensor's area, or of the only home."""
    if entry.platform == "nordpool":
        return next(
            (items for area, items in answer.items() if f"{area}-" in f"{entry.unique_id}-"), []
        )
    prices = answer.get("prices", [])
    if isinstance(prices, dict):
        # Several homes cannot be told apart from here: better no price than a neighbour's.
        return next(iter(prices.values())) if len(prices) == 1 else []
    return prices


__all__ = ["PriceSource", "UnreadablePricesError"]
