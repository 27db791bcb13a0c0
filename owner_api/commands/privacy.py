"""An owner is forgotten over HTTP, knowing first what stays."""

from typing import Final

from owner_api.calls import Call, Reply
from owner_api.store.tx import Tx

from . import erasure

GOES: Final = (
    "your name, devices and access",
    "vehicles, preferences, leave times, chargers and what the car told",
    "what was known of the car and of you when an offer was judged, answered and watched over",
    "your own words: why you said no, what you asked for instead, what you disputed",
    "your receipts here and the contents of your entries in the log; keep your own copies",
)
STAYS: Final = (
    "deals, meter registers, settlements with their cost lines, and payments: the park's books too",
    "the ids in them, which lead to nobody any more",
    "a price or an amount that you asked a park for, in its events, for two weeks by default",
    "of each log entry its kind, its instant and a digest that nobody can open any more",
)


def explain(_tx: Tx, _call: Call) -> Reply:
    """Say what an erasure takes and what it leaves, before it is asked for."""
    return Reply(body={"goes": list(GOES), "stays": list(STAYS)})


def forget(tx: Tx, call: Call) -> Reply:
    """Forget the caller; what is not settled for good is named and has to end first."""
    done = erasure.erase_owner(
        tx,
        owner_id=call.principal.party_id,
        now=call.now,
        new_id=call.new_id,
        config=call.config,
    )
    body = {"erased": done["erased"], "waits_for": done["waits_for"], "stays": list(STAYS)}
    return Reply(body=body, status=201)
