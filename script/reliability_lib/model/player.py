"""Random steps: each is told to the model and to the real store, and the answers must agree."""

from datetime import datetime, timedelta
import random
from typing import Any, Final

from .compare import DivergedError, compare
from .desk import Answer, Desk
from .things import CURRENCIES, POWER_W, Car, Deal, Offer, Party, Settlement, Stay, Wanted
from .twin import Expected, Twin
from .watching import EFFICIENCY

CARS_PER_OWNER: Final = 2
# A plan needs this much above the departure minimum: the reading's margin and the meter's steps.
KEPT_BACK_PCT: Final = 53.2
RULE = {"name": "good price", "min_price_per_kwh": "1.5000"}


class Player:
    """One world of two owners, four cars and two parks, played step by step."""

    def __init__(self, desk: Desk, twin: Twin, chance: random.Random) -> None:
        self.desk = desk
        self.twin = twin
        self.chance = chance
        self.cars: list[Car] = []
        self.owners: list[Party] = []
        self.parks: list[Party] = []
        self.steps = 0
        self.asked = 0
        self.refused = 0
        self.repeated = 0
        self._last: tuple[tuple[Any, ...], dict[str, Any], Answer] | None = None

    @property
    def now(self) -> datetime:
        """The virtual clock."""
        return self.desk.clock.at

    # Talking to the real side

    async def send(self, *parts: Any, **more: Any) -> Answer:  # noqa: ANN401 - as Desk.send takes
        """Send a request under a new key."""
        self.asked += 1
        key = {"key": f"k{self.asked}"}
        answer = await self.desk.send(*parts, **key, **more)
        self._last = (parts, key | more, answer)
        return answer

    def agree(self, what: str, got: Answer, expected: Expected) -> bool:
        """Raise unless the store answered as the model; return whether it was a yes."""
        self.refused += got.status >= 400
        if (got.status, got.code) != expected:
            raise DivergedError(f"{what}: the store said {got.status} {got.code}, not {expected}")
        return got.code is None

    # The world

    async def set_up(self) -> None:
        """Add owners, cars, parks and agreements; plug every car in."""
        self.parks = [await self.desk.add_park() for _ in range(2)]
        self.owners = [await self.desk.add_owner() for _ in range(2)]
        for owner in self.owners:
            for _ in range(CARS_PER_OWNER):
                await self._add_car(owner)
        for owner in self.owners:
            for park in self.parks:
                await self._join(owner, park)
        for car in self.cars:
            await self._plug_in(car)

    async def _add_car(self, owner: Party) -> None:
        body = {
            "display_name": "Car",
            "usable_capacity_wh": 60_000,
            "max_charge_w": POWER_W,
            "max_discharge_w": POWER_W,
        }
        made = (await self.send(owner, "POST", "/v1/vehicles", body)).body
        car = Car(vehicle_id=made["vehicle_id"], owner=owner)
        preferences = {
            "discharge_allowed": True,
            "later_refill_price_per_kwh": "0.3200",
            "min_price_per_kwh": "0.5000",
            "accepted_reward_kinds": list(CURRENCIES),
            "rules": [RULE],
        }
        await self._prefer(car, **preferences)
        leave = {"one_off": {"departure_at": self.desk.at(6 * 86_400)}}
        path = "/v1/vehicles/{vehicle_id}/departures"
        told = await self.send(owner, "PATCH", path, leave, revision=1, vehicle_id=car.vehicle_id)
        assert told.code is None, told
        self.cars.append(car)

    async def _prefer(self, car: Car, **changes: Any) -> None:  # noqa: ANN401 - any preference
        path = "/v1/vehicles/{vehicle_id}/preferences"
        answer = await self.send(
            *(car.owner, "PATCH", path, changes),
            revision=car.preferences_revision,
            vehicle_id=car.vehicle_id,
        )
        assert answer.code is None, answer
        car.preferences_revision += 1

    async def _join(self, owner: Party, park: Party) -> None:
        cars = [car for car in self.cars if car.owner is owner]
        ids = [car.vehicle_id for car in cars]
        body = {"park_id": park.party_id, "terms_version": 1, "vehicle_ids": ids}
        made = await self.send(owner, "POST", "/v1/agreements", body)
        self.agree("agreement", made, (201, None))
        agreement_id = made.body["agreement_id"]
        refs = dict(
            self.desk.seen.execute(
                "SELECT vehicle_id, member_ref FROM member WHERE agreement_id = ?", (agreement_id,)
            )
        )
        for car in cars:
            car.agreements[park.party_id] = agreement_id
            car.members[park.party_id] = refs[car.vehicle_id]

    async def _plug_in(self, car: Car) -> None:
        joined = [p for p in self.parks if car.agreements[p.party_id] is not None]
        if not joined:
            await self._join(car.owner, self.chance.choice(self.parks))
            return
        park = self.chance.choice(joined)
        await self._tell(car, plugged_in=True)
        body = {
            "evse_id": f"E{self.cars.index(car)}",
            "plugged_in_at": self.desk.at(0),
            "member_ref": car.members[park.party_id],
        }
        made = await self.send(park, "POST", "/v1/park/sessions", body)
        self.agree("session", made, (201, None))
        car.stay = Stay(session_id=made.body["session_id"], park=park, true_at=self.now)
        car.anchor_wh = None
        self.twin.stays.append(car.stay)

    async def _tell(self, car: Car, *, plugged_in: bool | None = None) -> None:
        """Send what the car says: its charge, and its plug when asked to."""
        reading: dict[str, Any] = {"measured_at": self.desk.at(0), "soc_pct": car.soc_pct}
        if plugged_in is not None:
            reading["plugged_in"] = plugged_in
        path = "/v1/vehicles/{vehicle_id}/telemetry"
        answer = await self.send(
            *(car.owner, "POST", path, {"readings": [reading]}), vehicle_id=car.vehicle_id
        )
        self.agree("telemetry", answer, (201, None))
        car.soc_at = self.now
        car.anchor_wh = car.stay.register_wh if car.stay else None
        for deal in self.twin.live_of(car):
            if deal.state == "active" and self.now >= deal.terms.end_at:
                self.twin.finish(deal, "completed", "delivered", self.now)
            else:
                self.twin.enforce(deal, self.now)

    # Steps

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
        else:
            await self._visit(self.chance.choice(self.cars))
        self.steps += 1
        compare(self.desk.seen, self.twin)

    async def _visit(self, car: Car) -> None:
        stay = car.stay
        if stay is None:
            await self._plug_in(car)
        elif not car.allowed and self.chance.random() < 0.5:
            await self._allow(car, allowed=True)
        elif car.agreements[stay.park.party_id] is None and self.chance.random() < 0.5:
            await self._join(car.owner, stay.park)
        else:
            await self._act(car, stay)

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

    async def _pass_time(self, *, running: bool) -> None:
        """Move the clock, by seconds or past a deadline; sometimes the timers are late."""
        c = self.chance
        seconds = c.choice((1, 5, 20, 30, 55, 120, 300, c.randrange(60, 4000)))
        if running and c.random() < 0.9:
            seconds = min(seconds, 20)
        self.desk.clock.at += timedelta(seconds=seconds)
        if c.random() < 0.85:
            await self._tick()

    async def _tick(self) -> None:
        self.twin.tick(self.now)
        await self.desk.timers.tick()

    async def _repeat(self) -> None:
        """Send the last request again under its key: the same answer, and no second effect."""
        if self._last is None or self._last[0][1] != "POST" or self._last[2].code:
            return
        parts, more, first = self._last
        again = await self.desk.send(*parts, **more)
        self.repeated += 1
        if again != first:
            raise DivergedError(f"a repeat was answered differently: {again} after {first}")

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
            for deal in self.twin.live_of(car):
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

    async def _unplug(self, car: Car, stay: Stay) -> None:
        body = {"unplugged_at": self.desk.at(0)}
        path = "/v1/park/sessions/{session_id}/end"
        answer = await self.send(stay.park, "POST", path, body, session_id=stay.session_id)
        self.agree("unplug", answer, (200, None))
        self.twin.end_stay(stay, self.now)
        car.stay = None
        await self._tell(car, plugged_in=False)

    # Offers

    async def _fill(self, car: Car) -> None:
        """Put the car back to 80 % where it stands still, so that offers are worth asking."""
        if not any(d.state == "active" for d in self.twin.live_of(car)):
            car.soc_pct = 80
            await self._tell(car)

    def _holds(self, car: Car, more_wh: int) -> bool:
        """Return whether the battery surely has room for what is promised and ``more_wh``."""
        if car.soc_at is None or car.stay is None:
            return False
        gone = (car.stay.register_wh or 0) - (car.anchor_wh or car.stay.register_wh or 0)
        promised = sum(d.committed_wh - d.delivered_wh for d in self.twin.live_of(car))
        need = (gone + promised + more_wh) / float(EFFICIENCY) / 600
        return car.soc_pct - need >= KEPT_BACK_PCT

    def _free(self, car: Car, start: datetime, end: datetime, but: Deal | None = None) -> bool:
        """Return whether no live deal of the car overlaps a window."""
        return all(
            d is but or d.terms.end_at <= start or end <= d.terms.start_at
            for d in self.twin.live_of(car)
        )

    def _terms(self, car: Car) -> tuple[Wanted, dict[str, Any]] | None:
        c = self.chance
        start = self.now + timedelta(seconds=c.choice((0, 60, 120, 300, 900, 1800)))
        ends = [d.terms.end_at for d in self.twin.live_of(car)]
        if len(ends) > 1:
            return None
        start = max([start, *ends])
        kind = c.choice(("cash", "cash", "cash", *list(CURRENCIES)[1:]))
        energy = c.choice((500, 500, 500, 1000, 3000))
        price = (
            c.choice(("1.2000", "1.5000", "1.2345", "1.3000", "0.1000"))
            if kind == "cash"
            else "3.5000"
        )
        fixed, cap = c.choice(((0, None), (0, None), (150, None), (150, 250)))
        wanted = Wanted(
            start_at=start,
            end_at=start + timedelta(seconds=c.choice((2400, 3600))),
            energy_wh=energy,
            least_wh=c.choice((0, 500)),
            kind=kind,
            price=price,
            fixed_minor=fixed,
            cap_minor=cap,
            lease_s=c.choice((30, 60, 120, 120)),
            dispute_s=c.choice((600, 3600, 86_400)),
        )
        seconds = (start - self.now).total_seconds()
        body = {
            "start_at": self.desk.at(seconds),
            "end_at": self.desk.at((wanted.end_at - self.now).total_seconds()),
            "requested_energy_wh": energy,
            "min_energy_wh": wanted.least_wh,
            "max_energy_wh": 10_000,
            "max_discharge_w": POWER_W,
            "reward": {
                "kind": kind,
                "currency": CURRENCIES[kind],
                "price_per_kwh": price,
                "fixed_minor": fixed,
                "cap_minor": cap,
            },
            "lease_s": wanted.lease_s,
            "dispute_window_s": wanted.dispute_s,
        }
        return wanted, body

    async def _offer(self, car: Car, stay: Stay) -> None:
        old = car.soc_at is None or self.now - car.soc_at > timedelta(seconds=1500)
        if not self._holds(car, 3000) or (old and self.chance.random() < 0.95):
            await self._fill(car)
            return
        made = self._terms(car)
        if made is None:
            return
        wanted, terms = made
        answer_s = self.chance.choice((60, 600, 1200, 2300))
        body = {
            "session_id": stay.session_id,
            "purpose": "peak_price",
            "respond_by": self.desk.at(answer_s),
            "terms": terms,
        }
        answer = await self.send(stay.park, "POST", "/v1/park/offers", body)
        self.agree("offer", answer, (201, None))
        shown = answer.body
        offer = Offer(
            offer_id=shown["offer_id"],
            car=car,
            stay=stay,
            state="received",
            revision=1,
            terms_sha256=shown["terms_sha256"],
            respond_by=self.now + timedelta(seconds=answer_s),
            terms=wanted,
        )
        self.twin.offers[offer.offer_id] = offer
        self._judged(offer, shown)

    def _judged(self, offer: Offer, shown: Any) -> None:  # noqa: ANN401 - a view
        if self.twin.judge(offer, self.now) == "accepted":
            offer.said = "accept", offer.revision
            commitment_id = shown["commitment_id"]
            if commitment_id is None:
                raise DivergedError(f"{offer.offer_id}: the rule's yes made no deal")
            self.twin.commit(offer, commitment_id, self.now)

    async def _answer(self, offer: Offer) -> None:
        draw = self.chance.random()
        if draw < 0.12:
            path = "/v1/park/offers/{offer_id}/withdrawal"
            park = offer.stay.park
            answer = await self.send(park, "POST", path, {}, offer_id=offer.offer_id)
            self.agree("withdrawal", answer, self.twin.withdraw(offer, self.now))
        elif draw < 0.32:
            await self._revise(offer)
        elif draw < 0.35:
            await self._decide_for_another(offer)
        else:
            words = ("accept", "accept", "accept", "decline", "counter", "counter")
            words = words if offer.state != "countered" else ("decline", "decline", "accept")
            await self._decide(offer, self.chance.choice(words))

    async def _revise(self, offer: Offer) -> None:
        is_open = offer.state in ("presented", "countered")
        if is_open and not self._holds(offer.car, 3000):
            await self._fill(offer.car)
            return
        made = self._terms(offer.car)
        if made is None:
            return
        wanted, terms = made
        answer_s = self.chance.choice((300, 1200))
        revision = offer.revision + 1
        body = {"revision": revision, "respond_by": self.desk.at(answer_s), "terms": terms}
        path = "/v1/park/offers/{offer_id}/revisions"
        answer = await self.send(offer.stay.park, "POST", path, body, offer_id=offer.offer_id)
        if self.agree("revision", answer, self.twin.revise(offer, self.now)):
            offer.revision, offer.said, offer.state = revision, None, "received"
            offer.respond_by = self.now + timedelta(seconds=answer_s)
            offer.terms, offer.terms_sha256 = wanted, answer.body["terms_sha256"]
            self._judged(offer, answer.body)

    async def _decide(self, offer: Offer, word: str) -> None:
        twin, terms = self.twin, offer.terms
        revision = offer.revision - (offer.revision > 1 and self.chance.random() < 0.1)
        if (
            word == "accept"
            and offer.state == "presented"
            and twin.blocked(offer, self.now) is None
        ):
            left = (terms.end_at - max(terms.start_at, self.now)).total_seconds()
            room = left * POWER_W / 3600 >= terms.energy_wh + 200
            free = self._free(offer.car, terms.start_at, terms.end_at)
            if not (room and free and self._holds(offer.car, terms.energy_wh)):
                # Whether it would fit is the planner's question, which has its own judge.
                word = "decline"
        body: dict[str, Any] = {
            "offer_id": offer.offer_id,
            "revision": revision,
            "terms_sha256": offer.terms_sha256,
            "decision": word,
            "method": "tap",
        }
        if word == "counter":
            body |= {"energy_wh": 1000, "price_per_kwh": "1.4000"}
        answer = await self.send(offer.car.owner, "POST", "/v1/decisions", body)
        had = offer.deal
        if self.agree(
            f"{word} {offer.state}", answer, twin.decide(offer, word, revision, self.now)
        ):
            made = answer.body["commitment_id"]
            if word == "accept" and had is None:
                twin.commit(offer, made, self.now)

    async def _decide_for_another(self, offer: Offer) -> None:
        """Promise: somebody else's offer is not there."""
        other = next(o for o in self.owners if o is not offer.car.owner)
        body = {
            "offer_id": offer.offer_id,
            "revision": offer.revision,
            "terms_sha256": offer.terms_sha256,
            "decision": "decline",
            "method": "tap",
        }
        answer = await self.send(other, "POST", "/v1/decisions", body)
        self.agree("another's offer", answer, (404, "not_found"))

    # Deals

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
            found, body = self.twin.live_of(deal.car), {"vehicle_id": deal.car.vehicle_id}
        answer = await self.send(deal.car.owner, "POST", "/v1/stops", body)
        self.agree("stop", answer, (201, None))
        for each in found:
            if each.live:
                self.twin.finish(each, "revoked", "owner", self.now)

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

    # Settlements

    async def _settle(self, settlement: Settlement) -> None:
        twin, now = self.twin, self.now
        owner, park = settlement.deal.car.owner, settlement.deal.stay.park
        about = {"settlement_id": settlement.settlement_id}
        draw = self.chance.random()
        body: dict[str, Any]
        if draw < 0.15:
            path, body = "/v1/settlements/{settlement_id}/confirmation", {}
            answer = await self.send(owner, "POST", path, body, **about)
            self.agree("owner agrees", answer, twin.agree(settlement, owner=True))
        elif draw < 0.35:
            path, body = "/v1/park/settlements/{settlement_id}/confirmation", {}
            answer = await self.send(park, "POST", path, body, **about)
            self.agree("park agrees", answer, twin.agree(settlement, owner=False))
        elif draw < 0.6:
            path, body = "/v1/settlements/{settlement_id}/dispute", {"reason": "my meter says less"}
            answer = await self.send(owner, "POST", path, body, **about)
            self.agree("dispute", answer, twin.dispute(settlement, now))
        elif draw < 0.75:
            ordered = settlement.deal.committed_wh
            delivered = self.chance.choice((0, 400, ordered // 3, ordered, ordered + 1))
            path, body = (
                "/v1/park/settlements/{settlement_id}/correction",
                {"delivered_wh": delivered, "reason": "meter was read again"},
            )
            answer = await self.send(park, "POST", path, body, **about)
            self.agree("correction", answer, twin.correct(settlement, delivered, now))
        else:
            reference = self.chance.choice(("BANK-1", "BANK-2"))
            path, body = "/v1/park/settlements/{settlement_id}/payment", {"reference": reference}
            answer = await self.send(park, "POST", path, body, **about)
            self.agree("payment", answer, twin.pay(settlement, reference))
