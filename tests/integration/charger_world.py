"""A home charger with a car, second by second: entities shaped like those of real integrations.

The charger's power follows what its control entities are told; what Home Assistant reads of it
may be late, frozen or gone. Nothing here knows the executor's rules.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
import re
import time
from types import MappingProxyType
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components import number, select, switch
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, ServiceCall, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import parse_yaml
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.v2g_owner.control_model import CarLimits, Lease, Orders, Plan, PlanStep
from custom_components.v2g_owner.decode import decode
from custom_components.v2g_owner.executor import ChargerExecutor
from custom_components.v2g_owner.executor_store import Memory

# Readers are made once by type; made under a frozen clock they would ask for a fake one.
decode(Memory, {})

SOC = "sensor.car_battery"
PLUG = "binary_sensor.car_plug"
CONNECTED = "binary_sensor.wallbox_connected"
POWER = "sensor.wallbox_power"
IMPORT = "sensor.wallbox_import"
EXPORT = "sensor.wallbox_export"
CAR = "veh_blue"
CAPACITY_WH = 60_000
# When a car comes home.
EVENING = datetime(2026, 12, 1, 18, tzinfo=UTC)
# What the owners' page tells to write around a charger that has actions and nothing to set.
_PAGE = Path(__file__).parents[2] / "docs/home-chargers.md"
_EXAMPLES = [
    parse_yaml(text) for text in re.findall(r"```yaml\n(.*?)```", _PAGE.read_text(), re.DOTALL)
]
CHARGER_SCRIPT: Any = _EXAMPLES[0]
OWN_ACTIONS: dict[str, Any] = {
    "set_actions": _EXAMPLES[1],
    "stop_actions": [{"action": "acme_charger.stop"}],
}


class Setting(number.NumberEntity):
    """A charger's number: it clamps nothing, Home Assistant itself checks its range."""

    _attr_should_poll = False

    def __init__(
        self, box: Wallbox, name: str, unit: str, low: float, high: float, step: float
    ) -> None:
        """Make a number of a charger."""
        self.box = box
        self.entity_id = f"number.{name}"
        self._attr_name = name
        self._attr_native_unit_of_measurement = unit
        self._attr_native_min_value, self._attr_native_max_value = low, high
        self._attr_native_step = step
        self._attr_native_value = 0.0
        if unit in {"W", "kW"}:
            # Only of such a number can the owner choose another unit, and only with an entry.
            self._attr_device_class = number.NumberDeviceClass.POWER
            self._attr_unique_id = name

        self.show_as = int if box.whole else float

    async def async_set_native_value(self, value: float) -> None:
        """Take a number; a charger behind a cloud shows it only at the next poll."""
        if self.box.answers_after_s:
            await asyncio.sleep(self.box.answers_after_s)
        self.box.command("number", value)

    def show(self, value: float) -> None:
        """Show a value in Home Assistant."""
        self._attr_native_value = self.show_as(value)
        self.async_write_ha_state()

    def show_available(self, *, yes: bool) -> None:
        """Lose the charger, or find it again."""
        self._attr_available = yes
        self.async_write_ha_state()


class Mode(select.SelectEntity):
    """A charger's mode."""

    _attr_should_poll = False
    _attr_options = ["Stop", "Charge", "Discharge", "Self consumption"]  # noqa: RUF012

    def __init__(self, box: Wallbox) -> None:
        """Make the mode of a charger."""
        self.box = box
        self.entity_id = "select.wallbox_mode"
        self._attr_name = "mode"
        self._attr_current_option = "Stop"

    async def async_select_option(self, option: str) -> None:
        """Take a mode."""
        self.box.command("mode", option)

    def show(self, value: str) -> None:
        """Show a value in Home Assistant."""
        self._attr_current_option = value
        self.async_write_ha_state()


class Enable(switch.SwitchEntity):
    """A charger's switch."""

    _attr_should_poll = False

    def __init__(self, box: Wallbox) -> None:
        """Make the switch of a charger."""
        self.box = box
        self.entity_id = "switch.wallbox_charge_control"
        self._attr_name = "charge control"
        self._attr_is_on = False

    async def async_turn_on(self, **_: Any) -> None:
        """Let the car charge."""
        self.box.command("mode", "on")

    async def async_turn_off(self, **_: Any) -> None:
        """Do not."""
        self.box.command("mode", "off")

    def show(self, value: str) -> None:
        """Show a value in Home Assistant."""
        self._attr_is_on = value == "on"
        self.async_write_ha_state()


