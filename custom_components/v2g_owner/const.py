"""Names and limits shared by the whole integration."""

from datetime import timedelta
import logging
from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "v2g_owner"
LOGGER: Final = logging.getLogger(__package__)

PLATFORMS: Final = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CALENDAR,
    Platform.DATETIME,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.TIME,
)

SUBENTRY_VEHICLE: Final = "vehicle"
SUBENTRY_CHARGER: Final = "charger"

CONF_SERVER_ID: Final = "server_id"
CONF_DEVICE_ID: Final = "device_id"
CONF_OWNER_ID: Final = "owner_id"
CONF_REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105 - the name of a field, not a secret
CONF_KEY_SHA256: Final = "key_sha256"
CONF_RECEIPT_KEY: Final = "receipt_key"
CONF_PAIRING_CODE: Final = "pairing_code"

CONF_VEHICLE_ID: Final = "vehicle_id"
CONF_CHARGER_ID: Final = "charger_id"
CONF_SOC_ENTITY: Final = "soc_entity"
CONF_PLUGGED_ENTITY: Final = "plugged_entity"
CONF_POWER_ENTITY: Final = "power_entity"
CONF_POWER_SIGN: Final = "power_sign"
CONF_TEMPERATURE_ENTITY: Final = "temperature_entity"
CONF_CALENDAR_ENTITY: Final = "calendar_entity"
CONF_PRICE_ENTITY: Final = "price_entity"
CONF_IMPORT_ENTITY: Final = "import_entity"
CONF_EXPORT_ENTITY: Final = "export_entity"
CONF_ONLINE_ENTITY: Final = "online_entity"
CONF_CONNECTED_ENTITY: Final = "connected_entity"

POWER_SIGN_CHARGING_POSITIVE: Final = "charging_positive"
POWER_SIGN_DISCHARGING_POSITIVE: Final = "discharging_positive"

REQUEST_TIMEOUT_S: Final = 10.0

# The stream tells every change at once; this only repairs what a bug or a lost answer left wrong.
SNAPSHOT_INTERVAL: Final = timedelta(minutes=10)

STREAM_RETRY_MINIMUM: Final = timedelta(seconds=1)
STREAM_RETRY_MAXIMUM: Final = timedelta(minutes=2)
# Three of the server's 15 s heartbeats: one may be late, three missing mean a dead link.
STREAM_SILENCE_S: Final = 45.0

# A sensor that chatters is sent at most this often; a plug going in or out is never held back.
TELEMETRY_MIN_INTERVAL: Final = timedelta(seconds=10)
# The API stops trusting a state of charge after 30 minutes, and after 15 while a deal runs: three
# tries fit in each. Only a plugged-in car is confirmed; no other value gets worse with age.
TELEMETRY_CONFIRM_INTERVAL: Final = timedelta(minutes=10)
TELEMETRY_CONFIRM_DEAL_INTERVAL: Final = timedelta(minutes=4)
TELEMETRY_LOOK_INTERVAL: Final = timedelta(minutes=1)

# Promise 4: no confirmation in this time, and the owner is told to unplug.
STOP_CONFIRMATION: Final = timedelta(seconds=5)

CALENDAR_HORIZON: Final = timedelta(days=14)
CALENDAR_READ_INTERVAL: Final = timedelta(minutes=15)
# Unchanged departures are confirmed this often, so that the API can show how old they are.
CALENDAR_CONFIRM_INTERVAL: Final = timedelta(hours=1)

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CONSENT_MODES: Final = ("ask", "rules", "never")
DEPARTURE_GUARDS: Final = ("off", "q02", "q05", "q10")
"""How often a forecast leave time may be too late; each lets more be sold than the one before."""
PURPOSES: Final = ("peak_price", "pv_balance", "backup", "grid_emergency", "test")
VEHICLE_STATUSES: Final = (
    "unknown",
    "unplugged",
    "idle",
    "charging",
    "discharging",
    "scheduled",
    "blocked",
)
STATUS_REASONS: Final = (
    "none",
    "discharge_not_allowed",
    "consent_never",
    "soc_unknown",
    "soc_stale",
    "temperature",
    "departure_unknown",
    "below_floor",
    "no_agreement",
    "not_plugged_in",
    "warranty",
    "unbound_session",
    "nothing_to_sell",
)
DEPARTURE_SOURCES: Final = ("one_off", "calendar", "weekly", "forecast")

OFFER_STATES: Final = (
    "received",
    "rejected",
    "auto_declined",
    "presented",
    "accepted",
    "declined",
    "countered",
    "superseded",
    "expired",
    "withdrawn",
)
OPEN_OFFER_STATES: Final = frozenset({"presented", "countered"})

COMMITMENT_STATES: Final = (
    "pending_award",
    "lapsed",
    "cancelled",
    "revoked",
    "scheduled",
    "missed",
    "active",
    "completed",
    "curtailed",
    "failed",
)
LIVE_COMMITMENT_STATES: Final = frozenset({"pending_award", "scheduled", "active"})

SETTLEMENT_STATES: Final = ("provisional", "final", "disputed", "corrected")
REWARD_STATES: Final = ("confirmed", "paid", "reversed")
