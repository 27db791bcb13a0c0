"""The demo for a person: where to look, what to do, and the park's voice while it plays."""

import asyncio
from collections.abc import Callable
from typing import Final

from .stage import PARK_NAME, Demo

_LOOK_EVERY_S: Final = 0.5

_WORDS: Final = """
  Home Assistant   {home}   sign in as {user} / {password}
  owner API        {api}   its contract: {api}/openapi.json
  files            {folder}

What to watch
  1. The dashboard opens with an offer of {park} within a minute: energy, price, what you keep.
  2. Press Accept. At the start of the window the car discharges: power, energy and earnings move.
  3. Press Stop while it runs: power is gone within seconds, and what was delivered is paid.
  4. Say nothing, and nothing happens: the offer ends and the car keeps its energy.
  5. Raise "At least when leaving" above what the car holds: offers are declined for you.
  In between the park's roof fills the car up again, and the next offer comes.

Ctrl-C stops everything.
"""


async def show(demo: Demo, say: Callable[[str], None]) -> None:
    """Print what to watch, then relay the park's voice until interrupted.

    Raises ProcessEndedError when a part of the demo ends.
    """
    setup = demo.home.setup
    say(
        _WORDS.format(
            home=demo.home.url,
            api=demo.api.url,
            user=setup.username,
            password=setup.password,
            folder=demo.folder,
            park=PARK_NAME,
        )
    )
    told = 0
    while True:
        for process in (demo.api.process, demo.park):
            process.check()
        lines = demo.park.log.read_text(encoding="utf-8").splitlines()
        for line in lines[told:]:
            say(line)
        told = len(lines)
        await asyncio.sleep(_LOOK_EVERY_S)
