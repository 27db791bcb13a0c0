"""Serve the dashboard card, so that it is there without a resource to add by hand."""

from hashlib import sha256
from pathlib import Path
from typing import Final

from homeassistant.components.frontend import add_extra_js_url
from homeassistant.components.http.server import StaticPathConfig
from homeassistant.core import HomeAssistant

from .const import DOMAIN

FOLDER: Final = Path(__file__).parent / "frontend"
MODULE: Final = "v2g-owner-card.js"


async def async_serve_card(hass: HomeAssistant) -> None:
    """Serve the card's modules and have every dashboard load them, where there are dashboards.

    Their address changes with their content, so a browser may keep what it has for as long as it
    likes and still shows a new version at once, whichever of the modules changed.
    """
    if "frontend" not in hass.config.components:
        return
    url = f"/{DOMAIN}/{await hass.async_add_executor_job(_version)}"
    await hass.http.async_register_static_paths(
        [StaticPathConfig(url, str(FOLDER), cache_headers=True)]
    )
    add_extra_js_url(hass, f"{url}/{MODULE}")


def _version() -> str:
    """Return a short digest of all modules."""
    digest = sha256()
    for file in sorted(FOLDER.rglob("*.js")):
        digest.update(file.relative_to(FOLDER).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
