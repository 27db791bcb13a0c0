"""Two chargers, two cars and a guest's, with physics of their own; sensors and commands go wrong.

What flows and what is in the batteries is the truth; what Home Assistant is told of it may be
late, frozen, gone or restored. Nothing here knows the executor's rules.
"""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from homeassistant.components import number, select
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry, ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.control_model import Orders
from custom_components.v2g_owner.executors import async_start_executors

from .charger_world import CAPACITY_WH, Mode, Setting, mapping, orders


@dataclass(kw_only=True, eq=False)
class Car:
    """One car: its battery, its plug, and what its cloud tells of them."""

    hass: HomeAssistant
    name: str
    soc_pct: float
    mapped: bool = True
    soc: str = "ok"
    """ok, frozen (repeats itself), silent (tells nothing), unavailable or unknown."""
    plug: str = "ok"
    plug_lag_s: int = 0
    box: Box | None = None
    shown: int = 0
    shown_plug: bool = False
    changed_s: int = 0
    second: int = 0
    floor_pct: float = 20.0
    allowed: bool = True

    @property
    def vehicle_id(self) -> str:
        """Its id, as the agent would have it."""
        return f"veh_{self.name}"

    @property
    def mapping(self) -> dict[str, Any]:
        """Return its mapping."""
        return {
            "soc_entity": f"sensor.{self.name}_battery",
            "plugged_entity": f"binary_sensor.{self.name}_plug",
        }

    def subentry(self) -> ConfigSubentry:
        """Return it as linked."""
        data = {"vehicle_id": self.vehicle_id, **self.mapping}
        return ConfigSubentry(
            data=MappingProxyType(data),
            subentry_type="vehicle",
            title=self.name,
            unique_id=self.vehicle_id,
        )

    def step(self) -> None:
        """Let a second pass."""
        self.second += 1
        if self.second >= self.changed_s + self.plug_lag_s:
            self.shown_plug = self.box is not None
        if self.second % 5 == 0:
            self.report()

    def report(self) -> None:
        """Tell Home Assistant."""
        if not self.mapped:
            return
        states, attributes = self.hass.states, {"device_class": "battery"}
        if self.plug != "silent":
            shown = {True: "on", False: "off"}[self.shown_plug] if self.plug == "ok" else self.plug
            states.async_set(f"binary_sensor.{self.name}_plug", shown)
        if self.soc == "silent":
            return
        if self.soc in {"unavailable", "unknown"}:
            states.async_set(f"sensor.{self.name}_battery", self.soc, attributes)
            return
        if self.soc == "ok":
            self.shown = int(self.soc_pct)
        states.async_set(f"sensor.{self.name}_battery", str(self.shown), attributes)


class NamedMode(Mode):
    """A charger's mode by its own name."""

    def __init__(self, box: Any) -> None:
        """Name it."""
        super().__init__(box)
        self.entity_id = f"select.{box.name}_mode"


