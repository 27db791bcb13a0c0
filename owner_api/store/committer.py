"""Waits for the disk in the writer's place, and tells what became of it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
import logging
from queue import SimpleQueue
import sqlite3
import threading
from time import monotonic
from typing import Final

_LOG: Final = logging.getLogger("owner_api.store")


@dataclass(frozen=True, slots=True)
class _Commit:
    """A COMMIT that is asked for, and who hears how it went."""

    committed: Callable[[float], None]
    failed: Callable[[Exception], None]


class Committer:
    """A thread that runs COMMIT, one at a time, and lets every word out in its order.

    Between ``commit`` and ``ended`` the connection is its own.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # Higher once another connection has written.
        self._version = self._others_wrote()
        self._asked: SimpleQueue[_Commit | Callable[[], None] | None] = SimpleQueue()
        self._worked: SimpleQueue[bool] = SimpleQueue()
        self._under_way = False
        # Counted by the writer and by the thread: alike, everything that was asked has left.
        self._given = self._left = 0
        self._thread = threading.Thread(target=self._serve, name="store-commit", daemon=True)
        self._thread.start()

    def commit(
        self, committed: Callable[[float], None], failed: Callable[[Exception], None]
    ) -> None:
        """Begin a COMMIT; the thread tells one of the two, with the time it took (s) or why not."""
        self._under_way = True
        self._given += 1
        self._asked.put(_Commit(committed, failed))

    def commit_now(
        self, committed: Callable[[float], None], failed: Callable[[Exception], None]
    ) -> bool:
        """Do here what ``commit`` lets the thread do, if it has nothing left; False otherwise.

        Waking a thread takes longer than a small COMMIT.
        """
        if self._given != self._left:
            return False
        self._under_way = True
        self._commit(_Commit(committed, failed))
        return True

    def tell(self, word: Callable[[], None]) -> None:
        """Let a word out after all that were before it."""
        self._given += 1
        self._asked.put(word)

    @property
    def is_free(self) -> bool:
        """Whether a COMMIT could begin at once."""
        return not self._under_way or not self._worked.empty()

    def ended(self) -> bool:
        """Wait for the COMMIT under way, if any; False when it failed and was rolled back."""
        if not self._under_way:
            return True
        self._under_way = False
        return self._worked.get()

    def close(self) -> None:
        """End the thread; what is under way must have ended."""
        self._asked.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while (asked := self._asked.get()) is not None:
            if isinstance(asked, _Commit):
                self._commit(asked)
            else:
                self._say(asked)
            self._left += 1

    def _commit(self, asked: _Commit) -> None:
        try:
            took_s = self._end()
        except Exception as error:  # noqa: BLE001 - MemoryError is one: whatever it is, it is lost
            with suppress(Exception):
                self._connection.execute("ROLLBACK")
            self._worked.put(item=False)
            self._say(partial(asked.failed, error))
            return
        # The writer goes on with the connection while the word goes out.
        self._worked.put(item=True)
        self._say(partial(asked.committed, took_s))

    def _end(self) -> float:
        if (version := self._others_wrote()) != self._version:
            # What is remembered may be wrong, and what was done rests on it.
            self._version = version
            raise sqlite3.OperationalError("somebody else has written to the database")
        began = monotonic()
        self._connection.execute("COMMIT")
        return monotonic() - began

    def _others_wrote(self) -> int:
        """Return a number that changes only by what other connections commit."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _say(self, word: Callable[[], None]) -> None:
        try:
            word()
        except Exception:  # noqa: BLE001 - logged with its trace; the writer must live
            # Who waits has gone, as when the event loop was closed first: others go on.
            _LOG.exception("a word about a batch could not leave")
