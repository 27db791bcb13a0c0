"""A home on the day its owner hears of V2G: nothing of ours is set up, the parts are there.

Multicast seldom works on test machines, and a server on loopback announces nothing. So a component
that exists only in this home's folder hands the integration's discovery what the operator's server
would announce, made by the server's own code; ``url`` is added, as by an operator behind a proxy.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
import json
from pathlib import Path
import shutil
from typing import Any, Final

import aiohttp

from owner_api.server.discovery import SERVICE_TYPE, service_info
from owner_api.simulation.live_site import CAR_EVENT
from script.demo_lib.car_entities import CONFIGURATION
from script.demo_lib.hass import (
    DOMAIN,
    REPOSITORY,
    RunningHomeAssistant,
    Setup,
    running_home_assistant,
)
from script.demo_lib.owner_api import OwnerApi, start_owner_api
from script.demo_lib.processes import free_port
from script.demo_lib.stage import PARK_NAME

ANNOUNCER: Final = "newcomer_announcer"
_BLUEPRINT: Final = Path("automation/v2g_owner/phone_notification.yaml")
_MORNING: Final = 10
_ANNOUNCER_CODE: Final = '''\
"""Hands to discovery what a server would announce, and raises repairs; only in a test's home."""

from ipaddress import ip_address

from homeassistant.helpers import discovery_flow, issue_registry as ir
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo


async def async_setup(hass, config):
    async def announce(call):
        address = ip_address("127.0.0.1")
        info = ZeroconfServiceInfo(ip_address=address, ip_addresses=[address], **call.data)
        discovery_flow.async_create_flow(hass, "v2g_owner", {"source": "zeroconf"}, info)

    async def raise_repair(call):
        told = {"is_fixable": True, "severity": ir.IssueSeverity.WARNING, **call.data}
        ir.async_create_issue(hass, "v2g_owner", told.pop("issue_id"), **told)

    hass.services.async_register("newcomer_announcer", "announce", announce)
    hass.services.async_register("newcomer_announcer", "raise_repair", raise_repair)
    return True
'''


@dataclass(slots=True, kw_only=True)
class NewHome:
    """The newcomer's Home Assistant, their operator's server, and a park that runs nothing yet."""

    folder: Path
    home: RunningHomeAssistant
    api: OwnerApi
    http: aiohttp.ClientSession
    owner_id: str
    park: dict[str, Any]

    async def announce(self) -> None:
        """Let discovery hear of the server."""
        async with self.http.get(f"{self.api.url}/v1/server") as response:
            server = await response.json()
        port = int(self.api.url.rpartition(":")[2])
        info = service_info(
            server_id=server["server_id"],
            name=server["name"],
            host="127.0.0.1",
            port=port,
            api_version=1,
            url=self.api.url,
        )
        properties = {
            key.decode(): (value or b"").decode() for key, value in info.properties.items()
        }
        told = {
            "hostname": info.server,
            "name": info.name,
            "port": port,
            "type": SERVICE_TYPE,
            "properties": properties,
        }
        await self.home.call(ANNOUNCER, "announce", told)

    async def tell_car(self, soc_pct: float) -> None:
        """Let the car's own integration say how full it is, away from any plug."""
        report = {"soc_pct": soc_pct, "plugged_in": False, "power_w": 0}
        await self.home.post(f"/api/events/{CAR_EVENT}", report)

    async def pairing_code(self) -> str:
        """Return a code, as the operator's command prints it."""
        return str((await self.api.command("pair", owner_id=self.owner_id))["code"])


@asynccontextmanager
async def new_home(folder: Path) -> AsyncIterator[NewHome]:
    """Start the home and the server; stop both when the block ends."""
    zone = morning_zone()
    config = folder / "home-assistant"
    _write_announcer(config / "custom_components")
    blueprint = config / "blueprints" / _BLUEPRINT
    blueprint.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / "blueprints" / _BLUEPRINT, blueprint)
    # Where Home Assistant's own editor keeps the automations it makes.
    (config / "automations.yaml").write_text("[]", encoding="utf-8")
    editor = "automation editor: !include automations.yaml"
    extra = f"{CONFIGURATION}\n{ANNOUNCER}:\nmobile_app:\n{editor}\n"
    setup = Setup(folder=config, time_zone=zone, extra=extra)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        api = await start_owner_api(http, folder, free_port(0))
        stack.push_async_callback(api.process.stop)
        owner = await api.command("owner add", display_name="Li Wei", time_zone=zone)
        park = await api.command("park add", display_name=PARK_NAME)
        home = await stack.enter_async_context(running_home_assistant(setup))
        yield NewHome(
            folder=folder, home=home, api=api, http=http, owner_id=owner["owner_id"], park=park
        )


def morning_zone(now: datetime | None = None) -> str:
    """Return a zone where it is ten in the morning: six in the evening is then ahead."""
    ahead = (_MORNING - (now or datetime.now(UTC)).hour + 11) % 24 - 11
    # The sign of these names is the other way round, by POSIX.
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def _write_announcer(components: Path) -> None:
    folder = components / ANNOUNCER
    folder.mkdir(parents=True)
    # Without this file any other package of this name on the path would be taken.
    (components / "__init__.py").touch()
    (components / DOMAIN).symlink_to(REPOSITORY / "custom_components" / DOMAIN)
    (folder / "services.yaml").write_text("announce:\nraise_repair:\n", encoding="utf-8")
    (folder / "__init__.py").write_text(_ANNOUNCER_CODE, encoding="utf-8")
    manifest = {
        "domain": ANNOUNCER,
        "name": "Newcomer's announcer",
        "codeowners": [],
        "documentation": "https://example.org",
        "iot_class": "local_push",
        "version": "1.0.0",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