@dataclass(kw_only=True, eq=False)
class Box:
    """One charger."""

    hass: HomeAssistant
    name: str
    shape: str = "wallbox"
    car: Car | None = None
    real_w: float = 0.0
    told: dict[str, Any] = field(default_factory=dict)
    conn: str = "ok"
    conn_lag_s: int = 0
    meter: str = "ok"
    unit_kw: bool = True
    refuse: bool = False
    available: bool = True
    answers_after_s: float = 0.0
    whole: bool = False
    late_s: int = 0
    shown_conn: bool = False
    changed_s: int = 0
    second: int = 0
    commands: list[tuple[int, str, Any]] = field(default_factory=list)
    queue: list[tuple[int, str, Any]] = field(default_factory=list)
    shown_w: float = 0.0
    dead: bool = False
    """Nobody's words reach it: Home Assistant has crashed."""
    boots_s: int = 0
    blank_s: int = 0
    mode: Any = None
    number: Any = None

    @property
    def charger_id(self) -> str:
        """Its id, as the agent would have it."""
        return f"chg_{self.name}"

    async def build(self) -> None:
        """Add its entities."""
        await async_setup_component(self.hass, number.DOMAIN, {})
        await async_setup_component(self.hass, select.DOMAIN, {})
        ranges: dict[str, tuple[str, float, float, float]] = {
            "wallbox": ("A", -32, 32, 1),
            "watts": ("W", -7_400, 7_400, 1),
            "kilowatts": ("kW", -7.4, 7.4, 0.1),
            "sigenergy": ("kW", 0, 11, 0.1),
        }
        self.told = {"number": 0.0, "mode": "Stop" if self.shape == "sigenergy" else None}
        self.number = Setting(self, f"{self.name}_setting", *ranges[self.shape])  # type: ignore[arg-type]
        await self.hass.data[number.DATA_COMPONENT].async_add_entities([self.number])
        if self.shape == "sigenergy":
            self.mode = NamedMode(self)
            await self.hass.data[select.DATA_COMPONENT].async_add_entities([self.mode])
        self.report()

    def subentry(self) -> ConfigSubentry:
        """Return it as linked and tested."""
        control = mapping(self.shape, setpoint_entity=f"number.{self.name}_setting")
        if self.shape == "sigenergy":
            control["mode_entity"] = f"select.{self.name}_mode"
        return ConfigSubentry(
            data=MappingProxyType(
                {
                    "charger_id": self.charger_id,
                    "connected_entity": f"binary_sensor.{self.name}_connected",
                    "power_entity": f"sensor.{self.name}_power",
                    "power_sign": "charging_positive",
                    "control": control,
                }
            ),
            subentry_type="charger",
            title=self.name,
            unique_id=self.charger_id,
        )

    def command(self, what: str, value: Any) -> None:
        """Take a command, or refuse it."""
        if self.dead:
            return
        if self.refuse:
            raise HomeAssistantError("refused")
        self.commands.append((self.second, what, value))
        self.told[what] = value
        self.queue.append((self.second + self.late_s, what, value))

    def by_itself(self, what: str, value: Any) -> None:
        """Change a setting with nobody's command."""
        self.told[what] = value
        self.queue.append((self.second + self.late_s, what, value))

    def shown_for(self, amperes: int) -> float:
        """Return what its number shows for a current; beside a mode it has no sign."""
        per_ampere = {"wallbox": 1.0, "watts": 230.0}.get(self.shape, 0.23)
        value = round(amperes * per_ampere, 1)
        return abs(value) if self.shape == "sigenergy" else value

    def reboot(self, seconds: int, value: float | None) -> None:
        """Start anew, with what it was told or with a number of its own."""
        self.show_available(yes=False)
        self.boots_s, self.real_w = seconds, 0.0
        self.queue.clear()
        if value is not None:
            self.told = {"number": value, "mode": self.mode and ("Charge" if value else "Stop")}

    def blank(self, seconds: int) -> None:
        """Show nothing for a while."""
        self.blank_s = seconds
        for entity in (self.number, self.mode):
            if entity is not None:
                entity._attr_native_value = entity._attr_current_option = None
                entity.async_write_ha_state()

    def _wake(self) -> None:
        """Show what it was told, after a start and a silence."""
        if self.boots_s == 1:
            self.show_available(yes=True)
        if self.boots_s == 1 or self.blank_s == 1:
            self.queue += [(0, key, value) for key, value in self.told.items() if value is not None]
        self.boots_s, self.blank_s = max(0, self.boots_s - 1), max(0, self.blank_s - 1)

    @property
    def wanted_w(self) -> float:
        """What it was told, in watts."""
        factor = {"wallbox": 230.0, "watts": 1.0}.get(self.shape, 1_000.0)
        power = float(self.told["number"]) * factor
        if self.shape == "sigenergy":
            power *= {"Charge": 1, "Discharge": -1}.get(self.told["mode"], 0)
        return power

    def step(self) -> None:
        """Let a second pass."""
        self.second += 1
        self._wake()
        wanted = self.wanted_w if self.car and not self.boots_s else 0.0
        self.real_w += max(-5_000.0, min(5_000.0, wanted - self.real_w))
        if self.car is None or (self.car.soc_pct >= 100 and self.real_w > 0):
            self.real_w = 0.0
        if self.car is not None:
            wh = self.real_w / 3_600
            wh = wh * 0.933 if wh > 0 else wh / 0.933
            self.car.soc_pct = max(0.0, min(100.0, self.car.soc_pct + wh / CAPACITY_WH * 100))
        if self.second >= self.changed_s + self.conn_lag_s:
            self.shown_conn = self.car is not None
        while self.queue and self.queue[0][0] <= self.second:
            _, what, value = self.queue.pop(0)
            (self.number if what == "number" else self.mode).show(value)
        if self.second % 5 == 0:
            self.report()

    def report(self) -> None:
        """Tell Home Assistant."""
        states = self.hass.states
        if self.conn != "silent":
            shown = {True: "on", False: "off"}[self.shown_conn] if self.conn == "ok" else self.conn
            states.async_set(f"binary_sensor.{self.name}_connected", shown)
        unit = {"unit_of_measurement": "kW" if self.unit_kw else "W", "device_class": "power"}
        if self.meter == "silent":
            return
        if self.meter in {"unavailable", "unknown"}:
            states.async_set(f"sensor.{self.name}_power", self.meter, unit)
            return
        if self.meter == "ok":
            self.shown_w = self.real_w
        value = self.shown_w / 1000 if self.unit_kw else self.shown_w
        states.async_set(f"sensor.{self.name}_power", f"{value:.3f}", unit)

    def show_available(self, *, yes: bool) -> None:
        """Lose its entities, or find them again."""
        self.available = yes
        for entity in (self.number, self.mode):
            if entity is not None:
                entity._attr_available = yes
                entity.async_write_ha_state()


def plug(car: Car, box: Box | None) -> None:
    """Move a car: to a charger, or away."""
    if car.box is not None:
        car.box.car, car.box.changed_s = None, car.box.second
    if box is not None and box.car is not None:
        box.car.box, box.car.changed_s = None, box.car.second
    car.box, car.changed_s = box, car.second
    if box is not None:
        box.car, box.changed_s = car, box.second


async def async_link(hass: HomeAssistant, boxes: list[Box], cars: list[Car]) -> MockConfigEntry:
    """Start the executors of one account, with its chargers and cars, as after a start."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        state=ConfigEntryState.LOADED,
        subentries_data=[
            ConfigSubentryData(
                data=dict(each.data),
                subentry_type=each.subentry_type,
                title=each.title,
                unique_id=each.unique_id,
            )
            for each in [made.subentry() for made in (*boxes, *cars)]
        ],
    )
    entry.add_to_hass(hass)
    for box in boxes:
        if box.number is None:
            await box.build()
    await async_start_executors(hass, entry)
    return entry


def limits(cars: list[Car]) -> Orders:
    """Return the orders that say no more than what the cars' owner allows."""
    return orders(
        cars=tuple(
            orders(
                vehicle_id=car.vehicle_id,
                soc_floor_pct=car.floor_pct,
                discharge_allowed=car.allowed,
            ).cars[0]
            for car in cars
        )
    )
