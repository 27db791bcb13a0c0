"""Work that stands alone inside a command: where it fails, only it is undone."""

from collections.abc import Callable
import logging
import sqlite3
from typing import Final

from owner_api.store.tx import Tx

_LOGGER: Final = logging.getLogger(__name__)


def alone(tx: Tx, what: str, work: Callable[[], object]) -> None:
    """Run one piece of work; a failure is logged as what was due for ``what``, and undone."""
    try:
        with tx.nested():
            work()
    except sqlite3.Error:
        # The store itself is in trouble: the whole command is undone and tried again.
        raise
    except Exception:
        _LOGGER.exception("what was due for %s failed and was undone", what)
