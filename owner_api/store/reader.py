"""Reads beside the writer: own connections, one snapshot each, on own threads or at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import sqlite3
import threading
from typing import Final

from .connect import open_reader
from .tx import Tx

THREADS: Final = 4


class Reader:
    """A small pool; every query sees one consistent snapshot of committed data."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._pool = ThreadPoolExecutor(THREADS, "store-reader", initializer=self._connect)
        self._near: sqlite3.Connection | None = None

    async def read[T](self, query: Callable[[Tx], T]) -> T:
        """Run a query on a reader thread and return what it returns."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._run, query)

    async def peek[T](self, query: Callable[[Tx], T]) -> T:
        """Run a query that reads a few rows by their keys right here: a thread would cost more.

        WAL lets it read beside the writer; where a lock is held after all, a thread waits for it.
        """
        if self._near is None:
            self._near = await asyncio.to_thread(open_reader, self._path, patient=False)
            self._connections.append(self._near)
        try:
            return _snapshot(self._near, query)
        except sqlite3.OperationalError:
            return await self.read(query)

    def close(self) -> None:
        """Wait for running queries and close the connections; blocks."""
        self._pool.shutdown(cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def _connect(self) -> None:
        self._local.connection = open_reader(self._path)
        self._connections.append(self._local.connection)

    def _run[T](self, query: Callable[[Tx], T]) -> T:
        return _snapshot(self._local.connection, query)


def _snapshot[T](connection: sqlite3.Connection, query: Callable[[Tx], T]) -> T:
    connection.execute("BEGIN")
    try:
        return query(Tx(connection))
    finally:
        connection.execute("ROLLBACK")
