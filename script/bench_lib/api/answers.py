"""How fast the API answers, beside bare aiohttp, the disk and the planner in the same run."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
import os
from pathlib import Path
import sqlite3
import statistics
import time

import orjson

from owner_api.planning.quote import parse_request, quote

from .goals import Figure
from .load import Load, Loader, request
from .processes import BenchError
from .stage import OwnerSide, Stage

CLIENTS = 64
# A client speaks for several owners, one after the other: of one owner's offers that are open at a
# time the first yes has the others judged again, and one answer each would be over before all
# clients are under way.
OWNERS = 8 * CLIENTS
FEW_CLIENTS = 16
# Of each owner.
DECLINES = 8
FEW_DECLINES = 2
ACCEPTS = 3
READS = 60
# A machine's pace changes within seconds: both sides are measured in pieces that take turns.
PIECES = 2
# What the server does once nobody asks, as moving its log, must not slow what is measured next.
REST_S = 0.5
EVENTS = 60
PAGE = 4_096
SYNCS = 200
QUOTES = 60
MS = 1e3

type Requests = list[list[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: answers per second of ours and of the anchors, and times in s."""

    decline: float
    post: float
    read: float
    get: float
    accept: float
    p99_s: float
    sync_s: float
    quote_s: float

    @property
    def accept_ratio(self) -> float:
        """An accept beside a decline and a quote, one after the other."""
        return self.accept * (1 / self.decline + self.quote_s)


async def answers(
    stage: Stage, loader: Loader, bare_port: int, folder: Path, repeats: int, slower: int
) -> list[Figure]:
    """Measure every goal about answers; `slower` sends each decline so often, for the self-test."""
    rounds = [await _round(stage, loader, bare_port, folder, slower) for _ in range(repeats)]
    accept = statistics.median(each.accept for each in rounds)
    decline_s = statistics.median(1 / each.decline for each in rounds)
    quote_s = statistics.median(each.quote_s for each in rounds)
    p99_s = statistics.median(each.p99_s for each in rounds)
    sync_s = statistics.median(each.sync_s for each in rounds)
    return [
        _beside(
            "durable decline POST, 64 clients",
            0.25,
            [each.decline for each in rounds],
            [each.post for each in rounds],
            "bare POST",
        ),
        Figure(
            name="accept, 64 clients",
            value=statistics.median(each.accept_ratio for each in rounds),
            goal=0.7,
            unit="x",
            detail=f"{accept:.0f}/s; a decline takes {decline_s * MS:.2f} ms, a quote"
            f" {quote_s * MS:.2f} ms",
        ),
        Figure(
            name="p99 of a decline, 16 clients",
            value=statistics.median(each.p99_s / each.sync_s for each in rounds),
            goal=40,
            unit="x",
            detail=f"{p99_s * MS:.1f} ms; fdatasync p50 {sync_s * MS:.2f} ms",
            at_most=True,
        ),
        _beside(
            "authenticated GET, 64 clients",
            0.7,
            [each.read for each in rounds],
            [each.get for each in rounds],
            "bare GET",
        ),
    ]


def _beside(name: str, goal: float, ours: list[float], bare: list[float], peer: str) -> Figure:
    """Compare the two sides of each round; the median of the rounds' ratios is judged."""
    ratios = [mine / other for mine, other in zip(ours, bare, strict=True)]
    detail = f"{statistics.median(ours):.0f}/s; {peer} {statistics.median(bare):.0f}/s"
    spread = f"{min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds"
    value = statistics.median(ratios)
    return Figure(name=name, value=value, goal=goal, unit="x", detail=f"{detail}; {spread}")


