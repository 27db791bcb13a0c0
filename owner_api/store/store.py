"""The durable store: one writer, several readers, and a word to the streams after each commit."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
import os
from pathlib import Path
import sqlite3
from typing import Self

from . import copying
from .apart import Apart
from .batching import Commit
from .checkpointing import Checkpointer
from .clerk import Opening
from .connect import open_reader, several_connections_are_safe
from .errors import StoreClosedError, StoreUnavailableError, as_refusal
from .locking import FileLock
from .opening import find, prepare
from .reader import Reader
from .snapshot import Snapshot
from .tx import Tx
from .writer import Writer


class Store:
    """A SQLite file that exactly one server serves."""

    def __init__(self, path: Path) -> None:
        """Make what ``open`` and ``open_apart`` complete."""
        self.path = path
        self._callbacks: list[Callable[[Commit], None]] = []
        self._timed: list[Callable[[float], None]] = []
        self._writer: Writer | Apart
        self._reader: Reader | None = None
        self._lock: FileLock | None = None
        self._checkpointer: Checkpointer | None = None
        self._snapshots: set[Snapshot] = set()
        self._batches = 0
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
        """Lock, migrate and open a database file; a thread of this process writes.

        With ``create`` a missing file is made and an older schema is upgraded (a copy is kept
        beside it); without, either is refused. ``single_connection`` defaults to what the
        linked SQLite needs. Raises StoreLockedError, StoreVersionError or StoreError.
        """
        self = cls(await asyncio.to_thread(find, path, create=create))
        single = single_connection
        if single is None:
            single = not several_connections_are_safe(sqlite3.sqlite_version_info)
        writer = None
        self._lock = FileLock(self.path)
        self._lock.acquire()
        try:
            connection = await asyncio.to_thread(
                prepare, self.path, create=create, synchronous=synchronous, single=single
            )
            self._writer = writer = Writer(connection, self._heard)
            if not single:
                self._reader = Reader(self.path)
                ask = writer.long_log.ask
                self._checkpointer = Checkpointer(self.path, synchronous, ask)
                writer.noted = self._checkpointer.note
        except BaseException:
            if self._reader is not None:
                self._reader.close()
            if writer is not None:
                await asyncio.to_thread(writer.close)
            self._lock.release()
            raise
        return self

    @classmethod
    async def open_apart(
        cls,
        path: Path,
        *,
        create: bool = True,
        synchronous: str = "FULL",
        patience_s: float = 5,
        packages: tuple[str, ...] = (),
    ) -> Self:
        """Do what ``open`` does with a writer in a process of its own, which holds the lock.

        It waits up to ``patience_s`` for the writer that a killed server has left behind. Commands
        may be functions of this package and of ``packages``.
        Commands must be able to cross (see ``Apart``). Where the linked SQLite allows only one
        connection, a thread of this process writes after all.
        """
        if not several_connections_are_safe(sqlite3.sqlite_version_info):
            return await cls.open(path, create=create, synchronous=synchronous)
        self = cls(await asyncio.to_thread(find, path, create=create))
        opening = Opening(
            path=self.path,
            create=create,
            synchronous=synchronous,
            patience_s=patience_s,
            server=os.getpid(),
            packages=packages,
        )
        self._writer = await Apart.start(opening, self._heard)
        self._reader = Reader(self.path)
        return self

    @property
    def apart(self) -> Apart | None:
        """The writer's process, None where a thread writes."""
        return self._writer if isinstance(self._writer, Apart) else None

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

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """Give one state of the database to read piece by piece, while the block runs.

        It holds every write acknowledged before its first read. Reads raise StoreError.
        """
        if self._closed:
            raise StoreClosedError("the store is closed")
        if isinstance(self._writer, Writer) and self._reader is None:
            snapshot = Snapshot(partial(_open_copy, self._writer, self.path))
        else:
            snapshot = Snapshot(partial(open_reader, self.path))
        self._snapshots.add(snapshot)
        try:
            yield snapshot
        finally:
            self._snapshots.discard(snapshot)
            await snapshot.close()

    async def copy(self, target: Path) -> None:
        """Copy the database to a new file; raises StoreError, OSError or sqlite3.Error.

        For who cannot read the file while it is served: the only connection makes the copy.
        """
        if isinstance(self._writer, Writer) and self._reader is None:
            await asyncio.to_thread(self._writer.copy, target)
        else:
            await asyncio.to_thread(copying.copy, self.path, target)

    @property
    def age(self) -> int:
        """A number that is higher after every write: while it stands still, so does every row."""
        return self._batches

    def before_commit(self, hook: Callable[[Tx], None]) -> None:
        """Run ``hook`` once in each batch that kept something, after its last command.

        What it raises undoes the whole batch: nobody is told of what could not be sealed. Where
        the writer is a process of its own, a command sets the hook there.
        """
        assert isinstance(self._writer, Writer)
        self._writer.before_commit(hook)

    def time_commits(self, hook: Callable[[float], None]) -> None:
        """Tell ``hook``, on the event loop, how long each COMMIT took (s)."""
        self._timed.append(hook)

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
        for snapshot in tuple(self._snapshots):
            await snapshot.close()
        if self._reader is not None:
            await asyncio.to_thread(self._reader.close)
        if self._checkpointer is not None:
            await asyncio.to_thread(self._checkpointer.close)
        if isinstance(self._writer, Apart):
            await self._writer.close()
        else:
            await asyncio.to_thread(self._writer.close)
        if self._checkpointer is not None:
            self._checkpointer.release()
        if self._lock is not None:
            self._lock.release()

    def _heard(self, commit: Commit, took_s: float | None) -> None:
        self._batches += 1
        if commit.events or commit.doors:
            for callback in tuple(self._callbacks):
                callback(commit)
        if took_s is not None:
            for hook in self._timed:
                hook(took_s)


def _open_copy(writer: Writer, path: Path) -> sqlite3.Connection:
    """Return a connection to a copy that has no name any more: its file ends with it.

    For a file that only one connection may open. Raises StoreError or sqlite3.Error.
    """
    draft = copying.draft_beside(path)
    try:
        writer.copy(draft)
        connection = open_reader(draft)
        # SQLite opens a file when it is first read.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except OSError as error:
        raise StoreUnavailableError(f"{draft}: cannot be written ({error})") from error
    finally:
        draft.unlink(missing_ok=True)
    return connection
