"""How a process of ours that only serves is set up."""

import gc
import sys
from typing import Final

# The store's thread must not keep the event loop from Python for its default of 5 ms at a time:
# a stop waits behind it.
_SWITCH_S: Final = 0.001


def settle_process() -> None:
    """Prepare a process that only serves: what is loaded stays, and threads take turns quickly."""
    sys.setswitchinterval(_SWITCH_S)
    gc.collect()
    gc.freeze()
