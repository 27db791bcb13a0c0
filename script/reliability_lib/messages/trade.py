"""One car's deal at a park, told by messages that cross and overtake each other."""

import asyncio
from dataclasses import dataclass, field
from functools import partial
import random
from typing import Any, Final

from tests.owner_api.deal_world import Answer, World

from .post import Post, Sender

STEP_S: Final = 20
_POWER_W: Final = -7000
_STEP_WH: Final = 39


@dataclass(kw_only=True)
class Trade:
    """An owner, a car and a park with a charger whose meter this side keeps."""

    world: World
    post: Post
    chance: random.Random
    owner: Sender
    park: Sender
    vehicle_id: str = ""
    session_id: str = ""
    offer: Any = None
    commitment_id: str = ""
    stopped: bool = False
    running: bool = False
    exported_wh: int = 5_000
    seq: int = 0
    held: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    async def open(cls, world: World, post: Post, chance: random.Random) -> Trade:
        """Bring the usual offer in front of a new owner."""
        owner = Sender.of(await world.add_owner(), post)
        park = Sender.of(await world.add_park(), post)
        trade = cls(world=world, post=post, chance=chance, owner=owner, park=park)
        trade.vehicle_id = await world.add_vehicle(owner)
        member = await world.join(owner, park, trade.vehicle_id)
        trade.session_id = await world.plug_in(owner, park, trade.vehicle_id, member)
        trade.offer = await world.offer(park, trade.session_id)
        return trade

    async def agree(self) -> None:
        """Say yes and order; a withdrawal, a stop or a cancellation may cross either."""
        draw, accept = self.chance.random(), partial(self.world.decide, self.owner, self.offer)
        if draw < 0.2:
            path = f"/v1/park/offers/{self.offer['offer_id']}/withdrawal"
            said, taken_back = await self.post.crossed(accept, partial(self._park, path))
            if (said.status < 400) == (taken_back.status < 400):
                self.post.found.note("wrong", f"a yes {said.status}, back {taken_back.status}")
        else:
            said = await accept()
        if said.status >= 400:
            return
        self.commitment_id = said.body["commitment_id"]
        energy = said.body["decision"]["consented_energy_wh"]
        award = partial(self._park, f"{self._path}/award", self._order(energy))
        if draw < 0.3:
            await self.post.crossed(award, self._stop)
        elif draw < 0.4:
            await self.post.crossed(award, self._cancel)
        else:
            await award()
        if self.stopped:
            # What was on its way when the owner pressed stop arrives all the same.
            await award()
            ended = (await self.owner.get(f"/v1/commitments/{self.commitment_id}"))["state"]
            if ended not in {"revoked", "cancelled"}:
                self.post.found.note("wrong", f"{ended} after a stop or cancellation")

    async def begin(self) -> None:
        """Let the car and the charger say where they stand."""
        if not self.commitment_id:
            return
        told = {"measured_at": self.world.at(0), "plugged_in": True, "soc_pct": 80}
        path = f"/v1/vehicles/{self.vehicle_id}/telemetry"
        await self.owner.post(path, {"readings": [told]})
        await self._read([self._reading("begin")])

    async def step(self) -> None:
        """Send what a step of delivery says: readings late and crossed, setpoints shuffled."""
        if not self.commitment_id:
            return
        if self.running:
            self.exported_wh += _STEP_WH
        await self._readings()
        count = self.chance.choice((1, 1, 2, 3))
        numbers = list(range(self.seq + 1, self.seq + count + 1))
        self.seq += count
        if count > 1:
            self.chance.shuffle(numbers)
            self.post.found.overtaken += sum(
                any(later > number for later in numbers[:at]) for at, number in enumerate(numbers)
            )
        if self.seq > 1 and self.chance.random() < 0.2:
            # An old order finds another way, under a key of its own.
            numbers.append(self.chance.randrange(1, self.seq))
            self.post.found.overtaken += 1
        if self.chance.random() < 0.5:
            answers = await asyncio.gather(*(self._instruct(number) for number in numbers))
        else:
            answers = [await self._instruct(number) for number in numbers]
        self.running = any(answer.status < 400 for answer in answers)

    async def end(self) -> None:
        """Stop or cancel while another setpoint is on its way."""
        if not self.commitment_id:
            return
        self.seq += 2
        halt = self._stop if self.chance.random() < 0.7 else self._cancel
        await self.post.crossed(halt, partial(self._instruct, self.seq - 1))
        await self._instruct(self.seq)

    async def rest(self) -> None:
        """Read the meter at rest, which settles the deal."""
        if self.commitment_id:
            await self._read([*self.held, self._reading("end", 0)])
            self.held = []

    async def _readings(self) -> None:
        new = self._reading()
        if not self.held and self.chance.random() < 0.3:
            self.held = [new]
            return
        late, self.held = self.held, []
        self.post.found.overtaken += len(late)
        if self.chance.random() < 0.5:
            await self._read([new, *late])
            return
        await self._read([new])
        if late:
            await self._read(late)

    def _reading(self, context: str = "periodic", power_w: int = _POWER_W) -> dict[str, Any]:
        return {
            "measured_at": self.world.at(0),
            "import_register_wh": 100_000,
            "export_register_wh": self.exported_wh,
            "power_w": power_w if self.running else 0,
            "context": context,
        }

    async def _read(self, told: list[dict[str, Any]]) -> None:
        await self.park.post(f"/v1/park/sessions/{self.session_id}/readings", {"readings": told})

    async def _instruct(self, seq: int) -> Answer:
        stopped = self.stopped
        body = {"seq": seq, "power_setpoint_w": _POWER_W}
        answer = await self._park(f"{self._path}/instructions", body)
        if stopped and answer.status < 400:
            self.post.found.note("wrong", f"a lease after a stop: {answer.body}")
        return answer

    async def _stop(self) -> Answer:
        body = {"commitment_id": self.commitment_id}
        answer = await self.owner.call("POST", "/v1/stops", body)
        self.stopped |= answer.status < 400
        return answer

    async def _cancel(self) -> Answer:
        answer = await self._park(f"{self._path}/cancellation")
        self.stopped |= answer.status < 400
        return answer

    async def _park(self, path: str, body: Any = None) -> Answer:  # noqa: ANN401 - any JSON body
        return await self.park.call("POST", path, body)

    def _order(self, energy_wh: int) -> dict[str, Any]:
        return {
            "order_reference": f"PO-{self.commitment_id}",
            "terms_sha256": self.offer["terms_sha256"],
            "committed_energy_wh": energy_wh,
        }

    @property
    def _path(self) -> str:
        return f"/v1/park/commitments/{self.commitment_id}"
