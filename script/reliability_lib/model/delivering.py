"""Steps of deals: awarded, run under leases, metered, stopped."""

from datetime import timedelta

from .compare import DivergedError
from .things import (
    EFFICIENCY,
    POWER_W,
    Deal,
    Stay,
)
from .world import World


class Delivering(World):
    """Parks that order and run, chargers that are read, owners who stop."""

    async def _deliver(self, deal: Deal) -> None:
        """Go on with a running discharge: seconds pass, the meter is read, the lease renewed."""
        draw = self.chance.random()
        read_at = deal.car.soc_at
        old = read_at is None or self.now - read_at > timedelta(seconds=700)
        if old and draw < 0.9:
            await self._car_reads(deal)
        elif draw < (0.02 if self._pressing(deal) else 0.75):
            self.desk.clock.at += timedelta(seconds=self.chance.choice((5, 10, 20, 25, 50)))
            if self.chance.random() < 0.8:
                await self._tick()
        elif draw < 0.985:
            await self._instruct(deal)
        else:
            await self._deal(deal)

    def _pressing(self, deal: Deal) -> bool:
        """Return whether a lease or the meter's last word is about to run out."""
        soon = timedelta(seconds=30)
        seen = deal.stay.seen_at
        leased = deal.lease_until is not None and deal.lease_until - self.now > soon
        return not leased or seen is None or self.now - seen > soon

    async def _deal(self, deal: Deal) -> None:
        draw = self.chance.random()
        if draw < 0.06:
            await self._stop(deal)
        elif draw < 0.12:
            path = "/v1/park/commitments/{commitment_id}/cancellation"
            park, about = deal.stay.park, deal.commitment_id
            answer = await self.send(park, "POST", path, {}, commitment_id=about)
            self.agree("cancellation", answer, self.twin.cancel(deal, self.now))
        elif deal.state == "pending_award" or draw < 0.15:
            await self._award(deal)
        elif deal.state == "scheduled" and self.now < deal.terms.start_at and draw < 0.9:
            wait = (deal.terms.start_at - self.now).total_seconds()
            self.desk.clock.at += timedelta(seconds=wait)
            await self._tick()
        elif draw < 0.55:
            await self._meter(deal.stay)
        elif draw < 0.62:
            await self._car_reads(deal)
        else:
            await self._instruct(deal)

    async def _stop(self, deal: Deal) -> None:
        found = [deal]
        body = {"commitment_id": deal.commitment_id}
        if self.chance.random() < 0.3:
            found = self.twin.in_time(deal.car, self.now)
            body = {"vehicle_id": deal.car.vehicle_id}
        answer = await self.send(deal.car.owner, "POST", "/v1/stops", body)
        self.agree("stop", answer, (201, None))
        self.twin.stop(found, self.now)

    async def _award(self, deal: Deal) -> None:
        c = self.chance
        energy = deal.committed_wh
        sha256 = deal.terms_sha256
        if c.random() < 0.1:
            energy = c.choice((energy + 1, energy - 100))
        if c.random() < 0.05:
            sha256 = "0" * 64
        body = {
            "order_reference": f"PO-{self.asked}",
            "terms_sha256": sha256,
            "committed_energy_wh": energy,
        }
        path = "/v1/park/commitments/{commitment_id}/award"
        park, about = deal.stay.park, deal.commitment_id
        answer = await self.send(park, "POST", path, body, commitment_id=about)
        self.agree("award", answer, self.twin.award(deal, energy, sha256, self.now))

    async def _meter(self, stay: Stay) -> None:
        """Send a reading: now, late and old, or a pair in the wrong order."""
        stay.run_until(self.now)
        draw = self.chance.random()
        shown, power = int(stay.true_wh), stay.power_at(self.now)
        readings = [(self.now, shown, power)]
        if draw < 0.1 and stay.measured_at:
            late = stay.measured_at - timedelta(seconds=self.chance.randrange(1, 600))
            readings = [(late, max(0, shown - 400), 0)]
        elif draw < 0.2 and stay.measured_at:
            readings.append((stay.measured_at, shown, power))
        told = [
            {
                "measured_at": self.desk.at((at - self.now).total_seconds()),
                "import_register_wh": 100_000,
                "export_register_wh": register,
                "power_w": watts,
            }
            for at, register, watts in readings
        ]
        path = "/v1/park/sessions/{session_id}/readings"
        body, about = {"readings": told}, stay.session_id
        answer = await self.send(stay.park, "POST", path, body, session_id=about)
        self.agree("reading", answer, (201, None))
        self.twin.readings(stay, readings, self.now)

    async def _car_reads(self, deal: Deal) -> None:
        """Let the car say its charge while it discharges, where the plan surely still fits."""
        car, stay = deal.car, deal.stay
        if car.stay is not stay:
            return
        if deal.state == "scheduled":
            await self._tell(car)
            return
        left = (deal.terms.end_at - self.now).total_seconds() * POWER_W / 3600
        if left < deal.committed_wh - deal.delivered_wh + 50:
            return
        await self._meter_now(stay)
        if deal.state != "active":
            return
        anchor = car.anchor_wh if car.anchor_wh is not None else (deal.begin_wh or 0)
        gone = ((stay.register_wh or 0) - anchor) / float(EFFICIENCY) / 600
        if gone >= 1:
            car.soc_pct = int(car.soc_pct - gone)
        await self._tell(car)

    async def _meter_now(self, stay: Stay) -> None:
        if self.now in stay.known:
            return
        stay.run_until(self.now)
        reading = (self.now, int(stay.true_wh), stay.power_at(self.now))
        told = {
            "measured_at": self.desk.at(0),
            "import_register_wh": 100_000,
            "export_register_wh": reading[1],
            "power_w": reading[2],
        }
        path = "/v1/park/sessions/{session_id}/readings"
        body, about = {"readings": [told]}, stay.session_id
        answer = await self.send(stay.park, "POST", path, body, session_id=about)
        self.agree("reading", answer, (201, None))
        self.twin.readings(stay, [reading], self.now)

    async def _instruct(self, deal: Deal) -> None:
        c, stay = self.chance, deal.stay
        if deal.state == "scheduled":
            left = (deal.terms.end_at - self.now).total_seconds() * POWER_W / 3600
            if left < deal.committed_wh + 200 or not self._holds(deal.car, 0):
                return
        if c.random() < 0.8:
            await self._meter_now(stay)
        seq = deal.last_seq + c.choice((1, 1, 1, 1, 1, 3, 0))
        setpoint = c.choice((*(-7000,) * 12, -3000, -3000, 0, -7001))
        if seq < 1:
            return
        body = {"seq": seq, "power_setpoint_w": setpoint}
        path = "/v1/park/commitments/{commitment_id}/instructions"
        park, about = stay.park, deal.commitment_id
        stay.run_until(self.now)
        answer = await self.send(park, "POST", path, body, commitment_id=about)
        if self.agree("instruction", answer, self.twin.instruct(deal, seq, setpoint, self.now)):
            stay.setpoint_w, stay.lease_until = setpoint, deal.lease_until
            until = answer.body["valid_until"]
            if deal.lease_until and until[:19] != deal.lease_until.isoformat()[:19]:
                raise DivergedError(f"lease: {until}, not {deal.lease_until}")
        elif answer.code in ("commitment_closed", "stop_in_force", "no_lease"):
            stay.setpoint_w = 0