@dataclass(kw_only=True)
class Wallbox:
    """A charger, the car at it, and what Home Assistant sees of both.

    ``shape`` is wallbox (signed amperes, kW meter), watts and kilowatts (the same in those),
    sigenergy (kW and a mode), ocpp (amperes and a switch) or actions (no entities: its maker's
    actions, and a script of the owner's that calls them). ``obeys`` False ignores every
    command but shows it; ``late_s`` is how long states take to reach Home Assistant. ``setting``
    is what its number counts in, its least, most and step, where they are not the shape's own;
    ``whole`` tells its value as an int, as a register does.
    """

    hass: HomeAssistant
    shape: str = "wallbox"
    obeys: bool = True
    late_s: int = 0
    inverted: bool = False
    watts_per_unit: float | None = None
    setting: tuple[str, float, float, float] | None = None
    whole: bool = False
    connected: bool = True
    soc_pct: float = 60.0
    soc_frozen: bool = False
    soc_silent: bool = False
    meter_silent: bool = False
    meter_tells_changes: bool = False
    instant: bool = False
    registers_silent: bool = False
    plugs_silent: bool = False
    beside_w: float = 0.0
    self_consumes_w: float = 0.0
    broken: bool = False
    answers_after_s: float = 0.0
    told: dict[str, Any] = field(default_factory=dict)
    real_w: float = 0.0
    imported_wh: float = 100_000.0
    exported_wh: float = 5_000.0
    shown: dict[str, Any] = field(default_factory=dict)
    queue: list[tuple[int, str, Any]] = field(default_factory=list)
    second: int = 0
    commands: list[tuple[datetime, str, Any]] = field(default_factory=list)

    async def build(self) -> None:
        """Add the charger's entities to Home Assistant."""
        await async_setup_component(self.hass, number.DOMAIN, {})
        await async_setup_component(self.hass, select.DOMAIN, {})
        await async_setup_component(self.hass, switch.DOMAIN, {})
        # As many an integration does, it leaves its charger when Home Assistant says that it stops.
        self.left = False
        self.hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, self._leave)
        self.number: Setting | None = None
        self.mode: Mode | Enable | None = None
        self.told = {"number": 0.0, "mode": {"sigenergy": "Stop", "ocpp": "off"}.get(self.shape)}
        if self.shape == "actions":
            await self._build_actions()
            self.report()
            return
        ranges: dict[str, tuple[str, float, float, float]] = {
            "wallbox": ("A", -32, 32, 1),
            "watts": ("W", -7_400, 7_400, 1),
            "kilowatts": ("kW", -7.4, 7.4, 0.1),
            "sigenergy": ("kW", 0, 11, 0.1),
            "ocpp": ("A", 0, 32, 1),
        }
        self.number = Setting(self, "wallbox_setting", *(self.setting or ranges[self.shape]))
        await self.hass.data[number.DATA_COMPONENT].async_add_entities([self.number])
        if self.shape == "sigenergy":
            self.mode = Mode(self)
            await self.hass.data[select.DATA_COMPONENT].async_add_entities([self.mode])
        if self.shape == "ocpp":
            self.mode = Enable(self)
            await self.hass.data[switch.DATA_COMPONENT].async_add_entities([self.mode])
        self.report()

    async def _build_actions(self) -> None:
        """Offer the maker's two actions, and the owner's script around them."""

        async def set_power(call: ServiceCall) -> None:
            await asyncio.sleep(self.answers_after_s)
            if self.broken:
                raise HomeAssistantError("the charger's cloud does not answer")
            self.command("number", float(call.data["power"]))

        async def stop(_call: ServiceCall) -> None:
            if self.broken:
                raise HomeAssistantError("the charger's cloud does not answer")
            self.command("number", 0.0)

        self.hass.services.async_register("acme_charger", "set_power", set_power)
        self.hass.services.async_register("acme_charger", "stop", stop)
        assert await async_setup_component(self.hass, "script", CHARGER_SCRIPT)

    def command(self, what: str, value: Any) -> None:
        """Take a command; its echo reaches Home Assistant when a charger of this kind tells."""
        if self.left:
            raise HomeAssistantError("not connected")
        self.commands.append((dt_util.utcnow(), what, value))
        self.told[what] = value
        self._later(what, value)
        if self.instant:
            self.real_w = self.wanted_w
            self.report()

    @callback
    def _leave(self, _event: Event) -> None:
        """Take no more commands."""
        self.left = True

    def by_hand(self, what: str, value: Any) -> None:
        """Change the charger in its own app."""
        self.told[what] = value
        self._later(what, value)

    @property
    def wanted_w(self) -> float:
        """What the charger was told, in watts."""
        amperes = 230.0
        usual = {"wallbox": amperes, "ocpp": amperes, "watts": 1.0, "actions": 1.0}
        factor = self.watts_per_unit or usual.get(self.shape, 1_000.0)
        power = float(self.told["number"]) * factor
        if self.shape == "sigenergy":
            power *= {"Charge": 1, "Discharge": -1}.get(self.told["mode"], 0)
            if self.told["mode"] == "Self consumption":
                power = self.self_consumes_w
        if self.shape == "ocpp":
            power *= self.told["mode"] == "on"
        return -power if self.inverted else power

    def step(self) -> None:
        """Let one second pass."""
        self.second += 1
        wanted = self.wanted_w if self.connected else 0.0
        if self.obeys or not self.connected:
            # A charger reaches its setpoint within two seconds.
            self.real_w += max(-5_000.0, min(5_000.0, wanted - self.real_w))
        if self.soc_pct >= 100 and self.real_w > 0:
            self.real_w = 0.0
        wh = self.real_w / 3_600
        if wh > 0:
            self.imported_wh += wh
            self.soc_pct = min(100.0, self.soc_pct + wh * 0.933 / CAPACITY_WH * 100)
        else:
            self.exported_wh -= wh
            self.soc_pct += wh / 0.933 / CAPACITY_WH * 100
        if self.second % 5 == 0:
            self.report()
        while self.queue and self.queue[0][0] <= self.second:
            _, what, value = self.queue.pop(0)
            shown: Any = self.number if what == "number" else self.mode
            if shown is not None:
                shown.show(value)

    def report(self) -> None:
        """Tell Home Assistant what the sensors measure."""
        states = self.hass.states
        plug = "unavailable" if self.plugs_silent else "on" if self.connected else "off"
        states.async_set(CONNECTED, plug)
        states.async_set(PLUG, plug, {"device_class": "plug"})
        power = f"{(self.real_w + self.beside_w) / 1000:.3f}"
        told = self.meter_tells_changes and power == self.shown.get("power")
        if not self.meter_silent and not told:
            kilowatts = {"unit_of_measurement": "kW", "device_class": "power"}
            states.async_set(POWER, power, kilowatts)
            self.shown["power"] = power
        if not self.meter_silent and not self.registers_silent:
            energy = {"unit_of_measurement": "kWh", "device_class": "energy"}
            states.async_set(IMPORT, f"{self.imported_wh / 1000:.3f}", energy)
            states.async_set(EXPORT, f"{self.exported_wh / 1000:.3f}", energy)
        if not self.soc_silent:
            shown = self.shown.get("soc") if self.soc_frozen else int(self.soc_pct)
            self.shown["soc"] = shown
            states.async_set(SOC, str(shown), {"device_class": "battery"})

    def plug(self, *, connected: bool) -> None:
        """Plug the car in or out."""
        self.connected = connected
        self.report()

    def _later(self, what: str, value: Any) -> None:
        self.queue.append((self.second + self.late_s, what, value))


