"""The bench in a process of its own, so that a test can kill it: prints its port and serves."""

import asyncio
from pathlib import Path
import sys

from owner_api.clock import SystemClock
from owner_api.config import Config
from owner_api.store import Store
from tests.owner_api.http_bench import bench

FREE = Config(
    rate_per_s=1_000_000,
    rate_burst=10_000_000,
    public_rate_per_s=1_000_000,
    public_rate_burst=10_000_000,
)


async def main(database: Path) -> None:
    """Serve until killed."""
    store = await Store.open(database)
    async with bench(store, SystemClock(), FREE) as api:
        sys.stdout.write(f"{api.port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
