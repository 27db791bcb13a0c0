"""Start and end the server under many streams, then hold what they heard against the outbox."""

import asyncio
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
import hashlib
import itertools
from pathlib import Path
import random
import signal
import sqlite3
import subprocess
import sys
from typing import Final

import orjson

from owner_api.access.keys import load_keys
from owner_api.access.tokens import Role, Tokens
from script.reliability_lib.command_line import ROOT
from script.reliability_lib.stage import DATABASE, Plan, prepare

from .frames import said
from .reader import Links, Reader, Server

_OWNERS: Final = 7
_LIFE_S: Final = (2.0, 5.0)
_DOWN_S: Final = 0.3
_CATCH_UP_S: Final = 60


@dataclass
class Found:
    """What the streams came to."""

    streams: int = 0
    killed: int = 0
    ended: int = 0
    links: Links = field(default_factory=Links)
    outbox: int = 0
    heard: int = 0
    missed: int = 0
    repeated: int = 0
    disordered: int = 0
    differ: int = 0


class Life:
    """The server process, started again and again on one database."""

    def __init__(self, folder: Path, found: Found, chance: random.Random) -> None:
        self.server = Server()
        self._folder = folder
        self._found = found
        self._chance = chance
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Serve; the readers learn the new address."""
        words = (str(self._folder / DATABASE), str(self._chance.getrandbits(30)))
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "script.reliability_lib.streams.served", *words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )
        port = int(await self._line())
        self.server.starts += 1
        self.server.url = f"http://127.0.0.1:{port}"

    async def end(self) -> None:
        """Kill it, or let it stop in order."""
        assert self._process is not None
        self.server.url = None
        if self._chance.random() < 0.5:
            self._found.killed += 1
            self._process.send_signal(signal.SIGKILL)
        else:
            self._found.ended += 1
            self._process.send_signal(signal.SIGTERM)
            assert self._process.stdin is not None
            self._process.stdin.close()
        await self._process.wait()

    async def quiet(self) -> None:
        """Let no more events happen."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"quiet\n")
        while await self._line() != "quiet":
            pass

    async def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, "the server is gone"
        return line.decode().strip()


async def follow(
    folder: Path, seconds: float, *, each: int, seed: int, slip: int = 0, resumes: int = 0
) -> tuple[Found, list[Reader]]:
    """Let ``each`` streams of every party lose their links for so long, then catch up.

    On a slow machine it goes on until so many ``resumes`` have come about.
    """
    found, chance = Found(), random.Random(seed)  # noqa: S311 - a plan to repeat
    plan = await prepare(folder, owners=_OWNERS, offers=0, at=datetime.now(UTC))
    life = Life(folder, found, chance)
    readers = [
        Reader(
            server=life.server,
            links=found.links,
            party_id=party_id,
            token=token,
            chance=random.Random(f"{seed}/{party_id}/{number}"),  # noqa: S311 - as above
            slip=slip,
        )
        for party_id, token in _tokens(folder / DATABASE, plan)
        for number in range(each)
    ]
    found.streams = len(readers)
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    await life.start()
    reading = [asyncio.create_task(reader.run()) for reader in readers]
    try:
        while loop.time() < until or found.links.resumed < resumes:
            await asyncio.sleep(chance.uniform(*_LIFE_S))
            await life.end()
            await asyncio.sleep(chance.random() * _DOWN_S)
            await life.start()
        await life.quiet()
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        heads = _heads(folder / DATABASE)
        async with asyncio.timeout(_CATCH_UP_S):
            await asyncio.gather(*(reader.catch_up(heads[reader.party_id]) for reader in readers))
    finally:
        await life.end()
    compare(folder / DATABASE, readers, found)
    return found, readers


def compare(database: Path, readers: list[Reader], found: Found) -> None:
    """Hold every stream against its party's outbox: each event once, in order, word for word."""
    wanted: dict[str, dict[int, str]] = {reader.party_id: {} for reader in readers}
    with closing(sqlite3.connect(database)) as connection:
        for party, seq, kind, data in connection.execute(
            "SELECT party_id, seq, type, data FROM outbox"
        ):
            if party in wanted:
                digest = hashlib.sha256(said(kind, orjson.loads(data)).encode()).hexdigest()
                wanted[party][seq] = digest
    found.outbox = sum(len(events) for events in wanted.values())
    for reader in readers:
        events, numbers = wanted[reader.party_id], [seq for seq, _ in reader.heard]
        found.heard += len(numbers)
        found.missed += len(events.keys() - set(numbers))
        found.repeated += sum(times - 1 for times in Counter(numbers).values())
        found.disordered += sum(after < before for before, after in itertools.pairwise(numbers))
        found.differ += sum(events.get(seq) != digest for seq, digest in reader.heard)


def _heads(database: Path) -> dict[str, int]:
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute("SELECT party_id, seq FROM stream_head"))


def _tokens(database: Path, plan: Plan) -> list[tuple[str, str]]:
    """Return a token for each owner's device and for the park."""
    with closing(sqlite3.connect(database)) as connection:
        row = connection.execute("SELECT value FROM meta WHERE key = 'server_id'").fetchone()
    issuer, now = Tokens(load_keys(database), str(row[0])), datetime.now(UTC)
    who: list[tuple[Role, str, str]] = [("park", plan.park_id, plan.park_id)]
    who += [("owner", person.owner_id, person.device_id) for person in plan.answerers]
    return [
        (
            party_id,
            issuer.issue(
                role=role, party_id=party_id, client_id=client_id, epoch=0, now=now, life_s=3_600
            ),
        )
        for role, party_id, client_id in who
    ]
