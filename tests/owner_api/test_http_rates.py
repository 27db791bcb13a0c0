"""What the rate limiter lets through in any span, how much it remembers, and whose turn it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime, timedelta
import json
import os
from pathlib import Path
import signal
import socket
import threading
from typing import Any

from hypothesis import given, strategies as st
import pytest

from owner_api.problems import Problem
from owner_api.server import limits
from owner_api.server.limits import RateLimiter
from owner_api.server.turns import AT_ONCE
from owner_api.store import Store, Tx
from tests.owner_api.conftest import StillClock
from tests.owner_api.deal_world import Caller, MovableClock, active, open_world
from tests.owner_api.http_bench import bench


def passes(limiter: RateLimiter, key: str) -> bool:
    """Ask once."""
    try:
        limiter.take(key)
    except Problem:
        return False
    return True


@given(
    pauses=st.lists(st.floats(-5, 20), max_size=60),
    rate=st.floats(0.01, 20),
    burst=st.integers(1, 8),
)
def test_no_span_lets_more_through_than_burst_and_rate_allow(
    pauses: list[float], rate: float, burst: int
) -> None:
    clock, forward = StillClock(), 0.0
    limiter = RateLimiter(clock, rate_per_s=rate, burst=burst)
    let_through = 0
    for pause in pauses:
        clock.move(pause)
        # A clock that steps back and forth refills on each way forth, never on the way back.
        forward += max(0.0, pause)
        let_through += passes(limiter, "somebody")
        assert let_through <= burst + rate * forward + 1e-6


@given(pause=st.floats(0, 1_000), rate=st.floats(0.01, 20), burst=st.integers(1, 8))
def test_waiting_as_long_as_told_is_long_enough(pause: float, rate: float, burst: int) -> None:
    clock = StillClock()
    limiter = RateLimiter(clock, rate_per_s=rate, burst=burst)
    clock.move(pause)
    for _ in range(burst):
        limiter.take("somebody")
    with pytest.raises(Problem) as refused:
        limiter.take("somebody")
    clock.move(refused.value.retry_after_s or 0)
    assert passes(limiter, "somebody")


def test_a_flood_of_addresses_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MAX_BUCKETS", 100)
    clock = StillClock()
    limiter = RateLimiter(clock, rate_per_s=0.001, burst=1)
    for number in range(1_000):
        clock.move(0.001)
        assert passes(limiter, f"address {number}")
        assert len(limiter._buckets) <= 100
    # Who came last is still remembered.
    assert not passes(limiter, "address 999")


async def test_promise_4_many_commands_of_one_owner_let_anothers_by(
    store: Store, clock: StillClock
) -> None:
    """The writer works on one at a time, and the next in line may be somebody's stop."""
    async with bench(store, clock) as api:
        slow = asyncio.create_task(api.post("/v1/slow-things", {"name": "slow"}))
        await asyncio.to_thread(api.gate.entered.wait)
        flood = []
        for number in range(20):
            name = f"flood {number:02}"
            flood.append(asyncio.create_task(api.post("/v1/things", {"name": name}, key=name[6:])))
            await asyncio.sleep(0.01)
        other = asyncio.create_task(api.post("/v1/things", {"name": "other"}, party="own_b"))
        await asyncio.sleep(0.2)
        api.gate.open.set()
        answers = await asyncio.gather(slow, *flood, other)
        assert {each.status for each in answers} == {201}
        rows = await store.read(
            lambda tx: tx.all("SELECT value FROM meta WHERE key LIKE 'thing:%' ORDER BY rowid")
        )
    made = [row["value"] for row in rows]
    assert made.index("other") <= 3
    # Each owner's own keep their order.
    mine = [each for each in made if each.startswith("flood")]
    assert mine == sorted(mine)


