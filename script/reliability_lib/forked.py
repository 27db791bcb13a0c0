"""Lets a server's clerk be a fork of the server: it starts at once, and with the same faults.

What a harness has bent in the server's process, its program or its disk, is bent in the clerk too.
Only for servers that are about to be killed: a fork of a process with threads is for nobody else.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
import os
from pathlib import Path
import signal
import sys
from time import monotonic, sleep

from owner_api.store import apart, clerk

_LOOK_S = 0.01


@dataclass(slots=True)
class Forked:
    """As much of ``subprocess.Popen`` as the store asks for."""

    pid: int

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raises TimeoutError."""
        until = None if timeout is None else monotonic() + timeout
        while True:
            with suppress(ChildProcessError):
                ended, status = os.waitpid(self.pid, os.WNOHANG)
                if not ended:
                    if until is not None and monotonic() > until:
                        raise TimeoutError
                    sleep(_LOOK_S)
                    continue
                return os.waitstatus_to_exitcode(status)
            return 0

    def kill(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)


def fork_clerks(after: Callable[[], None] = lambda: None) -> None:
    """Let every server of this process, and of its forks, have a clerk that is a fork of it.

    ``after`` is called in the server once it has its clerk.
    """
    apart._start = partial(_fork, after)  # type: ignore[assignment]  # noqa: SLF001 - see above


def _fork(after: Callable[[], None], descriptor: int) -> Forked:
    if pid := os.fork():
        after()
        return Forked(pid)
    code = 1
    with suppress(BaseException):
        _close_the_servers_sockets(descriptor)
        sys.argv = ["clerk", str(descriptor)]
        clerk.main()
        code = 0
    os._exit(code)


def _close_the_servers_sockets(ours: int) -> None:
    """Leave the server's end of the pair to the server alone: its end must be noticed."""
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if int(each.name) != ours and str(each.readlink()).startswith("socket:"):
                os.close(int(each.name))
