"""What an owner sees of the own cars and chargers: status, reason, energy to offer, preferences."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from owner_api.core.canonical import instant_text
from owner_api.core.departures import WEEKDAYS, next_departure
from owner_api.core.machine import CommitmentState
from owner_api.core.model import NextDeparture
from owner_api.planning.reach import most_energy_wh
from owner_api.planning.request import Offer, TariffEntry
from owner_api.store.tx import Tx

from . import limits, measured
from .edge import Json, instant, view
from .freshness import at_consent_s
from .quoting import current_soc, planned_currency, quote_request
from .records import Row, SessionRecord, VehicleRecord
from .reserved import LiveDeal
from .standing import OPEN_SESSIONS, Standing, standing
from .wear_cost import wear_band

_AVAILABLE_HORIZON: Final = timedelta(hours=24)
_FREE: Final = Decimal(0)
# What a meter said longer ago says nothing of now.
_METER_TELLS: Final = timedelta(seconds=60)


def vehicle_view(
    tx: Tx, vehicle: VehicleRecord, now: datetime, stands: Standing | None = None
) -> Json:
    """Return a vehicle with its status, the reason for it, and the energy it could offer."""
    live = vehicle.live
    session, departure, deals = stands or standing(tx, vehicle, now)
    status, reason = _status(tx, vehicle, session, deals, departure is not None, now)
    soc = current_soc(vehicle, session)
    available = 0 if status == "discharging" else None
    if available is None and reason in (
        None,
        "nothing_to_sell",
        "not_plugged_in",
        "unbound_session",
        "no_agreement",
    ):
        available = _available(tx, vehicle, session, departure, deals, now)
    if status == "idle" and available == 0:
        reason = "nothing_to_sell"
    shown_soc = None
    if soc is not None and live.soc_measured_at is not None:
        shown_soc = {
            "soc_pct": float(soc),
            "measured_at": instant_text(live.soc_measured_at),
            "source": live.soc_source,
        }
    return {
        "vehicle_id": vehicle.vehicle_id,
        "revision": vehicle.revision,
        **view(vehicle.body),
        "soc": shown_soc,
        "plugged_in": live.plugged_in,
        "power_w": _power(live.power_w, session),
        "charged_wh": live.charged_wh,
        "discharged_wh": live.discharged_wh,
        "available_energy_wh": available,
        "status": status,
        "status_reason": reason,
        "next_departure": None if departure is None else view(departure),
        "session_id": session.session_id if session else None,
        "park_id": session.park_id if session else None,
        "v2g_wear_minor": live.v2g_wear_minor,
        "wear_price_per_kwh": wear_band(vehicle.body),
    }


def _power(told: int | None, session: SessionRecord | None) -> int | None:
    metered = session.live.newest_power_w if session else None
    return told if metered is None else metered


def _is_drawn(session: SessionRecord | None, now: datetime) -> bool:
    """Return whether the meter shows that energy leaves the car, with a deal or without one."""
    if session is None or (seen := session.live.power_seen_at) is None:
        return False
    return now - seen <= _METER_TELLS and measured.surely_out(session.live.newest_power_w)


def _status(  # noqa: PLR0911 - one return per status, in the order that people ask
    tx: Tx,
    vehicle: VehicleRecord,
    session: SessionRecord | None,
    deals: list[LiveDeal],
    departure_known: bool,  # noqa: FBT001 - named at its only call
    now: datetime,
) -> tuple[str, str | None]:
    live, preferences = vehicle.live, vehicle.preferences
    power = _power(live.power_w, session) or 0
    if any(deal.state == CommitmentState.ACTIVE for deal in deals) or _is_drawn(session, now):
        return "discharging", None
    if deals:
        return "scheduled", None
    if live.plugged_in is False and session is None:
        return "unplugged", "not_plugged_in"
    if live.plugged_in is None and session is None and live.soc_pct is None:
        return "unknown", "soc_unknown"
    charging = "charging" if power > 0 else None
    for reason in _reasons(tx, vehicle, session, departure_known, now):
        return charging or "blocked", reason
    if live.soc_pct is not None and live.soc_pct <= preferences.soc_floor_pct:
        return charging or "blocked", "below_floor"
    return charging or "idle", None


def _reasons(
    tx: Tx,
    vehicle: VehicleRecord,
    session: SessionRecord | None,
    departure_known: bool,  # noqa: FBT001 - named at its only call
    now: datetime,
) -> list[str]:
    """Return every reason why nothing could be sold now, the first one first."""
    # In the words and by the measures of what an offer would be declined for.
    refused = limits.refused(vehicle)
    max_age_s = at_consent_s(tx, vehicle.preferences)
    unfit = limits.battery_unfit(vehicle, current_soc(vehicle, session), now, max_age_s)
    parks = limits.parks_agreed(tx, vehicle.vehicle_id)
    agreed = bool(parks) if session is None else session.park_id in parks
    checks = (
        "warranty" if limits.warranty_left_wh(vehicle) == 0 else None,
        refused["code"] if refused else None,
        unfit["code"] if unfit else None,
        None if departure_known else "departure_unknown",
        None if agreed else "no_agreement",
        "unbound_session" if session is None else None,
    )
    return [reason for reason in checks if reason is not None]


def _available(
    tx: Tx,
    vehicle: VehicleRecord,
    session: SessionRecord | None,
    departure: NextDeparture | None,
    deals: list[LiveDeal],
    now: datetime,
) -> int | None:
    """Return the energy (Wh) the vehicle could sell between now and its leave time."""
    preferences = vehicle.preferences
    soc = current_soc(vehicle, session)
    if departure is None or soc is None:
        return None
    end = departure.departure_at - timedelta(seconds=preferences.departure_buffer_s)
    if end <= now:
        return 0
    offer = Offer(
        start_at=now,
        end_at=min(end, now + _AVAILABLE_HORIZON),
        requested_energy_wh=1,
        min_energy_wh=0,
        max_discharge_w=max(1, vehicle.body.max_discharge_w),
        currency=planned_currency(vehicle),
        price_per_kwh=_FREE,
    )
    # Prices do not decide what fits.
    prices = (TariffEntry(start_at=now, price_per_kwh=_FREE),)
    request = quote_request(
        tx, vehicle, session, offer, departure, prices=prices, deals=deals, soc=soc, now=now
    )
    return most_energy_wh(request)


def preferences_view(vehicle: VehicleRecord) -> Json:
    """Return the owner's preferences for one vehicle."""
    since = vehicle.unconfirmed_since
    return {
        "vehicle_id": vehicle.vehicle_id,
        "revision": vehicle.preferences_revision,
        "unconfirmed_since": since and instant_text(since),
        **view(vehicle.preferences),
    }


