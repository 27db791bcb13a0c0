"""What the integration's tests share: a real owner API, the entry paired with it, and patience."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import Context, HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.http import current_request
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

# Imported before Home Assistant starts: the test plugin's own ``custom_components`` comes later.
from custom_components.v2g_owner.const import DOMAIN

from .charger_world import EVENING, PLUG, SOC, Night, Wallbox
from .entries import paired_entry, vehicle_subentry
from .frozen import stopped_clock
from .owner_world import OwnerWorld, open_owner_world
from .power_stage import Stage, on_stage

PATIENCE_S = 30.0


@pytest.fixture
async def hass(hass: HomeAssistant) -> AsyncIterator[HomeAssistant]:
    """End Home Assistant only once no account loads anew, as a test's last step may have it do.

    The test plugin unloads what is loaded before it ends; what is loaded while it ends it forgets.
    """
    yield hass
    accounts = hass.config_entries.async_entries(DOMAIN)
    while any(account.setup_lock.locked() for account in accounts):  # noqa: ASYNC110 - as ``until``
        await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
async def enable_event_loop_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the loop checks in debug mode, without noting the stack behind every future.

    The stacks help to read a failure and took half of these tests' time.
    """
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    monkeypatch.setattr(loop, "get_debug", lambda: False)


@pytest.fixture(autouse=True)
def auto_enable_custom_integrations(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant find our integration, in a test that has a Home Assistant."""
    if "hass" in request.fixturenames:
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture(autouse=True)
def filled_in_by_somebody() -> Iterator[None]:
    """Let the forms that a test sends itself be sent by one of the home's administrators."""
    token = current_request.set(_sent_by_somebody())
    yield
    current_request.reset(token)


@cache
def _sent_by_somebody() -> web.Request:
    """Return such a request; nobody changes it."""
    request = make_mocked_request("POST", "/")
    request["hass_user"] = SimpleNamespace(id="somebody")
    return request


@pytest.fixture(autouse=True)
def short_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a changed sensor reach the API soon; what is held back has tests of its own."""
    interval = "custom_components.v2g_owner.telemetry.TELEMETRY_MIN_INTERVAL"
    monkeypatch.setattr(interval, timedelta(milliseconds=50))


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pause between two commands as long as a charger does that lives twenty seconds in one.

    For tests in real time; how long the pause is has tests of its own.
    """
    pause = "custom_components.v2g_owner.charger_driver._PAUSE"
    monkeypatch.setattr(pause, timedelta(seconds=0.25))


@pytest.fixture
async def world(socket_enabled: None, tmp_path: Path) -> AsyncIterator[OwnerWorld]:
    """Serve a real owner API."""
    async with open_owner_world(tmp_path) as opened:
        yield opened


async def until[T](check: Callable[[], T]) -> T:
    """Wait until ``check`` returns something true, and return it; fails after half a minute."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := check()):  # noqa: ASYNC110 - states change in many ways, not one
            await asyncio.sleep(0.01)
    return found


class Home:
    """A Home Assistant whose entry is paired with the owner API."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry) -> None:
        """Look at one entry."""
        self.hass = hass
        self.entry = entry

    def entity_id(self, platform: str, device_key: str, key: str) -> str:
        """Return the entity id behind a unique id."""
        registry = er.async_get(self.hass)
        found = registry.async_get_entity_id(platform, DOMAIN, f"{device_key}_{key}")
        assert found is not None, (platform, key)
        return found

    def state(self, platform: str, device_key: str, key: str) -> State:
        """Return the state behind a unique id."""
        state = self.hass.states.get(self.entity_id(platform, device_key, key))
        assert state is not None, (platform, key)
        return state

    async def reaches(self, platform: str, device_key: str, key: str, value: str) -> State:
        """Wait until an entity shows a value."""
        try:
            await until(lambda: self.state(platform, device_key, key).state == value)
        except TimeoutError:
            shown = self.state(platform, device_key, key).state
            raise AssertionError(f"{key} shows {shown}, not {value}") from None
        return self.state(platform, device_key, key)

    async def act(self, action: str, data: dict[str, Any] | None = None, **options: Any) -> Any:
        """Call one of our actions and return its response."""
        return await self.hass.services.async_call(
            DOMAIN, action, data or {}, blocking=True, return_response=True, **options
        )

    async def set(
        self, platform: str, device_key: str, key: str, service: str, **data: Any
    ) -> None:
        """Call a platform's own action on one of our entities, as a person does."""
        await self.hass.services.async_call(
            platform,
            service,
            {"entity_id": self.entity_id(platform, device_key, key), **data},
            blocking=True,
            context=Context(user_id="somebody"),
        )


def told_days(terms: dict[str, Any]) -> str:
    """Return how the times of an offer within a week, and not today, are told in English."""
    start, end = (
        dt_util.as_local(dt_util.parse_datetime(terms[key], raise_on_error=True))
        for key in ("start_at", "end_at")
    )
    other_day = "" if start.date() == end.date() else f"{end:%A} "
    return f"{start:%A} {start:%H:%M} to {other_day}{end:%H:%M}"


def car_says(hass: HomeAssistant, soc: float | str, plug: str = "on") -> None:
    """Set what the owner's own sensors show."""
    hass.states.async_set(SOC, str(soc), {"device_class": "battery", "unit_of_measurement": "%"})
    hass.states.async_set(PLUG, plug, {"device_class": "plug"})


@pytest.fixture
async def vehicle_id(world: OwnerWorld) -> str:
    """Return a vehicle that may discharge and leaves tomorrow."""
    return await world.add_vehicle()


@pytest.fixture
async def home(hass: HomeAssistant, world: OwnerWorld, vehicle_id: str) -> Home:
    """Set up the entry with one vehicle whose sensors say 80 %, plugged in."""
    car_says(hass, 80)
    entry = await paired_entry(hass, world, [vehicle_subentry(vehicle_id)])
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return Home(hass, entry)


@pytest.fixture
async def session_id(home: Home, world: OwnerWorld, vehicle_id: str) -> str:
    """Return the park's session, bound to the vehicle by Home Assistant's own telemetry."""
    await home.reaches("sensor", vehicle_id, "soc", "80.0")
    member = await world.join(vehicle_id)
    found = await world.plug_in(member)
    session = await world.park.get(f"/v1/park/sessions/{found}")
    assert session["state"] == "bound", session
    return found


@pytest.fixture
async def charger_id(world: OwnerWorld) -> str:
    """Return a charger of the owner, at the park's EVSE E07."""
    body = {"display_name": "Garage", "evse_id": "E07", "max_charge_w": 7_000}
    return str((await world.phone.post("/v1/chargers", body))["charger_id"])


@pytest.fixture
async def charger_home(hass: HomeAssistant, home: Home, charger_id: str) -> None:
    """Link the charger to the home as well."""
    data = {
        "charger_id": charger_id,
        "power_entity": "sensor.wallbox_power",
        "power_sign": "discharging_positive",
        "import_entity": "sensor.wallbox_import",
        "export_entity": "sensor.wallbox_export",
        "online_entity": "binary_sensor.wallbox_online",
        # Mapped but never tested: shown, and not driven.
        "control": {"shape": "signed_number", "setpoint_entity": "number.wallbox_current"},
    }
    hass.config_entries.async_add_subentry(
        home.entry,
        ConfigSubentry(
            data=MappingProxyType(data),
            subentry_type="charger",
            title="Garage",
            unique_id=charger_id,
        ),
    )
    await hass.async_block_till_done()


@pytest.fixture
async def night(
    request: pytest.FixtureRequest,
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
) -> AsyncIterator[Night]:
    """Stand a car at a charger in the evening, a Wallbox-style one unless asked otherwise."""
    MockUser(id="li", name="Li Wei", is_owner=True).add_to_hass(hass)
    freezer.move_to(EVENING)
    box = Wallbox(hass=hass, **getattr(request, "param", {}))
    await box.build()
    made = Night(hass=hass, freezer=freezer, box=box)
    yield made
    if made.executor is not None:
        await made.end()


@pytest.fixture
def evening(request: pytest.FixtureRequest) -> FrozenDateTimeFactory:
    """Stop the clock in the evening, after what must be made before."""
    return stopped_clock(request, EVENING)


@pytest.fixture
async def stage(
    evening: FrozenDateTimeFactory,
    socket_enabled: None,
    tmp_path: Path,
    hass_storage: dict[str, Any],
) -> AsyncIterator[Stage]:
    """Stand the car at the home's own charger, with nothing sold yet."""
    async with on_stage(evening, tmp_path, hass_storage) as opened:
        yield opened
