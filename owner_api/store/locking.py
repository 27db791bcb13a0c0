"""One process per database: two writers would each believe they are the only one."""

import fcntl
import os
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from .errors import StoreError, StoreLockedError, told

_LOOK_AGAIN_S: Final = 0.02


class FileLock:
    """An advisory lock beside the database; the system frees it when the process dies."""

    def __init__(self, database: Path) -> None:
        # By its own name: through a link there would be a second lock, and second keys.
        self._database = database.resolve()
        self._path = self._database.with_name(f"{self._database.name}.lock")
        self._descriptor: int | None = None

    def acquire(self, *, patience_s: float = 0, holder: int | None = None) -> None:
        """Take the lock or, after so long, raise StoreLockedError naming who holds it; blocks.

        ``holder`` is the process that others are told to stop, by default this one.
        Raises StoreError for a file that has several names, each of which would be lockable, and
        where the lock's own file cannot be made or written.
        """
        if self._database.exists() and (names := self._database.stat().st_nlink) > 1:
            raise StoreError(
                f"{self._database}: this file has {names} names (hard links), and another process"
                " could serve it by another one; remove all names but one"
            )
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be opened ({told(error)})") from error
        until = monotonic() + patience_s
        while not _is_free(descriptor):
            if monotonic() >= until:
                other = os.read(descriptor, 32).decode(errors="replace").strip()
                os.close(descriptor)
                named = f" (process {other})" if other else ""
                raise StoreLockedError(
                    f"{self._path}: another process{named} serves this database; stop it first"
                )
            sleep(_LOOK_AGAIN_S)
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{holder or os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(descriptor)
            raise StoreError(f"{self._path}: cannot be written ({told(error)})") from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; the file stays, because removing it would race."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _is_free(descriptor: int) -> bool:
    """Lock an open file if nobody else has; it is ours from then on."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