def departures_view(vehicle: VehicleRecord, now: datetime) -> Json:
    """Return all leave times of one vehicle and the one in force."""
    departures = vehicle.departures
    # One that has passed replaces nothing any more.
    one_off = departures.one_off
    one_off = one_off if one_off and one_off.departure_at > now else None
    coming = next_departure(
        departures, vehicle.preferences.soc_min_departure_pct, vehicle.zone, now
    )
    weekly = {
        day: departures.weekly[day].strftime("%H:%M") if day in departures.weekly else None
        for day in WEEKDAYS
    }
    return {
        "vehicle_id": vehicle.vehicle_id,
        "revision": vehicle.departures_revision,
        "time_zone": str(vehicle.zone),
        "weekly": weekly,
        "one_off": view(one_off) if one_off else None,
        "calendar": view(departures.calendar) if departures.calendar else None,
        "next": None if coming is None else view(coming),
    }


def charger_view(tx: Tx, row: Row) -> Json:
    """Return a charger; one whose EVSE a bound session uses shows that session's meter."""
    shown = {
        "charger_id": row["charger_id"],
        "revision": row["revision"],
        "display_name": row["display_name"],
        "evse_id": row["evse_id"],
        "max_charge_w": row["max_charge_w"],
        "max_discharge_w": row["max_discharge_w"],
        "online": None if row["online"] is None else bool(row["online"]),
        "power_w": row["power_w"],
        "import_register_wh": row["import_register_wh"],
        "export_register_wh": row["export_register_wh"],
        "vehicle_id": row["vehicle_id"],
        "last_seen_at": instant(row["last_seen_at"]),
    }
    if row["evse_id"]:
        found = tx.one(
            f"{OPEN_SESSIONS} AND evse_id = ?2 AND state = 'bound'"
            " ORDER BY plugged_in_at DESC LIMIT 1",
            row["owner_id"],
            row["evse_id"],
        )
        if found:
            shown |= _at_session(SessionRecord.from_row(found))
        else:
            shown["vehicle_id"] = None
            shown["power_w"] = 0 if row["online"] else row["power_w"]
    return shown


def _at_session(session: SessionRecord) -> Json:
    live = session.live
    return {
        "online": live.measured_at is not None,
        "power_w": live.newest_power_w,
        "import_register_wh": live.import_register_wh,
        "export_register_wh": live.export_register_wh,
        "vehicle_id": session.vehicle_id,
        "last_seen_at": None if live.measured_at is None else instant_text(live.measured_at),
    }
