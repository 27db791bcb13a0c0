"""A real Chromium in which the owner is signed in to a Home Assistant."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
import time
from typing import Any, Final

from playwright.async_api import Browser, Page, async_playwright

from .hass import REPOSITORY, RunningHomeAssistant

LOADING_MS: Final = 60_000
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


class NoBrowserError(Exception):
    """There is no Chromium on this machine; the message says how to get one."""


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Run Chromium until the block ends; raises NoBrowserError without one."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=await _chromium(), args=list(_FLAGS)
        )
        try:
            yield browser
        finally:
            await browser.close()


async def signed_in_page(
    browser: Browser,
    home: RunningHomeAssistant,
    *,
    width: int,
    height: int,
    **context: Any,  # noqa: ANN401 - Playwright's own options
) -> Page:
    """Open an empty page of a new profile in which the owner is signed in."""
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
    # What is shown matters, not the menu beside it.
    script += "localStorage.setItem('dockedSidebar', JSON.stringify('always_hidden'));"
    settings = {"timezone_id": home.setup.time_zone, "locale": "en-GB"} | context
    page = await browser.new_page(viewport={"width": width, "height": height}, **settings)
    page.set_default_timeout(LOADING_MS)
    await page.add_init_script(script)
    return page


async def _chromium() -> str:
    """Return the path of a Chromium that runs."""
    process = await asyncio.create_subprocess_exec(
        str(REPOSITORY / "script/lib/chromium"), stdout=asyncio.subprocess.PIPE
    )
    found, _ = await process.communicate()
    if process.returncode:
        raise NoBrowserError("no Chromium here: run script/setup browser")
    return found.decode().strip()
