"""What an earlier version noted of a checkpoint that was shown is still understood."""

from pathlib import Path

from owner_api.store import Store
from tests.owner_api.deal_world import open_world


async def test_a_database_that_noted_one_shown_checkpoint_by_itself_still_starts(
    tmp_path: Path,
) -> None:
    async with open_world(tmp_path) as world:
        owner = await world.add_owner()
        note = (await owner.get("/v1/ledger/checkpoint"))["checkpoint"]
    store = await Store.open(tmp_path / "owner.db")
    await store.write(lambda tx: tx.insert("meta", key="ledger_contradicted_by", value=note))
    await store.close()
    async with open_world(tmp_path) as world, world.http.get(f"{world.url}/readyz") as answer:
        assert answer.status == 503
