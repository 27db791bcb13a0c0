"""What of a quote leaves the owner's side: energy in whole steps, and the figures of that."""

from dataclasses import replace
from decimal import ROUND_UP, Decimal
from typing import Final

from owner_api.planning.money import half_even
from owner_api.planning.request import Offer

from .edge import Json
from .records import VehicleRecord

# What is told to a park is cut to this step, so nothing finer can be read from a decision.
_STEP_WH: Final = 500
# A meter counts whole Wh; its first and last reading and the lease may each hide one.
_METER_STEPS_WH: Final = Decimal(3)
_CARRY_STEP_PCT: Final = Decimal("0.1")
_FINEST_PCT: Final = Decimal("0.0001")


def in_steps(energy_wh: int) -> int:
    """Return the energy (Wh) cut to what may be released."""
    return energy_wh // _STEP_WH * _STEP_WH


def in_whole_steps(offer: Offer) -> Offer:
    """Return an offer that is good where something may be released that is enough for this one."""
    return replace(
        offer,
        requested_energy_wh=-in_steps(-offer.requested_energy_wh),
        min_energy_wh=-in_steps(-max(1, offer.min_energy_wh)),
    )


def releasable(nearest: list[Json], available_wh: int) -> list[Json]:
    """Return the changes that are enough although no more than this is released."""
    energy = "/offer/requested_energy_wh"
    return [each for each in nearest if each["change"] != energy or each["to"] <= available_wh]


def for_part(offer: Offer, energy_wh: int) -> Offer:
    """Return an offer of less energy with the fixed rewards that are paid for so much."""

    def paid(fixed_minor: int) -> int:
        return half_even(fixed_minor * energy_wh, offer.requested_energy_wh)

    return replace(
        offer,
        requested_energy_wh=energy_wh,
        fixed_minor=paid(offer.fixed_minor),
        parts=tuple(replace(part, fixed_minor=paid(part.fixed_minor)) for part in offer.parts),
    )


def rounding_pct(vehicle: VehicleRecord) -> Decimal:
    """Return what carrying a reading by the meter may cost by rounding alone (percent).

    Kept back from what is released, so that no limit of the owner's shows in how a deal runs.
    """
    body = vehicle.body
    steps = _METER_STEPS_WH / body.discharge_efficiency / body.usable_capacity_wh * 100
    return _CARRY_STEP_PCT + steps.quantize(_FINEST_PCT, rounding=ROUND_UP)
