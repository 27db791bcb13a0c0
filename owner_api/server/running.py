"""A server as its operator runs it: an agent plus transport, control socket and announcement."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
import logging
from pathlib import Path
from typing import Final

from owner_api.access.services import PUBLIC_URL, TLS_PIN, Access, write_meta
from owner_api.clock import Clock, SystemClock
from owner_api.config import Config
from owner_api.store import Tx

from .agent import Agent, build_agent
from .control import Control
from .discovery import Announcement, service_info, should_announce
from .health import API_VERSION
from .tls import choose_transport, public_url

_LOG: Final = logging.getLogger("owner_api.server")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers: under which URL, behind which self-signed key, and the agent."""

    url: str
    port: int
    pin: str | None
    agent: Agent


@asynccontextmanager
async def running_server(
    config: Config, *, clock: Clock | None = None, self_signed: bool = False
) -> AsyncIterator[Running]:
    """Serve ``config.database`` until the block ends, then stop in order.

    Raises ListenRefusedError, KeyFileError, StoreError, or OSError when the address is taken.
    """
    clock, database = clock or SystemClock(), Path(config.database)
    transport = choose_transport(config, database=database, self_signed=self_signed)
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(
            await build_agent(database, clock, config, apart=config.writer_process)
        )
        port = await agent.start(ssl=transport.ssl_context)
        url = public_url(config, transport, port)

        # A command line that makes pairing codes must know where they lead, server up or not.
        await agent.store.write(partial(_note_address, url=url, pin=transport.pin))
        control = Control(store=agent.store, desk=agent.desk, clock=clock, database=database)
        await control.open()
        stack.push_async_callback(control.close)
        if should_announce(config, transport):
            await _announce(stack, config, agent.access, port)
        yield Running(url=url, port=port, pin=transport.pin, agent=agent)


def _note_address(tx: Tx, *, url: str, pin: str | None) -> None:
    write_meta(tx, PUBLIC_URL, url)
    write_meta(tx, TLS_PIN, pin)


async def _announce(stack: AsyncExitStack, config: Config, access: Access, port: int) -> None:
    info = service_info(
        server_id=access.server_id,
        name=config.server_name,
        host=config.listen_host,
        port=port,
        api_version=API_VERSION,
        url=config.public_url and config.public_url.rstrip("/"),
    )
    announcement = Announcement(info)
    stack.push_async_callback(announcement.close)
    try:
        await announcement.open()
    except OSError as error:
        # Discovery is a convenience: whoever has the address can still pair.
        _LOG.warning("not announced on the local network: %s", error)
