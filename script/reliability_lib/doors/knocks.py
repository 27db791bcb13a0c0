"""Ways to knock: each returns what it saw, and whether the door held."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import aiohttp

from script.reliability_lib.report import percentile
from tests.owner_api import test_tokens as tokens
from tests.owner_api.access_server import running

from .server import BODY_S, KEEPALIVE_S, MOST, Served

# A busy machine may be late; nobody may hold a connection for this much longer than allowed.
SLACK_S: Final = 6.0
HUGE: Final = 1 << 34
CHUNK: Final = 65_536
IDLE: Final = 10_000
MOST_KIB_EACH: Final = 16.0


@dataclass(frozen=True, kw_only=True)
class Knock:
    """What one way of knocking came to."""

    name: str
    saw: str
    held: bool


async def _post(served: Served, extra: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(
        f"POST /v1/vehicles HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token}\r\n"
        f"Idempotency-Key: k\r\nContent-Type: application/json\r\n{extra}\r\n\r\n".encode()
    )
    await writer.drain()
    return reader, writer


async def _until_closed(reader: asyncio.StreamReader, most_s: float) -> tuple[bytes, float]:
    """Read to the end; return what came and after how long the server closed (inf: never)."""
    began, came = monotonic(), b""
    try:
        async with asyncio.timeout(most_s):
            while piece := await reader.read(CHUNK):
                came += piece
    except TimeoutError:
        return came, float("inf")
    except ConnectionError:
        pass
    return came, monotonic() - began


async def slow_header(served: Served) -> Knock:
    """Begin a request and never end its head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"POST /v1/vehicles HTTP/1.1\r\nHost: x\r\nAuthor")
    _, took = await _until_closed(reader, KEEPALIVE_S + SLACK_S)
    writer.close()
    held = took <= KEEPALIVE_S + SLACK_S
    return Knock(name="slow header", saw=f"closed after {took:.1f} s", held=held)


async def dribbled_header(served: Served) -> Knock:
    """Send the head one byte at a time, for ever."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)

    async def dribble() -> None:
        writer.write(b"GET /v1/me HTTP/1.1\r\nX: ")
        with suppress(ConnectionError):
            while True:
                writer.write(b"a")
                await writer.drain()
                await asyncio.sleep(0.2)

    task = asyncio.create_task(dribble())
    _, took = await _until_closed(reader, KEEPALIVE_S + SLACK_S)
    task.cancel()
    writer.close()
    held = took <= KEEPALIVE_S + SLACK_S
    return Knock(name="head sent byte by byte", saw=f"closed after {took:.1f} s", held=held)


async def slow_body(served: Served, *, dribble: bool, allowed_s: float = BODY_S) -> Knock:
    """Announce a body and send nothing of it, or a byte now and then."""
    reader, writer = await _post(served, "Content-Length: 5000")

    async def send() -> None:
        with suppress(ConnectionError):
            while dribble:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.2)

    task = asyncio.create_task(send())
    came, took = await _until_closed(reader, allowed_s + SLACK_S)
    task.cancel()
    writer.close()
    status = came.split(b" ")[1].decode() if came else "nothing"
    name = "body sent byte by byte" if dribble else "slow body"
    held = status == "408" and took <= allowed_s + SLACK_S
    return Knock(name=name, saw=f"{status}, closed after {took:.1f} s", held=held)


async def huge_body(served: Served, *, chunked: bool) -> Knock:
    """Send 16 GiB, announced or in chunks, until somebody hangs up."""
    before = served.rss_kib()
    head = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {HUGE}"
    reader, writer = await _post(served, head)
    sent = 0

    async def send() -> None:
        nonlocal sent
        piece = b" " * CHUNK
        framed = b"%x\r\n%s\r\n" % (CHUNK, piece) if chunked else piece
        with suppress(ConnectionError):
            while sent < HUGE:
                writer.write(framed)
                await writer.drain()
                sent += CHUNK

    task = asyncio.create_task(send())
    came, took = await _until_closed(reader, SLACK_S)
    task.cancel()
    writer.close()
    grown = served.rss_kib() - before
    status = came.split(b" ")[1].decode() if came else "closed"
    name = f"huge body, {'in chunks' if chunked else 'announced'}"
    saw = f"{status}, closed after {took:.1f} s; {sent >> 20} MiB thrown away, memory +{grown} KiB"
    held = status in ("413", "closed") and took <= SLACK_S and grown < 8 * 1024
    return Knock(name=name, saw=saw, held=held)


async def huge_head(served: Served, head: bytes, name: str) -> Knock:
    """Send a head that nobody honest sends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    with suppress(ConnectionError):
        writer.write(b"GET /v1/me HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
        await writer.drain()
    came, took = await _until_closed(reader, KEEPALIVE_S + SLACK_S)
    writer.close()
    status = came.split(b" ")[1].decode() if came else "closed"
    held = took <= KEEPALIVE_S + SLACK_S and status in ("400", "401", "431", "closed")
    return Knock(name=name, saw=f"{status}, closed after {took:.1f} s", held=held)


async def idle_crowd(served: Served, crowd: int = IDLE) -> Knock:
    """Open thousands of connections and say nothing; somebody welcome is served meanwhile."""
    before = served.rss_kib()
    waits: list[float] = []
    gate = asyncio.Semaphore(500)

    async def knock() -> asyncio.StreamReader:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
            open_writers.append(writer)
            return reader

    open_writers: list[asyncio.StreamWriter] = []
    async with aiohttp.ClientSession() as http:
        gathering = asyncio.gather(*(knock() for _ in range(crowd)))
        while not gathering.done():
            waits.append(await served.welcome(http))
            await asyncio.sleep(0.05)
        readers, peak, at_once = await gathering, served.rss_kib(), served.held()
        closing = asyncio.gather(*(_until_closed(each, 90) for each in readers))
        while not closing.done():
            waits.append(await served.welcome(http))
            await asyncio.sleep(0.05)
    closed = sum(took < float("inf") for _, took in await closing)
    for writer in open_writers:
        writer.close()
    each = (peak - before) / crowd
    held = closed == crowd and at_once >= crowd and each <= MOST_KIB_EACH
    slowest, middle = max(waits) * 1000, percentile(waits, 0.5) * 1000
    saw = (
        f"{crowd} opened, {at_once} files held at once, {closed} closed by the server,"
        f" {each:.1f} KiB each; {len(waits)} others served meanwhile, p50 {middle:.0f} ms,"
        f" slowest {slowest:.0f} ms"
    )
    return Knock(name="idle connections", saw=saw, held=held)


async def silent_handshakes(served: Served) -> Knock:
    """Connect to a server under TLS and never shake hands, more often than it may hold."""
    crowd = MOST + 100
    async with aiohttp.ClientSession() as http:
        await served.welcome(http)
        opened = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(crowd)]
        ends = (_until_closed(reader, KEEPALIVE_S + SLACK_S) for reader, _ in opened)
        closing = asyncio.gather(*ends)
        await asyncio.sleep(1)
        at_once, waited = served.held(), await served.welcome(http)
        times = [took for _, took in await closing]
    for _, writer in opened:
        writer.close()
    hung_up = sum(took < 1 for took in times)
    ended = sum(took < float("inf") for took in times)
    saw = (
        f"{crowd} beyond {MOST}: {hung_up} hung up on at once, {at_once} files held, {ended}"
        f" ended after at most {max(times):.1f} s; others served in {waited * 1000:.0f} ms"
    )
    held = hung_up >= 100 and ended == crowd
    return Knock(name="handshakes that never come", saw=saw, held=held)


