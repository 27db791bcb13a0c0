"""A read transaction that lasts, beside the reader's pool: for what is read piece by piece."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
import sqlite3
from typing import Final

from .errors import StoreClosedError, as_refusal
from .tx import Tx

# How many steps of SQLite's (a few milliseconds) go by until it asks whether it should go on.
_STEPS: Final = 50_000


class Snapshot:
    """One consistent state of a database, on a connection and a thread of its own.

    While it is open the log cannot begin anew, so whoever opens one sets a deadline.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """``connect`` is called on the thread, by the first read.

        Who reads rows over several queries gives ``ending`` what ends that: a statement that is not
        at its end keeps the state, whatever becomes of its connection.
        """
        self.ending = ExitStack()
        self._connect = connect
        self._pool = ThreadPoolExecutor(1, "store-snapshot")
        self._tx: Tx | None = None
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._ended: Future[None] | None = None

    async def read[T](self, query: Callable[[Tx], T]) -> T:
        """Run a query; each sees the state that the first one saw. Raises StoreError."""
        if self._closed:
            raise StoreClosedError("the store is closed")
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, self._run, query)
        except sqlite3.Error as error:
            if self._closed:
                raise StoreClosedError("the store is closing") from error
            raise as_refusal(error) from error

    async def close(self) -> None:
        """End the query that runs and let go of the state."""
        if self._ended is None:
            self._closed = True
            self._ended = self._pool.submit(self._let_go)
            self._pool.shutdown(wait=False)
        # Whoever is cancelled meanwhile must not leave it behind.
        await asyncio.shield(asyncio.wrap_future(self._ended))

    def _run[T](self, query: Callable[[Tx], T]) -> T:
        if self._tx is None:
            self._tx = self._begin()
        return query(self._tx)

    def _begin(self) -> Tx:
        self._connection = connection = self._connect()
        # A query that has begun does not hear of anything else.
        connection.set_progress_handler(lambda: self._closed, _STEPS)
        connection.execute("BEGIN")
        return Tx(connection)

    def _let_go(self) -> None:
        try:
            self.ending.close()
        finally:
            if self._connection is not None:
                self._connection.close()
