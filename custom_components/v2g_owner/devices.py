"""The owner's devices that act for them at the agent: phones and homes, this one among them."""

from dataclasses import dataclass
from datetime import datetime

from .api import Json, OwnerApi
from .api_errors import OwnerApiAnswerError
from .decode import BadAnswerError, decode
from .pages import async_every_item


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that is paired with the account."""

    device_id: str
    display_name: str
    paired_at: datetime
    last_seen_at: datetime | None = None
    current: bool
    """Whether it is this home."""


async def async_devices(api: OwnerApi) -> list[Json]:
    """Return the devices that are paired, the oldest pairing first."""
    return await async_every_item(api, "/v1/devices")


async def async_all_devices(api: OwnerApi) -> list[Device]:
    """Return the same, read."""
    try:
        return [decode(Device, each) for each in await async_devices(api)]
    except BadAnswerError as error:
        raise OwnerApiAnswerError(str(error)) from error


async def async_others(api: OwnerApi, own_id: str) -> dict[str, Device]:
    """Return the devices beside this home by their ids."""
    found = await async_all_devices(api)
    return {each.device_id: each for each in found if not each.current and each.device_id != own_id}
