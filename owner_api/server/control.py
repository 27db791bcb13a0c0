"""The operator's door to a running server: a Unix socket beside the database, for its user only.

One process serves a database. A command line that finds it served speaks through this socket, so
that its effect is one of the server's own transactions: streams hear of it, and nothing races.
"""

import os
from pathlib import Path
import sqlite3
from typing import Final

from aiohttp import web
import orjson

from owner_api.clock import Clock
from owner_api.commands.operator import QUERIES
from owner_api.problems import Problem, ProblemCode
from owner_api.store import Store, StoreError
from owner_api.store.copying import draft_beside
from owner_api.store.documents import to_json

from .desk import Desk, Operate

# What is asked of the server itself: no command of its transactions.
COPY: Final = "copy"


def socket_path(database: Path) -> Path:
    """Return where the socket of ``database`` stands, by whatever link that is reached."""
    database = database.resolve()
    return database.with_name(f"{database.name}.control")


class Control:
    """Serves operator's commands on the socket until closed."""

    def __init__(self, *, store: Store, desk: Desk, clock: Clock, database: Path) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock
        self._path = socket_path(database)
        self._runner: web.AppRunner | None = None
        self._folder: int | None = None

    async def open(self) -> None:
        """Begin to listen; the caller holds the database's lock, so an old socket is a dead one."""
        self._path.unlink(missing_ok=True)
        app = web.Application()
        app.router.add_post("/", self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        self._folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        mask = os.umask(0o177)
        try:
            await web.UnixSite(self._runner, short_path(self._folder, self._path.name)).start()
        finally:
            os.umask(mask)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None
        self._path.unlink(missing_ok=True)

    async def _serve(self, request: web.Request) -> web.Response:
        asked = orjson.loads(await request.read())
        name = asked["command"]
        if name == COPY:
            return await self._copy(request)
        work = Operate(self._desk, name, asked["arguments"], self._clock.now())
        # A stop must not wait for a question.
        do = self._store.read if name in QUERIES else self._store.write
        try:
            result = await do(work)
        except Problem as problem:
            return _refusal(problem)
        return web.Response(body=to_json(result), content_type="application/json")

    async def _copy(self, request: web.Request) -> web.Response:
        """Copy the database beside itself, for who asks to take away."""
        draft = draft_beside(self._path.with_suffix(""))
        try:
            await self._store.copy(draft)
        except (StoreError, OSError, sqlite3.Error) as error:
            problem = Problem(ProblemCode.UNAVAILABLE, f"The database cannot be copied: {error}")
            return _refusal(problem)
        if request.transport is None or request.transport.is_closing():
            # Who asked has gone: nobody would take it away, and everybody's data is in it.
            draft.unlink()
        return web.Response(body=to_json({"file": str(draft)}), content_type="application/json")


def _refusal(problem: Problem) -> web.Response:
    return web.Response(
        status=problem.code.status,
        body=to_json({"code": problem.code.value, "detail": problem.detail}),
        content_type="application/json",
    )


def short_path(folder: int, name: str) -> str:
    """Return a path to ``name`` in an open folder that fits a socket address.

    A socket address holds about 100 bytes; a database may lie deeper than that.
    """
    return f"/proc/self/fd/{folder}/{name}"
