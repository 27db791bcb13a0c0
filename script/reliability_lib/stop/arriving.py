"""Stops between three processes in real time: server, park with its chargers, and the owner here.

Every moment is by CLOCK_MONOTONIC: the owner's POST is timed here, what the park's stream and the
charger's meter show is timed in the park.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
import random
from time import monotonic, process_time
from typing import Final

import aiohttp
import orjson

from .owner import Owner, command
from .park_process import Settings
from .processes import processor_s, serving, trading

# Longer than any lease here: a car that goes on until its lease ends is seen to end.
_PATIENCE_S: Final = 20.0
_DISCHARGES_S: Final = (0.3, 2.0)
# How long a car that has stopped is watched for power that comes back.
_AFTER_S: Final = 1.0
_EACH_S: Final = 60.0


@dataclass
class Arrived:
    """What the stops came to (seconds).

    ``busy`` are answers to GET /healthz just before each stop, which touch no disk: what the
    machine itself was slow by. ``spent`` is the processor time of all three processes together
    from the POST until the car was at zero. ``again`` are cars that discharged after zero.
    """

    to_stream: list[float] = field(default_factory=list)
    to_zero: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    never: int = 0
    again: int = 0

    @property
    def stops(self) -> int:
        """How many stops were pressed."""
        return len(self.to_zero) + self.never


class _Seen:
    """When a deal's power began and ended by the meter, and when the park heard of its stop."""

    def __init__(self) -> None:
        self.heard: asyncio.Future[float] = asyncio.Future()
        self.zero: asyncio.Future[float] = asyncio.Future()


async def stops(folder: Path, amount: int, *, cars: int, obeys: bool = True) -> Arrived:
    """Stop so many running deals of so many cars, each at a random moment of its delivery."""
    found, database = Arrived(), folder / "owner.db"
    async with (
        serving(database) as (url, server),
        aiohttp.ClientSession() as http,
        asyncio.timeout(_EACH_S * (2 + amount)),
    ):
        added = await command(database, "park add", display_name="Park of the stops")
        owner = Owner(http, url, database)
        await owner.join(added["park_id"], cars)
        settings = Settings(
            api_url=url,
            client_id=added["client_id"],
            client_secret=added["client_secret"],
            cars=cars,
            meter_log=str(folder / "meter.jsonl"),
            obeys=obeys,
        )
        async with trading(settings, folder) as (told, park):
            presser = _Presser(found, owner, http, url + "/healthz", (server, park))
            await presser.press(told, amount)
    return found


class _Presser:
    """Presses stop whenever a car has begun to discharge."""

    def __init__(
        self,
        found: Arrived,
        owner: Owner,
        http: aiohttp.ClientSession,
        healthz: str,
        pids: tuple[int, ...],
    ) -> None:
        self._found = found
        self._owner = owner
        self._http = http
        self._healthz = healthz
        self._pids = pids
        self._seen: dict[str, _Seen] = {}
        self._begun: asyncio.Queue[str] = asyncio.Queue()
        self._chance = random.Random(1)  # noqa: S311 - a plan to repeat

    async def press(self, told: asyncio.StreamReader, amount: int) -> None:
        """Stop so many deals, each once its power flows; raises when the park ends before."""
        async with asyncio.TaskGroup() as group:
            beside = [
                group.create_task(each)
                for each in (self._read(told), self._owner.say_yes(), self._owner.tell())
            ]
            pressed = []
            for _ in range(amount):
                commitment_id = await self._begun.get()
                pressed.append(group.create_task(self._stop(commitment_id)))
            await asyncio.gather(*pressed)
            for task in beside:
                task.cancel()

    async def _read(self, told: asyncio.StreamReader) -> None:
        """Take what the park tells of its stream and its meters."""
        async for line in told:
            entry = orjson.loads(line)
            commitment_id, power_w = str(entry["commitment_id"]), entry["power_w"]
            seen = self._seen.get(commitment_id)
            if seen is None:
                self._seen[commitment_id] = _Seen()
                self._begun.put_nowait(commitment_id)
                continue
            moment = seen.heard if power_w is None else seen.zero
            if not power_w and not moment.done():
                moment.set_result(entry["at"])
            self._found.again += (power_w or 0) < 0
        raise RuntimeError("the park ended before its cars were stopped")

    async def _stop(self, commitment_id: str) -> None:
        """Press stop in the midst of a delivery and wait for the stream and for the meter."""
        await asyncio.sleep(self._chance.uniform(*_DISCHARGES_S))
        seen, found = self._seen[commitment_id], self._found
        if seen.zero.done():
            # It ended by itself before anybody had stopped it: that says nothing about stop.
            await self._stop(await self._begun.get())
            return
        found.busy.append(await self._asked())
        spent, began = self._spent(), monotonic()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._owner.stop(commitment_id)
                found.to_stream.append(await seen.heard - began)
                found.to_zero.append(await seen.zero - began)
        except TimeoutError:
            found.never += 1
            return
        found.spent.append(self._spent() - spent)
        await asyncio.sleep(_AFTER_S)

    async def _asked(self) -> float:
        began = monotonic()
        async with self._http.get(self._healthz) as answer:
            await answer.read()
        return monotonic() - began

    def _spent(self) -> float:
        return process_time() + sum(processor_s(pid) for pid in self._pids)
