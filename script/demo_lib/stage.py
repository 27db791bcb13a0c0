"""Everything of one demo: owner API, Home Assistant paired with it, and the park, in that order."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
import json
from pathlib import Path
import random
import sys
from typing import Any, Final, Self

import aiohttp

from owner_api.simulation.client import Client
from owner_api.simulation.live_park import Settings, draw

from .car_entities import CAR_PLUGGED, CAR_POWER, CAR_SOC, CONFIGURATION
from .dashboard import DASHBOARD_PATH, dashboard
from .hass import DOMAIN, REPOSITORY, RunningHomeAssistant, Setup, running_home_assistant
from .owner_api import OwnerApi, start_owner_api
from .processes import Process, free_port
from .watcher import Watcher

EVSE_ID: Final = "SUNRISE-01"
PARK_NAME: Final = "Sunrise Business Park"
_STAYS_FOR: Final = timedelta(hours=8)
OWNER: Final = {"display_name": "Li Wei", "time_zone": "Asia/Shanghai"}
_VEHICLE: Final = {
    "display_name": "Blue car",
    "capacity_kwh": 60,
    "max_charge_kw": 60,
    "max_discharge_kw": 60,
    "chemistry": "lfp",
    "warranty_discharge_policy": "allowed",
}
_CAR_ENTITIES: Final = {
    "soc_entity": CAR_SOC,
    "plugged_entity": CAR_PLUGGED,
    "power_entity": CAR_POWER,
    "power_sign": "charging_positive",
}
_CHARGER: Final = {
    "display_name": "Park charger",
    "evse_id": EVSE_ID,
    "max_charge_kw": 60,
    "max_discharge_kw": 60,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """What a run is about: drawn from its seed, apart from its pace."""

    seed: int
    price: Decimal
    energy_wh: int
    soc_pct: float
    offers: int | None
    lead_s: int
    window_s: int

    @classmethod
    def drawn(cls, seed: int, *, offers: int | None, lead_s: int, window_s: int) -> Self:
        """Draw price (CNY/kWh), energy (Wh) and state of charge (%, 65 to 85)."""
        rng = random.Random(seed)  # noqa: S311 - a plot is no secret
        price, energy_wh = draw(rng)
        return cls(
            seed=seed,
            price=price,
            energy_wh=energy_wh,
            soc_pct=rng.randrange(650, 851) / 10,
            offers=offers,
            lead_s=lead_s,
            window_s=window_s,
        )


@dataclass(slots=True, kw_only=True)
class Demo:
    """A running demo; ``folder`` holds every file of it."""

    plot: Plot
    folder: Path
    api: OwnerApi
    home: RunningHomeAssistant
    watcher: Watcher
    park: Process
    phone: Client
    owner_id: str
    park_id: str
    vehicle_id: str
    charger_id: str

    @property
    def book(self) -> Path:
        """The park's own record."""
        return self.folder / "park-book.json"

    @property
    def meter_log(self) -> Path:
        """What the charger's meter showed, line by line."""
        return self.folder / "meter.jsonl"

    def complaints(self) -> list[str]:
        """Return our warnings and errors in Home Assistant's log, and tracebacks through us."""
        through_us = f"custom_components/{DOMAIN}/"
        traces = [line for line in self.home.log.splitlines() if through_us in line]
        return [*self.home.complaints(), *traces]


async def start_demo(
    stack: AsyncExitStack, plot: Plot, folder: Path, *, api_port: int = 0, hass_port: int = 0
) -> Demo:
    """Start everything; ``stack`` stops it again, the park first."""
    config = folder / "home-assistant"
    config.mkdir()
    setup = Setup(folder=config, port=free_port(hass_port), extra=CONFIGURATION)
    http = await stack.enter_async_context(aiohttp.ClientSession())
    # Home Assistant takes longest, so it starts beside the rest.
    starting = asyncio.create_task(stack.enter_async_context(running_home_assistant(setup)))
    try:
        api = await start_owner_api(http, folder, free_port(api_port))
        stack.push_async_callback(api.process.stop)
        owner = await api.command("owner add", **OWNER)
        park = await api.command("park add", display_name=PARK_NAME)
        code = await api.command("pair", owner_id=owner["owner_id"])
    except BaseException:
        starting.cancel()
        raise
    home = await starting
    vehicle_id, charger_id = await _add_devices(home, api.url, code["code"])
    await _say_wishes(home, vehicle_id)
    await join_park(home, vehicle_id, park["park_id"])
    shown = dashboard(
        await home.entity_ids(),
        owner_id=owner["owner_id"],
        vehicle_id=vehicle_id,
        charger_id=charger_id,
    )
    await home.save_dashboard(DASHBOARD_PATH, shown)
    watcher = await Watcher.of(home)
    process = await start_park(plot, folder, api, home, park)
    stack.push_async_callback(process.stop)
    return Demo(
        plot=plot,
        folder=folder,
        api=api,
        home=home,
        watcher=watcher,
        park=process,
        phone=api.pair_phone(http, owner["owner_id"]),
        owner_id=owner["owner_id"],
        park_id=park["park_id"],
        vehicle_id=vehicle_id,
        charger_id=charger_id,
    )


