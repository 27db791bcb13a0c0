"""The durable store: one writer, several readers, and a word to the streams after each commit."""

import asyncio
from collections.abc import Callable
from pathlib import Path
import sqlite3
from typing import Self

from . import upgrading
from .checkpointing import Checkpointer
from .connect import open_writer, several_connections_are_safe
from .errors import StoreClosedError, StoreError, as_refusal
from .locking import FileLock
from .reader import Reader
from .tx import Tx
from .writer import Commit, Writer


class Store:
    """A SQLite file that exactly one process serves."""

    def __init__(
        self,
        path: Path,
        lock: FileLock,
        connection: sqlite3.Connection,
        *,
        synchronous: str,
        single: bool,
    ) -> None:
        self.path = path
        self._lock = lock
        self._callbacks: list[Callable[[Commit], None]] = []
        self._writer = Writer(connection, asyncio.get_running_loop(), self._committed)
        self._reader = None if single else Reader(path)
        self._checkpointer = None
        if not single:
            self._checkpointer = Checkpointer(path, synchronous, self._writer.ask_for_checkpoint)
            self._writer.noted = self._checkpointer.note
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        create: bool = True,
        synchronous: str = "FULL",
        single_connection: bool | None = None,
    ) -> Self:
        """Lock, migrate and open a database file.

        With ``create`` a missing file is made and an older schema is upgraded (a copy is kept
        beside it); without, either is refused. ``single_connection`` defaults to what the
        linked SQLite needs. Raises StoreLockedError, StoreVersionError or StoreError.
        """
        path = await asyncio.to_thread(_find, path, create=create)
        single = single_connection
        if single is None:
            single = not several_connections_are_safe(sqlite3.sqlite_version_info)
        lock = FileLock(path)
        lock.acquire()
        try:
            connection = await asyncio.to_thread(
                _prepare, path, create=create, synchronous=synchronous, single=single
            )
            return cls(path, lock, connection, synchronous=synchronous, single=single)
        except BaseException:
            lock.release()
            raise

    async def write[T](self, command: Callable[[Tx], T]) -> T:
        """Run a command in a savepoint on the writer; return only after COMMIT.

        Re-raises what the command raised, with everything it wrote undone. Raises
        StoreUnavailableError when the disk refuses: then nothing was kept.
        """
        return await self._writer.submit(command)

    async def read[T](self, query: Callable[[Tx], T], *, few_rows: bool = False) -> T:
        """Run a query on a snapshot that holds every write acknowledged before this call.

        One that reads ``few_rows`` by their keys is answered on the event loop itself.
        """
        if self._closed:
            raise StoreClosedError("the store is closed")
        if self._reader is None:
            return await self._writer.submit(query, keep=False)
        try:
            return await (self._reader.peek if few_rows else self._reader.read)(query)
        except sqlite3.Error as error:
            raise as_refusal(error) from error

    @property
    def age(self) -> int:
        """A number that is higher after every write: while it stands still, so does every row."""
        return self._writer.batches

    def before_commit(self, hook: Callable[[Tx], None]) -> None:
        """Run ``hook`` once in each batch that kept something, after its last command.

        What it raises undoes the whole batch: nobody is told of what could not be sealed.
        """
        self._writer.before_commit = hook

    def time_commits(self, hook: Callable[[float], None]) -> None:
        """Tell ``hook``, on the writer's thread, how long each COMMIT took (s)."""
        self._writer.timed = hook

    def subscribe(self, callback: Callable[[Commit], None]) -> Callable[[], None]:
        """Call back on the event loop after each commit that streams must hear of.

        Returns a function that ends the subscription.
        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    async def close(self) -> None:
        """Finish queued commands, close every connection and give the file free."""
        if self._closed:
            return
        self._closed = True
        self._writer.refuse()
        if self._reader is not None:
            await asyncio.to_thread(self._reader.close)
        if self._checkpointer is not None:
            await asyncio.to_thread(self._checkpointer.close)
        await asyncio.to_thread(self._writer.close)
        self._lock.release()

    def _committed(self, commit: Commit) -> None:
        for callback in tuple(self._callbacks):
            callback(commit)


def _find(path: Path, *, create: bool) -> Path:
    """Return the file itself where a link was named: what stands beside it is found from there."""
    path = path.resolve()
    if not path.parent.is_dir():
        raise StoreError(f"{path.parent}: no such directory")
    if not create and not path.exists():
        raise StoreError(f"{path}: no such database")
    return path


def _prepare(path: Path, *, create: bool, synchronous: str, single: bool) -> sqlite3.Connection:
    upgrading.bring_up(path, allowed=create)
    return open_writer(path, synchronous=synchronous, exclusive=single)
