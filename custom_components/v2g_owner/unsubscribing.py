"""Several subscriptions that end together."""

from collections.abc import Iterable

from homeassistant.core import CALLBACK_TYPE, callback


def together(unsubscribes: Iterable[CALLBACK_TYPE]) -> CALLBACK_TYPE:
    """Return the way to end all of these."""

    @callback
    def stop() -> None:
        for unsubscribe in unsubscribes:
            unsubscribe()

    return stop
