"""Add and change vehicles of an account."""

from .const import CONF_VEHICLE_ID
from .subentry_flow import LinkedDeviceFlow
from .subentry_schemas import VEHICLE_ENTITIES, VEHICLE_FACTS, vehicle_body


class VehicleSubentryFlow(LinkedDeviceFlow):
    """Links a vehicle."""

    subject = "vehicle"
    resource = "vehicles"
    id_key = CONF_VEHICLE_ID
    facts_schema = VEHICLE_FACTS
    entities_schema = VEHICLE_ENTITIES
    body = staticmethod(vehicle_body)
