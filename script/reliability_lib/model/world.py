"""Two owners, four cars and two parks: who they are, and how they are asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
import random
from typing import Any, Final

from .compare import DivergedError
from .desk import Answer, Desk
from .machines import Expected
from .things import (
    CURRENCIES,
    EFFICIENCY,
    POWER_W,
    Car,
    Party,
    Stay,
)
from .twin import Twin

CARS_PER_OWNER: Final = 2
# A plan needs this much above the departure minimum: the reading's margin and the meter's steps.
KEPT_BACK_PCT: Final = 53.2
RULE = {"name": "good price", "min_price_per_kwh": "1.5000"}


@dataclass(frozen=True, slots=True)
class _Sent:
    party: Party
    method: str
    path: str
    body: Mapping[str, Any]
    key: str
    params: Mapping[str, str]
    answer: Answer


class World:
    """One world of two owners, four cars and two parks, played step by step."""

    def __init__(self, desk: Desk, twin: Twin, chance: random.Random) -> None:
        self.desk = desk
        self.twin = twin
        self.chance = chance
        self.cars: list[Car] = []
        self.owners: list[Party] = []
        self.parks: list[Party] = []
        # One car at most at each park that nobody knows, and the owner it does not have.
        self.strangers: dict[str, Stay] = {}
        self.nobody = Car(vehicle_id="", owner=Party(kind="owner", party_id=""))
        self.steps = 0
        self.asked = 0
        self.refused = 0
        self.repeated = 0
        self._last: _Sent | None = None

    @property
    def now(self) -> datetime:
        """The virtual clock."""
        return self.desk.clock.at

    # Talking to the real side

    async def send(
        self,
        party: Party,
        method: str,
        path: str,
        body: Mapping[str, Any],
        *,
        revision: int | None = None,
        **params: str,
    ) -> Answer:
        """Send a request under a new key."""
        self.asked += 1
        key = f"k{self.asked}"
        answer = await self.desk.send(
            party, method, path, body, key=key, revision=revision, **params
        )
        self._last = _Sent(party, method, path, body, key, params, answer)
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

    async def _plug_in_stranger(self, park: Party) -> Stay:
        body = {"evse_id": "S", "plugged_in_at": self.desk.at(0)}
        made = await self.send(park, "POST", "/v1/park/sessions", body)
        self.agree("stranger", made, (201, None))
        stay = Stay(session_id=made.body["session_id"], park=park, claimed=True)
        self.twin.stays.append(stay)
        return stay

    async def _end(self, stay: Stay) -> None:
        body = {"unplugged_at": self.desk.at(0)}
        path = "/v1/park/sessions/{session_id}/end"
        answer = await self.send(stay.park, "POST", path, body, session_id=stay.session_id)
        self.agree("unplug", answer, (200, None))
        self.twin.end_stay(stay, self.now)

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
        stay = car.stay
        car.anchor_wh = stay.register_wh if stay and not stay.claimed else None
        if car.carried_until is None or self.now >= car.carried_until:
            car.carried_wh, car.carried_until = 0, None
        self.twin.told(car)
        for deal in self.twin.live_of(car):
            if deal.state == "active" and self.now >= deal.terms.end_at:
                self.twin.finish(deal, "completed", "delivered", self.now)
            else:
                self.twin.enforce(deal, self.now)

    async def _tick(self) -> None:
        self.twin.tick(self.now)
        await self.desk.timers.tick()

    def _holds(self, car: Car, more_wh: int) -> bool:
        """Return whether the battery surely has room for what is promised and ``more_wh``."""
        if car.soc_at is None or car.stay is None:
            return False
        gone = (car.stay.register_wh or 0) - (car.anchor_wh or car.stay.register_wh or 0)
        gone += car.carried_wh
        promised = sum(d.committed_wh - d.delivered_wh for d in self.twin.live_of(car))
        need = (gone + promised + more_wh) / float(EFFICIENCY) / 600
        return car.soc_pct - need >= KEPT_BACK_PCT
