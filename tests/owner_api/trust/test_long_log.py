"""A log of years is verified in the memory of a small machine."""

from contextlib import closing
import tracemalloc

import pytest

from owner_api.audit.check import audit, open_read_only
from owner_api.commands import leaves
from owner_api.store import Tx
from tests.owner_api.deal_world import World

# More than --fast has time for.
pytestmark = pytest.mark.slow


def peak_of_an_audit(world: World) -> int:
    """Return how much memory (bytes) verifying the log takes at most."""
    with closing(open_read_only(world.database)) as connection:
        connection.execute("BEGIN")
        tracemalloc.start()
        assert list(audit(connection)) == []
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


async def test_promise_6_a_log_four_times_as_long_is_verified_in_the_same_memory(
    world: World,
) -> None:
    """All of it was held at once: 1 kB an entry, 5 GB for a year of a thousand owners."""
    owner = await world.add_owner()

    def more(tx: Tx) -> None:
        for number in range(2_000):
            told = {"stop_id": f"stp_{number}", "requested_at": world.clock.at}
            leaves.append(tx, "stop", world.clock.at, told, party_id=owner.party_id)

    await world.agent.store.write(more)
    peak_of_an_audit(world)
    before = peak_of_an_audit(world)
    for _ in range(3):
        await world.agent.store.write(more)
    assert peak_of_an_audit(world) < before * 1.5
