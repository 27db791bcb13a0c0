"""The cycles: sixteen clients answer offers, the server dies, they ask again under the same key."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
import hashlib
import os
from pathlib import Path
import random
import signal
import sqlite3
import subprocess
import sys
from typing import Final

import aiohttp
import orjson

from owner_api.access.keys import load_keys
from owner_api.access.tokens import Tokens
from script.reliability_lib.command_line import OWNER_API, ROOT
from script.reliability_lib.powercut.answering import Asked, request_of
from script.reliability_lib.powercut.books import Books, examine
from script.reliability_lib.stage import DATABASE, Plan, copy

from .launcher import FORGET
from .log_watch import LogWatch

FEWEST_LEFT: Final = 20
FULL_EVERY: Final = 100
FILE_EVERY: Final = 10
EXEC_EVERY: Final = 50
LIMITS: Final = """
rate_per_s = 1000000
rate_burst = 10000000
public_rate_per_s = 1000000
public_rate_burst = 10000000
"""


@dataclass
class Counts:
    """What the cycles came to."""

    cycles: int = 0
    from_nothing: int = 0
    while_starting: int = 0
    decisions: int = 0
    stops: int = 0
    retries: int = 0
    found: int = 0
    changed: int = 0
    lost: int = 0
    doubled: int = 0
    invalid: int = 0
    verified: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        """Add what another run came to."""
        for each in fields(self):
            ours, theirs = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, ours + theirs)
        self.first = self.first[:3]

    def wrong(self, kind: str, what: Sequence[str]) -> None:
        """Count things that did not hold and keep the first few."""
        setattr(self, kind, getattr(self, kind) + len(what))
        self.first = [*self.first, *(f"{kind}: {each}" for each in what)][:3]


class Cycles:
    """One server process after another on one database after another."""

    def __init__(self, folder: Path, template: Path, seed: int, *, forget: bool = False) -> None:
        self.folder = folder
        self.template = template
        self.chance = random.Random(seed)  # noqa: S311 - a plan to repeat
        self.forget = forget
        self.counts = Counts()
        # More for the launcher and the servers it forks.
        self.environment: dict[str, str] = {}
        self.place = folder / "served"
        self.books = Books(Plan.load(template))
        self.tokens: list[str] = []
        self._watch: LogWatch | None = None
        self._launcher: asyncio.subprocess.Process | None = None

    async def run(self, cycles: int, until: float | None = None) -> Counts:
        """Kill so often, or until this moment of the event loop's clock."""
        loop = asyncio.get_running_loop()
        await self._fresh()
        while self.counts.cycles < cycles and (until is None or loop.time() < until):
            await self._cycle()
            if self._proved():
                break
            if self.books.left() < FEWEST_LEFT:
                await self._verify()
                await self._fresh()
            elif self.counts.cycles % FULL_EVERY == 0:
                await self._verify()
        await self._verify()
        await self._end_launcher()
        return self.counts

    def _proved(self) -> bool:
        """Return whether a fault that was put in on purpose has been noticed."""
        return self.forget and self.counts.doubled > 0

    # The server

    async def _fresh(self) -> None:
        """Begin a new database, and a launcher for it."""
        await self._end_launcher()
        copy(self.template, self.place)
        self.books = Books(Plan.load(self.template))
        self._watch = LogWatch(self.place / DATABASE)
        config = self.place / "limits.toml"
        config.write_text(LIMITS)
        database = self.place / DATABASE
        keys = load_keys(database)
        connection = sqlite3.connect(database)
        server_id = connection.execute("SELECT value FROM meta WHERE key = 'server_id'").fetchone()
        connection.close()
        issuer, now = Tokens(keys, str(server_id[0])), datetime.now(UTC)
        self.tokens = [
            issuer.issue(
                role="owner",
                party_id=person.owner_id,
                client_id=person.device_id,
                epoch=0,
                now=now,
                life_s=3_600,
            )
            for person in self.books.plan.answerers
        ]
        words = ["--database", str(database), "--listen", "127.0.0.1:0", "--json"]
        self._launcher = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "script.reliability_lib.kill.launcher"),
            *(*words, "--config", str(config)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=os.environ | {FORGET: "1" if self.forget else "0"} | self.environment,
        )

    async def _end_launcher(self) -> None:
        if self._launcher is not None:
            assert self._launcher.stdin is not None
            self._launcher.stdin.close()
            await self._launcher.wait()
            self._launcher = None

    def _how(self) -> str:
        """Return what to tell the launcher."""
        from_nothing = self.counts.cycles % EXEC_EVERY == EXEC_EVERY - 1
        self.counts.from_nothing += from_nothing
        return "exec" if from_nothing else "fork"

    async def _spawn(self) -> int:
        """Start a server and return its process id; it does not listen yet."""
        assert self._launcher is not None
        assert self._launcher.stdin is not None
        assert self._launcher.stdout is not None
        self._launcher.stdin.write(f"{self._how()}\n".encode())
        while not (line := await self._launcher.stdout.readline()).strip().isdigit():
            # The last words of a server that was killed before anybody listened to it.
            assert line, "the launcher is gone"
        return int(line)

    async def _listening(self) -> str:
        assert self._launcher is not None
        assert self._launcher.stdout is not None
        told = orjson.loads(await self._launcher.stdout.readline())
        if "port" not in told:
            raise RuntimeError(f"the server would not start: {told}")
        return f"http://127.0.0.1:{told['port']}"

    # One cycle

    async def _cycle(self) -> None:
        pid = await self._spawn()
        self.counts.cycles += 1
        if self.chance.random() < 0.02:
            await asyncio.sleep(self.chance.random() * 0.2)
            self.counts.while_starting += 1
            os.kill(pid, signal.SIGKILL)
            return
        url = await self._listening()
        self._look()
        await self._clients(pid, url)

    async def _clients(self, pid: int, url: str) -> None:
        """Answer and stop until the server dies: at an answer, a little later, or cut off first.

        In the last case the link goes down some milliseconds before the process, so that what is
        committed in between reaches nobody.
        """
        left = wanted = self.chance.randrange(15, 60)
        mood, waits = self.chance.random(), self.chance.random() * 2
        dead, loop = asyncio.Event(), asyncio.get_running_loop()
        running: list[asyncio.Task[None]] = []
        began = loop.time()
        begun = {Asked.named(key).owner: key for key in self.books.unsure}

        def kill() -> None:
            if not dead.is_set():
                os.kill(pid, signal.SIGKILL)
                dead.set()

        def answered() -> None:
            nonlocal left
            left -= 1
            if left:
                return
            if mood < 0.15:
                kill()
                return
            # On a busy machine everything takes longer, the window between commit and answer too.
            each_s = (loop.time() - began) / wanted
            loop.call_later(waits * each_s * len(running), kill)
            if mood > 0.3:
                for task in running:
                    task.cancel()

        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            people = range(len(self.books.plan.answerers))
            began = loop.time()
            running += [
                asyncio.create_task(self._client(http, url, number, begun, answered))
                for number in people
            ]
            await asyncio.gather(*running, return_exceptions=True)
            await dead.wait()
        self.books.unsure = sorted(begun.values())

    async def _client(
        self,
        http: aiohttp.ClientSession,
        url: str,
        number: int,
        begun: dict[int, str],
        answered: Callable[[], None],
    ) -> None:
        """Ask one owner's requests in order, what was begun before first, until nobody answers."""
        while True:
            again = begun.get(number)
            if again is None and self.books.left_of(number) <= 0:
                return
            asked = Asked.named(again) if again else self.books.next_of(number, 1)[0]
            begun[number] = asked.key
            try:
                digest = await self._ask(http, url, number, asked)
            except aiohttp.ClientError, ConnectionError:
                return
            if self.books.answers.setdefault(asked.key, digest) != digest:
                self.counts.wrong("changed", [asked.key])
            del begun[number]
            self.counts.decisions += asked.offer >= 0
            self.counts.stops += asked.offer < 0
            answered()

    async def _ask(self, http: aiohttp.ClientSession, url: str, number: int, asked: Asked) -> str:
        path, body = request_of(asked, self.books.plan.answerers[number])
        headers = {
            "Authorization": f"Bearer {self.tokens[number]}",
            "Idempotency-Key": asked.key,
            "Content-Type": "application/json",
        }
        async with http.post(url + path, data=orjson.dumps(body), headers=headers) as answer:
            raw = await answer.read()
            if answer.status != 201:
                self._refused(answer, raw)
            return hashlib.sha256(raw).hexdigest()

    def _refused(self, answer: aiohttp.ClientResponse, raw: bytes) -> None:
        """Take an answer that is none: here nothing may be refused."""
        self.counts.wrong("invalid", [f"{answer.status} {raw[:300]!r}"])

    # Looking

    def _look(self) -> None:
        """Hold the reopened database against the books before anybody asks again."""
        database = self.place / DATABASE
        file = self.counts.cycles % FILE_EVERY == 0
        verdict = examine(database, self.books, whole=False, file=file)
        self.counts.wrong("lost", verdict.lost)
        self.counts.wrong("doubled", verdict.doubled)
        self.counts.wrong("invalid", verdict.invalid)
        if verdict.doubled or verdict.lost:
            self._settle_accounts()
        if verdict.unreadable:
            return
        connection = sqlite3.connect(database)
        assert self._watch is not None
        self.counts.wrong("invalid", list(self._watch.look(connection)))
        for key in self.books.unsure:
            digest = hashlib.sha256(key.encode()).hexdigest()
            row = connection.execute(
                "SELECT 1 FROM idempotency WHERE key_sha256 = ?", (digest,)
            ).fetchone()
            self.counts.retries += 1
            self.counts.found += row is not None
        connection.close()

    def _settle_accounts(self) -> None:
        """Stop counting the same fault at every look: go on with a fresh database."""
        for person in self.books.plan.answerers:
            person.offers = person.offers[: FEWEST_LEFT - 1]

    async def _verify(self) -> None:
        """Audit every column with the command that anybody would use, while nobody serves."""
        verify = await asyncio.create_subprocess_exec(
            *(*OWNER_API, "ledger", "verify", "--database", str(self.place / DATABASE), "--json"),
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert verify.stdout is not None
        told = (await verify.stdout.read()).decode()
        code = await verify.wait()
        self.counts.verified += 1
        if code:
            self.counts.wrong("invalid", [told[:300]])
