"""What a home charger's meter said of one moment, where each of its sensors has its own habits."""

from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest

from custom_components.v2g_owner.meter import Meter

from .charger_world import EXPORT, IMPORT, POWER, subentry


class Sensors:
    """A meter of three sensors, each told for itself, beside what is read of it."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        self.hass, self.freezer = hass, freezer
        self.tell(power_w=0, import_wh=100_000, export_wh=5_000)
        self.meter = Meter(hass, subentry().data)
        self.stop = self.meter.async_start()

    def tell(self, **values: float) -> None:
        """Let sensors report, the same value as well."""
        told = {
            "power_w": (POWER, {"unit_of_measurement": "W"}),
            "import_wh": (IMPORT, {"unit_of_measurement": "Wh"}),
            "export_wh": (EXPORT, {"unit_of_measurement": "Wh"}),
        }
        for name, value in values.items():
            entity_id, attributes = told[name]
            self.hass.states.async_set(entity_id, str(value), attributes)

    async def after(self, seconds: float, **values: float) -> None:
        """Let time pass and sensors report."""
        self.freezer.tick(timedelta(seconds=seconds))
        self.tell(**values)
        await self.hass.async_block_till_done()

    @property
    def read(self) -> tuple[float, int, int, int] | None:
        """What is read now: its age in seconds, power and both registers."""
        if (found := self.meter.reading()) is None:
            return None
        age = (dt_util.utcnow() - found.measured_at).total_seconds()
        return (round(age), found.power_w, found.import_wh, found.export_wh)


@pytest.fixture
def sensors(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> Sensors:
    """Stand at rest, all told at once."""
    return Sensors(hass, freezer)


async def test_promise_9_an_old_register_does_not_go_out_under_a_new_time(
    sensors: Sensors,
) -> None:
    """While energy flows, a register says nothing of a time after it was told."""
    await sensors.after(10, power_w=-7_000, export_wh=5_001)
    assert sensors.read == (0, -7_000, 100_000, 5_001)
    await sensors.after(4, power_w=-7_010)
    assert sensors.read == (4, -7_010, 100_000, 5_001)
    await sensors.after(40, power_w=-7_020)
    assert sensors.read == (44, -7_020, 100_000, 5_001)
    await sensors.after(1, export_wh=5_090)
    assert sensors.read == (1, -7_020, 100_000, 5_090)


async def test_promise_9_at_rest_the_last_register_is_waited_for(sensors: Sensors) -> None:
    """What left until the power fell is in the next register, not in the one before."""
    await sensors.after(10, power_w=-7_000, export_wh=5_001)
    await sensors.after(3, power_w=0)
    assert sensors.read is None
    await sensors.after(20, power_w=0)
    assert sensors.read is None
    await sensors.after(1, export_wh=5_006)
    assert sensors.read == (1, 0, 100_000, 5_006)


async def test_a_register_that_speaks_only_when_it_changes_stands_for_what_cannot_flow(
    sensors: Sensors,
) -> None:
    """The one towards the car is silent while the car gives, and both are while it rests."""
    await sensors.after(7_200, power_w=4)
    assert sensors.read == (0, 4, 100_000, 5_000)
    await sensors.after(5, power_w=-7_000)
    await sensors.after(1, power_w=-7_000, export_wh=5_002)
    assert sensors.read == (0, -7_000, 100_000, 5_002)
    await sensors.after(30, power_w=3_000, import_wh=100_001)
    assert sensors.read is None, "what left before it charged has not been told"
    await sensors.after(1, power_w=3_000, import_wh=100_002, export_wh=5_060)
    assert sensors.read == (0, 3_000, 100_002, 5_060)


async def test_a_register_silent_for_ten_minutes_has_nothing_to_say(sensors: Sensors) -> None:
    """One that speaks only when it changes may have spoken last a moment before the rest."""
    await sensors.after(10, power_w=-7_000, export_wh=5_001)
    await sensors.after(3, power_w=0)
    await sensors.after(590, power_w=0)
    assert sensors.read is None
    await sensors.after(11, power_w=0)
    assert sensors.read == (0, 0, 100_000, 5_001)


async def test_promise_9_a_meter_of_which_each_part_speaks_only_when_it_changes_has_a_last_word(
    sensors: Sensors,
) -> None:
    """Before the API settles without one: its power is told once, when it falls."""
    await sensors.after(10, power_w=-7_000, export_wh=5_001)
    await sensors.after(3, power_w=0)
    await sensors.after(590)
    assert sensors.read is None
    await sensors.after(11)
    assert sensors.read == (601, 0, 100_000, 5_001)


async def test_a_register_that_is_silent_for_hours_is_good_at_once_when_the_account_is_loaded_anew(
    sensors: Sensors,
) -> None:
    """A deal that begins a minute later needs a reading; nothing tells since when it rests."""
    await sensors.after(7_200, power_w=4)
    sensors.stop()
    await sensors.after(5, power_w=6)
    sensors.meter = Meter(sensors.hass, subentry().data)
    sensors.stop = sensors.meter.async_start()
    assert sensors.read == (0, 6, 100_000, 5_000)


async def test_a_meter_with_a_part_missing_says_nothing(sensors: Sensors) -> None:
    """A register without its power is of no known moment; when the power is back, all is."""
    sensors.hass.states.async_set(POWER, "unavailable")
    await sensors.after(1, import_wh=100_000, export_wh=5_000)
    assert sensors.read is None
    await sensors.after(10, power_w=0)
    assert sensors.read is None, "something may have flowed meanwhile"
    await sensors.after(1, import_wh=100_000, export_wh=5_000)
    assert sensors.read == (1, 0, 100_000, 5_000)


async def test_promise_10_a_clock_that_is_set_back_does_not_silence_the_meter(
    sensors: Sensors,
) -> None:
    """What rested by the old time rests by the new one."""
    await sensors.after(10, power_w=-100, export_wh=5_001)
    await sensors.after(10, power_w=0, export_wh=5_002)
    await sensors.after(-3_600, power_w=0, import_wh=100_000, export_wh=5_002)
    assert sensors.read == (0, 0, 100_000, 5_002)
