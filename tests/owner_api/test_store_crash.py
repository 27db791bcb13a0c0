"""Promise 5: an acknowledged write survives kill -9."""

import asyncio
from pathlib import Path
import random
import signal
import subprocess
import sys

import pytest

from owner_api.store import Store

CYCLES = 6

# Sixteen callers write as fast as they are answered and name each write only after its answer.
WRITER = """
import asyncio, itertools, os, sys
from datetime import UTC, datetime
from pathlib import Path
from owner_api.store import Store

async def main():
    store = await Store.open(Path(sys.argv[1]))
    numbers = itertools.count(int(sys.argv[2]))

    async def caller():
        while True:
            number = next(numbers)

            def command(tx):
                tx.insert("meta", key=f"n{number}", value="x")
                tx.emit("own_a", "noted", datetime.now(UTC), {"number": number})

            await store.write(command)
            os.write(1, f"{number}\\n".encode())

    await asyncio.gather(*(caller() for _ in range(16)))

asyncio.run(main())
"""


def kill_after(path: Path, first: int, acknowledged: int) -> list[int]:
    """Run a writer until it has named that many writes, kill it, and return all it named."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(first)], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    named = [int(writer.stdout.readline()) for _ in range(acknowledged)]
    writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read().split(b"\n")
    assert writer.wait() == -signal.SIGKILL
    # The last line may be cut in two by the kill; a cut number was still acknowledged.
    return named + [int(line) for line in rest[:-1]]


@pytest.mark.slow
async def test_promise_5_kill_9_loses_no_acknowledged_write(tmp_path: Path) -> None:
    path, chance = tmp_path / "owner.db", random.Random(5)  # noqa: S311 - a seeded test plan
    acknowledged: set[int] = set()
    for cycle in range(CYCLES):
        named = await asyncio.to_thread(
            kill_after, path, cycle * 1_000_000, chance.randrange(1, 400)
        )
        acknowledged |= set(named)
        store = await Store.open(path, create=False)
        rows = await store.read(lambda tx: tx.all("SELECT key FROM meta WHERE key LIKE 'n%'"))
        events = await store.read(lambda tx: tx.all("SELECT seq FROM outbox ORDER BY seq"))
        health = await store.read(lambda tx: tx.one("PRAGMA integrity_check"))
        await store.close()
        kept = {int(row["key"][1:]) for row in rows}
        assert acknowledged <= kept
        # Each write came with its event or not at all, and the numbers have no gap.
        assert [event["seq"] for event in events] == list(range(1, len(kept) + 1))
        assert health == {"integrity_check": "ok"}
