"""An export is sent as it is read: its size costs no memory, and nobody holds the log for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
import json
from pathlib import Path
import socket
import sqlite3
import tracemalloc
from typing import Any

import aiohttp
import pytest

from owner_api.config import Config
from owner_api.store import Tx

from .deal_world import Caller, World, open_world

# More than --fast has time for.
pytestmark = pytest.mark.slow

GUARD_S = 30
PADDING = "x" * 40_000
MANY = 400
TIGHT: dict[str, Any] = {"rate_per_s": 1e6, "rate_burst": 10**7, "public_rate_burst": 10**6}


def note(tx: Tx, world: World, owner_id: str, many: int) -> None:
    for _ in range(many):
        tx.emit(owner_id, "noted", world.clock.now(), {"padding": PADDING})


async def with_much(world: World, name: str = "Li Wei") -> Caller:
    """Add an owner of whom 16 MB are known."""
    owner = await world.add_owner(name)
    await world.agent.store.write(partial(note, world=world, owner_id=owner.party_id, many=MANY))
    return owner


def asking(world: World, owner: Caller) -> Any:
    headers = {"Authorization": f"Bearer {owner.token}"}
    return world.http.get(f"{world.url}/v1/export", headers=headers)


@asynccontextmanager
async def not_reading(world: World, owner: Caller) -> AsyncIterator[socket.socket]:
    """Ask for an export over a connection of which only the first bytes are read."""
    loop = asyncio.get_running_loop()
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        lazy.setblocking(False)  # noqa: FBT003 - socket's own
        await loop.sock_connect(lazy, ("127.0.0.1", int(world.url.rpartition(":")[2])))
        request = (
            f"GET /v1/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {owner.token}\r\n\r\n"
        )
        await loop.sock_sendall(lazy, request.encode())
        async with asyncio.timeout(GUARD_S):
            assert (await loop.sock_recv(lazy, 15)) == b"HTTP/1.1 200 OK"
        yield lazy


async def freed(world: World, owner: Caller) -> dict[str, Any]:
    """Return the owner's next export, as soon as the one before has given its place back."""
    async with asyncio.timeout(GUARD_S):
        # A server tells nobody that a place was given back, or a state let go of.
        while (answer := await owner.call("GET", "/v1/export")).status == 429:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert answer.status == 200
        # The reader of this answer lets go of its state after the last byte has left.
        while not await asyncio.to_thread(log_can_begin_anew, world.database):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return dict(answer.body)


def log_can_begin_anew(database: Path) -> bool:
    """Tell whether no reader holds an old state."""
    connection = sqlite3.connect(database)
    try:
        return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
    finally:
        connection.close()


async def test_an_export_takes_a_few_pieces_of_memory_however_long_it_is(tmp_path: Path) -> None:
    """A year of readings took 2 GB, and the unit allows 1 GB for all owners together."""
    async with open_world(tmp_path) as world:
        owner = await with_much(world)
        length = 0
        tracemalloc.start()
        try:
            async with asyncio.timeout(GUARD_S), asking(world, owner) as answer:
                async for piece in answer.content.iter_any():
                    length += len(piece)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert length > MANY * len(PADDING)
    assert peak < length / 4


@pytest.mark.parametrize("alone", [False, True], ids=["shared", "kept by the server alone"])
async def test_an_export_is_one_state_whatever_is_written_while_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, alone: bool
) -> None:
    if alone:
        safe = "owner_api.store.store.several_connections_are_safe"
        monkeypatch.setattr(safe, lambda _version: False)
    async with open_world(tmp_path) as world:
        owner = await with_much(world)
        await world.add_vehicle(owner)
        async with asyncio.timeout(GUARD_S), asking(world, owner) as answer:
            begun = await answer.content.readany()
            headers = dict(answer.headers)
            await world.agent.store.write(
                partial(note, world=world, owner_id=owner.party_id, many=1)
            )
            document = json.loads(begun + await answer.content.read())
        left = await asyncio.to_thread(lambda: list(tmp_path.glob(".*")))
        later = await owner.get("/v1/export")
    events = document["tables"]["outbox"]
    assert left == []
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"] == "application/json"
    assert len(later["tables"]["outbox"]) == len(events) + 1
    assert document["tables"]["vehicle"] == later["tables"]["vehicle"]
    assert document["owner_id"] == owner.party_id


async def test_an_owner_has_one_export_at_a_time_and_the_server_a_few(tmp_path: Path) -> None:
    async with open_world(tmp_path, Config(**TIGHT, max_exports=1)) as world:
        owner, other = await with_much(world), await world.add_owner("Someone else")
        async with not_reading(world, owner):
            mine = await owner.call("GET", "/v1/export")
            theirs = await other.call("GET", "/v1/export")
        await freed(world, owner)
        assert (await other.call("GET", "/v1/export")).status == 200
    assert (mine.status, mine.body["code"]) == (429, "rate_limited")
    assert mine.body["detail"] == "Exports under way at once for an owner: at most 1."
    assert (theirs.status, theirs.body["code"]) == (503, "unavailable")
    assert theirs.body["detail"] == "Exports under way at once on this server: at most 1."
    for answer in (mine, theirs):
        assert int(answer.headers["Retry-After"]) > 0


async def test_a_client_that_does_not_read_loses_its_export(tmp_path: Path) -> None:
    config = Config(**TIGHT, stream_write_timeout_s=0.5, stream_buffer_bytes=4_096)
    async with open_world(tmp_path, config) as world:
        owner = await with_much(world)
        async with not_reading(world, owner):
            await freed(world, owner)


async def test_a_client_that_goes_away_gives_the_reader_free(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        owner = await with_much(world)
        async with not_reading(world, owner):
            pass
        await freed(world, owner)


async def test_an_export_that_is_not_read_to_its_end_in_time_gives_the_log_free(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config(**TIGHT, export_timeout_s=3, stream_write_timeout_s=300)
    async with open_world(tmp_path, config) as world:
        owner = await with_much(world)
        async with not_reading(world, owner):
            await freed(world, owner)
    assert "took too long to read it" in caplog.text
    assert owner.party_id not in caplog.text


async def test_a_device_that_is_shut_out_gets_no_more_of_its_export(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        owner = await with_much(world)
        (device,) = (await owner.get("/v1/devices"))["items"]
        async with asyncio.timeout(GUARD_S), asking(world, owner) as answer:
            await answer.content.readany()
            await world.operate("device revoke", device_id=device["device_id"])
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.content.read()


async def test_a_server_that_stops_does_not_wait_for_whoever_reads_an_export(
    tmp_path: Path,
) -> None:
    config = Config(**TIGHT, shutdown_timeout_s=0.2)
    async with open_world(tmp_path, config) as world:
        owner = await with_much(world)
        async with not_reading(world, owner), asyncio.timeout(10):
            await world.agent.stop()
    assert await asyncio.to_thread(log_can_begin_anew, tmp_path / "owner.db")
