"""Starts `owner-api serve` over and over, without importing it anew each time.

One line on stdin starts one server: ``fork`` runs the command in a fork of this process, which has
everything imported; ``exec`` starts the installed command from nothing. The server prints what it
always prints. The harness kills it by the id that is printed first.

With RELIABILITY_FORGET_KEYS=1 the row that remembers an Idempotency-Key is not written: only to
prove that the harness notices an effect that happens twice.
"""

import os
import sys
from typing import Final

from owner_api import cli_serve
from owner_api.cli import main as owner_api
from owner_api.commands import timers  # noqa: F401 - imported once for every fork
from owner_api.server.idempotency import Ticket
from script.reliability_lib.command_line import OWNER_API

FORGET: Final = "RELIABILITY_FORGET_KEYS"


def _forget_keys() -> None:
    def keep(*_told: object) -> None:
        """Remember nothing."""

    Ticket.keep = keep  # type: ignore[assignment, method-assign]  # the proof's own fault, never in production


def main(words: list[str]) -> None:
    """Serve with ``words`` as often as asked."""
    assert cli_serve.serve is not None
    if os.environ.get(FORGET) == "1":
        _forget_keys()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            print(os.getpid(), flush=True)
            if line.strip() == "exec":
                os.execv(OWNER_API[0], [*OWNER_API, "serve", *words])  # noqa: S606 - the command itself
            owner_api(["serve", *words], standalone_mode=False)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
