"""A real picture of the demo's dashboard, taken by a real browser."""

import asyncio
from pathlib import Path
from typing import Final

from .browser import LOADING_MS, running_browser, signed_in_page
from .dashboard import DASHBOARD_PATH
from .hass import RunningHomeAssistant

WIDTH, HEIGHT = 1440, 840
# Cards fade in and graphs draw after the data is there.
_DRAWING_S: Final = 4.0


async def take_screenshot(home: RunningHomeAssistant, file: Path) -> None:
    """Open the dashboard as the signed-in owner and save what it shows; raises NoBrowserError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    async with running_browser() as browser:
        page = await signed_in_page(browser, home, width=WIDTH, height=HEIGHT)
        await page.goto(f"{home.url}/{DASHBOARD_PATH}", timeout=LOADING_MS)
        await page.wait_for_selector("hui-tile-card", timeout=LOADING_MS)
        await asyncio.sleep(_DRAWING_S)
        await page.screenshot(path=file)
