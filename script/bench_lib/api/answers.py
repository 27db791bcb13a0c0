"""How fast the API answers, beside bare aiohttp, the disk and the planner in the same run."""

import os
from pathlib import Path
import sqlite3
import statistics
import time

import orjson

from owner_api.planning.quote import parse_request, quote

from .goals import Figure
from .load import Load, request, run
from .processes import BenchError
from .stage import OwnerSide, Stage

# Sixty-four owners are sixty-four clients.
CLIENTS = 64
FEW_CLIENTS = 16
DECLINES = 16
FEW_DECLINES = 60
ACCEPTS = 3
READS = 60
EVENTS = 60
PAGE = 4_096
SYNCS = 200
QUOTES = 60
MS = 1e3


async def answers(
    stage: Stage, bare_port: int, folder: Path, repeats: int, slower: int
) -> list[Figure]:
    """Measure every goal about answers; `slower` sends each decline so often, for the self-test."""
    declines, posts, reads, gets, accepts, p99s, syncs = ([] for _ in range(7))
    body = orjson.dumps({"offer_id": "x" * 36, "revision": 1, "terms_sha256": "x" * 64})
    post = request("POST", "/", body, Authorization="Bearer " + "x" * 300)
    get = request("GET", "/", Authorization="Bearer " + "x" * 300)
    for _ in range(repeats):
        made = await stage.answers("decline", each=DECLINES)
        again = [[one for one in many for _ in range(slower)] for many in made]
        declines.append(_good(await run(stage.port, again), 201).per_s / slower)
        posts.append((await run(bare_port, [[post] * READS] * CLIENTS)).per_s)
        reads.append(_good(await run(stage.port, stage.reads("/v1/me", each=READS)), 200).per_s)
        gets.append((await run(bare_port, [[get] * READS] * CLIENTS)).per_s)
        made = await stage.answers("accept", each=ACCEPTS)
        accepts.append(_good(await run(stage.port, made), 201).per_s)
        made = await stage.answers("decline", each=-(-FEW_DECLINES * FEW_CLIENTS // CLIENTS))
        dealt = [
            [one for many in made[start::FEW_CLIENTS] for one in many]
            for start in range(FEW_CLIENTS)
        ]
        p99s.append(_good(await run(stage.port, dealt), 201).quantile(0.99))
        syncs.append(fdatasync_s(folder / "anchor"))
    quote_s = quote_time_s(folder / "owner.db")
    decline, accept = statistics.median(declines), statistics.median(accepts)
    p99, sync = statistics.median(p99s), statistics.median(syncs)
    return [
        _ratio("durable decline POST, 64 clients", 0.25, declines, posts, "bare POST"),
        Figure(
            name="accept, 64 clients",
            value=accept * (1 / decline + quote_s),
            goal=0.7,
            unit="x",
            detail=f"{accept:.0f}/s; a decline takes {MS / decline:.2f} ms, a quote"
            f" {quote_s * MS:.2f} ms",
        ),
        Figure(
            name="p99 of a decline, 16 clients",
            value=p99 / sync,
            goal=40,
            unit="x",
            detail=f"{p99 * MS:.1f} ms; fdatasync p50 {sync * MS:.2f} ms",
            at_most=True,
        ),
        _ratio("authenticated GET, 64 clients", 0.7, reads, gets, "bare GET"),
    ]


def _good(load: Load, status: int) -> Load:
    if set(load.statuses) != {status}:
        raise BenchError(f"answers other than {status}: {dict(load.statuses)}")
    return load


def _ratio(name: str, goal: float, ours: list[float], bare: list[float], peer: str) -> Figure:
    """Compare medians over the repeats, which took turns."""
    mine, other = statistics.median(ours), statistics.median(bare)
    detail = f"{mine:.0f}/s; {peer} {other:.0f}/s; median of {len(ours)}"
    return Figure(name=name, value=mine / other, goal=goal, unit="x", detail=detail)


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
