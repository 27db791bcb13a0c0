"""Random steps: each is told to the model and to the real store, and the answers must agree."""

from datetime import timedelta

from .compare import DivergedError, compare
from .delivering import Delivering
from .haggling import Haggling
from .settling import Settling
from .things import (
    Car,
    Party,
    Stay,
)


class Player(Haggling, Delivering, Settling):
    """One world, played step by step."""

    async def step(self) -> None:
        """Do one random thing, then hold the store against the model."""
        deals, now = self.twin.deals.values(), self.now
        due = [d for d in deals if d.state == "scheduled" and d.terms.start_at <= now]
        running = [d for d in deals if d.state == "active"] + due
        draw = self.chance.random()
        if running and self.chance.random() < 0.55:
            await self._deliver(self.chance.choice(running))
        elif draw < 0.03:
            await self._repeat()
        elif draw < 0.12:
            await self._pass_time(running=bool(running))
        elif draw < 0.14:
            await self._ask_nobody()
        elif draw < 0.142:
            await self._restored()
        else:
            await self._visit(self.chance.choice(self.cars))
        self.steps += 1
        compare(self.desk.seen, self.twin)

    async def _visit(self, car: Car) -> None:
        stay = car.stay
        if self.chance.random() < (0.005 if car.held_since is None else 0.4):
            await self._confirm(car)
        elif stay is None:
            await self._plug_in(car)
        elif not car.allowed and self.chance.random() < 0.5:
            await self._allow(car, allowed=True)
        elif car.agreements[stay.park.party_id] is None and self.chance.random() < 0.5:
            await self._join(car.owner, stay.park)
        else:
            await self._act(car, stay)

    async def _restored(self) -> None:
        """Restore: what the limits of every car say yes to by themselves waits for their owners."""
        await self.desk.restored()
        for car in self.cars:
            car.held_since = self.now

    async def _confirm(self, car: Car) -> None:
        """Say that the limits have been seen, sometimes those of before."""
        seen = car.preferences_revision - (self.chance.random() < 0.2)
        path = "/v1/vehicles/{vehicle_id}/preferences/confirmation"
        body = {"revision": seen}
        answer = await self.send(car.owner, "POST", path, body, vehicle_id=car.vehicle_id)
        self.agree("confirmation", answer, self.twin.confirm(car, seen))

    async def _pass_time(self, *, running: bool) -> None:
        """Move the clock, by seconds or past a deadline; sometimes the timers are late."""
        c = self.chance
        seconds = c.choice((1, 5, 20, 30, 55, 120, 300, c.randrange(60, 4000)))
        if running and c.random() < 0.9:
            seconds = min(seconds, 20)
        self.desk.clock.at += timedelta(seconds=seconds)
        if c.random() < 0.85:
            await self._tick()

    async def _repeat(self) -> None:
        """Send the last request again under its key: the same answer, and no second effect."""
        last = self._last
        if last is None or last.method != "POST" or last.answer.code:
            return
        again = await self.desk.send(
            last.party,
            last.method,
            last.path,
            last.body,
            key=last.key,
            revision=None,
            **last.params,
        )
        self.repeated += 1
        if again != last.answer:
            raise DivergedError(f"a repeat was answered differently: {again} not {last.answer}")

    async def _act(self, car: Car, stay: Stay) -> None:
        c, twin = self.chance, self.twin
        deals = [d for d in twin.deals.values() if d.car is car][-3:]
        offers = [o for o in twin.offers.values() if o.car is car][-4:]
        settled = [s for s in twin.settlements if s.deal.car is car][-4:]
        draw = c.random()
        if draw < 0.02:
            await self._owner_changes_mind(car, stay)
        elif draw < 0.15 and settled:
            await self._settle(c.choice(settled))
        elif draw < 0.45 and deals and deals[-1].live:
            await self._deal(deals[-1])
        elif draw < 0.5 and deals:
            await self._deal(c.choice(deals))
        elif draw < 0.75 and offers:
            await self._answer(c.choice((offers[-1], c.choice(offers))))
        else:
            await self._offer(car, stay)

    async def _owner_changes_mind(self, car: Car, stay: Stay) -> None:
        draw = self.chance.random()
        if draw < 0.3 or not car.allowed:
            await self._allow(car, allowed=not car.allowed)
        elif draw < 0.5:
            if not self.twin.live_of(car):
                car.by_rules = not car.by_rules
                await self._prefer(car, consent_mode="rules" if car.by_rules else "ask")
        elif draw < 0.75:
            await self._leave_or_join(car, stay.park)
        else:
            await self._unplug(car, stay)

    async def _allow(self, car: Car, *, allowed: bool) -> None:
        car.allowed = allowed
        await self._prefer(car, discharge_allowed=allowed)
        if not allowed:
            self.twin.forbid(car, self.now)
            for deal in self.twin.live_of(car):
                # One whose window is over is ended by the next tick.
                if self.now < deal.terms.end_at:
                    self.twin.finish(deal, "revoked", "preferences", self.now)

    async def _leave_or_join(self, car: Car, park: Party) -> None:
        agreement_id = car.agreements[park.party_id]
        if agreement_id is None:
            await self._join(car.owner, park)
            return
        path = "/v1/agreements/{agreement_id}/withdrawal"
        answer = await self.send(car.owner, "POST", path, {}, agreement_id=agreement_id)
        self.agree("withdrawal", answer, (200, None))
        for each in self.cars:
            if each.owner is not car.owner:
                continue
            each.agreements[park.party_id] = None
            for deal in self.twin.live_of(each):
                if deal.stay.park is park:
                    self.twin.finish(deal, "revoked", "agreement", self.now)
            for stay in self.twin.stays:
                mine = any(o.car is each and o.stay is stay for o in self.twin.offers.values())
                if stay.park is park and mine:
                    self.twin.close_offers(stay)
            self.twin.part(each, park, self.now)

    async def _unplug(self, car: Car, stay: Stay) -> None:
        await self._end(stay)
        car.stay = None
        await self._tell(car, plugged_in=False)
