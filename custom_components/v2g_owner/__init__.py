"""V2G Owner: offers to discharge your electric car, on your terms."""

from typing import Any

from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import (
    ConfigEntryAuthFailed,
    ConfigEntryNotReady,
    HomeAssistantError,
)
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.typing import ConfigType
from homeassistant.loader import async_get_integration
from homeassistant.util import dt as dt_util

from .account_issues import AccountCheck
from .actor import async_remember_starters
from .alone import PLATFORMS_ALONE, async_wait_for_agent, can_be_alone, nothing_known
from .api import OwnerApi
from .calendar_marks import CalendarMarks
from .card import async_serve_card
from .charger_sharing import async_watch_sharing
from .const import (
    CONF_CALENDAR_ENTITY,
    CONF_DEVICE_ID,
    CONF_KEY_SHA256,
    CONF_RECEIPT_KEY,
    CONF_VEHICLE_ID,
    DOMAIN,
    PLATFORMS,
    SUBENTRY_CHARGER,
    SUBENTRY_VEHICLE,
)
from .coordinator import V2GConfigEntry, V2GCoordinator, V2GRuntimeData
from .credentials import RefreshTokenStore, async_give_back
from .departures import CalendarMirror
from .drivers_kept import KeptDrivers
from .entity import hub_device_info
from .executors import (
    async_feed_executors,
    async_forget_executors,
    async_start_executors,
    async_stop_executors,
)
from .issues import async_follow_renames, async_forget_repairs, async_watch_mapping
from .limits_kept import KeptLimits, LimitsWatch
from .paired_notice import PairedNotice, SeenDevices
from .pin import key_pin
from .price_reporter import PriceReporter
from .sensor_issues import SensorCheck
from .services import async_setup_services
from .settled_statistics import SettledStatistics, settled_store
from .stale_devices import StaleDevices
from .stream import EventStream
from .telemetry import ChargerReporter, VehicleReporter
from .trust_store import TrustStore
from .trust_watch import LogWatch
from .unit_issue import async_watch_unit

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register what exists whether or not an entry is loaded: actions, card, chargers watched."""
    async_remember_starters(hass)
    async_setup_services(hass)
    async_follow_renames(hass)
    async_watch_sharing(hass)
    await async_serve_card(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: V2GConfigEntry) -> bool:
    """Read everything once, then follow the stream and report what the owner's sensors say."""
    if CONF_RECEIPT_KEY not in entry.data:
        # Paired before the log's key was pinned; only a pairing can tell it in confidence.
        raise ConfigEntryAuthFailed(translation_domain=DOMAIN, translation_key="not_paired")
    loaded = _loaded_from(entry)
    # An account that is loaded anew may have been unlinked from something.
    async_forget_repairs(hass, entry, linked=entry.subentries)
    await async_start_executors(hass, entry)
    drivers = await KeptDrivers(hass, entry.entry_id).async_keep(entry)
    tokens = RefreshTokenStore(hass, entry.entry_id)
    api = await _async_client(hass, entry, tokens)
    coordinator = V2GCoordinator(hass, entry, api, drivers)
    # Read from disk now: once the API has answered, nothing is to wait for but the entities.
    await (await async_get_integration(hass, DOMAIN)).async_get_platforms(PLATFORMS)
    marks = CalendarMarks(hass, entry.entry_id)
    await marks.async_load()
    log = LogWatch(hass, entry, api)
    try:
        await coordinator.async_config_entry_first_refresh()
    except (ConfigEntryAuthFailed, ConfigEntryNotReady) as error:
        if not can_be_alone(hass, entry):
            raise
        entry.runtime_data = V2GRuntimeData(
            coordinator=coordinator, log=log, loaded=loaded, platforms=PLATFORMS_ALONE
        )
        await _async_set_up_alone(hass, entry, error)
        return True
    coordinator.async_start_stream_at_snapshot()
    # Read from disk beside the loop, before the first month is counted in it.
    await dt_util.async_get_time_zone(coordinator.data.owner.time_zone)

    entry.runtime_data = V2GRuntimeData(
        coordinator=coordinator, log=log, loaded=loaded, platforms=PLATFORMS
    )
    # Vehicles and chargers name this device as theirs to reach us through, so it comes first.
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, **hub_device_info(coordinator)
    )
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    await async_feed_executors(hass, entry, coordinator, log)

    entry.async_on_unload(AccountCheck(hass, coordinator).async_start())
    entry.async_on_unload(PairedNotice(hass, coordinator).async_start())
    entry.async_on_unload(LimitsWatch(hass, coordinator).async_start())
    entry.async_on_unload(StaleDevices(hass, coordinator).async_start())
    entry.async_on_unload(SettledStatistics(hass, coordinator).async_start())
    # Each begins with a report; forty in a row, without a pause, would hold up everyone else.
    for subentry in entry.subentries.values():
        entry.async_on_unload(async_watch_mapping(hass, entry, subentry))
        entry.async_on_unload(SensorCheck(hass, entry, subentry).async_start())
        await coordinator.turns.async_next()
    for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        entry.async_on_unload(VehicleReporter(hass, coordinator, subentry.data).async_start())
        mirror = CalendarMirror(hass, coordinator, subentry.data, marks)
        entry.async_on_unload(mirror.async_start())
        entry.async_on_unload(PriceReporter(hass, coordinator, subentry).async_start())
        await coordinator.turns.async_next()
    for subentry in entry.get_subentries_of_type(SUBENTRY_CHARGER):
        entry.async_on_unload(async_watch_unit(hass, entry, subentry))
        entry.async_on_unload(ChargerReporter(hass, coordinator, subentry.data).async_start())
        await coordinator.turns.async_next()
    entry.async_create_background_task(
        hass,
        _async_take_back_calendars(entry, coordinator, marks),
        name=f"{DOMAIN} calendars {entry.title}",
    )
    _watch_log(hass, entry, log)
    if tokens.replaced:
        # Not in the dialog that paired anew: what still ran as the old device would have failed
        # on it and asked to pair once more.
        entry.async_create_background_task(
            hass,
            tokens.async_give_back_replaced(api),
            name=f"{DOMAIN} old pairing {entry.title}",
        )
    entry.async_create_background_task(
        hass, EventStream(coordinator, api).async_run(), name=f"{DOMAIN} stream {entry.title}"
    )
    entry.async_on_unload(entry.add_update_listener(_async_entry_updated))
    # What was added or changed since the beginning, nobody has been told of.
    await _async_entry_updated(hass, entry)
    return True