def mapping(shape: str, *, discharge: bool = True, **changes: Any) -> dict[str, Any]:
    """Return a tested charger's control as its subentry keeps it."""
    shapes: dict[str, dict[str, Any]] = {
        "wallbox": {"shape": "signed_number", "unit": "a"},
        "watts": {"shape": "signed_number", "unit": "w"},
        "kilowatts": {"shape": "signed_number", "unit": "kw"},
        "sigenergy": {
            "shape": "number_and_mode",
            "unit": "kw",
            "mode_entity": "select.wallbox_mode",
            "charge_option": "Charge",
            "discharge_option": "Discharge",
            "stop_option": "Stop",
        },
        "ocpp": {
            "shape": "number_and_mode",
            "unit": "a",
            "mode_entity": "switch.wallbox_charge_control",
        },
        "actions": {"shape": "actions", "setpoint_entity": None, **OWN_ACTIONS},
    }
    tested = {"charge_tested_at": "2026-11-01T12:00:00+00:00"}
    if discharge:
        tested["discharge_tested_at"] = "2026-11-01T12:01:00+00:00"
    return {"setpoint_entity": "number.wallbox_setting", **shapes[shape], **tested, **changes}


def subentry(
    shape: str = "wallbox", charger_id: str = "chg_home", **changes: Any
) -> ConfigSubentry:
    """Return a charger's subentry with control."""
    return ConfigSubentry(
        data=MappingProxyType(
            {
                "charger_id": charger_id,
                "connected_entity": CONNECTED,
                "power_entity": POWER,
                "power_sign": "charging_positive",
                "import_entity": IMPORT,
                "export_entity": EXPORT,
                "control": mapping(shape, **changes),
            }
        ),
        subentry_type="charger",
        title="Garage",
        unique_id=charger_id,
    )


CAR_MAPPING = {"soc_entity": SOC, "plugged_entity": PLUG}


