"""The real owner API with its own settings in a process of its own; `server FOLDER`."""

import asyncio
from pathlib import Path
import sys

from owner_api.config import Config
from script.bench_lib.api.server import serve

# Everything as operators run it, but for the budget that spares an owner: here one park asks all.
CONFIG = Config(announce=False, asks_per_session_per_hour=1_000, award_lead_s=10)
# The owner's phone, which makes the vehicles, and Home Assistant.
DEVICES = 2

if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), 1, CONFIG, DEVICES))
