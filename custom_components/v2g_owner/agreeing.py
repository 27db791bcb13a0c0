"""The owner's yes to a park's terms, which takes the place of an older one in one act."""

from collections.abc import Iterable

from .api import Json
from .coordinator import V2GCoordinator
from .models import Agreement


def in_force(coordinator: V2GCoordinator, park_id: str) -> Agreement | None:
    """Return the agreement in force with a park, as far as we know."""
    agreements = coordinator.data.agreements.values()
    return next(
        (each for each in agreements if each.park.park_id == park_id and each.state == "active"),
        None,
    )


def covered(coordinator: V2GCoordinator, agreement: Agreement) -> list[str]:
    """Return an agreement's vehicles that are left: it goes on naming one that was deleted."""
    return [each for each in agreement.vehicle_ids if each in coordinator.data.vehicles]


async def async_agree(
    coordinator: V2GCoordinator,
    park_id: str,
    terms_version: int,
    vehicle_ids: Iterable[str],
    replaced: Agreement | None,
) -> Json:
    """Agree for some vehicles, in place of an agreement in force.

    One request: were the old one withdrawn by another before, a link that breaks between the two
    would leave the owner without any, and their deals revoked.
    """
    body = {
        "park_id": park_id,
        "terms_version": terms_version,
        "vehicle_ids": [*dict.fromkeys(vehicle_ids)],
    }
    replaces = {} if replaced is None else {"replaces": replaced.agreement_id}
    return await coordinator.api.post("/v1/agreements", body | replaces)
