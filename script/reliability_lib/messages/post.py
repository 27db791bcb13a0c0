"""A post nobody should trust: it delivers twice, at once or late, and remembers each answer."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
import random
from typing import Any, Final, override
import uuid

from script.reliability_lib.report import Faults
from tests.owner_api.deal_world import Answer, Caller, World

type Effect = tuple[str, ...]

_AT_ONCE: Final = 0.2
_AGAIN: Final = 0.35
_LATE: Final = 0.25
_LATEST: Final = 40
_RENEW_EVERY: Final = timedelta(minutes=30)


@dataclass(kw_only=True)
class Found(Faults):
    """What a run of messages came to."""

    deals: int = 0
    messages: int = 0
    at_once: int = 0
    again: int = 0
    late: int = 0
    overtaken: int = 0
    crossed: int = 0
    refused: int = 0
    in_flight: int = 0
    changed: int = 0
    taken: int = 0
    doubled: int = 0
    lost: int = 0
    wrong: int = 0
    unsettled: int = 0
    unplayed: int = 0
    invalid: int = 0
    rows: Counter[str] = field(default_factory=Counter)


@dataclass
class Message:
    """One POST under its key, as often as it is delivered."""

    sender: Sender
    path: str
    body: Any
    key: str
    answered: bytes | None = None

    def effects(self) -> list[Effect]:
        """Return what taking this message once leaves in the database."""
        what, about = self.path.split("/")[-1], self.path.split("/")[-2]
        match what:
            case "decisions":
                return [("decision", self.body["offer_id"])]
            case "instructions":
                return [("instruction", about, str(self.body["seq"]))]
            case "award":
                return [("award", about)]
            case "readings":
                told = self.body["readings"]
                return [("reading", about, str(reading["measured_at"])) for reading in told]
            case "offers" | "stops" | "vehicles" | "sessions" | "agreements":
                return [(what.removesuffix("s"), self.key)]
            case _:
                return []


class Post:
    """Carries every POST of a run; ``found`` and ``effects`` are what it has seen answered."""

    def __init__(self, found: Found, chance: random.Random) -> None:
        self.found = found
        self.chance = chance
        self.effects: set[Effect] = set()
        self._late: list[tuple[int, Message]] = []

    async def deliver(self, message: Message) -> Answer:
        """Deliver once or more; return the answer a caller acts on."""
        found, draw = self.found, self.chance.random()
        found.messages += 1
        if self.chance.random() < _LATE:
            self._late.append((found.messages + self.chance.randrange(1, _LATEST), message))
        if draw < _AT_ONCE:
            found.at_once += 1
            both = await asyncio.gather(self._once(message), self._once(message))
            answers = list(both)
        else:
            answers = [await self._once(message)]
            if draw < _AGAIN:
                found.again += 1
                answers.append(await self._once(message))
        found.refused += all(answer.status >= 400 for answer in answers)
        due = [each for at, each in self._late if at <= found.messages]
        self._late = [each for each in self._late if each[0] > found.messages]
        await self._deliver_late(due)
        return next((answer for answer in answers if answer.status < 400), answers[0])

    async def empty(self) -> None:
        """Deliver what is still on its way."""
        due, self._late = [each for _, each in self._late], []
        await self._deliver_late(due)

    async def crossed[S, T](
        self, one: Callable[[], Awaitable[S]], other: Callable[[], Awaitable[T]]
    ) -> tuple[S, T]:
        """Send two messages so that nobody knows which comes first."""
        self.found.crossed += 1
        draw = self.chance.random()
        if draw < 0.25:
            first = await one()
            return first, await other()
        if draw < 0.5:
            second = await other()
            return await one(), second
        if draw < 0.75:
            return await asyncio.gather(one(), other())
        second, first = await asyncio.gather(other(), one())
        return first, second

    async def _deliver_late(self, due: list[Message]) -> None:
        for message in due:
            self.found.late += 1
            await self._once(message)

    async def _once(self, message: Message) -> Answer:
        while True:
            answer = await message.sender.send(message)
            if answer.status != 409 or answer.body["code"] != "idempotency_in_flight":
                break
            self.found.in_flight += 1
            await asyncio.sleep(0.002)
        if answer.status < 400:
            self.effects.update(message.effects())
            if message.answered is None:
                message.answered = answer.raw
            elif message.answered != answer.raw:
                self.found.note("changed", message.path)
        elif message.answered is not None:
            self.found.note("changed", f"{message.path}: then {answer.body['code']}")
        return answer


@dataclass(kw_only=True)
class Sender(Caller):
    """A party whose POSTs go through the post."""

    via: Post
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def of(cls, caller: Caller, post: Post) -> Sender:
        """Give a party's messages to the post."""
        return cls(
            world=caller.world,
            token=caller.token,
            party_id=caller.party_id,
            grant=caller.grant,
            via=post,
        )

    @override
    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        etag: str | None = None,
    ) -> Answer:
        if method == "POST":
            told = {} if body is None else body
            return await self.via.deliver(Message(self, path, told, key or uuid.uuid4().hex))
        await self._renew_in_time()
        return await super().call(method, path, body, key=key, etag=etag)

    async def send(self, message: Message) -> Answer:
        """Deliver a message once."""
        await self._renew_in_time()
        return await super().call("POST", message.path, message.body, key=message.key)

    async def _renew_in_time(self) -> None:
        """Renew alone: two who renew with one token at once are what a thief looks like."""
        async with self.renewing:
            world: World = self.world
            if world.clock.at >= world.renew_at.get(self.party_id, world.clock.at):
                await self.renew()
                world.renew_at[self.party_id] = world.clock.at + _RENEW_EVERY
