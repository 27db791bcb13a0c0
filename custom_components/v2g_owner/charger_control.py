"""How a setpoint becomes what the owner's charger understands: three shapes behind one adapter.

A signed number (Wallbox-style), a number beside a mode select or a switch (Sigenergy- and
OCPP-style), or actions of the owner's choice. Pure: states in, calls out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
import math
from typing import Any, Final

from .charger_range import UNITS, Range, Unit

CONF_CONTROL: Final = "control"
CONF_SHAPE: Final = "shape"
CONF_SETPOINT_ENTITY: Final = "setpoint_entity"
CONF_UNIT: Final = "unit"
CONF_VOLTS: Final = "volts"
CONF_PHASES: Final = "phases"
CONF_INVERTED: Final = "inverted"
CONF_MODE_ENTITY: Final = "mode_entity"
CONF_CHARGE_OPTION: Final = "charge_option"
CONF_DISCHARGE_OPTION: Final = "discharge_option"
CONF_STOP_OPTION: Final = "stop_option"
CONF_SET_ACTIONS: Final = "set_actions"
CONF_STOP_ACTIONS: Final = "stop_actions"
CONF_MIN_POWER_W: Final = "min_power_w"
CONF_CHARGE_TESTED: Final = "charge_tested_at"
CONF_DISCHARGE_TESTED: Final = "discharge_tested_at"

# IEC 61851-1: a charger offers at least 6 A.
LEAST_AMPERE: Final = 6


class Shape(StrEnum):
    """How a charger is controlled."""

    SIGNED_NUMBER = "signed_number"
    NUMBER_AND_MODE = "number_and_mode"
    ACTIONS = "actions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One action to call: an entity's own, or the owner's actions with the power to set."""

    domain: str
    service: str
    data: Mapping[str, Any]

    @property
    def entity_id(self) -> str:
        """The entity that is set."""
        return str(self.data["entity_id"])

    @property
    def value(self) -> str | float | None:
        """What the entity shows once it has obeyed; None when that cannot be told."""
        if self.service in {"turn_on", "turn_off"}:
            return "on" if self.service == "turn_on" else "off"
        found: str | float | None = self.data.get("option", self.data.get("value"))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerControl:
    """One charger's control entities, as its subentry maps them."""

    shape: Shape
    setpoint_entity: str | None = None
    unit: Unit = Unit.WATT
    volts: int = 230
    phases: int = 1
    inverted: bool = False
    mode_entity: str | None = None
    charge_option: str | None = None
    discharge_option: str | None = None
    stop_option: str | None = None
    set_actions: tuple[Any, ...] = ()
    stop_actions: tuple[Any, ...] = ()
    min_power_w: int = 1_400

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> ChargerControl:
        """Return the control that a subentry's ``control`` describes."""
        return cls(
            shape=Shape(data[CONF_SHAPE]),
            setpoint_entity=data.get(CONF_SETPOINT_ENTITY),
            unit=Unit(data.get(CONF_UNIT, Unit.WATT)),
            volts=int(data.get(CONF_VOLTS, 230)),
            phases=int(data.get(CONF_PHASES, 1)),
            inverted=bool(data.get(CONF_INVERTED)),
            mode_entity=data.get(CONF_MODE_ENTITY),
            charge_option=data.get(CONF_CHARGE_OPTION),
            discharge_option=data.get(CONF_DISCHARGE_OPTION),
            stop_option=data.get(CONF_STOP_OPTION),
            set_actions=tuple(data.get(CONF_SET_ACTIONS, ())),
            stop_actions=tuple(data.get(CONF_STOP_ACTIONS, ())),
            min_power_w=int(data.get(CONF_MIN_POWER_W, 1_400)),
        )

    @property
    def entities(self) -> tuple[str, ...]:
        """The entities that show what the charger is told."""
        return tuple(entity for entity in (self.setpoint_entity, self.mode_entity) if entity)

    @property
    def has_options(self) -> bool:
        """Tell whether the mode is one of several options, and not a switch."""
        domain = (self.mode_entity or "").partition(".")[0]
        return domain in {"select", "input_select"}

    def watts_per(self, shown: str | None = None) -> float | None:
        """Return how many watts one of the units stands for that the number is shown in.

        Its owner may have another one shown than was mapped. None where it is of another kind:
        then what was mapped and tested is no longer there.
        """
        factors = {Unit.WATT: 1.0, Unit.KILOWATT: 1000.0, Unit.AMPERE: self.volts * self.phases}
        converter, mapped = UNITS[self.unit]
        if shown is None:
            return factors[self.unit]
        if shown not in converter.VALID_UNITS:
            return None
        return factors[self.unit] * converter.convert(1.0, shown, mapped)

    @property
    def least_w(self) -> int:
        """The least power the charger runs at: its dead band, and 6 A where it counts amperes."""
        ampere = LEAST_AMPERE * self.volts * self.phases if self.unit is Unit.AMPERE else 0
        return max(self.min_power_w, ampere)

    def least_in(self, limits: Range) -> int:
        """Return the least power (W) to ask for: a number may begin above ``least_w``."""
        if (factor := self.watts_per(limits.unit)) is None:
            return self.least_w
        return max(self.least_w, math.ceil(limits.least * factor - 1e-6))

    def most_into(self, limits: Range) -> float:
        """Return the most power (W) into the car that can be asked for; actions tell no limit."""
        factor = self.watts_per(limits.unit)
        if self.shape is Shape.ACTIONS or factor is None:
            return math.inf
        turned = self.inverted and self.shape is Shape.SIGNED_NUMBER
        return max(0.0, -limits.low if turned else limits.high) * factor

    @property
    def can_discharge(self) -> bool:
        """Tell whether this shape has a way to ask for discharging at all."""
        if self.shape is Shape.NUMBER_AND_MODE:
            return self.discharge_option is not None
        return True

    def native(self, power_w: int, limits: Range) -> float:
        """Return the number to set for a signed power: rounded toward zero, within the range.

        A range that leaves out zero turns no stop, and no discharge, into charging, and makes
        nothing larger; a unit of another kind is set to nothing but zero.
        """
        return self._fitted(-power_w if self.inverted else power_w, limits)

    def _fitted(self, signed: int, limits: Range) -> float:
        """Return a power in the number's own direction as the number takes it."""
        factor = self.watts_per(limits.unit)
        if factor is None:
            return 0.0
        steps = math.trunc(signed / factor / limits.step + math.copysign(1e-9, signed))
        value = round(steps * limits.step, 6)
        if abs(value) < limits.begins:
            return 0.0
        fitted = min(limits.high, max(limits.low, value))
        return fitted if fitted * value > 0 else 0.0

    def calls(self, power_w: int, limits: Range) -> tuple[Call, ...]:
        """Return the calls that set a power (W, + into the car), in the order to make them."""
        if self.shape is Shape.ACTIONS:
            return (Call(domain="script", service="run", data={"power_w": power_w}),)
        assert self.setpoint_entity is not None
        if self.shape is Shape.SIGNED_NUMBER:
            return (_number(self.setpoint_entity, self.native(power_w, limits)),)
        # The mode says the direction, also where it is inverted: the number counts how much.
        size = self._fitted(abs(power_w), limits)
        if size == 0:
            return (self._mode(0),)
        # A new direction comes last, with the right amount already there.
        return (_number(self.setpoint_entity, size), self._mode(power_w))

    def _mode(self, power_w: int) -> Call:
        """Return the call for a direction: an option of a select, or a switch on and off."""
        assert self.mode_entity is not None
        domain = self.mode_entity.partition(".")[0]
        if not self.has_options:
            service = "turn_on" if power_w > 0 else "turn_off"
            return Call(domain=domain, service=service, data={"entity_id": self.mode_entity})
        towards = -power_w if self.inverted else power_w
        options = (self.discharge_option, self.stop_option, self.charge_option)
        option = options[(towards > 0) - (towards < 0) + 1]
        return Call(
            domain=domain,
            service="select_option",
            data={"entity_id": self.mode_entity, "option": option},
        )


def untested(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a charger's mapping without the dates of its guided test: it has to be made again.

    The test holds a command against the meter, so it says nothing about another meter or sign.
    """
    if not (control := data.get(CONF_CONTROL)):
        return dict(data)
    dates = {CONF_CHARGE_TESTED, CONF_DISCHARGE_TESTED}
    kept = {key: value for key, value in control.items() if key not in dates}
    return {**data, CONF_CONTROL: kept}


def _number(entity_id: str, value: float) -> Call:
    """Return the call that sets a number."""
    domain = entity_id.partition(".")[0]
    return Call(domain=domain, service="set_value", data={"entity_id": entity_id, "value": value})
