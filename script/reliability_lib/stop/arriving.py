"""Stops over a real socket in real time: from the owner's POST to the park's stream and the car."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic, process_time

import aiohttp

from tests.owner_api.deal_world import NOON, Deal, World, active, open_world
from tests.owner_api.sse import events

from .charging import discharging


@dataclass
class Arrived:
    """What the stops came to (seconds).

    ``busy`` are answers to GET /healthz just before each stop, which touch no disk: what the
    machine itself was slow by. ``spent`` is the processor time of server and clients together.
    """

    to_stream: list[float] = field(default_factory=list)
    to_zero: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    never: int = 0


async def stops(folder: Path, amount: int) -> Arrived:
    """Stop so many running deals, each heard by its park on a stream that was open before."""
    found = Arrived()
    async with open_world(folder) as world:
        for _ in range(amount):
            deal = await active(world)
            await world.instruct(deal.park, deal.commitment_id)
            found.busy.append(await _healthz(world))
            began = process_time()
            try:
                async with asyncio.timeout(10):
                    to_stream, to_zero = await _stop(world, deal)
            except TimeoutError:
                found.never += 1
                await next_noon(world)
                continue
            found.to_stream.append(to_stream)
            found.to_zero.append(to_zero)
            found.spent.append(process_time() - began)
            await next_noon(world)
    return found


async def _healthz(world: World) -> float:
    began = monotonic()
    async with world.http.get(world.url + "/healthz") as answer:
        await answer.read()
    return monotonic() - began


async def next_noon(world: World) -> None:
    """Go to noon of the next day, where the usual deal fits before the car leaves."""
    days = (world.clock.at - NOON) // timedelta(days=1) + 1
    world.clock.at = NOON + timedelta(days=days)
    await world.agent.tick()


async def _stop(world: World, deal: Deal) -> tuple[float, float]:
    """Stop one deal; return when the park's stream said so and when its charger was at zero."""
    charger = discharging(world.clock.at, lease_s=60)
    headers = {"Authorization": f"Bearer {deal.park.token}"}
    async with world.http.get(world.url + "/v1/events", headers=headers) as stream:
        told = asyncio.create_task(_told(stream))
        await asyncio.sleep(0.01)
        began = monotonic()
        pressed = asyncio.create_task(
            deal.owner.post("/v1/stops", {"commitment_id": deal.commitment_id})
        )
        heard = await told - began
        # The park's own part: its charger is told, and time has passed for the car as for us.
        charger.zero(world.clock.at + timedelta(seconds=heard))
        zero = monotonic() - began
        assert charger.power_w == 0
        await pressed
    return heard, zero


async def _told(stream: aiohttp.ClientResponse) -> float:
    async for event in events(stream):
        if event.kind == "stop.requested":
            return monotonic()
    raise RuntimeError("the stream ended without a stop")