@asynccontextmanager
async def writer_held(store: Store) -> AsyncIterator[None]:
    """Keep whatever writes, a thread or a process, from taking anything while the block runs."""
    if store.apart is not None:
        os.kill(store.apart.process_id, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(store.apart.process_id, signal.SIGCONT)
        return
    opened, held = await hold_the_writer(store)
    try:
        yield
    finally:
        opened.set()
        await held


async def hold_the_writer(store: Store) -> tuple[threading.Event, asyncio.Future[None]]:
    """Keep the writer busy until the event is set; the future is done when it goes on."""
    entered, opened = threading.Event(), threading.Event()

    def hold(_tx: Tx) -> None:
        entered.set()
        assert opened.wait(10)

    held = asyncio.ensure_future(store.write(hold))
    await asyncio.to_thread(entered.wait)
    return opened, held


async def test_promise_4_a_stop_waits_for_none_of_its_owners_other_commands(
    tmp_path: Path,
) -> None:
    """A car that changes its mind all the time, or a stolen phone, must not hold it up."""
    async with open_world(tmp_path) as world:
        owner, park = await world.add_owner(), await world.add_park()
        vehicle = await world.add_vehicle(owner)
        session = await world.plug_in(owner, park, vehicle, await world.join(owner, park, vehicle))
        await world.decide(owner, await world.offer(park, session))
        before = len(await owner.events())
        opened, held = await hold_the_writer(world.agent.store)
        flood = []
        for number in range(20):
            wanted = {"soc_margin_pct": 1 + number / 10}
            path = f"/v1/vehicles/{vehicle}/preferences"
            flood.append(asyncio.create_task(owner.call("PATCH", path, wanted, etag="*")))
            await asyncio.sleep(0.01)
        stop = asyncio.create_task(owner.call("POST", "/v1/stops", {"vehicle_id": vehicle}))
        await asyncio.sleep(0.2)
        opened.set()
        answers = await asyncio.gather(stop, *flood)
        await held
        assert [each.status for each in answers] == [201, *[200] * 20]
        told = [event["type"] for event in (await owner.events())[before:]]
    revoked = next(at for at, kind in enumerate(told) if kind.startswith("commitment."))
    assert sum(kind.startswith("preferences.") for kind in told[:revoked]) <= AT_ONCE


async def test_promise_4_a_yes_that_waits_for_its_turn_does_not_take_effect_after_a_stop(
    tmp_path: Path,
) -> None:
    """The stop passes it; made afterwards, the deal would run though its owner has stopped all."""
    async with open_world(tmp_path) as world:
        owner, park = await world.add_owner(), await world.add_park()
        vehicle = await world.add_vehicle(owner)
        session = await world.plug_in(owner, park, vehicle, await world.join(owner, park, vehicle))
        offer = await world.offer(park, session)
        opened, held = await hold_the_writer(world.agent.store)
        path = f"/v1/vehicles/{vehicle}/preferences"
        asked = [
            owner.call("PATCH", path, {"soc_margin_pct": 1}, etag="*"),
            owner.call("PATCH", path, {"soc_margin_pct": 2}, etag="*"),
            world.decide(owner, offer),
            owner.call("POST", "/v1/stops", {}),
        ]
        tasks = []
        for each in asked:
            tasks.append(asyncio.ensure_future(each))
            await asyncio.sleep(0.05)
        opened.set()
        *_, decided, stopped = await asyncio.gather(*tasks)
        await held
        assert (decided.status, decided.body["code"]) == (409, "conflict")
        assert (stopped.status, stopped.body["commitments"]) == (201, [])
        shown = await owner.get(f"/v1/offers/{offer['offer_id']}")
        assert (shown["state"], shown["commitment_id"]) == ("presented", None)
        assert (await world.decide(owner, offer)).status == 201


@pytest.mark.parametrize("apart", [False, True], ids=["thread", "process"])
async def test_promise_4_a_stop_waits_for_one_command_of_a_park_and_not_for_its_burst(
    tmp_path: Path, *, apart: bool
) -> None:
    """Ten thousand readings at once held every owner's stop for half a second."""
    async with open_world(tmp_path, apart=apart) as world:
        owner, park = await world.add_owner(), await world.add_park()
        vehicle = await world.add_vehicle(owner)
        session = await world.plug_in(owner, park, vehicle, await world.join(owner, park, vehicle))
        store = world.agent.store
        before = await answered(store)
        async with writer_held(store):
            burst = []
            for number in range(40):
                at = world.at(number - 3_600)
                reading = world.meter(park, session, measured_at=at)
                burst.append(asyncio.create_task(reading))
            await asyncio.sleep(0.3)
            stop = asyncio.create_task(owner.call("POST", "/v1/stops", {}))
            minted = asyncio.create_task(world.operate("pair", owner_id=owner.party_id))
            await asyncio.sleep(0.3)
        assert (await stop).status == 201
        await minted
        told = await asyncio.gather(*burst)
        assert [each["accepted"] for each in told] == [1] * 40
        order = (await answered(store))[len(before) :]
        # Each party's own keep their order.
        rows = await store.read(lambda tx: tx.all("SELECT measured_at FROM reading ORDER BY rowid"))
    assert [row["measured_at"] for row in rows] == sorted(row["measured_at"] for row in rows)
    assert len(order) == 41
    assert order.index("post_v1_stops") <= 2


async def test_promise_4_a_stop_waits_for_one_long_body_and_not_for_all_that_arrived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A park's forty batches of readings that were there at once were all read before it."""
    async with open_world(tmp_path) as world:
        owner, park = await world.add_owner(), await world.add_park()
        vehicle = await world.add_vehicle(owner)
        session = await world.plug_in(owner, park, vehicle, await world.join(owner, park, vehicle))
        readings = [
            {
                "measured_at": world.at(number - 60),
                "import_register_wh": 100_000,
                "export_register_wh": 5_000,
                "power_w": 0,
            }
            for number in range(50)
        ]
        before = await answered(world.agent.store)

        def next_moment(clock: MovableClock) -> datetime:
            clock.at += timedelta(microseconds=1)
            return clock.at

        monkeypatch.setattr(MovableClock, "now", next_moment)
        with ExitStack() as opened:
            # Nothing is awaited here, so the server meets all of them together.
            path, body = f"/v1/park/sessions/{session}/readings", {"readings": readings}
            sent = [send_raw(opened, park, path, body, number) for number in range(40)]
            sent.append(send_raw(opened, owner, "/v1/stops", {}, 40))
            for connection in sent:
                told = await asyncio.to_thread(connection.recv, 4_096)
                assert told.startswith(b"HTTP/1.1 201"), told
        order = (await answered(world.agent.store, by="created_at"))[len(before) :]
    assert len(order) == 41
    assert order.index("post_v1_stops") <= 3


async def test_promise_4_no_rule_says_yes_after_a_stop_to_what_a_park_had_offered_before(
    tmp_path: Path,
) -> None:
    """The stop passes a park's burst, and would have ended what was agreed in that before."""
    async with open_world(tmp_path) as world:
        owner, park = await world.add_owner(), await world.add_park()
        vehicle = await world.add_vehicle(owner, consent_mode="rules", rules=[{"name": "always"}])
        session = await world.plug_in(owner, park, vehicle, await world.join(owner, park, vehicle))
        async with writer_held(world.agent.store):
            asked = [world.meter(park, session, measured_at=world.at(at)) for at in (-90, -60, -30)]
            asked.append(world.offer(park, session))
            tasks = []
            for each in asked:
                tasks.append(asyncio.ensure_future(each))
                await asyncio.sleep(0.1)
            world.clock.at += timedelta(seconds=1)
            stop = asyncio.ensure_future(owner.call("POST", "/v1/stops", {}))
            await asyncio.sleep(0.2)
        assert (await stop).body["commitments"] == []
        *_, offer = await asyncio.gather(*tasks)
        assert offer["state"] == "presented"
        assert (await world.offer(park, session))["state"] == "accepted", "rules go on"


async def test_a_deadline_waits_for_what_had_come_before_it(tmp_path: Path) -> None:
    """A lease that its park has renewed in time is not over because many others sent something."""
    async with open_world(tmp_path) as world:
        deal = await active(world, min_energy_wh=0)
        assert (await world.instruct(deal.park, deal.commitment_id)).status == 201
        await world.move(50)
        await world.telemetry(deal.owner, deal.vehicle_id, soc_pct=79)
        async with writer_held(world.agent.store):
            asked = [
                world.meter(deal.park, deal.session_id, -7_000, measured_at=world.at(at))
                for at in (-40, -30, -20, -10, 0)
            ]
            asked.append(world.instruct(deal.park, deal.commitment_id))
            tasks = []
            for each in asked:
                tasks.append(asyncio.ensure_future(each))
                await asyncio.sleep(0.1)
            world.clock.at += timedelta(seconds=11)
            tick = asyncio.ensure_future(world.agent.tick())
            await asyncio.sleep(0.2)
            # Who comes after the clock's word takes turns, and must not let it pass the park's.
            after = [
                asyncio.ensure_future(world.operate("pair", owner_id=deal.owner.party_id))
                for _ in range(12)
            ]
            await asyncio.sleep(0.2)
        *_, renewed = await asyncio.gather(*tasks)
        await asyncio.gather(tick, *after)
        assert renewed.status == 201, renewed.body
        shown = await deal.owner.get(f"/v1/commitments/{deal.commitment_id}")
        assert shown["state"] == "active"


async def answered(store: Store, by: str = "number") -> list[str]:
    """Return the operations whose answers were kept, in the order in which they were made."""
    rows = await store.read(lambda tx: tx.all(f"SELECT route FROM idempotency ORDER BY {by}"))  # noqa: S608 - a column of the caller
    return [row["route"] for row in rows]


def send_raw(opened: ExitStack, caller: Caller, path: str, body: Any, number: int) -> socket.socket:
    """Send a request on a connection of its own and wait for nothing."""
    text = json.dumps(body)
    host, port = caller.world.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    opened.enter_context(connection)
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {caller.token}\r\n"
        f"Idempotency-Key: the-key-of-number-{number}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}".encode()
    )
    return connection
