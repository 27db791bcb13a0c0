"""How a park fulfils a deal: award, instructions under a lease, readings, zero, last reading."""

from datetime import datetime, timedelta
from typing import Any, Final

from .charger import UnreachableError
from .client import ApiError, LinkDownError
from .deal import Deal
from .park import Park

# The API stops after 60 s without a reading; all deliveries step together, so commits are shared.
STEP: Final = timedelta(seconds=50)
# A lease is renewed when it would not outlast the next step by this much.
_LEASE_SPARE: Final = timedelta(seconds=10)
_A_SECOND: Final = timedelta(seconds=1)
# Between two messages this close the meter has nothing new to say.
_READING_APART: Final = timedelta(seconds=20)
_EPOCH: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
# A setpoint is sent again when the wanted power has moved by this share.
_POWER_STEP: Final = 0.05


def next_step(now: datetime) -> datetime:
    """Return the next instant of the common grid strictly after ``now``."""
    return _EPOCH + ((now - _EPOCH) // STEP + 1) * STEP


class Dispatch:
    """Runs one deal from its offer to its last reading."""

    def __init__(self, park: Park, deal: Deal) -> None:
        self._park = park
        self._world = park.world
        self._deal = deal
        self._told_w = 0.0
        self._lease_until: datetime | None = None
        self._read_at = self._world.now()

    async def run(self) -> None:
        """Wait for a yes, then deliver; returns when the deal has ended, whatever way."""
        deal, world = self._deal, self._world
        while deal.state in ("presented", "countered"):
            if deal.state == "countered" and not await self._park.meet_counter(deal):
                return
            if not await world.wait(deal.bell, deal.respond_by):
                break
        if deal.state != "accepted":
            if self._park.faults.consent and deal.state in ("presented", "declined", "expired"):
                await self._deliver_uninvited()
            return
        if not await self._park.award(deal):
            return
        while not deal.over and await world.wait(deal.bell, deal.start_at):
            pass
        if not deal.over:
            await self._deliver()

    async def _deliver(self) -> None:
        deal, world = self._deal, self._world
        deal.charger.pause(world.now(), paused=True)
        self._begin()
        await self._send_reading("begin")
        while self._goes_on() and await self._renew():
            await world.wait(deal.bell, self._next_look())
            deal.charger.advance(world.now())
            if self._goes_on() and world.now() - self._read_at >= _READING_APART:
                await self._send_reading("periodic")
        await self._fall_silent()
        deal.charger.pause(world.now(), paused=False)

    def _begin(self) -> None:
        deal = self._deal
        deal.charger.advance(self._world.now())
        deal.begin_register_wh = deal.charger.export_register_wh
        if deal.power_w == 0:
            deal.power_w = -float(deal.terms["max_discharge_w"])

    async def _renew(self) -> bool:
        """Ask for the lease when it is due; False when the API said no: zero, now."""
        deal, now = self._deal, self._world.now()
        due = self._lease_until is None or self._lease_until < next_step(now) + _LEASE_SPARE
        moved = abs(deal.power_w - self._told_w) > _POWER_STEP * abs(self._told_w)
        if not (due or moved):
            return True
        try:
            answer = await self._park.client.post(
                f"/v1/park/commitments/{deal.commitment_id}/instructions",
                {"seq": deal.seq + 1, "power_setpoint_w": int(deal.power_w)},
            )
            deal.seq += 1
            self._lease_until = datetime.fromisoformat(answer["valid_until"])
            self._told_w = deal.power_w
            self._set(float(answer["power_setpoint_w"]), self._lease_until)
        except ApiError as error:
            if error.status != 409:
                raise
            return self._park.faults.stop
        except LinkDownError, UnreachableError:
            # Neither side can be told: the charger's own lease ends the discharge.
            return True
        self._world.note_deadline(f"{deal.offer_id} lease", self._lease_until)
        return True

    def _set(self, power_w: float, lease_until: datetime) -> None:
        deal = self._deal
        assert deal.begin_register_wh is not None
        deal.charger.discharge(
            self._world.now(),
            deal=deal.offer_id,
            power_w=power_w,
            lease_until=lease_until,
            stop_at_export_wh=deal.begin_register_wh + deal.consented_wh,
        )

    def _goes_on(self) -> bool:
        in_window = self._world.now() < self._deal.end_at
        return in_window and not self._deal.over and self._left_wh() > 0

    def _left_wh(self) -> int:
        return self._deal.consented_wh - self._deal.delivered_wh

    def _next_look(self) -> datetime:
        """Return the next instant at which something is due: step, energy done or window end."""
        deal, now = self._deal, self._world.now()
        moments = [next_step(now), deal.end_at]
        if self._lease_until and now < self._lease_until <= next_step(now):
            # A short lease: the API expects the ordered energy to be out when it ends.
            moments.append(max(now + _A_SECOND, self._lease_until - _A_SECOND))
        power_w = -deal.charger.power_w
        if power_w > 0:
            # Whole seconds, rounded up: the register shows its last Wh only once it is full.
            seconds = int(self._left_wh() / power_w * 3600) + 1
            moments.append(now + timedelta(seconds=seconds))
        return min(moments)

    async def _fall_silent(self) -> None:
        """Set zero as soon as the charger can be reached, confirm a stop, send the last reading."""
        deal, world = self._deal, self._world
        while True:
            try:
                deal.charger.zero(world.now())
                break
            except UnreachableError:
                await world.until(next_step(world.now()))
        deal.end_register_wh = deal.charger.export_register_wh
        if deal.asked_to_stop:
            await self._tolerantly(
                f"/v1/park/commitments/{deal.commitment_id}/stop-confirmation",
                {"confirmed_at": world.now().isoformat()},
            )
        await self._send_reading("end")
        while deal.unsent:
            await world.until(next_step(world.now()))
            await self._flush()
        await self._park.settle(deal)

    async def _deliver_uninvited(self) -> None:
        """Discharge without any yes: what the consent check is there to prevent."""
        deal, world = self._deal, self._world
        await world.until(deal.start_at)
        deal.consented_wh = deal.terms["requested_energy_wh"]
        deal.charger.pause(world.now(), paused=True)
        self._begin()
        while world.now() < deal.end_at and self._left_wh() > 0:
            self._set(deal.power_w, world.now() + 2 * STEP)
            await world.until(self._next_look())
            deal.charger.advance(world.now())
        await self._fall_silent()
        deal.charger.pause(world.now(), paused=False)

    async def _send_reading(self, context: str) -> None:
        deal, now = self._deal, self._world.now()
        if not deal.charger.reachable:
            return
        self._read_at = now
        deal.charger.advance(now)
        deal.unsent.append(
            {
                "measured_at": now.isoformat(),
                "import_register_wh": deal.charger.import_register_wh,
                "export_register_wh": deal.charger.export_register_wh,
                "power_w": round(deal.charger.power_w),
                "context": context,
            }
        )
        await self._flush()

    async def _flush(self) -> None:
        """Send what the meter wrote down, in its own order, once the link is there."""
        deal = self._deal
        if deal.unsent and self._park.client.link_up:
            waiting, deal.unsent = deal.unsent, []
            await self._tolerantly(
                f"/v1/park/sessions/{deal.session_id}/readings", {"readings": waiting}
            )

    async def _tolerantly(self, path: str, body: dict[str, Any]) -> None:
        """POST; an answer that the deal or session has ended is no failure of ours."""
        try:
            await self._park.client.post(path, body)
        except ApiError as error:
            if error.status != 409:
                raise
        except LinkDownError:
            pass