async def _async_set_up_alone(
    hass: HomeAssistant, entry: V2GConfigEntry, error: HomeAssistantError
) -> None:
    """Set up what needs nobody but this home, and wait for the agent."""
    runtime = entry.runtime_data
    if isinstance(error, ConfigEntryAuthFailed):
        entry.async_start_reauth(hass)
    runtime.coordinator.alone = True
    runtime.coordinator.data = nothing_known(hass, entry)
    await hass.config_entries.async_forward_entry_setups(entry, runtime.platforms)
    entry.async_create_background_task(
        hass,
        async_wait_for_agent(hass, runtime.coordinator),
        name=f"{DOMAIN} waits for the agent of {entry.title}",
    )
    entry.async_on_unload(entry.add_update_listener(_async_entry_updated))
    await _async_entry_updated(hass, entry)


async def async_unload_entry(hass: HomeAssistant, entry: V2GConfigEntry) -> bool:
    """Unload the platforms and leave the chargers safe; all else was registered to end itself.

    What this home did alone goes on: the account is loaded as a whole next. Where it is switched
    off instead, the executors notice.
    """
    runtime = entry.runtime_data
    unloaded = await hass.config_entries.async_unload_platforms(entry, runtime.platforms)
    if unloaded and not runtime.coordinator.alone:
        await async_stop_executors(hass, entry)
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: V2GConfigEntry) -> None:
    """Unpair this Home Assistant; the owner's vehicles and history stay with the API."""
    await async_forget_executors(hass, entry)
    async_forget_repairs(hass, entry)
    tokens = RefreshTokenStore(hass, entry.entry_id)
    api = await _async_client(hass, entry, tokens)
    marks = CalendarMarks(hass, entry.entry_id)
    await marks.async_load()
    await marks.async_take_back(api, mapped=())
    await marks.async_remove()
    await tokens.async_give_back_replaced(api)
    await async_give_back(api, entry.data[CONF_DEVICE_ID])
    await tokens.async_remove()
    await TrustStore(hass, entry.entry_id).async_remove()
    await SeenDevices(hass, entry.entry_id).async_remove()
    await KeptDrivers(hass, entry.entry_id).async_remove()
    await KeptLimits(hass, entry.entry_id).async_remove()
    await settled_store(hass, entry.entry_id).async_remove()


async def _async_take_back_calendars(
    entry: V2GConfigEntry, coordinator: V2GCoordinator, marks: CalendarMarks
) -> None:
    """End the leave times of calendars that were mapped here and are no more."""
    mapped = {
        subentry.data[CONF_VEHICLE_ID]
        for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE)
        if subentry.data.get(CONF_CALENDAR_ENTITY)
    }
    for view in await marks.async_take_back(coordinator.api, mapped):
        coordinator.async_apply("departures.updated", view)


@callback
def _watch_log(hass: HomeAssistant, entry: V2GConfigEntry, log: LogWatch) -> None:
    """Check the operator's log for as long as the entry is loaded."""
    coordinator = entry.runtime_data.coordinator
    entry.async_on_unload(coordinator.async_subscribe_events(log.async_handle_event))
    entry.async_on_unload(
        coordinator.async_add_listener(
            lambda: log.async_connection_changed(connected=coordinator.stream_connected)
        )
    )
    entry.async_create_background_task(hass, log.async_run(), name=f"{DOMAIN} log {entry.title}")


async def _async_client(
    hass: HomeAssistant, entry: V2GConfigEntry, tokens: RefreshTokenStore
) -> OwnerApi:
    """Return a client that goes on with the newest token."""
    return OwnerApi(
        async_get_clientsession(hass),
        entry.data[CONF_URL],
        pin=key_pin(entry.data.get(CONF_KEY_SHA256)),
        refresh_token=await tokens.async_load(dict(entry.data)),
        on_refresh_token=tokens.async_save,
    )


async def _async_entry_updated(hass: HomeAssistant, entry: V2GConfigEntry) -> None:
    """Reload when an address, a vehicle or a charger changed; a new title alone does not count."""
    if _loaded_from(entry) != entry.runtime_data.loaded:
        hass.config_entries.async_schedule_reload(entry.entry_id)


def _loaded_from(entry: V2GConfigEntry) -> dict[str, Any]:
    """Return what a loaded entry depends on."""
    return {
        "data": dict(entry.data),
        "subentries": {
            subentry_id: (subentry.title, dict(subentry.data))
            for subentry_id, subentry in entry.subentries.items()
        },
    }
