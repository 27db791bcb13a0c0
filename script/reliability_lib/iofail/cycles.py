"""Cycles on a failing or full disk: operations fail for a while, then the power goes.

The served process runs under the shim of the power cuts. Its clients ask again under the same key
what was refused, so that what a failed commit left behind would show as doubled, and what was
answered in spite of it as lost.
"""

import asyncio
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
import os
from pathlib import Path
import signal
import sqlite3
from typing import Final, override

import aiohttp
import orjson

from script.reliability_lib.kill.cycles import Cycles
from script.reliability_lib.kill.launcher import DISK_REPORT
from script.reliability_lib.powercut.answering import Asked
from script.reliability_lib.stage import DATABASE

# Writes and syncs until the power goes; starting takes some dozens, a commit of many as well.
FIRST_CUT: Final = 60
LAST_CUT: Final = 3_000
_WINDOWS: Final = (1, 5, 25, 200)
_SHARES: Final = (50, 300, 1_000)
# What fails, as the shim counts it: anything, syncs only, or syncs that say that all is well; what
# would make a file grow, and the same with the word that all is well; writes only.
_ANY, _SYNCS, _LYING, _FULL, _FULL_LYING, _WRITES = 0, 1, 2, 3, 4, 5
# A disk is full until somebody makes room, not for one operation.
_FULL_WINDOWS: Final = (200, 1_000, 3_000)
# So many writes and syncs later a server has started.
_STARTED: Final = 100
_EARLY: Final = 0.1
# Of some hundred operations one is a sync.
_SYNC_WINDOW: Final = 600
_PATIENCE_S: Final = 8.0
_AGAIN_S: Final = 0.02


class RefusedError(Exception):
    """The server said that it cannot, as it should."""


@dataclass
class Faults:
    """What the disk did and what the server made of it, beside the counts of the cycles."""

    refused: int = 0
    recovered: int = 0
    not_started: int = 0
    stopped: int = 0
    not_cut: int = 0
    disk: Counter[str] = field(default_factory=Counter)


class FailingCycles(Cycles):
    """One server after another on a disk that fails, or with ``full`` has no room for a while.

    ``lie`` lets what failed claim success.
    """

    def __init__(
        self,
        folder: Path,
        template: Path,
        seed: int,
        *,
        library: Path,
        full: bool = False,
        lie: bool = False,
    ) -> None:
        super().__init__(folder, template, seed)
        self.environment = {"LD_PRELOAD": str(library)}
        self.full = full
        self.lie = lie
        self.faults = Faults()
        self._refusing = False

    @override
    def _how(self) -> str:
        at = self.chance.randrange(FIRST_CUT, LAST_CUT)
        # Before the power goes, and most of the disks once the server has started.
        early = self.chance.random() < _EARLY
        first = self.chance.randrange(0 if early else min(_STARTED, at - 1), at)
        share, what = self.chance.choice(_SHARES), self.chance.choice((_ANY, _WRITES, _SYNCS))
        lasts = _SYNC_WINDOW if what == _SYNCS else self.chance.choice(_WINDOWS)
        window = (first, first + lasts, share, what)
        if self.full:
            # Only a write that needs room fails, and few of all do.
            window = (first, first + self.chance.choice(_FULL_WINDOWS), 1_000, _FULL)
        if self.lie:
            window = (0, 1 << 40, 1_000, _FULL_LYING if self.full else _LYING)
        words = ("fail", at, self.chance.getrandbits(60), *window)
        return " ".join(str(word) for word in words)

    @override
    def _proved(self) -> bool:
        return self.lie and self.counts.lost > 0

    @override
    async def _cycle(self) -> None:
        self._refusing = False
        if self.full:
            self._begin_log_anew()
        pid = await self._spawn()
        self.counts.cycles += 1
        url = await self._first_words()
        self._look()
        if url is None:
            self.faults.not_started += 1
        else:
            await self._clients(pid, url)

    def _begin_log_anew(self) -> None:
        """Leave the write-ahead log no room of its own, as one from before would have for long."""
        try:
            with closing(sqlite3.connect(self.place / DATABASE)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.DatabaseError:
            # What a disk that lies leaves may be no database any more: the audit says so.
            if not self.lie:
                raise

    async def _first_words(self) -> str | None:
        """Return where the server listens; None when the disk did not let it start."""
        while True:
            told = await self._told()
            if "port" in told:
                return f"http://127.0.0.1:{told['port']}"
            if "ended" in told:
                return None

    async def _told(self) -> dict[str, int]:
        assert self._launcher is not None
        assert self._launcher.stdout is not None
        line = await self._launcher.stdout.readline()
        assert line, "the launcher is gone"
        with suppress(orjson.JSONDecodeError):
            told: dict[str, int] = orjson.loads(line)
            return told
        return {}

    @override
    async def _clients(self, pid: int, url: str) -> None:
        """Answer and stop until the power goes; what is refused is asked again."""
        begun = {Asked.named(key).owner: key for key in self.books.unsure}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            work = [
                asyncio.create_task(self._client(http, url, number, begun, _nothing))
                for number in range(len(self.books.plan.answerers))
            ]
            _, waiting = await asyncio.wait(work, timeout=_PATIENCE_S)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        self.books.unsure = sorted(begun.values())
        try:
            async with asyncio.timeout(1):
                code = await self._end()
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            code = await self._end()
        self._count_end(code)

    async def _end(self) -> int:
        while "ended" not in (told := await self._told()):
            pass
        return told["ended"]

    def _count_end(self, code: int) -> None:
        # The clerk is where the power goes; its server ends with an error when it notices.
        report = (self.place / DISK_REPORT).read_bytes()
        if report:
            self.faults.disk.update(orjson.loads(report))
        elif code == -signal.SIGKILL:
            self.faults.not_cut += 1
        else:
            self.faults.stopped += 1

    @override
    async def _ask(self, http: aiohttp.ClientSession, url: str, number: int, asked: Asked) -> str:
        while True:
            try:
                digest = await super()._ask(http, url, number, asked)
            except RefusedError:
                self._refusing = True
                await asyncio.sleep(_AGAIN_S)
                continue
            self.faults.recovered += self._refusing
            self._refusing = False
            return digest

    @override
    def _refused(self, answer: aiohttp.ClientResponse, raw: bytes) -> None:
        """Ask again when a problem says: not now; anything else is wrong."""
        if answer.status == 503 and answer.content_type == "application/problem+json":
            self.faults.refused += 1
            raise RefusedError
        super()._refused(answer, raw)


def _nothing() -> None:
    """Count nothing: here the disk says when it is over."""
