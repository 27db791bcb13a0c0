"""How a park keeps a guaranteed recharge: the energy it promised, by its own meter, in time."""

from datetime import datetime, timedelta
from typing import Any, Final

from .client import LinkDownError
from .deal import Deal
from .park import Park

_LOOK_EVERY: Final = timedelta(minutes=5)
_A_SECOND: Final = timedelta(seconds=1)


def promise(
    *, energy_wh: int, start_at: datetime, by: datetime, max_w: int, price_per_kwh: str
) -> dict[str, Any]:
    """Return RECHARGE terms: AC ``energy_wh`` between two instants at ``max_w``, guaranteed."""
    return {
        "guaranteed": True,
        "energy_wh": energy_wh,
        "start_at": start_at.isoformat(),
        "by": by.isoformat(),
        "max_w": max_w,
        "price_per_kwh": price_per_kwh,
    }


async def keep(park: Park, deal: Deal) -> None:
    """Charge what the terms promised, if anything was delivered and the car is still here."""
    told = deal.terms.get("recharge")
    if not told:
        return
    world, charger = park.world, deal.charger
    by = datetime.fromisoformat(told["by"])
    await world.until(datetime.fromisoformat(told["start_at"]))
    if deal.delivered_wh == 0 or not park.serves(deal.session_id):
        return
    charger.refill(world.now(), float(told["max_w"]), 100.0)
    full_at_wh = charger.import_register_wh + told["energy_wh"]
    while world.now() < by and park.serves(deal.session_id):
        await _tell(park, deal)
        left_wh = full_at_wh - charger.import_register_wh
        power_w = charger.power_w
        if left_wh <= 0 or power_w <= 0:
            break
        seconds = int(left_wh / power_w * 3600) + 1
        await world.until(min(by, world.now() + _LOOK_EVERY, world.now() + seconds * _A_SECOND))
        charger.advance(world.now())
    if park.serves(deal.session_id):
        charger.refill(world.now(), 0.0, 100.0)


async def _tell(park: Park, deal: Deal) -> None:
    """Send the meter's registers, so that the promise is seen to be kept."""
    charger = deal.charger
    charger.advance(park.world.now())
    reading = {
        "measured_at": park.world.now().isoformat(),
        "import_register_wh": charger.import_register_wh,
        "export_register_wh": charger.export_register_wh,
        "power_w": round(charger.power_w),
    }
    try:
        await park.client.post(
            f"/v1/park/sessions/{deal.session_id}/readings", {"readings": [reading]}
        )
    except LinkDownError:
        return
