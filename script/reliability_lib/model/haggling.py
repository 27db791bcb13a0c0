"""Steps of offers: made, revised, answered, taken back."""

from datetime import datetime, timedelta
from typing import Any

from .compare import DivergedError
from .things import (
    COUNTER_PRICE,
    COUNTER_WH,
    CURRENCIES,
    POWER_W,
    Car,
    Deal,
    Offer,
    Stay,
    Wanted,
)
from .world import World


class Haggling(World):
    """Parks that offer and owners who answer."""

    async def _fill(self, car: Car) -> None:
        """Put the car back to 80 % where it stands still, so that offers are worth asking."""
        if not any(d.state == "active" for d in self.twin.live_of(car)):
            car.soc_pct = 80
            await self._tell(car)

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
        await self._ask(car, stay)

    async def _ask(self, car: Car, stay: Stay) -> None:
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
            self.twin.commit(offer, commitment_id, self.now, offer.terms.energy_wh)

    async def _ask_nobody(self) -> None:
        """Offer to a car that nobody knows, and try to go on with what was rejected."""
        park, draw = self.chance.choice(self.parks), self.chance.random()
        stay = self.strangers.get(park.party_id)
        asked = [o for o in self.twin.offers.values() if o.stay is stay]
        if stay is None:
            self.strangers[park.party_id] = await self._plug_in_stranger(park)
        elif draw < 0.1:
            await self._end(self.strangers.pop(park.party_id))
        elif draw < 0.8 or not asked:
            await self._ask(self.nobody, stay)
        elif draw < 0.9:
            await self._take_back(asked[-1])
        else:
            await self._decide_for_another(asked[-1])

    async def _take_back(self, offer: Offer) -> None:
        path = "/v1/park/offers/{offer_id}/withdrawal"
        park = offer.stay.park
        answer = await self.send(park, "POST", path, {}, offer_id=offer.offer_id)
        self.agree("withdrawal", answer, self.twin.withdraw(offer, self.now))

    async def _answer(self, offer: Offer) -> None:
        draw = self.chance.random()
        if draw < 0.12:
            await self._take_back(offer)
        elif draw < 0.32:
            await self._revise(offer)
        elif draw < 0.35:
            await self._decide_for_another(offer)
        else:
            words = ["accept", "accept", "accept", "decline", "counter", "counter"]
            if offer.state == "countered":
                words = ["decline", "decline", "accept"]
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
            body |= {"energy_wh": COUNTER_WH, "price_per_kwh": COUNTER_PRICE}
        answer = await self.send(offer.car.owner, "POST", "/v1/decisions", body)
        had = offer.deal
        if self.agree(
            f"{word} {offer.state}", answer, twin.decide(offer, word, revision, self.now)
        ):
            made = answer.body["commitment_id"]
            if word == "accept" and had is None:
                # A yes covers no more than its owner was told, which is the planner's to say.
                wh = answer.body["decision"]["consented_energy_wh"]
                if not max(1, terms.least_wh) <= wh <= terms.energy_wh:
                    raise DivergedError(f"{offer.offer_id}: a yes to {wh} Wh")
                twin.commit(offer, made, self.now, wh)

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
