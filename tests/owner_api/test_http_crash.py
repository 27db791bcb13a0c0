"""Promises 5 and 10 together: a server killed at any moment, and callers who simply ask again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
import random
import sys

import aiohttp
import pytest

from owner_api.store import Store
from tests.owner_api.http_bench import count

ROOT = Path(__file__).parents[2]
CALLERS = 16
CYCLES = 8


@dataclass
class Books:
    """What the callers know: what they asked under each key, and what they were answered."""

    answers: dict[str, bytes] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)


@asynccontextmanager
async def served(database: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run the bench in a process of its own, and kill it (-9) at the end if nobody did."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.owner_api.bench_server",
        str(database),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    port = (await process.stdout.readline()).decode().strip()
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ask(client: aiohttp.ClientSession, url: str, key: str, books: Books) -> bool:
    """Ask once; note the answer, or that nobody knows. False when the server is gone."""
    books.unsure.add(key)
    headers = {"Authorization": "Bearer owner:own_a", "Idempotency-Key": key}
    try:
        async with client.post(f"{url}/v1/things", json={"name": key}, headers=headers) as answer:
            raw = await answer.read()
    except aiohttp.ClientError, ConnectionError:
        return False
    assert answer.status == 201, raw
    # The answer a caller got before a crash is the answer it gets after it.
    assert books.answers.setdefault(key, raw) == raw
    books.unsure.discard(key)
    return True


async def crash(database: Path, cycle: int, chance: random.Random, books: Books) -> None:
    """Let callers write, kill the server at a random moment."""
    async with served(database) as (process, url), aiohttp.ClientSession() as client:
        enough = asyncio.Event()
        wanted = len(books.answers) + chance.randrange(5, 150)

        async def caller(number: int) -> None:
            asked = 0
            while await ask(client, url, f"c{cycle}-{number}-{asked}", books):
                asked += 1
                if len(books.answers) >= wanted:
                    enough.set()

        callers = [asyncio.create_task(caller(number)) for number in range(CALLERS)]
        await enough.wait()
        process.kill()
        await asyncio.gather(*callers)


@pytest.mark.slow
async def test_promise_5_kill_9_and_retries_leave_each_effect_exactly_once(tmp_path: Path) -> None:
    database, books = tmp_path / "owner.db", Books()
    chance = random.Random(CYCLES)  # noqa: S311 - a seeded test plan
    for cycle in range(CYCLES):
        await crash(database, cycle, chance, books)
        async with served(database) as (_process, url), aiohttp.ClientSession() as client:
            for key in sorted(books.unsure | set(chance.sample(sorted(books.answers), 5))):
                assert await ask(client, url, key, books)
        assert books.unsure == set()
        store = await Store.open(database, create=False)
        assert await store.read(count) == len(books.answers)
        await store.close()
