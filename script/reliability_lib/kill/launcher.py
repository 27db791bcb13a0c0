"""Starts `owner-api serve` over and over, without importing it anew each time.

One line on stdin starts one server: ``fork`` runs the command in a fork of this process, which has
everything imported; ``exec`` starts the installed command from nothing. The server prints what it
always prints. The harness kills it by the id that is printed first; when it has ended, a line with
its exit code follows.

``fail CUT SEED FROM UNTIL PERMILLE HOW`` forks like ``fork``, on a disk that fails and in the end
loses its power: only under the shim of the power cuts, which says what these numbers mean.

With RELIABILITY_FORGET_KEYS=1 the row that remembers an Idempotency-Key is not written: only to
prove that the harness notices an effect that happens twice.
"""

import ctypes
from functools import partial
import os
from pathlib import Path
import sys
from typing import Final

from owner_api import cli_serve
from owner_api.cli import main as owner_api
from owner_api.commands import timers  # noqa: F401 - imported once for every fork
from owner_api.server import furnish  # noqa: F401 - the same for every clerk
from owner_api.server.idempotency import Ticket
from script.reliability_lib.command_line import OWNER_API
from script.reliability_lib.forked import fork_clerks

FORGET: Final = "RELIABILITY_FORGET_KEYS"
# What the disk did, written beside the database when its power goes.
DISK_REPORT: Final = "disk.json"
_NEVER: Final = 2**62


def _forget_keys() -> None:
    def keep(*_told: object) -> None:
        """Remember nothing."""

    Ticket.keep = keep  # type: ignore[assignment, method-assign]  # the proof's own fault, never in production


def _fail(database: Path, cut: int, seed: int, *window: int) -> None:
    shim = ctypes.CDLL(None)
    report = os.open(database.parent / DISK_REPORT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    words = (str(database.parent).encode(), database.name.encode())

    def arm(at: int) -> None:
        shim.powercut_arm(*words, ctypes.c_long(at), ctypes.c_uint64(seed), report)

    arm(cut)
    shim.powercut_fail(*(ctypes.c_long(each) for each in window))
    # The power goes where the clerk writes; the server that only reads must not end before it.
    fork_clerks(after=partial(arm, _NEVER))


def main(words: list[str]) -> None:
    """Serve with ``words`` as often as asked."""
    assert cli_serve.serve is not None
    if os.environ.get(FORGET) == "1":
        _forget_keys()
    fork_clerks()
    database = Path(words[words.index("--database") + 1])
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            print(os.getpid(), flush=True)
            asked = line.split()
            if asked[0] == "fail":
                _fail(database, *(int(each) for each in asked[1:]))
            if asked[0] == "exec":
                os.execv(OWNER_API[0], [*OWNER_API, "serve", *words])  # noqa: S606 - the command itself
            owner_api(["serve", *words], standalone_mode=False)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(f'{{"ended":{os.waitstatus_to_exitcode(status)}}}', flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
