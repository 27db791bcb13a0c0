"""Running an operator's command on a database at rest, or through the server that serves it."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
import os
from pathlib import Path
import sqlite3
from typing import Any, Final

import aiohttp
import orjson

from owner_api.access.keys import KeyFileError
from owner_api.access.services import open_access
from owner_api.audit.check import open_read_only
from owner_api.clock import SystemClock
from owner_api.commands import erasure, operator
from owner_api.commands.export import Export
from owner_api.commands.notary import attach
from owner_api.config import Config
from owner_api.ids import new_id
from owner_api.problems import Problem, ProblemCode
from owner_api.server.control import COPY, short_path, socket_path
from owner_api.store import Store, StoreError, StoreLockedError, Tx
from owner_api.store.copying import is_held
from owner_api.store.errors import told
from owner_api.store.upgrading import bring_up

from .cli_common import CannotRunError, bad_input, cannot_run

_TIMEOUT_S: Final = 20
_COPY_TIMEOUT_S: Final = 1_800
# Which command lists what an argument names.
_LISTS: Final[Mapping[str, str]] = {
    "owner_id": "owner list",
    "park_id": "park list",
    "device_id": "device list OWNER",
}


def operate(
    database: Path,
    command: str,
    arguments: Mapping[str, Any],
    *,
    as_json: bool,
    create: bool = False,
) -> dict[str, Any]:
    """Run an operator's command and return its result; ends the program when it says no.

    ``create`` makes a missing database, which only the first commands of a setup should do.
    """
    try:
        return asyncio.run(_operate(database, command, arguments, create=create))
    except Problem as problem:
        bad_input(_named(problem, arguments), as_json=as_json)
    except (StoreError, KeyFileError, CannotRunError) as error:
        cannot_run(str(error), as_json=as_json)
    except (OSError, sqlite3.Error) as error:
        cannot_run(f"{database}: {told(error)}", as_json=as_json)


def _named(problem: Problem, arguments: Mapping[str, Any]) -> Problem:
    """Return the problem, and where it is an unknown id, which one and where to look it up."""
    if problem.code is not ProblemCode.NOT_FOUND:
        return problem
    for name, command in _LISTS.items():
        if name in arguments:
            text = f"{arguments[name]}: there is none; see `owner-api {command}`"
            return Problem(ProblemCode.NOT_FOUND, text)
    return problem


async def _operate(
    database: Path, command: str, arguments: Mapping[str, Any], *, create: bool
) -> dict[str, Any]:
    try:
        store = await Store.open(database, create=create)
    except StoreLockedError:
        return await _ask_server(database, command, arguments)
    try:
        access, now = await open_access(store, database), SystemClock().now()
        # What an operator's command logs is sealed like everything else.
        await attach(store, database, access, now)
        context = operator.Operator(
            access=access,
            config=Config(),
            now=now,
            new_id=new_id,
        )
        result = await store.write(lambda tx: operator.run(tx, context, command, arguments))
        # What a server does at its next ticks.
        while await store.write(lambda tx: erasure.go_on(tx, now)):
            pass
        return result
    finally:
        await store.close()


@contextmanager
def exporting(database: Path, owner_id: str, *, as_json: bool) -> Iterator[Export]:
    """Give an owner's export, read from the file itself; ends the program when it says no.

    Not through the server: years of readings take more time than it has to spare.
    """
    try:
        with readable(database) as file, closing(open_read_only(file)) as connection:
            bring_up(file, allowed=False)
            connection.execute("BEGIN")
            export = Export(Tx(connection), owner_id=owner_id, now=SystemClock().now())
            with closing(export):
                yield export
    except Problem as problem:
        bad_input(_named(problem, {"owner_id": owner_id}), as_json=as_json)
    except (StoreError, CannotRunError) as error:
        cannot_run(str(error), as_json=as_json)
    except sqlite3.Error as error:
        cannot_run(f"{database}: {told(error)}", as_json=as_json)


@contextmanager
def readable(database: Path) -> Iterator[Path]:
    """Give what can be read of a database: itself, or a copy by a server that shares it not.

    Raises StoreError, CannotRunError.
    """
    if not is_held(database):
        yield database
        return
    try:
        made = asyncio.run(_ask_server(database, COPY, {}, timeout_s=_COPY_TIMEOUT_S))
    except Problem as problem:
        raise CannotRunError(problem.detail) from problem
    copy = Path(made["file"])
    try:
        yield copy
    finally:
        copy.unlink(missing_ok=True)


async def _ask_server(
    database: Path, command: str, arguments: Mapping[str, Any], *, timeout_s: int = _TIMEOUT_S
) -> dict[str, Any]:
    path = socket_path(database)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        connector = aiohttp.UnixConnector(short_path(folder, path.name))
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
            http.post(
                "http://server/",
                data=orjson.dumps({"command": command, "arguments": dict(arguments)}),
            ) as response,
        ):
            answer: dict[str, Any] = orjson.loads(await response.read())
            if response.ok:
                return answer
            raise Problem(ProblemCode(answer["code"]), answer["detail"])
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
        raise CannotRunError(
            f"{database}: another process holds it and does not answer on {path.name};"
            " a server that starts needs a moment: try again"
        ) from error
    finally:
        os.close(folder)
