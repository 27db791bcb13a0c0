"""The sensors of an account, its vehicles and its chargers; each kind has a file of its own."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .battery_health import BatteryHealthCoordinator
from .const import CONF_VEHICLE_ID, SUBENTRY_CHARGER, SUBENTRY_VEHICLE
from .control_entities import CONTROL_SENSORS, ControlSensor, controlled
from .coordinator import V2GConfigEntry
from .entity import async_add_in_turns
from .sensor_charger import CHARGER_SENSORS, CONNECTED_VEHICLE, ConnectedVehicleSensor
from .sensor_deal import DEAL_SENSORS
from .sensor_departure import DEPARTURE_SENSORS, DepartureSensor
from .sensor_figure import ChargerFigure, HubFigure, VehicleFigure, VehicleMoney
from .sensor_health import HEALTH_SENSORS, HealthSensor
from .sensor_last_offer import LAST_OFFER_SENSORS, LastOfferSensor
from .sensor_offer import OFFER_SENSORS
from .sensor_rewards import REWARD_SENSORS
from .sensor_vehicle import VEHICLE_SENSORS, WEAR_COST

PARALLEL_UPDATES = 0

HUB_SENSORS = (*OFFER_SENSORS, *DEAL_SENSORS, *REWARD_SENSORS)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: V2GConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of the account, its vehicles and its chargers."""
    coordinator = entry.runtime_data.coordinator
    for subentry, executor in controlled(hass, entry):
        await async_add_in_turns(
            async_add_entities,
            (ControlSensor(coordinator, each, subentry, executor) for each in CONTROL_SENSORS),
            subentry,
        )
    if coordinator.alone:
        return
    await async_add_in_turns(
        async_add_entities, (HubFigure(coordinator, description) for description in HUB_SENSORS)
    )
    for subentry in entry.get_subentries_of_type(SUBENTRY_VEHICLE):
        health = BatteryHealthCoordinator(hass, entry, subentry.data[CONF_VEHICLE_ID])
        await async_add_in_turns(
            async_add_entities,
            [
                *(VehicleFigure(coordinator, each, subentry) for each in VEHICLE_SENSORS),
                *(DepartureSensor(coordinator, each, subentry) for each in DEPARTURE_SENSORS),
                VehicleMoney(coordinator, WEAR_COST, subentry),
                *(LastOfferSensor(coordinator, each, subentry) for each in LAST_OFFER_SENSORS),
                *(HealthSensor(coordinator, health, each, subentry) for each in HEALTH_SENSORS),
            ],
            subentry,
        )
    for subentry in entry.get_subentries_of_type(SUBENTRY_CHARGER):
        await async_add_in_turns(
            async_add_entities,
            [
                *(ChargerFigure(coordinator, each, subentry) for each in CHARGER_SENSORS),
                ConnectedVehicleSensor(coordinator, CONNECTED_VEHICLE, subentry),
            ],
            subentry,
        )
