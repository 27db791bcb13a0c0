"""Moves what is committed from the write-ahead log into the database, beside the writer.

SQLite does this in the middle of a COMMIT by default, and whoever waits for that answer waits for
two more flushes of the disk.
"""

from collections.abc import Callable
import logging
import os
from pathlib import Path
import sqlite3
import threading
from typing import Final

from .connect import open_checkpointer

# Long enough that many commits share one pass, short enough that the log stays small.
PAUSE_S: Final = 1.0
# From this many pages (16 MiB) on, the writer is asked for the rest: only a pass while it writes
# nothing lets SQLite begin the log anew.
LONG_LOG: Final = 4_096
# Such a pass takes the time of many commands: it waits for a moment (s) without any, but not beyond
# so many pages (256 MiB).
QUIET_S: Final = 0.02
_LOOK_S: Final = 0.05
TOO_LONG: Final = 65_536
_LOG: Final = logging.getLogger("owner_api.store")


class Checkpointer:
    """A thread with a connection of its own; it sleeps until something was committed."""

    def __init__(self, path: Path, synchronous: str, finish: Callable[[int], None]) -> None:
        """``finish`` asks the writer for a pass of its own and tells it the log's length in pages.

        It is called on this thread.
        """
        self._path = path
        self._synchronous = synchronous
        self._finish = finish
        self._database = os.open(path, os.O_RDONLY)
        self._committed = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="store-checkpoint", daemon=True)
        self._thread.start()

    def note(self) -> None:
        """Say that something was committed."""
        self._committed.set()

    def close(self) -> None:
        """End the thread; blocks."""
        self._closing.set()
        self._committed.set()
        self._thread.join()

    def release(self) -> None:
        """Let go of the file, once no connection of this process to it is open.

        POSIX: who closes a file gives up every lock that the process has on it.
        """
        os.close(self._database)

    def _serve(self) -> None:
        connection = open_checkpointer(self._path, self._synchronous)
        try:
            while not self._closing.is_set():
                self._committed.wait()
                self._closing.wait(PAUSE_S)
                self._pass(connection)
        finally:
            connection.close()

    def _wait_for_quiet(self, connection: sqlite3.Connection) -> None:
        """Wait for a moment without a COMMIT, as long as the log is not too long.

        A pass and its flush take the disk from every COMMIT; and what is written again and again
        is moved once if it waits.
        """
        while not self._closing.is_set():
            self._committed.clear()
            self._closing.wait(_LOOK_S)
            if not self._committed.is_set() or length(connection) >= TOO_LONG:
                return

    def _pass(self, connection: sqlite3.Connection) -> None:
        try:
            self._wait_for_quiet(connection)
            pages = checkpoint(connection)
            if self._synchronous != "OFF":
                # SQLite flushes only where nothing was written meanwhile, which under load is the
                # writer's own pass alone: it would have everything to flush.
                os.fdatasync(self._database)
            if pages >= LONG_LOG:
                self._finish(pages)
        except (sqlite3.Error, OSError) as error:
            # Nothing is lost: it is all in the log, which begins anew only after a pass that
            # moved and flushed everything.
            _LOG.warning("the log was not moved into the database: %s", error)


def length(connection: sqlite3.Connection) -> int:
    """Return the log's length in pages; SQLite before 3.51 moves it for that."""
    return int(connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()[1])


def checkpoint(connection: sqlite3.Connection) -> int:
    """Move what can be moved without waiting for anybody; return the log's length in pages."""
    _busy, pages, _moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)


class LongLog:
    """What the writer is asked to move of a long log, on its own connection between two batches."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._pages = 0

    def ask(self, pages: int) -> None:
        """Say how long the log is; any thread's."""
        self._pages = pages

    @property
    def patience_s(self) -> float | None:
        """How long (s) to wait for a command before ``shorten``; None while the log is short."""
        return QUIET_S if self._pages else None

    def shorten(self, *, quiet: bool) -> None:
        """Move what is left, if it was asked for and it is quiet or cannot wait any more."""
        if not self._pages or (not quiet and self._pages < TOO_LONG):
            return
        self._pages = 0
        try:
            checkpoint(self._connection)
        except sqlite3.Error as error:
            _LOG.warning("the log was not moved into the database: %s", error)
