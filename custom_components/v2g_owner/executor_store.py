"""What an executor keeps on disk: its orders, which car stands there, the last state of charge."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from .charger_car import Parking
from .const import DOMAIN, LOGGER
from .control_carry import Carry
from .control_model import Orders
from .decode import BadAnswerError, decode

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """All that must survive a restart."""

    orders: Orders = field(default_factory=Orders)
    parking: Parking = field(default_factory=Parking)
    carries: dict[str, Carry] = field(default_factory=dict)
    charged_at: datetime | None = None
    """When energy last flowed into a car, or was asked to."""
    sold_wh: dict[str, float] = field(default_factory=dict)
    """What has left the car for each of the newest deals, by this home's own count."""

    plan_from: str = ""
    """What the plan was made from: while that is the same, it need not be made anew at once."""

    left_safe: bool = False
    """Whether it was kept last as Home Assistant ended in order, with nothing discharging."""

    @property
    def to_keep(self) -> tuple[Any, ...]:
        """What is worth writing to disk, and telling, the moment it changes."""
        return (self.orders, self.parking.bound, self.parking.guest)


class ExecutorStore:
    """One charger's memory on disk."""

    def __init__(self, hass: HomeAssistant, charger_id: str) -> None:
        """Name the file after the charger: a subentry made anew goes on where it was."""
        self._store: Store[dict[str, Any]] = Store(hass, _VERSION, f"{DOMAIN}.{charger_id}")

    async def async_load(self) -> Memory:
        """Return what is on disk; what cannot be read is forgotten, which only makes it careful."""
        try:
            found = await self._store.async_load()
            return Memory() if found is None else decode(Memory, found)
        except (BadAnswerError, HomeAssistantError) as error:
            LOGGER.warning("The memory of a charger cannot be read and is begun anew: %s", error)
            return Memory()

    async def async_save(self, memory: Memory) -> None:
        """Write now: a stop or a lease must be there after a power cut."""
        await self._store.async_save(_plain(asdict(memory)))

    async def async_remove(self) -> None:
        """Forget everything."""
        await self._store.async_remove()


def _plain(value: Any) -> Any:  # noqa: ANN401 - any part of a dataclass
    """Return a value as JSON has it."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
