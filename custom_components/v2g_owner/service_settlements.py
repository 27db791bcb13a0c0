"""What the actions about a settlement do: read it, disagree with it, agree to it.

Silence until its dispute_until counts as a yes: whoever has only Home Assistant must be able to
say no here.
"""

from typing import Final

from homeassistant.core import ServiceCall
from homeassistant.exceptions import ServiceValidationError

from .actor import async_actor_of
from .api import Json
from .const import DOMAIN
from .coordinator import V2GCoordinator
from .drivers import async_check_may_answer
from .errors import translated_errors
from .instants import utc_text
from .models_deal import Commitment
from .service_handlers import ATTR_REASON
from .service_targets import account_of

ATTR_SETTLEMENT_ID: Final = "settlement_id"
ATTR_EVIDENCE: Final = "evidence"
ATTR_MEASURED_AT: Final = "measured_at"
ATTR_EXPORT_KWH: Final = "export_register_kwh"

_UNDISPUTED: Final = frozenset({"provisional"})
_NOT_FINAL: Final = frozenset({"provisional", "disputed"})


async def get_settlement(call: ServiceCall) -> Json:
    """Return one settlement with its registers, its lines and until when it may be disputed."""
    coordinator = account_of(call)
    settlement_id = call.data.get(ATTR_SETTLEMENT_ID) or _newest(coordinator)
    with translated_errors(coordinator):
        return {"settlement": await coordinator.api.get(f"/v1/settlements/{settlement_id}")}


async def dispute_settlement(call: ServiceCall) -> Json:
    """Disagree with what a park says was delivered; anybody at home may, as anybody may stop."""
    coordinator = account_of(call)
    settlement_id = _meant(coordinator, call.data.get(ATTR_SETTLEMENT_ID), _UNDISPUTED)
    evidence = [
        {
            ATTR_MEASURED_AT: utc_text(each[ATTR_MEASURED_AT]),
            "export_register_wh": round(each[ATTR_EXPORT_KWH] * 1000),
        }
        for each in call.data.get(ATTR_EVIDENCE, [])
    ]
    body = {ATTR_REASON: call.data[ATTR_REASON], ATTR_EVIDENCE: evidence}
    with translated_errors(coordinator):
        path = f"/v1/settlements/{settlement_id}/dispute"
        return {"settlement": await coordinator.api.post(path, body)}


async def confirm_settlement(call: ServiceCall) -> Json:
    """Agree to a settlement, which takes a dispute of it back: a person's word, and only that."""
    coordinator = account_of(call)
    settlement_id = _meant(coordinator, call.data.get(ATTR_SETTLEMENT_ID), _NOT_FINAL)
    actor = await async_actor_of(call.hass, call.context)
    if actor.method != "tap":
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="only_a_person_agrees"
        )
    with translated_errors(coordinator):
        vehicle_id = await _async_vehicle_of(coordinator, settlement_id)
    await async_check_may_answer(coordinator, vehicle_id, actor.who["user"])
    with translated_errors(coordinator):
        path = f"/v1/settlements/{settlement_id}/confirmation"
        return {"settlement": await coordinator.api.post(path, {})}


def _settled(coordinator: V2GCoordinator) -> list[Commitment]:
    """Return the deals known here that are settled, the newest last."""
    settled = [deal for deal in coordinator.data.commitments.values() if deal.settlement]
    return sorted(settled, key=lambda deal: (deal.ended_at or deal.end_at, deal.commitment_id))


async def _async_vehicle_of(coordinator: V2GCoordinator, settlement_id: str) -> str | None:
    """Return whose deal was settled; the API knows of older ones, and of versions before."""
    for deal in _settled(coordinator):
        if _id_of(deal) == settlement_id:
            return deal.vehicle_id
    settlement = await coordinator.api.get(f"/v1/settlements/{settlement_id}")
    commitment_id = settlement.get("commitment_id")
    told = await coordinator.api.get(f"/v1/commitments/{commitment_id}")
    vehicle_id: str | None = told.get("vehicle_id")
    return vehicle_id


def _id_of(deal: Commitment) -> str:
    """Return the id of a deal's settlement, its newest version's."""
    return deal.settlement.settlement_id if deal.settlement else ""


def _newest(coordinator: V2GCoordinator) -> str:
    """Return the settlement of the deal that ended last; raises where there is none."""
    if not (settled := _settled(coordinator)):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_settlement")
    return _id_of(settled[-1])


def _meant(coordinator: V2GCoordinator, named: str | None, states: frozenset[str]) -> str:
    """Return the settlement meant: the named one, else the only one that waits; raises if unclear.

    One that is named may be older than what is known here: the API knows it.
    """
    if named is not None:
        return named
    waiting = [
        _id_of(deal)
        for deal in _settled(coordinator)
        if deal.settlement and deal.settlement.state in states
    ]
    if len(waiting) != 1:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="several_settlements" if waiting else "no_settlement",
            translation_placeholders={"count": str(len(waiting))},
        )
    return waiting[0]