def orders(**changes: Any) -> Orders:
    """Return a car that may discharge to 20 %, at a 7 kW charger, without plan or lease."""
    car = {
        "vehicle_id": CAR,
        "usable_capacity_wh": CAPACITY_WH,
        "max_charge_w": 7_000,
        "max_discharge_w": 7_000,
        "charge_efficiency": 0.933,
        "discharge_efficiency": 0.933,
        "soc_floor_pct": 20.0,
        "soc_ceiling_pct": 90.0,
        "soc_target_pct": 80.0,
        "soc_margin_pct": 2.5,
        "soc_max_age_s": 900,
        "departure_buffer_s": 900,
        "discharge_allowed": True,
    }
    limits = CarLimits(**car | {key: changes.pop(key) for key in list(changes) if key in car})
    return Orders(**{"cars": (limits,), "max_charge_w": 7_360, "max_discharge_w": 7_360, **changes})


def lease(seconds: float = 60, power_w: int = -6_900, commitment_id: str = "com_1") -> Lease:
    """Return a lease told now."""
    now = dt_util.utcnow()
    return Lease(
        commitment_id=commitment_id,
        vehicle_id=CAR,
        power_w=power_w,
        until=now + timedelta(seconds=seconds),
        told_at=now,
    )


def plan(end_at: datetime, *steps: tuple[datetime, int, float], least: float = 50) -> Plan:
    """Return a plan of (start, power, charge up to) steps that charge below it less a point."""
    return Plan(
        vehicle_id=CAR,
        made_at=dt_util.utcnow(),
        end_at=end_at,
        soc_min_departure_pct=least,
        steps=tuple(
            PlanStep(
                start_at=start,
                power_w=power,
                start_below_pct=max(0.0, stop - 1),
                stop_at_pct=stop,
                planned=power > 0 and stop > 0,
            )
            for start, power, stop in steps
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Second:
    """One second of the record."""

    at: datetime
    power_w: float
    setpoint_w: int | None
    reason: str
    holder: str
    soc_pct: float


@dataclass(kw_only=True)
class Night:
    """Time, charger and executor, moved together; every second is kept."""

    hass: HomeAssistant
    freezer: FrozenDateTimeFactory
    box: Wallbox
    executor: ChargerExecutor | None = None
    record: list[Second] = field(default_factory=list)
    real_pause_s: float = 0.0

    async def until[T](self, check: Callable[[], T]) -> T:
        """Wait in real time, with the clock standing still, until ``check`` is true."""
        for _ in range(1_000):
            await self.hass.async_block_till_done()
            if found := check():
                return found
            await self.hass.async_add_executor_job(time.sleep, 0.01)
        raise TimeoutError

    async def start(self, **changes: Any) -> ChargerExecutor:
        """Start an executor, as Home Assistant does when it starts."""
        made = ChargerExecutor(self.hass, subentry(self.box.shape, **changes), {CAR: CAR_MAPPING})
        await made.async_start()
        await self.hass.async_block_till_done()
        self.executor = made
        return made

    async def end(self) -> list[Second]:
        """Shut the executor down, as Home Assistant does when it ends, in as long as that takes."""
        assert self.executor is not None
        ending = asyncio.create_task(self.executor.async_shut_down())
        self.executor, first = None, len(self.record)
        while not ending.done():
            await self.seconds(1)
        return self.record[first:]

    async def plug_in(self) -> None:
        """Plug the car in where both can see it: it is certain which car this is."""
        self.box.plug(connected=False)
        await self.seconds(2)
        self.box.plug(connected=True)
        await self.seconds(4)

    async def seconds(self, count: int, *, stride: int = 1) -> list[Second]:
        """Let seconds pass, some at a time; returns the record of them.

        With a server, real moments pass too, in which it and Home Assistant talk.
        """
        first = len(self.record)
        for _ in range(0, count, stride):
            self.freezer.tick(stride)
            for _ in range(stride):
                self.box.step()
            async_fire_time_changed(self.hass)
            await self.hass.async_block_till_done()
            if self.real_pause_s:
                await self.hass.async_add_executor_job(time.sleep, self.real_pause_s)
                await self.hass.async_block_till_done()
            verdict = self.executor.verdict if self.executor else None
            self.record.append(
                Second(
                    at=dt_util.utcnow(),
                    power_w=self.box.real_w,
                    setpoint_w=verdict.setpoint_w if verdict else None,
                    reason=verdict.reason if verdict else "",
                    holder=verdict.holder if verdict else "",
                    soc_pct=self.box.soc_pct,
                )
            )
        return self.record[first:]


def discharging(seconds: list[Second]) -> list[Second]:
    """Return the seconds in which energy left the car."""
    return [second for second in seconds if second.power_w < -50]
