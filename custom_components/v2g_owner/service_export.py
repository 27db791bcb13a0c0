"""The action that hands an owner all that their agent knows of them, as one file."""

from contextlib import suppress
import os
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO, Final

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.exceptions import ServiceValidationError, Unauthorized

from .api import Json, OwnerApi
from .const import DOMAIN
from .errors import translated_errors
from .service_targets import account_of

ATTR_FILENAME: Final = "filename"
_PIECE: Final = 1 << 18


async def export_account(call: ServiceCall) -> Json:
    """Write the owner's export into a file; what breaks off leaves none, nor harms one before."""
    coordinator = account_of(call)
    await _async_check_admin(call)
    path = Path(call.data[ATTR_FILENAME])
    allowed = call.hass.config.is_allowed_path
    if not await call.hass.async_add_executor_job(allowed, str(path)):
        raise _refused("file_not_allowed", path)
    with translated_errors(coordinator):
        try:
            written = await _async_write(call.hass, coordinator.api, path)
        except OSError as error:
            raise _refused("file_not_written", path, error.strerror or str(error)) from error
    return {ATTR_FILENAME: str(path), "bytes": written}


async def _async_check_admin(call: ServiceCall) -> None:
    """Raise Unauthorized for a user who is no administrator: it holds where the cars have been."""
    if (user_id := call.context.user_id) is None:
        return
    user = await call.hass.auth.async_get_user(user_id)
    if user is None or not user.is_admin:
        raise Unauthorized(context=call.context, permission=POLICY_CONTROL)


async def _async_write(hass: HomeAssistant, api: OwnerApi, path: Path) -> int:
    """Write the export beside its place, and put it there once it is whole; return its size."""
    run, written = hass.async_add_executor_job, 0
    part, file = await run(_new_part, path)
    try:
        async with api.download("/v1/export") as response:
            async for piece in response.content.iter_chunked(_PIECE):
                written += await run(file.write, piece)
        await run(file.close)
        await run(part.replace, path)
    finally:
        await run(file.close)
        # What was put in its place is not here any more.
        with suppress(OSError):
            await run(part.unlink)
    return written


def _new_part(path: Path) -> tuple[Path, BinaryIO]:
    """Open a file of our own beside a place: two at a time would write into one, and mix."""
    descriptor, name = mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
    return Path(name), os.fdopen(descriptor, "wb")


def _refused(key: str, path: Path, detail: str = "") -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={"filename": str(path), "detail": detail},
    )
