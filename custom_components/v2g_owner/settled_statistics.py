"""Give what was settled to the long-term statistics, at the hour of delivery, however late.

A sensor can only say something now. A settlement becomes final hours or days after the energy
flowed, and a correction re-states an hour long past: external statistics can be written there.
"""

import asyncio
from datetime import UTC, datetime
import time
from typing import Any, Final

from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
from homeassistant.components.recorder.statistics import async_add_external_statistics
from homeassistant.const import UnitOfEnergy
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import slugify
from homeassistant.util.unit_conversion import EnergyConverter

from .api import Json
from .api_errors import OwnerApiError
from .const import CONF_OWNER_ID, DOMAIN, LOGGER, SNAPSHOT_INTERVAL
from .coordinator import V2GCoordinator
from .decode import BadAnswerError, decode
from .models_deal import Commitment
from .money import major
from .pages import async_pages
from .settled_ledger import Series, SettledDeal, SettledLedger, hour_of, read_ledger
from .snapshot import StreamEvent
from .unsubscribing import together

_FINAL: Final = "final"
# So many deals are a few milliseconds' work, and others have their turn.
_AT_ONCE: Final = 200
_NAMES: Final = {"energy": "energy_discharged", "reward": "rewards_total"}


class SettledStatistics:
    """Follows one account's settlements; what is final is written, once."""

    def __init__(self, hass: HomeAssistant, coordinator: V2GCoordinator) -> None:
        """Prepare; nothing is read yet."""
        self._hass = hass
        self._coordinator = coordinator
        self._entry = coordinator.config_entry
        self._store = settled_store(hass, self._entry.entry_id)
        self._ledger: SettledLedger | None = None
        self._working = asyncio.Lock()
        self._connected = False
        self._position = coordinator.stream_position
        self._behind = True
        """Whether a deal may be missing: until all have been read, and where one could not be."""
        self._again_at = 0.0

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Catch up, then follow the stream; returns the way to stop."""
        if "recorder" not in self._hass.config.components:
            return lambda: None
        self._soon(None)
        unsubscribes = (
            self._coordinator.async_subscribe_events(self._event),
            self._coordinator.async_add_listener(self._catch_up),
        )

        return together(unsubscribes)

    @callback
    def _catch_up(self) -> None:
        """Read what could not be read once the stream is back, or after a while."""
        connected = self._coordinator.stream_connected
        back = connected and not self._connected
        self._connected = connected
        if not connected or not self._behind or self._working.locked():
            return
        if back or time.monotonic() >= self._again_at:
            self._soon(None)

    @callback
    def _event(self, event: StreamEvent) -> None:
        """Look at a deal whose settlement became final, and at all where the stream left some out.

        A stream that broke goes on where it was, as a rule: not every link that is lost for a
        moment costs the reading of all that was ever sold.
        """
        gap = event.seq != self._position + 1
        self._position = event.seq
        self._behind = self._behind or gap
        if gap or event.type == f"settlement.{_FINAL}":
            self._soon(str(event.data.get("commitment_id")))

    @callback
    def _soon(self, commitment_id: str | None) -> None:
        """Work in the background."""
        self._entry.async_create_background_task(
            self._hass, self._async_follow(commitment_id), name=f"{DOMAIN} statistics"
        )

    async def _async_follow(self, commitment_id: str | None) -> None:
        """Take one deal, or all of them; what fails is made good later."""
        try:
            await self.async_take(commitment_id)
        except (OwnerApiError, BadAnswerError) as error:
            LOGGER.debug("Settlements could not be read: %s", error)
            self._again_at = time.monotonic() + SNAPSHOT_INTERVAL.total_seconds()

    async def async_take(self, commitment_id: str | None = None) -> None:
        """Read one deal, every deal by default or where one is missing; write what has changed.

        Raises OwnerApiError or BadAnswerError when it cannot be read.
        """
        async with self._working:
            if self._ledger is None:
                content = await self._store.async_load()
                self._ledger = await self._hass.async_add_executor_job(read_ledger, content)
            changed: dict[Series, str] = {}
            # Sums that lack what came before would be wrong until it is there.
            every = self._behind or commitment_id is None
            # Where the stream leaves one out meanwhile, its page may have been read.
            self._behind = False
            try:
                # All are read before one is taken: what was taken and not written never would be.
                found = await self._async_settled(None if every else commitment_id)
            except Exception:
                self._behind = True
                raise
            for number, (deal_id, settled) in enumerate(found):
                for series, hour in self._ledger.take(deal_id, settled).items():
                    changed[series] = min(changed.get(series, hour), hour)
                if not number % _AT_ONCE:
                    await asyncio.sleep(0)
            for series, hour in changed.items():
                await self._async_write(self._ledger, series, hour)
            if changed:
                await self._store.async_save(self._ledger.as_json())

    async def _async_settled(self, commitment_id: str | None) -> list[tuple[str, SettledDeal]]:
        """Return the last word on one deal, or on all of them, where there is one.

        Of years of deals no more than a page is held as it was told, or looked at in one go.
        """
        api, path = self._coordinator.api, "/v1/commitments"
        if commitment_id is not None:
            return _settled([await api.get(f"{path}/{commitment_id}")])
        return [deal async for items in async_pages(api, path) for deal in _settled(items)]

    async def _async_write(self, ledger: SettledLedger, series: Series, since: str) -> None:
        """Write the hours of a series from the first changed one on: every later sum moved too."""
        kind, about = series
        energy = kind == "energy"

        def shown(value: int) -> float:
            return value / 1000 if energy else major(value, about)

        async_add_external_statistics(
            self._hass,
            StatisticMetaData(
                mean_type=StatisticMeanType.NONE,
                has_sum=True,
                name=await self._async_name(kind, about),
                source=DOMAIN,
                statistic_id=self.statistic_id(series),
                unit_class=EnergyConverter.UNIT_CLASS if energy else None,
                unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR if energy else about,
            ),
            [
                StatisticData(
                    start=datetime.fromisoformat(hour), state=shown(value), sum=shown(total)
                )
                for hour, value, total in ledger.rows(series, since)
            ],
        )

    def statistic_id(self, series: Series) -> str:
        """Return the id under which a series is kept."""
        kind, about = series
        whose = about if kind == "energy" else f"{self._entry.data[CONF_OWNER_ID]}_{about}"
        return f"{DOMAIN}:{kind}_{slugify(whose)}"

    async def _async_name(self, kind: str, about: str) -> str:
        """Return what the owner calls a series: the sensor's words, with the car or currency."""
        texts = await async_get_translations(
            self._hass, self._hass.config.language, "entity", {DOMAIN}
        )
        words = texts.get(f"component.{DOMAIN}.entity.sensor.{_NAMES[kind]}.name", kind)
        vehicle = self._coordinator.data.vehicles.get(about)
        return f"{vehicle.display_name if vehicle else about} {words}"


def settled_store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    """Return the file of one account's settled deals."""
    return Store(hass, 1, f"{DOMAIN}.{entry_id}.settled", private=True, atomic_writes=True)


def _settled(items: list[Json]) -> list[tuple[str, SettledDeal]]:
    """Return the last word on each deal that has one, by its id."""
    deals = [decode(Commitment, item) for item in items]
    found = ((deal.commitment_id, _last_word(deal)) for deal in deals)
    return [(deal_id, settled) for deal_id, settled in found if settled is not None]


def _last_word(deal: Commitment) -> SettledDeal | None:
    """Return the last word on a deal, None while there is none.

    A corrected version still stands until the next one is final.
    """
    settlement = deal.settlement
    if settlement is None or settlement.state != _FINAL or deal.vehicle_id is None:
        return None
    paid_in = settlement.paid_in
    return SettledDeal(
        hour=hour_of(deal.start_at.astimezone(UTC)),
        vehicle_id=deal.vehicle_id,
        delivered_wh=settlement.delivered_wh,
        # In sum: an event may have several payers, and a reward is what one of them pays.
        amount_minor=paid_in.pop(settlement.currency),
        currency=settlement.currency,
        beside=tuple(sorted(paid_in.items())),
    )