async def _add_devices(home: RunningHomeAssistant, url: str, code: str) -> tuple[str, str]:
    """Pair, add the vehicle and the charger as the frontend does; returns their ids at the API."""
    entry_id, chained = await home.pair(url, code)
    flow_id = chained or await home.start_subentry(entry_id, "vehicle")
    await home.add_device(flow_id, facts=_VEHICLE, entities=_CAR_ENTITIES)
    flow_id = await home.start_subentry(entry_id, "charger")
    await home.add_device(flow_id, facts=_CHARGER, entities={"power_sign": "charging_positive"})
    await home.until_loaded(entry_id)
    known = await home.entity_ids()
    vehicle_id = _device_id(known, "number.", "_soc_floor_pct")
    return vehicle_id, _device_id(known, "sensor.", "_connected_vehicle")


def _device_id(known: Iterable[str], start: str, end: str) -> str:
    """Return the API's id inside the unique id of an entity that every such device has."""
    found = next(key for key in known if key.startswith(start) and key.endswith(end))
    return found.removeprefix(start).removesuffix(end)


async def _say_wishes(home: RunningHomeAssistant, vehicle_id: str) -> None:
    """Allow discharging, ask for a least price and say when the car leaves, as an owner would."""
    entities = await home.entity_ids()

    async def set_to(platform: str, key: str, action: str, **data: Any) -> None:  # noqa: ANN401
        entity_id = entities[f"{platform}.{vehicle_id}_{key}"]
        await home.call(platform, action, {"entity_id": entity_id} | data)

    await set_to("switch", "discharge_allowed", "turn_on")
    await set_to("number", "min_price_per_kwh", "set_value", value=0.8)
    leaves_at = (datetime.now(UTC) + _STAYS_FOR).isoformat(timespec="seconds")
    await set_to("datetime", "leave_once", "set_value", datetime=leaves_at)


async def join_park(home: RunningHomeAssistant, vehicle_id: str, park_id: str) -> None:
    """Read the park's terms and agree to them for a vehicle."""
    parks = (await home.ask(DOMAIN, "list_parks"))["items"]
    terms_version = next(each["terms_version"] for each in parks if each["park_id"] == park_id)
    devices = await home.command("config/device_registry/list")
    device_id = next(each["id"] for each in devices if [DOMAIN, vehicle_id] in each["identifiers"])
    agreement = {"device_id": [device_id], "park_id": park_id, "terms_version": terms_version}
    await home.call(DOMAIN, "join_park", agreement)


async def start_park(
    plot: Plot, folder: Path, api: OwnerApi, home: RunningHomeAssistant, park: dict[str, Any]
) -> Process:
    """Start the simulated park as a process of its own."""
    settings = Settings(
        api_url=api.url,
        client_id=park["client_id"],
        client_secret=park["client_secret"],
        home_assistant_url=home.url,
        home_assistant_token=home.token,
        book=str(folder / "park-book.json"),
        meter_log=str(folder / "meter.jsonl"),
        receipt_key=park["receipt_key"],
        kept_checkpoint=str(folder / "park-checkpoint.txt"),
        seed=plot.seed,
        soc_pct=plot.soc_pct,
        first_price=str(plot.price),
        first_energy_wh=plot.energy_wh,
        offers=plot.offers,
        lead_s=plot.lead_s,
        window_s=plot.window_s,
        evse_id=EVSE_ID,
    )
    told = folder / "park-settings.json"
    told.touch(mode=0o600)
    told.write_text(json.dumps(asdict(settings)), encoding="utf-8")
    return await Process.start(
        "park",
        sys.executable,
        *("-m", "owner_api.simulation.live_park", told),
        log=folder / "park.log",
        folder=REPOSITORY,
    )
