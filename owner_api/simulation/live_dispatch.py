"""How a park fulfils one deal in real time: award, renewed lease, readings, zero, last reading."""

from datetime import datetime, timedelta
from typing import Any, Final

from .client import ApiError
from .deal import Deal
from .live_site import LiveSite
from .park import Park

_READ_EVERY: Final = timedelta(seconds=2)
# Asked for anew when less than this is left, which is time for two tries.
_LEASE_SPARE: Final = timedelta(seconds=5)


class LiveDispatch:
    """Runs one deal from its offer to its last reading."""

    def __init__(self, park: Park, site: LiveSite, deal: Deal) -> None:
        self._park = park
        self._site = site
        self._deal = deal
        self._lease_until: datetime | None = None

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
        deal.power_w = -float(deal.terms["max_discharge_w"])
        await self._send_reading("begin")
        while not deal.over and world.now() < deal.end_at and await self._lease():
            await world.wait(deal.bell, min(world.now() + _READ_EVERY, deal.end_at))
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

    async def _lease(self) -> bool:
        """Hold a lease that outlasts the next reading; False when the API says no: zero, now."""
        deal, world = self._deal, self._site.world
        if self._lease_until is not None and self._lease_until - world.now() > _LEASE_SPARE:
            return True
        answer = await self._tolerantly(
            f"/v1/park/commitments/{deal.commitment_id}/instructions",
            {"seq": deal.seq + 1, "power_setpoint_w": int(deal.power_w)},
        )
        if answer is None:
            return False
        deal.seq += 1
        self._lease_until = datetime.fromisoformat(answer["valid_until"])
        assert deal.begin_register_wh is not None
        self._site.charger.discharge(
            world.now(),
            deal=deal.offer_id,
            power_w=float(answer["power_setpoint_w"]),
            lease_until=self._lease_until,
            stop_at_export_wh=deal.begin_register_wh + deal.consented_wh,
        )
        return True

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
