"""Random bytes of the operating system, drawn many at once.

Drawing lets other threads run, and then waits until one of them lets go: where commands run, that
takes longer than all the rest of making an identifier.
"""

import os
import secrets
from threading import Lock
from typing import Final

_AT_ONCE: Final = 4_096


class _Drawn:
    """Bytes that nobody has been given yet; each is given once, in one process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._drawn = b""
        self._at = 0
        # A fork must not give what its parent gives.
        os.register_at_fork(after_in_child=self._forget)

    def __call__(self, count: int) -> bytes:
        """Return ``count`` fresh random bytes (at most 4,096)."""
        with self._lock:
            begin = self._at
            if len(self._drawn) - begin < count:
                self._drawn, begin = secrets.token_bytes(_AT_ONCE), 0
            self._at = begin + count
            return self._drawn[begin : self._at]

    def _forget(self) -> None:
        self._lock = Lock()
        self._drawn, self._at = b"", 0


random_bytes: Final = _Drawn()