async def too_many(served: Served) -> Knock:
    """Open more connections than the server may hold; who was there before is served on."""
    crowd = MOST + 100
    async with aiohttp.ClientSession() as http:
        await served.welcome(http)
        opened = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(crowd)]
        closings = [_until_closed(reader, 1.0) for reader, _ in opened]
        hung_up = sum(took < 1 for _, took in await asyncio.gather(*closings))
        took = await served.welcome(http)
        for _, writer in opened:
            writer.close()
    saw = f"{crowd} opened, {hung_up} hung up on at once; a client from before served in"
    return Knock(
        name="more than may be held",
        saw=f"{saw} {took * 1000:.0f} ms",
        held=hung_up >= 100,
    )


async def hostile_tokens(folder: Path, *, with_a_genuine_one: bool = False) -> Knock:
    """Show every forged token we can think of; each must be answered 401."""
    async with running(folder / "tokens.db", failure_burst=1000) as server:
        device = await server.device(await server.add_owner())
        body = tokens.read_claims(device["access_token"])
        forged = dict(tokens.HOSTILE)
        if with_a_genuine_one:
            forged["an honest one"] = tokens.genuine
        passed = []
        for name, forge in forged.items():
            answer = await server.call("GET", "/v1/me", token=forge(server, body))
            if answer.status != 401:
                passed.append(f"{name}: {answer.status}")
        honest = await server.call("GET", "/v1/me", token=tokens.genuine(server, body))
    saw = f"{len(forged)} tokens, {len(forged) - len(passed)} answered 401 {passed or ''}"
    held = not passed and honest.status == 200 and len(forged) >= 40
    return Knock(name="hostile tokens", saw=saw.strip(), held=held)


async def reused_refresh(folder: Path) -> Knock:
    """Use a refresh token again after its grace, when a thief has gone on: both are shut out."""
    async with running(folder / "refresh.db") as server:
        device = await server.device(await server.add_owner())
        stolen = await server.refresh(device["refresh_token"])
        first = await server.refresh(stolen.body["refresh_token"])
        server.clock.move(11)
        again = await server.refresh(device["refresh_token"])
        dead = await server.call("GET", "/v1/me", token=first.body["access_token"])
    seen = (first.status, again.status, dead.status)
    saw = f"used {seen[0]}, used again {seen[1]}, the thief's own token {seen[2]}"
    return Knock(name="refresh token used twice", saw=saw, held=seen == (200, 400, 401))


async def guessed_codes(folder: Path) -> Knock:
    """Guess at tokens until the address is held up; a valid token goes on."""
    async with running(folder / "guess.db") as server:
        device = await server.device(await server.add_owner())
        guess = "A"
        statuses = [(await server.call("GET", "/v1/me", token=guess)).status for _ in range(100)]
        valid = await server.call("GET", "/v1/me", token=device["access_token"])
    refused, held_up = statuses.count(401), statuses.count(429)
    saw = f"{refused} guesses answered 401, {held_up} held up, a valid token {valid.status}"
    held = refused + held_up == 100 and held_up > 0 and valid.status == 200
    return Knock(name="guessing from one address", saw=saw, held=held)


type Way = Callable[[Served], Awaitable[Knock]]

WAYS: Final[tuple[Way, ...]] = (
    too_many,
    slow_header,
    dribbled_header,
    lambda served: slow_body(served, dribble=False),
    lambda served: slow_body(served, dribble=True),
    lambda served: huge_body(served, chunked=False),
    lambda served: huge_body(served, chunked=True),
    lambda served: huge_head(served, b"X: " + b"a" * (1 << 20), "header of 1 MiB"),
    lambda served: huge_head(
        served, b"\r\n".join(b"X%d: a" % n for n in range(20_000)), "20,000 headers"
    ),
)