async def _round(stage: Stage, loader: Loader, bare_port: int, folder: Path, slower: int) -> Round:
    body = orjson.dumps({"offer_id": "x" * 36, "revision": 1, "terms_sha256": "x" * 64})
    token = "Bearer " + "x" * 300
    post = request("POST", "/", body, Authorization=token)
    get = request("GET", "/", Authorization=token)
    made = _spread(await stage.answers("decline", each=DECLINES), CLIENTS)
    again = [[one for one in many for _ in range(slower)] for many in made]
    decline, posts = await _in_turns(
        loader, (stage.port, again, 201), (bare_port, [[post] * READS * PIECES] * CLIENTS, 201)
    )
    asked = stage.reads("/v1/me", each=READS)[:CLIENTS]
    read, gets = await _in_turns(
        loader, (stage.port, asked, 200), (bare_port, [[get] * READS] * CLIENTS, 200)
    )
    accepts = []
    for _ in range(ACCEPTS):
        made = _spread(await stage.answers("accept", each=1), CLIENTS)
        accepts.append(_good(await loader.run(stage.port, made), 201))
    accept = _per_s(accepts)
    quote_s = quote_time_s(folder / "owner.db")
    made = _spread(await stage.answers("decline", each=FEW_DECLINES), FEW_CLIENTS)
    p99_s = _good(await loader.run(stage.port, made), 201).quantile(0.99)
    await asyncio.sleep(REST_S)
    return Round(
        decline=decline / slower,
        post=posts,
        read=read,
        get=gets,
        accept=accept,
        p99_s=p99_s,
        sync_s=fdatasync_s(folder / "anchor"),
        quote_s=quote_s,
    )


async def _in_turns(
    loader: Loader, ours: tuple[int, Requests, int], bare: tuple[int, Requests, int]
) -> tuple[float, float]:
    """Send both sides' requests in pieces that take turns; return how many were answered per s."""
    loads: tuple[list[Load], list[Load]] = [], []
    for piece in range(PIECES):
        for load, (port, requests, status) in zip(loads, (ours, bare), strict=True):
            part = [_piece(each, piece) for each in requests]
            load.append(_good(await loader.run(port, part), status))
            await asyncio.sleep(REST_S if load is loads[0] else 0)
    return _per_s(loads[0]), _per_s(loads[1])


def _spread(of_owners: Requests, clients: int) -> Requests:
    """Let each client send the requests of several owners, one after the other."""
    return [[one for many in of_owners[first::clients] for one in many] for first in range(clients)]


def _piece(requests: list[bytes], piece: int) -> list[bytes]:
    size = len(requests) // PIECES
    return requests[piece * size : (piece + 1) * size]


def _per_s(loads: Iterable[Load]) -> float:
    counts = [(len(load.latencies), load.wall_s) for load in loads]
    return sum(count for count, _ in counts) / sum(wall_s for _, wall_s in counts)


def _good(load: Load, status: int) -> Load:
    if set(load.statuses) != {status}:
        raise BenchError(f"answers other than {status}: {dict(load.statuses)}")
    return load


def fdatasync_s(path: Path) -> float:
    """Return the median time in s of an append of 4 KiB that reaches the disk."""
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            begun = time.perf_counter()
            file.write(b"x" * PAGE)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    return statistics.median(times)


def quote_time_s(database: Path) -> float:
    """Return the median time in s of the quotes that stand behind the accepted offers."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        query = "SELECT quote_request FROM commitment ORDER BY random() LIMIT ?"
        rows = connection.execute(query, (QUOTES,)).fetchall()
    connection.close()
    requests = [parse_request(orjson.loads(row[0])) for row in rows]
    times = []
    for each in requests:
        begun = time.perf_counter()
        quote(each)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


async def offer_to_event(stage: Stage, owner: OwnerSide) -> Figure:
    """Measure from a park's POST of an offer until the owner's stream holds it."""
    head = int((await owner.client.get("/v1/snapshot"))["last_event_id"])
    events = owner.client.events(head)
    times = []
    for _ in range(EVENTS):
        begun = time.perf_counter()
        await stage.park.post("/v1/park/offers", stage.offer_body(owner))
        async for _seq, kind, _data in events:
            if kind == "offer.presented":
                times.append(time.perf_counter() - begun)
                break
    p50 = statistics.median(times)
    return Figure(
        name="offer POST to event on the owner's stream, p50",
        value=p50 * MS,
        goal=5,
        unit=" ms",
        detail=f"{EVENTS} offers, slowest {max(times) * MS:.1f} ms",
        at_most=True,
    )
