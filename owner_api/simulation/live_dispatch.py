"""How a park fulfils one deal in real time: award, renewed lease, readings, zero, last reading."""

from datetime import datetime, timedelta
from typing import Any, Final

from .client import ApiError
from .deal import Deal
from .live_site import LiveSite
from .park import Park

_STEP: Final = timedelta(seconds=1.5)
# The lease ends where the energy does: renewed this long before, else the deal ends by silence.
_LEASE_SPARE: Final = timedelta(seconds=1)
# Towards the end power falls with what is left, so that the last watt-hours take a few messages.
_TAIL_S: Final = 5.0
_LEAST_W: Final = 10_000


class LiveDispatch:
    """Runs one deal from its offer to its last reading."""

    def __init__(self, park: Park, site: LiveSite, deal: Deal) -> None:
        self._park = park
        self._site = site
        self._deal = deal

    async def run(self) -> None:
        """Wait for a yes, then deliver; returns when the deal has ended, whatever way."""
        deal, world = self._deal, self._site.world
        while deal.state in ("presented", "countered"):
            if deal.state == "countered" and not await self._park.meet_counter(deal):
                return
            # The API expires an offer on its next tick: only the stream says how it ended.
            if not await world.wait(deal.bell, deal.respond_by + timedelta(seconds=2)):
                return
        if deal.state != "accepted" or not await self._park.award(deal):
            return
        while not deal.over and await world.wait(deal.bell, deal.start_at):
            pass
        if not deal.over:
            await self._deliver()

    async def _deliver(self) -> None:
        deal, charger, world = self._deal, self._site.charger, self._site.world
        charger.pause(world.now(), paused=True)
        deal.begin_register_wh = charger.export_register_wh
        await self._send_reading("begin")
        while not deal.over and world.now() < deal.end_at:
            lease_until = await self._lease()
            if lease_until is None:
                break
            look_at = min(world.now() + _STEP, lease_until - _LEASE_SPARE, deal.end_at)
            await world.wait(deal.bell, look_at)
            if not deal.over:
                await self._send_reading("periodic")
        charger.zero(world.now())
        deal.end_register_wh = charger.export_register_wh
        charger.pause(world.now(), paused=False)
        if deal.asked_to_stop:
            confirmation = {"confirmed_at": world.now().isoformat()}
            await self._tolerantly(
                f"/v1/park/commitments/{deal.commitment_id}/stop-confirmation", confirmation
            )
        await self._send_reading("end")

    async def _lease(self) -> datetime | None:
        """Renew the lease and set the power; None when the API says no: zero, now."""
        deal, charger, world = self._deal, self._site.charger, self._site.world
        assert deal.begin_register_wh is not None
        left_wh = deal.consented_wh - deal.delivered_wh
        power_w = min(deal.terms["max_discharge_w"], max(_LEAST_W, left_wh * 3600 / _TAIL_S))
        answer = await self._tolerantly(
            f"/v1/park/commitments/{deal.commitment_id}/instructions",
            {"seq": deal.seq + 1, "power_setpoint_w": -int(power_w)},
        )
        if answer is None:
            return None
        deal.seq += 1
        lease_until = datetime.fromisoformat(answer["valid_until"])
        charger.discharge(
            world.now(),
            deal=deal.offer_id,
            power_w=float(answer["power_setpoint_w"]),
            lease_until=lease_until,
            stop_at_export_wh=deal.begin_register_wh + deal.consented_wh,
        )
        return lease_until

    async def _send_reading(self, context: str) -> None:
        reading = self._site.read_meter(context)
        await self._tolerantly(
            f"/v1/park/sessions/{self._deal.session_id}/readings", {"readings": [reading]}
        )

    async def _tolerantly(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """POST; None when the API answers that the deal or session has ended."""
        try:
            answer: dict[str, Any] = await self._park.client.post(path, body)
        except ApiError as error:
            if error.status != 409:
                raise
            return None
        return answer
