"""Streams: every event once and in order, whatever the connection does."""

import asyncio
from datetime import timedelta
from pathlib import Path
import random
import socket
from typing import Any

from aiohttp import ClientError
import pytest

from owner_api.config import Config
from owner_api.store import Store, Tx, outbox
from tests.owner_api.conftest import StillClock
from tests.owner_api.deal_world import open_world
from tests.owner_api.http_bench import Bench, bench, until
from tests.owner_api.sse import Event, events

# More than --fast has time for.
pytestmark = pytest.mark.slow

GUARD_S = 30


def emit(party: str, number: int, clock: StillClock, **more: Any) -> Any:
    """Return a command that adds one event."""
    return lambda tx: tx.emit(party, "noted", clock.now(), {"number": number} | more)


async def take(api: Bench, wanted: int, after: int | None, party: str = "own_a") -> list[Event]:
    """Open a stream, read ``wanted`` events and hang up."""
    headers = {"Authorization": f"Bearer owner:{party}"}
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    found: list[Event] = []
    async with asyncio.timeout(GUARD_S), api.client.get("/v1/events", headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        async for event in events(response):
            found.append(event)
            if len(found) == wanted:
                break
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_promise_10_random_disconnects_miss_and_repeat_nothing(
    store: Store, clock: StillClock, seed: int
) -> None:
    """Promise 10: lost links change nothing; 0 missing and 0 duplicate numbers."""
    total, chance = 400, random.Random(seed)  # noqa: S311 - a seeded test plan
    async with bench(store, clock) as api:

        async def write() -> None:
            for number in range(1, total + 1):
                await store.write(emit("own_a", number, clock))
                if chance.random() < 0.1:
                    await asyncio.sleep(0.001)

        writing = asyncio.create_task(write())
        seen: list[Event] = []
        while len(seen) < total:
            wanted = min(chance.randrange(1, 60), total - len(seen))
            seen += await take(api, wanted, seen[-1].seq if seen else 0)
        await writing
    assert [event.seq for event in seen] == list(range(1, total + 1))
    assert [event.body["data"]["number"] for event in seen] == list(range(1, total + 1))


async def test_an_event_says_its_version_number_kind_and_time(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        await store.write(emit("own_a", 7, clock))
        (event,) = await take(api, 1, 0)
    assert event.kind == "noted"
    assert event.body == {
        "v": 1,
        "seq": 1,
        "type": "noted",
        "at": "2026-12-01T05:30:00Z",
        "data": {"number": 7},
    }


async def test_without_a_number_a_stream_starts_at_the_head(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        await store.write(emit("own_a", 1, clock))
        headers = {"Authorization": "Bearer owner:own_a"}
        async with api.client.get("/v1/events", headers=headers) as response:
            # The answer's headers come after the head was read.
            await store.write(emit("own_a", 2, clock))
            assert (await anext(events(response))).seq == 2


async def test_each_stream_of_a_party_gets_every_event_and_nobody_elses(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        readers = [asyncio.create_task(take(api, 20, 0, party="own_a")) for _ in range(3)]
        for number in range(1, 21):
            await store.write(emit("own_a", number, clock))
            await store.write(emit("own_b", 1_000 + number, clock))
        for found in await asyncio.gather(*readers):
            assert [event.body["data"]["number"] for event in found] == list(range(1, 21))


async def test_promise_7_an_owners_stream_is_closed_to_a_park_of_another_name(
    store: Store, clock: StillClock
) -> None:
    """Promise 7: a stream is chosen by the token alone."""
    async with bench(store, clock) as api:
        await store.write(emit("own_a", 1, clock))
        await store.write(emit("prk_a", 2, clock))
        async with api.client.get(
            "/v1/events?after=0", headers={"Authorization": "Bearer park:prk_a"}
        ) as response:
            event = await anext(events(response))
        assert event.body["data"] == {"number": 2}


async def test_a_number_whose_followers_are_gone_is_told_so(
    store: Store, clock: StillClock
) -> None:
    async with bench(store, clock) as api:
        for number in range(1, 11):
            await store.write(emit("own_a", number, clock))
            clock.move(60)
        cutoff = clock.now() - timedelta(seconds=60 * 5)
        await store.write(lambda tx: outbox.prune(tx, events_before=cutoff, repeats_before=cutoff))
        answer = await api.send("GET", "/v1/events", headers={"Last-Event-ID": "4"})
        assert (answer.status, answer.code) == (410, "replay_window_passed")
        assert answer.json["current"] == {"oldest": 6, "last_event_id": 10}
        assert [event.seq for event in await take(api, 5, 5)] == [6, 7, 8, 9, 10]


async def test_numbers_go_on_after_everything_was_pruned(store: Store, clock: StillClock) -> None:
    async with bench(store, clock) as api:
        for number in range(1, 4):
            await store.write(emit("own_a", number, clock))
        late = clock.now() + timedelta(days=1)
        await store.write(lambda tx: outbox.prune(tx, events_before=late, repeats_before=late))
        await store.write(emit("own_a", 4, clock))
        assert [event.seq for event in await take(api, 1, 3)] == [4]


async def test_a_clock_that_stepped_back_leaves_no_hole_in_a_stream(
    store: Store, clock: StillClock
) -> None:
    """Promise 10: clock jumps change nothing; only the oldest end of a stream is forgotten."""
    await store.write(emit("own_a", 1, clock))
    clock.move(-7_200)
    await store.write(emit("own_a", 2, clock))
    cutoff = clock.now() + timedelta(seconds=3_600)
    await store.write(lambda tx: outbox.prune(tx, events_before=cutoff, repeats_before=cutoff))
    rows = await store.read(lambda tx: outbox.after(tx, "own_a", 0, 10))
    assert [row.seq for row in rows] == [1, 2]


async def test_pruning_goes_on_behind_what_a_clock_wrote_that_was_ahead(
    store: Store, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "PRUNE_AT_ONCE", 10)
    monkeypatch.setattr(outbox, "_GOES_ON", 5)
    cutoff = clock.now() + timedelta(seconds=60)

    def fill(tx: Tx) -> None:
        tx.emit("own_b", "ahead", cutoff + timedelta(days=1), {})
        for _ in range(25):
            tx.emit("own_a", "old", clock.now(), {})

    def pruned(tx: Tx) -> tuple[bool, int]:
        more = outbox.prune(tx, events_before=cutoff, repeats_before=cutoff)
        return more, len(outbox.after(tx, "own_a", 0, 100))

    await store.write(fill)
    told = [await store.write(pruned) for _ in range(4)]
    assert told == [(True, 16), (True, 7), (True, 0), (False, 0)]
    assert len(await store.read(lambda tx: outbox.after(tx, "own_b", 0, 10))) == 1


@pytest.mark.parametrize("number", ["99", "-1", "1.5", "x", "1" * 30])
async def test_a_number_we_never_gave_out_is_refused(
    store: Store, clock: StillClock, number: str
) -> None:
    async with bench(store, clock) as api:
        await store.write(emit("own_a", 1, clock))
        answer = await api.send("GET", "/v1/events", headers={"Last-Event-ID": number})
        assert answer.code in ("replay_window_passed", "invalid_parameter")


async def test_a_quiet_stream_gets_heartbeats(store: Store, clock: StillClock) -> None:
    async with bench(store, clock, Config(heartbeat_s=0.05)) as api:
        headers = {"Authorization": "Bearer owner:own_a"}
        async with (
            asyncio.timeout(GUARD_S),
            api.client.get("/v1/events", headers=headers) as response,
        ):
            comments = 0
            async for line in response.content:
                comments += line.startswith(b":")
                if comments == 3:
                    break
    assert comments == 3


async def test_a_client_that_does_not_read_is_dropped_and_resumes(
    store: Store, clock: StillClock
) -> None:
    config = Config(stream_write_timeout_s=0.2, stream_buffer_bytes=4_096)
    total, padding = 300, "x" * 40_000
    async with bench(store, clock, config) as api:
        with socket.socket() as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            lazy.connect(("127.0.0.1", api.port))
            lazy.sendall(
                b"GET /v1/events?after=0 HTTP/1.1\r\nHost: x\r\n"
                b"Authorization: Bearer owner:own_a\r\n\r\n"
            )
            async with asyncio.timeout(GUARD_S):
                await until(lambda: api.hub.streams == 1)
                for number in range(1, total + 1):
                    await store.write(emit("own_a", number, clock, padding=padding))
                await until(lambda: api.hub.streams == 0)
        assert [event.seq for event in await take(api, total, 0)] == list(range(1, total + 1))


async def test_a_device_shut_out_is_cut_off_before_the_next_event(
    store: Store, clock: StillClock
) -> None:
    """A revocation ends the device's open streams; the owner's other devices go on."""

    def arrange(tx: Any) -> None:
        tx.insert(
            "owner",
            owner_id="own_a",
            revision=1,
            display_name="A",
            time_zone="UTC",
            language="en",
            currency="CNY",
            created_at=clock.now(),
        )
        for device in ("dev_1", "dev_2"):
            tx.insert(
                "device",
                device_id=device,
                owner_id="own_a",
                display_name=device,
                kind="phone",
                token_epoch=0,
                paired_at=clock.now(),
            )

    def revoke(tx: Any) -> None:
        tx.update("device", {"device_id": "dev_1"}, revoked_at=clock.now(), token_epoch=1)
        tx.emit("own_a", "device.revoked", clock.now(), {"device_id": "dev_1"})

    async with bench(store, clock) as api:
        await store.write(arrange)

        async def follow(device: str) -> list[str]:
            headers = {"Authorization": f"Bearer owner:own_a:{device}:0", "Last-Event-ID": "0"}
            kinds: list[str] = []
            async with api.client.get("/v1/events", headers=headers) as response:
                async for event in events(response):
                    kinds.append(event.kind)
                    if event.kind == "last":
                        break
            return kinds

        shut_out, other = (asyncio.create_task(follow(name)) for name in ("dev_1", "dev_2"))
        await until(lambda: api.hub.streams == 2)
        await store.write(revoke)
        async with asyncio.timeout(GUARD_S):
            # It ends although nothing else happens: the revocation itself wakes the stream.
            assert await shut_out == []
        await store.write(lambda tx: tx.emit("own_a", "last", clock.now(), {}))
        assert await other == ["device.revoked", "last"]
        refused = await api.send("GET", "/v1/things", caller="owner:own_a:dev_1:0")
        assert refused.status == 401


async def test_a_device_that_gets_a_new_token_makes_no_stream_look_whether_it_is_shut_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ten thousand homes eleven do so each second; all read the store for each of them."""
    async with open_world(tmp_path) as world, asyncio.timeout(GUARD_S):
        owners = [await world.add_owner() for _ in range(3)]
        opened = []
        for each in owners:
            headers = {"Authorization": f"Bearer {each.token}"}
            opened.append(await world.http.get(f"{world.url}/v1/events", headers=headers))
            # From here on it has read all there is, and the hub writes to it.
            await opened[-1].content.readuntil(b"retry: 2000\n\n")
        await asyncio.sleep(0.1)
        read, reads = Store.read, []

        def note(party_id: str) -> Any:
            return lambda tx: tx.emit(party_id, "noted", world.clock.now(), {})

        async def counted(store: Store, work: Any, **how: Any) -> Any:
            reads.append(work)
            return await read(store, work, **how)

        monkeypatch.setattr(Store, "read", counted)
        await owners[0].renew()
        for each in owners:
            await world.agent.store.write(note(each.party_id))
        for response in opened:
            await response.content.readuntil(b"event: noted\n")
        assert reads == []


async def test_a_party_has_only_so_many_streams(store: Store, clock: StillClock) -> None:
    async with bench(store, clock, Config(max_streams_per_party=2)) as api:
        headers = {"Authorization": "Bearer owner:own_a"}
        async with (
            api.client.get("/v1/events", headers=headers),
            api.client.get("/v1/events", headers=headers),
        ):
            third = await api.send("GET", "/v1/events")
            assert (third.status, third.code) == (429, "rate_limited")
            async with api.client.get(
                "/v1/events", headers={"Authorization": "Bearer owner:own_b"}
            ) as another_party:
                assert another_party.status == 200


async def test_stopping_the_server_ends_its_streams(store: Store, clock: StillClock) -> None:
    async with bench(store, clock, Config(shutdown_timeout_s=30)) as api:
        headers = {"Authorization": "Bearer owner:own_a"}
        response = await api.client.get("/v1/events", headers=headers)
        async with asyncio.timeout(GUARD_S):
            api.hub.close()
            with pytest.raises((StopAsyncIteration, ClientError)):
                await anext(events(response))
        again = await api.send("GET", "/v1/events")
        assert (again.status, again.headers["Retry-After"]) == (503, "5")


async def test_promise_4_a_stream_ends_with_its_token_and_goes_on_under_the_next(
    tmp_path: Path,
) -> None:
    """Nothing is delivered on the word of a token that has expired, and nothing is missed."""
    async with open_world(tmp_path, Config(heartbeat_s=0.1)) as world:
        owner = await world.add_owner()
        store, clock, url = world.agent.store, world.clock, f"{world.url}/v1/events"

        def headers(after: int) -> dict[str, str]:
            return {"Authorization": f"Bearer {owner.token}", "Last-Event-ID": str(after)}

        def note(number: int) -> Any:
            return lambda tx: tx.emit(owner.party_id, "noted", clock.now(), {"number": number})

        async with asyncio.timeout(GUARD_S):
            async with world.http.get(url, headers=headers(0)) as response:
                read = events(response)
                await store.write(note(1))
                first = await anext(each async for each in read if each.kind == "noted")
                clock.at += timedelta(seconds=899)
                await store.write(note(2))
                second = await anext(read)
                clock.at += timedelta(seconds=1)
                await store.write(note(3))
                assert [each async for each in read] == []
            await owner.renew()
            async with world.http.get(url, headers=headers(second.seq)) as response:
                read = events(response)
                third = await anext(read)
                # A quiet one ends by itself too.
                clock.at += timedelta(seconds=901)
                assert [each async for each in read] == []
    assert [event.body["data"]["number"] for event in (first, second, third)] == [1, 2, 3]
