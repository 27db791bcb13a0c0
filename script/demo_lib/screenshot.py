"""A real picture of the demo's dashboard, taken by a real browser."""

import asyncio
import json
from pathlib import Path
import time
from typing import Final

from playwright.async_api import async_playwright

from .dashboard import DASHBOARD_PATH
from .hass import REPOSITORY, RunningHomeAssistant

WIDTH, HEIGHT = 1440, 840
_TOKEN_LIVES_S: Final = 1800
_FLAGS: Final = (
    # Root has no sandbox to use, and a container's /dev/shm is too small for Chromium.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_LOADING_MS: Final = 60_000
# Cards fade in and graphs draw after the data is there.
_DRAWING_S: Final = 4.0


class NoBrowserError(Exception):
    """There is no Chromium on this machine; the message says how to get one."""


async def take_screenshot(home: RunningHomeAssistant, file: Path) -> None:
    """Open the dashboard as the signed-in owner and save what it shows; raises NoBrowserError."""
    tokens = {
        "access_token": home.token,
        "token_type": "Bearer",
        "expires_in": _TOKEN_LIVES_S,
        "expires": int((time.time() + _TOKEN_LIVES_S) * 1000),
        "hassUrl": home.url,
        "clientId": f"{home.url}/",
        "refresh_token": "",
    }
    script = f"localStorage.setItem('hassTokens', JSON.stringify({json.dumps(tokens)}));"
    # A picture of the dashboard, not of the menu beside it.
    script += "localStorage.setItem('dockedSidebar', JSON.stringify('always_hidden'));"
    file.parent.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=await _chromium(), args=list(_FLAGS)
        )
        page = await browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT},
            timezone_id=home.setup.time_zone,
            locale="en-GB",
        )
        await page.add_init_script(script)
        await page.goto(f"{home.url}/{DASHBOARD_PATH}", timeout=_LOADING_MS)
        await page.wait_for_selector("hui-tile-card", timeout=_LOADING_MS)
        await asyncio.sleep(_DRAWING_S)
        await page.screenshot(path=file)
        await browser.close()


async def _chromium() -> str:
    process = await asyncio.create_subprocess_exec(
        str(REPOSITORY / "script/lib/chromium"), stdout=asyncio.subprocess.PIPE
    )
    found, _ = await process.communicate()
    if process.returncode:
        raise NoBrowserError("no Chromium here: run script/setup browser")
    return found.decode().strip()
