"""Write a request as `v2g.quote-request/1`, so that reading it gives an equal request again."""

from collections.abc import Iterable
from typing import Any

from .answer_json import rfc3339
from .request import (
    ChargingPromise,
    CommittedDischarge,
    Offer,
    Preferences,
    QuoteRequest,
    Share,
    TaperStep,
    TariffEntry,
    Vehicle,
)
from .request_json import SCHEMA

type Json = dict[str, Any]


def request_to_json(request: QuoteRequest) -> Json:
    """Return the request as a JSON object; what it says nothing about is left out."""
    said = {
        "later_refill_price_per_kwh": _price(request.later_refill_price_per_kwh),
        "charging": None if request.charging is None else [*map(_promise, request.charging)],
        "taper": _taper(request.taper) or None,
        "budget_left_wh": request.budget_left_wh,
        "currency": request.currency,
    }
    return {
        "schema": SCHEMA,
        "now": rfc3339(request.now),
        "departure_at": rfc3339(request.departure_at),
        "departure_buffer_s": request.departure_buffer_s,
        "vehicle": _vehicle(request.vehicle),
        "preferences": _preferences(request.preferences),
        "tariff": tariff_to_json(request.tariff),
        "commitments": commitments_to_json(request.commitments),
        "offer": _offer(request.offer),
        **_told(said),
    }


def tariff_to_json(entries: Iterable[TariffEntry]) -> list[Json]:
    """Return prices over time as JSON objects."""
    return [
        {"start_at": rfc3339(entry.start_at), "price_per_kwh": _price(entry.price_per_kwh)}
        for entry in entries
    ]


def commitments_to_json(commitments: Iterable[CommittedDischarge]) -> list[Json]:
    """Return accepted commitments as JSON objects."""
    return [
        {
            "start_at": rfc3339(taken.start_at),
            "end_at": rfc3339(taken.end_at),
            "energy_wh": taken.energy_wh,
            "max_discharge_w": taken.max_discharge_w,
        }
        for taken in commitments
    ]


def _taper(taper: Iterable[TaperStep]) -> list[Json]:
    """Return a taper as JSON objects."""
    return [
        {"from_soc_pct": float(step.from_soc_pct), "max_charge_w": step.max_charge_w}
        for step in taper
    ]


def _vehicle(vehicle: Vehicle) -> Json:
    pack, policy = vehicle.pack_temperature_c, vehicle.warranty_discharge_policy
    said = {
        "warranty_discharge_policy": None if policy == "unknown" else policy,
        "pack_temperature_c": None if pack is None else float(pack),
        "warranty_left_wh": vehicle.warranty_left_wh,
    }
    return {
        "usable_capacity_wh": vehicle.usable_capacity_wh,
        "soc_pct": float(vehicle.soc_pct),
        "max_charge_w": vehicle.max_charge_w,
        "max_discharge_w": vehicle.max_discharge_w,
        "charge_efficiency": float(vehicle.charge_efficiency),
        "discharge_efficiency": float(vehicle.discharge_efficiency),
        **_told(said),
    }


def _preferences(wishes: Preferences) -> Json:
    return {
        "soc_floor_pct": float(wishes.soc_floor_pct),
        "soc_ceiling_pct": float(wishes.soc_ceiling_pct),
        "soc_min_departure_pct": float(wishes.soc_min_departure_pct),
        "degradation_cost_per_kwh": _price(wishes.degradation_cost_per_kwh),
        "min_price_per_kwh": _price(wishes.min_price_per_kwh),
    }


def _promise(promise: ChargingPromise) -> Json:
    return {
        "start_at": rfc3339(promise.start_at),
        "end_at": rfc3339(promise.end_at),
        "max_w": promise.max_w,
        **_told({"price_per_kwh": _price(promise.price_per_kwh)}),
    }


def _offer(offer: Offer) -> Json:
    return {
        "start_at": rfc3339(offer.start_at),
        "end_at": rfc3339(offer.end_at),
        "requested_energy_wh": offer.requested_energy_wh,
        "min_energy_wh": offer.min_energy_wh,
        "max_discharge_w": offer.max_discharge_w,
        "price_per_kwh": _price(offer.price_per_kwh),
        "currency": offer.currency,
        "fixed_minor": offer.fixed_minor,
        **_told({"cap_minor": offer.cap_minor, "parts": [*map(_share, offer.parts)] or None}),
    }


def _share(share: Share) -> Json:
    return {
        "price_per_kwh": _price(share.price_per_kwh),
        "fixed_minor": share.fixed_minor,
        **_told({"cap_minor": share.cap_minor}),
    }


def _price(value: object) -> str | None:
    return None if value is None else format(value, "f")


def _told(said: Json) -> Json:
    return {name: value for name, value in said.items() if value is not None}
