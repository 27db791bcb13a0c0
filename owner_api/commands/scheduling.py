"""When a vehicle charges before it leaves: what is known of it, as the planner's one question."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from owner_api.calls import Call, Reply
from owner_api.core.canonical import instant_text
from owner_api.core.model import NextDeparture
from owner_api.planning.request_writer import tariff_to_json
from owner_api.planning.schedule import plan_charging
from owner_api.planning.schedule_json import schedule_to_json
from owner_api.planning.schedule_request_json import parse_schedule_request
from owner_api.problems import Problem, ProblemCode
from owner_api.store.tx import Tx

from . import chargers
from .edge import Json
from .leaving import departure_in_force
from .quoting import current_soc
from .records import VehicleRecord
from .reserved import before_leaving, live_deals
from .standing import open_session
from .tariffs import TariffView, tariff

# The planner takes no reading for worse than this; a larger margin only makes it charge more.
_LARGEST_ERROR_PCT: Final = Decimal(20)


def schedule(tx: Tx, call: Call) -> Reply:
    """Return when to charge, cheapest and ready in time, at a charger the owner drives.

    ``charger_id`` bounds the power by that charger, ``min_power_w`` by what it cannot go below.
    """
    vehicle = VehicleRecord.find(tx, call.params["vehicle_id"], call.principal.party_id)
    max_charge_w = vehicle.body.max_charge_w
    if charger_id := call.query.get("charger_id"):
        charger = chargers.find(tx, charger_id, call.principal.party_id)
        if charger["max_charge_w"] is not None:
            max_charge_w = min(max_charge_w, charger["max_charge_w"])
    session = open_session(tx, vehicle.vehicle_id)
    departure = departure_in_force(tx, vehicle, session, call.now)
    if departure is None:
        raise Problem(ProblemCode.DEPARTURE_UNKNOWN, "Set a leave time: a schedule ends there.")
    soc = current_soc(vehicle, session)
    if soc is None or vehicle.live.soc_measured_at is None:
        raise Problem(ProblemCode.SOC_UNKNOWN, "Report a state of charge first.")
    prices = tariff(tx, vehicle, call.now, departure.departure_at)
    request = _request(call, vehicle, soc, departure, prices)
    request["vehicle"]["max_charge_w"] = max_charge_w
    asked = parse_schedule_request(request)
    deals = live_deals(tx, vehicle.vehicle_id)
    kept = before_leaving(deals, asked.horizon)
    planned = plan_charging(replace(asked, commitments=tuple(kept)))
    shown = {
        "vehicle_id": vehicle.vehicle_id,
        "made_at": instant_text(call.now),
        "soc_pct": float(soc),
        "soc_measured_at": instant_text(vehicle.live.soc_measured_at),
        "departure_at": instant_text(departure.departure_at),
        "departure_source": departure.source,
        "soc_min_departure_pct": float(departure.soc_min_departure_pct),
        "soc_target_departure_pct": float(vehicle.preferences.soc_target_departure_pct),
        "currency": vehicle.currency,
        "prices_assumed_from": prices.padded_from and instant_text(prices.padded_from),
        "commitments": len(deals),
        **schedule_to_json(planned),
    }
    return Reply(body=shown)


def _request(
    call: Call,
    vehicle: VehicleRecord,
    soc: Decimal,
    departure: NextDeparture,
    prices: TariffView,
) -> Json:
    """Return the ``v2g.schedule-request/1``; readings count as wrong by the owner's margin."""
    body, preferences = vehicle.body, vehicle.preferences
    request: Json = {
        "schema": "v2g.schedule-request/1",
        "now": instant_text(call.now),
        "departure_at": instant_text(departure.departure_at),
        "departure_buffer_s": preferences.departure_buffer_s,
        "vehicle": {
            "usable_capacity_wh": body.usable_capacity_wh,
            "soc_pct": float(soc),
            "max_charge_w": body.max_charge_w,
            "max_discharge_w": body.max_discharge_w,
            "charge_efficiency": float(body.charge_efficiency),
            "discharge_efficiency": float(body.discharge_efficiency),
        },
        "preferences": {
            "soc_floor_pct": float(preferences.soc_floor_pct),
            "soc_ceiling_pct": float(preferences.soc_ceiling_pct),
            "soc_min_departure_pct": float(departure.soc_min_departure_pct),
            "soc_target_departure_pct": float(preferences.soc_target_departure_pct),
        },
        "tariff": tariff_to_json(prices.entries),
        "taper": [
            {"from_soc_pct": float(step.from_soc_pct), "max_charge_w": step.max_charge_w}
            for step in body.taper
        ],
        "reading_error_pct": float(min(preferences.soc_margin_pct, _LARGEST_ERROR_PCT)),
    }
    if preferences.later_refill_price_per_kwh is not None:
        request["later_refill_price_per_kwh"] = str(preferences.later_refill_price_per_kwh)
    if "min_power_w" in call.query:
        request["min_power_w"] = int(call.query["min_power_w"])
    return request
