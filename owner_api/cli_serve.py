"""`owner-api serve`: run the server until it is told to stop."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
import errno
from pathlib import Path
import re
import signal
import socket
import sys
from typing import Any, Final

import click

from owner_api.access.keys import KeyFileError
from owner_api.config import Config, ConfigError
from owner_api.problems import Problem, ProblemCode
from owner_api.server import logs
from owner_api.server.process import settle_process
from owner_api.server.running import Running, running_server
from owner_api.server.tls import ListenRefusedError
from owner_api.store import Store, StoreError
from owner_api.store.errors import told

from .cli_common import DATABASE_VARIABLE, bad_input, cannot_run, json_option, say

_LISTENING: Final = {
    errno.EADDRINUSE: "another program listens there: end it, or choose another port",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "this user may not listen there: choose a port from 1024 on",
}
_ADDRESS: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d+)")


@click.command("serve")
@click.option(
    "--database",
    type=click.Path(dir_okay=False),
    envvar=DATABASE_VARIABLE,
    show_envvar=True,
    help="The SQLite file; made when missing.",
)
@click.option("--listen", metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
@click.option(
    "--config", "config_file", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--tls-certificate", type=click.Path(exists=True, dir_okay=False))
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False))
@click.option("--self-signed", is_flag=True, help="Own TLS; pairing codes carry the key's SHA-256.")
@click.option(
    "--proxy", "proxies", multiple=True, metavar="ADDRESS", help="The TLS proxy in front."
)
@click.option("--public-url", metavar="URL", help="The URL that cars' owners and parks use.")
@click.option("--announce/--no-announce", default=None, help="Found by zeroconf beyond loopback.")
@json_option
def serve(
    *,
    config_file: Path | None,
    listen: str | None,
    self_signed: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401 - settings by their own names; Config checks each
) -> None:
    """Serve one database until SIGTERM or SIGINT; prints its address as one line.

    Options win over the configuration file. Exit code 0 after an orderly stop, 2 when the options
    do not fit together, 3 when the address, the database or a key file cannot be used.
    """
    try:
        config = _config(config_file, listen, given)
        asyncio.run(_serve(config, self_signed=self_signed, as_json=as_json))
    except (ConfigError, ListenRefusedError) as error:
        bad_input(Problem(ProblemCode.INVALID_PARAMETER, str(error)), as_json=as_json)
    except (StoreError, KeyFileError) as error:
        cannot_run(str(error), as_json=as_json)
    except OSError as error:
        cannot_run(_without(error), as_json=as_json)


def _without(error: OSError) -> str:
    """Return what the system said of an address that cannot be had, and what would help.

    Or of a file, which is named: the door to it is no port's.
    """
    if error.filename is not None:
        return f"{error.filename}: {told(error)}"
    if isinstance(error, socket.gaierror):
        return f"the host to listen on: {error.strerror}; give an address of this machine"
    helps = _LISTENING.get(error.errno or 0)
    return f"{error.strerror}; {helps}" if helps else str(error)


def _config(file: Path | None, listen: str | None, given: Mapping[str, Any]) -> Config:
    """Return the file's settings with the options' laid over them; raises ConfigError."""
    changes: dict[str, Any] = {
        name: value for name, value in given.items() if value is not None and name != "proxies"
    }
    if given["proxies"]:
        changes["trusted_proxies"] = tuple(given["proxies"])
    if listen is not None:
        match = _ADDRESS.fullmatch(listen)
        if match is None:
            raise ConfigError(f"--listen {listen}: HOST:PORT such as 127.0.0.1:8477 or [::1]:8477")
        changes["listen_host"] = match["six"] or match["host"]
        changes["listen_port"] = int(match["port"])
    return replace(Config.load(file) if file else Config(), **changes)


async def _serve(config: Config, *, self_signed: bool, as_json: bool) -> None:
    logs.configure(sys.stderr)
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running_server(config, self_signed=self_signed) as server:
        settle_process()
        say(
            {"event": "listening", "url": server.url, "port": server.port, "pin": server.pin},
            as_json=as_json,
            text=_listening(server, config),
        )
        await _until(stop, server.agent.store)


def _listening(server: Running, config: Config) -> str:
    """Say where clients reach it and, where that is another's port, its own."""
    said = f"listening on {server.url}"
    if config.public_url:
        said += f", here on port {server.port}"
    return said + (f" pin {server.pin}" if server.pin else "")


async def _until(stop: asyncio.Event, store: Store) -> None:
    """Return when the server is told to stop; raises StoreError when nothing can be written."""
    stopped = asyncio.create_task(stop.wait())
    ends: list[asyncio.Future[Any]] = [stopped]
    if store.apart is not None:
        ends.append(store.apart.lost)
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if not stopped.done():
        stopped.cancel()
        raise StoreError("the process that writes has ended; start the server again")
