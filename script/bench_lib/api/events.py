"""One event on the streams of some owners, as a command that can cross to the writer's process."""

from owner_api.clock import SystemClock
from owner_api.store import Tx

# How many of the owners have streams.
STREAMED = 64
# About the size of an offer's event on the wire.
EVENT = {"note": "x" * 320}


def emit(tx: Tx, parties: list[str]) -> None:
    """Put the event on each party's stream."""
    for party_id in parties:
        tx.emit(party_id, "bench.event", SystemClock().now(), EVENT)
