"""Follows the owner's event stream and keeps it up for as long as the entry is loaded."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any

from homeassistant.util.json import json_loads

from .api import OwnerApi
from .api_errors import OwnerApiAnswerError, OwnerApiError, OwnerApiProblem
from .const import LOGGER, STREAM_RETRY_MAXIMUM, STREAM_RETRY_MINIMUM
from .coordinator import V2GCoordinator
from .snapshot import StreamEvent


async def read_events(lines: AsyncIterable[bytes]) -> AsyncGenerator[StreamEvent | None]:
    """Read server-sent events; a comment (a heartbeat) is given as None.

    Raises OwnerApiAnswerError when a frame is not one of the owner API's.
    """
    data: list[str] = []
    async for raw in lines:
        line = raw.decode().rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif line.startswith(":"):
            yield None
        elif not line and data:
            yield _event("\n".join(data))
            data = []


def _event(text: str) -> StreamEvent:
    """Return the event in one frame's data."""
    try:
        frame: Any = json_loads(text)
        return StreamEvent(seq=int(frame["seq"]), type=str(frame["type"]), data=dict(frame["data"]))
    except (ValueError, KeyError, TypeError) as error:
        raise OwnerApiAnswerError("the stream sent something that is no event") from error


class EventStream:
    """One connection to the stream per hub, opened again with growing patience.

    The stream only hurries the truth: whenever it breaks, a full read says whether the API is
    there at all, and whenever it cannot go on where it was, a full read repairs what was missed.
    """

    def __init__(self, coordinator: V2GCoordinator, api: OwnerApi) -> None:
        """Prepare; ``async_run`` connects."""
        self._coordinator = coordinator
        self._api = api
        self._retry = STREAM_RETRY_MINIMUM

    async def async_run(self) -> None:
        """Stay on the stream until cancelled."""
        missed = False
        while True:
            # The server ends a stream with the access token that opened it: a moment later it is
            # open again under a new one, and nothing was amiss.
            renews = False
            try:
                renews = await self._async_follow()
            except OwnerApiProblem as error:
                # A lost pairing shows in the full read below, which asks the owner to pair again.
                missed = error.code == "replay_window_passed"
                LOGGER.debug("The stream cannot go on: %s", error)
            except OwnerApiError as error:
                LOGGER.debug("The stream broke: %s", error)
            finally:
                if not renews:
                    self._coordinator.async_set_stream_connected(connected=False)
            await asyncio.sleep(self._retry.total_seconds())
            self._retry = min(self._retry * 2, STREAM_RETRY_MAXIMUM)
            if missed:
                self._coordinator.async_forget_stream()
            await self._coordinator.async_refresh()
            if missed and self._coordinator.last_update_success:
                self._coordinator.async_start_stream_at_snapshot()
                missed = False

    async def _async_follow(self) -> bool:
        """Open the stream where we are and pass on events until it closes.

        Return whether a working stream was ended by the server, in order.
        """
        spoke = False
        async with self._api.stream(after=self._coordinator.stream_position) as response:
            self._coordinator.async_set_stream_connected(connected=True)
            if not self._coordinator.last_update_success:
                # The API came back just after our last look; the next one is minutes away.
                await self._coordinator.async_refresh()
            async for event in read_events(response.content):
                # What the server sends by itself proves a working stream; that it took the
                # request does not, and keeps backing off.
                self._retry, spoke = STREAM_RETRY_MINIMUM, True
                if event is None:
                    if not self._coordinator.last_update_success:
                        # It has failed while the stream went on; the next one is minutes away.
                        self._coordinator.async_repair()
                else:
                    self._coordinator.async_handle_event(event)
                    # Many may have come at once; between two of them others get their turn.
                    await asyncio.sleep(0)
        return spoke
