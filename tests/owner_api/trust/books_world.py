"""A database with a long log, made by the real commands: one deal over HTTP, then many rewards."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from owner_api.access.keys import RECEIPT_FILE, key_directory, load_ed25519
from owner_api.commands import announce, journal, rewards
from owner_api.config import Config
from owner_api.core.keyring import Keyring, keyring
from owner_api.core.model import RewardPart
from owner_api.ids import new_id
from owner_api.server.agent import build_agent
from owner_api.store import Tx
from tests.owner_api.deal_world import NOON, MovableClock, World, active, open_world

NOW = NOON + timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The database at rest, and what the outside world knows of it."""

    database: Path
    server_id: str
    privates: tuple[Ed25519PrivateKey, ...]
    pinned: Keyring
    kept_note: str
    size: int
    owner_id: str


async def make_books(folder: Path, *, settlements: int, rotations: int) -> Books:
    """Make a database with a settled deal, more rewards, new keys and one erased owner."""
    async with open_world(folder) as world:
        owner_id = await _settled_deal(world)
        for number in range(settlements):
            await world.agent.store.write(lambda tx, n=number: _one_more(tx, n))
        stranger = await world.add_owner("Passing by")
        await world.agent.store.write(
            lambda tx: journal.stop(tx, stranger.party_id, "stp_x", [], NOW)
        )
        await world.agent.store.write(lambda tx: journal.erase(tx, stranger.party_id, NOW, 100))
        database, server_id = world.database, world.agent.access.server_id
    privates = [_key(database)]
    for number in range(rotations):
        path = key_directory(database) / f"{RECEIPT_FILE}.pem"
        path.rename(path.with_name(f"{RECEIPT_FILE}-{number}.pem"))
        await _serve_shortly(database)
        privates.append(_key(database))
    async with await build_agent(database, _clock(), Config(), run_timers=False) as agent:
        row = await agent.store.read(
            lambda tx: tx.one("SELECT size, note FROM ledger_checkpoint ORDER BY number DESC")
        )
    assert row is not None
    return Books(
        database=database,
        server_id=server_id,
        privates=tuple(privates),
        pinned=keyring(privates[0].public_key()),
        kept_note=row["note"],
        size=row["size"],
        owner_id=owner_id,
    )


async def _settled_deal(world: World) -> str:
    deal = await active(world)
    await deal.deliver(60)
    await deal.stop()
    await world.move(3601)
    return deal.owner.party_id


def _one_more(tx: Tx, number: int) -> None:
    """Settle the deal once more as another version, through to the payment or its reversal."""
    old = tx.one("SELECT * FROM settlement ORDER BY version DESC LIMIT 1")
    assert old is not None
    made = old | {
        "settlement_id": new_id("stl"),
        "version": old["version"] + 1,
        "net_minor": old["net_minor"] + 1 + number,
    }
    tx.insert("settlement", **made)
    at = NOW + timedelta(seconds=number)
    part = RewardPart(payer=None, kind="cash", currency=old["currency"], price_per_kwh="1.2")
    rewards.earn(tx, made, [(part, made["net_minor"])], at, new_id)
    announce.settlement(tx, made, at)
    rewards.confirm(tx, made["settlement_id"], at, new_id)
    if number % 3:
        rewards.pay(tx, made, f"PAY-{number}", None, at, new_id)
    else:
        rewards.reverse(tx, made["settlement_id"], at, new_id)


def _key(database: Path) -> Ed25519PrivateKey:
    return load_ed25519(key_directory(database) / f"{RECEIPT_FILE}.pem")


async def _serve_shortly(database: Path) -> None:
    async with await build_agent(database, _clock(), Config(), run_timers=False):
        pass


def _clock() -> MovableClock:
    clock = MovableClock()
    clock.at = NOW + timedelta(hours=1)
    return clock
