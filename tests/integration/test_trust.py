"""Promise 6 as the owner sees it: a log that was bent, cut or lost shows, and receipts remain."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
import json
from pathlib import Path
import shutil
import sqlite3
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest

from custom_components.v2g_owner.api_errors import OwnerApiConnectionError
from custom_components.v2g_owner.const import CONF_RECEIPT_KEY, DOMAIN
from custom_components.v2g_owner.trust_watch import LogWatch
from owner_api.access.keys import key_directory
from owner_api.access.services import accept_new_key
from owner_api.commands import epochs
from owner_api.core import receipt
from owner_api.core.keyring import keyring, read_jwk
from owner_api.store import Tx

from .conftest import Home, until
from .owner_world import OwnerWorld

# More than --fast has time for.
pytestmark = pytest.mark.slow

type Lose = Callable[[], Awaitable[None]]


def watch(home: Home) -> LogWatch:
    """Return what checks the log of the loaded entry."""
    found: LogWatch = home.entry.runtime_data.log
    return found


def held_size(home: Home) -> int:
    """Return the size of the checkpoint we hold."""
    trusted = watch(home).trusted
    return trusted.held.size if trusted and trusted.held else 0


def told(home: Home, start: str = "log_contradiction_") -> ir.IssueEntry | None:
    """Return the repair about the log."""
    issue = ir.async_get(home.hass).async_get_issue(DOMAIN, f"{start}{home.entry.entry_id}")
    return issue if issue and issue.active else None


async def log_size(world: OwnerWorld) -> int:
    """Return how many entries the log has."""
    return int((await world.phone.get("/v1/ledger/checkpoint"))["size"])


async def caught_up(home: Home, world: OwnerWorld) -> None:
    """Wait until we hold the log's head and every receipt."""
    size = await log_size(world)
    await until(lambda: held_size(home) == size)
    async with watch(home)._checking:
        pass


async def say_stop(world: OwnerWorld, times: int = 1) -> None:
    """Have the log grow by some stops of the owner's."""
    for _ in range(times):
        await world.phone.post("/v1/stops", {})


def copy_files(source: Path, target: Path) -> None:
    """Replace the database's files in ``target``; the keys lie apart and stay."""
    target.mkdir(exist_ok=True)
    for path in target.glob("owner.db*"):
        if path.is_file():
            path.unlink()
    for path in source.glob("owner.db*"):
        if path.is_file():
            shutil.copy(path, target / path.name)


async def back_up(world: OwnerWorld, folder: Path) -> None:
    """Copy the database at rest."""
    await world.stop_server()
    copy_files(world.database.parent, folder)
    await world.start_server()


async def put_back(world: OwnerWorld, folder: Path, *, reason: str | None = None) -> None:
    """Replace the database by its copy; with a reason, it says so openly."""
    await world.stop_server()
    copy_files(folder, world.database.parent)
    await world.start_server()
    if reason is not None:
        await world.agent.store.write(lambda tx: epochs.ask_for(tx, reason=reason, lost_note=None))
        await world.stop_server()
        await world.start_server()


async def fix(hass: HomeAssistant, client: Any, issue: ir.IssueEntry) -> Any:
    """Open the repair and submit its form, as a person does."""
    assert await async_setup_component(hass, "repairs", {})
    http = await client()
    opened = await http.post(
        "/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": issue.issue_id}
    )
    flow = await opened.json()
    assert flow["step_id"] == "confirm", flow
    for value in (issue.translation_placeholders or {}).values():
        assert value in flow["description_placeholders"].values()
    done = await http.post(f"/api/repairs/issues/fix/{flow['flow_id']}", json={})
    await hass.async_block_till_done()
    return await done.json()


async def test_an_honest_log_is_followed_and_its_receipts_are_kept_and_verify_elsewhere(
    home: Home, world: OwnerWorld, session_id: str, hass_admin_user: Any
) -> None:
    """What we keep is what ``owner-api receipt verify`` takes, with the key pinned at pairing."""
    offer = await world.offer(session_id)
    await home.reaches("sensor", world.owner_id, "open_offers", "1")
    await home.act("decline_offer", context=Context(user_id=hass_admin_user.id))
    await say_stop(world)
    await caught_up(home, world)
    kept = {document["kind"]: document for document in watch(home).receipts.documents}
    assert {"agreement.active", "decision", "stop"} <= kept.keys()
    pinned = {"kty": "OKP", "crv": "Ed25519", "x": home.entry.data[CONF_RECEIPT_KEY]}
    for document in kept.values():
        proven = receipt.verify(document, keyring(read_jwk(pinned)))
        assert proven.entry.party_id == world.owner_id
    decision = receipt.verify(kept["decision"], keyring(read_jwk(pinned))).entry.body
    assert decision["terms_sha256"] == offer["terms_sha256"]
    assert decision["decision"] == "decline"
    assert told(home) is None
    assert watch(home).evidence == []
    handed = await home.hass.services.async_call(
        DOMAIN, "get_receipts", {"newest": 2}, blocking=True, return_response=True
    )
    assert handed is not None
    assert handed["public_key"] == pinned
    assert handed["receipts"] == watch(home).receipts.documents[-2:]


async def test_checkpoint_and_receipts_survive_a_restart_and_nothing_is_fetched_twice(
    home: Home, world: OwnerWorld, hass_storage: dict[str, Any]
) -> None:
    """A checkpoint that is forgotten at each restart would let history change meanwhile."""
    await say_stop(world, 2)
    await caught_up(home, world)
    size, documents = held_size(home), watch(home).receipts.documents
    await home.hass.config_entries.async_unload(home.entry.entry_id)
    stored = hass_storage[f"{DOMAIN}.{home.entry.entry_id}.log"]["data"]
    assert stored["checkpoint"].split("\n")[1] == str(size)
    asked: list[str] = []
    await home.hass.config_entries.async_setup(home.entry.entry_id)
    get = watch(home)._api.get

    async def counting(path: str) -> Any:
        asked.append(path)
        return await get(path)

    watch(home)._api.get = counting  # type: ignore[method-assign]
    await caught_up(home, world)
    await watch(home).async_check()
    assert watch(home).receipts.documents == documents
    assert not [path for path in asked if path.startswith("/v1/receipts/")]


@pytest.fixture
async def cut(world: OwnerWorld, home: Home, tmp_path: Path) -> Lose:
    """Return what puts an older copy back in silence; we hold a longer log by then."""
    await back_up(world, tmp_path / "copy")
    await say_stop(world, 3)
    await caught_up(home, world)

    async def lose() -> None:
        await put_back(world, tmp_path / "copy")

    return lose


async def test_promise_6_a_log_that_became_shorter_raises_a_repair_and_ends_service(
    home: Home, world: OwnerWorld, cut: Lose
) -> None:
    """Promise 6: we show the server what it signed before, and it must own up."""
    size = held_size(home)
    await cut()
    issue = await until(lambda: told(home))
    assert issue.translation_key == "log_shorter"
    assert (issue.translation_placeholders or {})["size"] == str(size)
    assert issue.is_persistent
    await until(lambda: world.agent.notary.refusing)
    status, _ = await world.phone.call("GET", "/v1/snapshot")
    assert status == 503
    assert held_size(home) == size
    evidence = watch(home).evidence[0]
    assert evidence["kind"] == "shorter"
    assert evidence["held"] != evidence["shown"]


async def test_promise_6_a_fork_that_has_grown_past_ours_raises_a_repair(
    home: Home, world: OwnerWorld, cut: Lose
) -> None:
    """Promise 6: more entries do not make another history ours."""
    size = held_size(home)
    await home.hass.config_entries.async_unload(home.entry.entry_id)
    await cut()
    await say_stop(world, 5)
    assert await log_size(world) > size
    await home.hass.config_entries.async_setup(home.entry.entry_id)
    issue = await until(lambda: told(home))
    assert issue.translation_key == "log_rewritten"
    assert held_size(home) == size


async def test_the_repair_goes_away_by_itself_when_the_right_log_is_back(
    home: Home, world: OwnerWorld, cut: Lose, tmp_path: Path
) -> None:
    """An operator who restores the newest backup after all has nothing to answer for."""
    await back_up(world, tmp_path / "newest")
    await cut()
    await until(lambda: told(home))
    await until(lambda: world.agent.notary.refusing)
    await put_back(world, tmp_path / "newest")
    await until(lambda: told(home) is None)
    assert len(watch(home).evidence) == 1


async def test_an_owner_who_has_cleared_it_may_go_by_the_log_as_it_is_now(
    home: Home, world: OwnerWorld, cut: Lose, hass_client: Any
) -> None:
    """The proof of what happened stays on disk."""
    await home.hass.config_entries.async_unload(home.entry.entry_id)
    await cut()
    await say_stop(world, 5)
    await home.hass.config_entries.async_setup(home.entry.entry_id)
    issue = await until(lambda: told(home))
    await until(lambda: world.agent.notary.refusing)
    world.agent.notary.refusing = None
    done = await fix(home.hass, hass_client, issue)
    assert done["type"] == "create_entry", done
    await until(lambda: told(home) is None)
    assert held_size(home) == await log_size(world)
    assert len(watch(home).evidence) == 1


async def test_a_repair_cannot_be_settled_while_the_account_is_not_connected(
    home: Home, world: OwnerWorld, cut: Lose, hass_client: Any
) -> None:
    """Nothing could be checked then."""
    await cut()
    issue = await until(lambda: told(home))
    await home.hass.config_entries.async_unload(home.entry.entry_id)
    done = await fix(home.hass, hass_client, issue)
    assert (done["type"], done["reason"]) == ("abort", "not_loaded")
    assert told(home) is not None


async def test_a_restore_in_the_open_is_shown_as_such_with_what_is_missing_and_why(
    home: Home, world: OwnerWorld, cut: Lose, tmp_path: Path, hass_client: Any
) -> None:
    """A signed new epoch is no contradiction; receipts of what it lost are kept for good."""
    size = held_size(home)
    before = len(watch(home).receipts.documents)
    await home.hass.config_entries.async_unload(home.entry.entry_id)
    await put_back(world, tmp_path / "copy", reason="the disk broke")
    await home.hass.config_entries.async_setup(home.entry.entry_id)
    issue_id = f"log_epoch_{home.entry.entry_id}_2"
    registry = ir.async_get(home.hass)
    issue = await until(lambda: registry.async_get_issue(DOMAIN, issue_id))
    shown = issue.translation_placeholders or {}
    assert shown["reason"] == "the disk broke"
    assert (shown["missing"], shown["receipts"]) == ("3", "3")
    assert int(shown["kept"]) == size - 3
    assert told(home) is None
    # The places of what is lost are taken by new entries; neither replaces the other.
    await say_stop(world, 4)
    await caught_up(home, world)
    await until(lambda: len(watch(home).receipts.documents) == before + 4 + 3)
    kept = watch(home).receipts.documents
    missing = [document for document in kept if "missing_since_epoch" in document]
    assert len(missing) == 3
    # What was lost was shown to the server by itself, and its log says it again: with receipts.
    again = {document["receipt_id"]: document for document in kept if document not in missing}
    pinned = {"kty": "OKP", "crv": "Ed25519", "x": home.entry.data[CONF_RECEIPT_KEY]}
    for document in missing:
        proven = receipt.verify(again[document["replayed_as"]], keyring(read_jwk(pinned)))
        assert proven.entry.kind == "receipt.replayed"
        assert proven.entry.body["receipt_id"] == document["receipt_id"]
        assert (
            proven.entry.body["body"]
            == receipt.verify(document, keyring(read_jwk(pinned))).entry.body
        )
    size = await log_size(world)
    await watch(home).async_check()
    assert await log_size(world) == size
    assert {document["receipt_id"] for document in missing} & {
        document["receipt_id"] for document in kept if document not in missing
    }
    done = await fix(home.hass, hass_client, issue)
    assert done["type"] == "create_entry"
    assert registry.async_get_issue(DOMAIN, issue_id) is None


async def test_an_epoch_whose_reason_was_changed_after_it_was_signed_is_a_contradiction(
    home: Home, world: OwnerWorld, cut: Lose, tmp_path: Path
) -> None:
    """What is said about a loss counts by its leaf in the log, not by who answers now."""
    await home.hass.config_entries.async_unload(home.entry.entry_id)
    await put_back(world, tmp_path / "copy", reason="somebody deleted deals")

    def bend(tx: Any) -> None:
        row = tx.one(
            "SELECT ledger_entry.position, content FROM ledger_entry"
            " JOIN ledger_leaf USING (position) WHERE kind = 'epoch'"
        )
        content = json.loads(row["content"])
        content["body"]["reason"] = "routine maintenance"
        tx.run(
            "UPDATE ledger_entry SET content = ? WHERE position = ?",
            json.dumps(content),
            row["position"],
        )

    await world.agent.store.write(bend)
    await home.hass.config_entries.async_setup(home.entry.entry_id)
    issue = await until(lambda: told(home))
    assert issue.translation_key == "log_rewritten"


def move_key(world: OwnerWorld, *, keep_former: bool) -> None:
    """Have the server sign with a new key from its next start on."""
    path = key_directory(world.database) / "receipt-ed25519.pem"
    if keep_former:
        path.rename(path.with_name("receipt-ed25519-2026.pem"))
    else:
        path.unlink()
        with closing(sqlite3.connect(world.database)) as connection, connection:
            accept_new_key(Tx(connection), world.database)


async def test_a_new_key_that_the_pinned_one_vouches_for_in_the_log_is_followed(
    home: Home, world: OwnerWorld
) -> None:
    """An operator may change keys without a new pairing; the new one is then kept."""
    await caught_up(home, world)
    await world.stop_server()
    move_key(world, keep_former=True)
    await world.start_server()
    await say_stop(world, 2)
    await caught_up(home, world)
    trusted = watch(home).trusted
    assert trusted is not None
    assert len(trusted.keys) == 2
    assert trusted.keys[0] == home.entry.data[CONF_RECEIPT_KEY]
    assert told(home) is None
    await home.hass.config_entries.async_reload(home.entry.entry_id)
    await say_stop(world)
    await caught_up(home, world)
    assert watch(home).trusted.keys == trusted.keys  # type: ignore[union-attr]


async def test_a_voucher_whose_entry_the_log_does_not_hold_makes_no_key_trusted(
    home: Home, world: OwnerWorld
) -> None:
    """A stolen old key alone must not be able to pass trust on unseen."""
    await caught_up(home, world)
    await world.stop_server()
    move_key(world, keep_former=True)
    await world.start_server()
    await world.agent.store.write(
        lambda tx: tx.run(
            "UPDATE ledger_entry SET salt = ? WHERE position ="
            " (SELECT max(position) FROM ledger_key)",
            "00" * 16,
        )
    )
    await say_stop(world)
    await until(lambda: told(home))
    trusted = watch(home).trusted
    assert trusted is not None
    assert len(trusted.keys) == 1


async def test_a_strange_key_raises_a_repair_that_leads_to_pairing_again(
    home: Home, world: OwnerWorld, hass_client: Any
) -> None:
    """The new key is pinned from the pairing, and the checkpoint we hold still stands."""
    await caught_up(home, world)
    await world.stop_server()
    move_key(world, keep_former=False)
    await world.start_server()
    await say_stop(world)
    issue = await until(lambda: told(home))
    assert issue.translation_key == "log_unknown_key"
    opened = await fix(home.hass, hass_client, issue)
    (flow,) = home.hass.config_entries.flow.async_progress()
    assert opened["next_flow"] == ["config_flow", flow["flow_id"]]
    assert flow["context"]["source"] == SOURCE_REAUTH
    assert told(home) is not None, "it was said to be repaired, and gone, before anything was done"
    old = home.entry.data[CONF_RECEIPT_KEY]
    await home.hass.config_entries.flow.async_configure(
        flow["flow_id"], {"pairing_code": await world.pairing_code()}
    )
    await home.hass.async_block_till_done()
    assert home.entry.data[CONF_RECEIPT_KEY] != old
    await until(lambda: home.entry.state is ConfigEntryState.LOADED)
    await caught_up(home, world)
    assert told(home) is None


async def test_receipts_from_before_the_pairing_are_kept_under_the_log_we_hold(
    home: Home, world: OwnerWorld
) -> None:
    """Signed under a key we never pinned, they still lie in the tree that our key signs."""
    await say_stop(world)
    await caught_up(home, world)
    await home.hass.config_entries.async_remove(home.entry.entry_id)
    await world.stop_server()
    move_key(world, keep_former=True)
    await world.start_server()
    flow = await home.hass.config_entries.flow.async_init(DOMAIN, context={"source": "user"})
    done = await home.hass.config_entries.flow.async_configure(
        flow["flow_id"], {"url": world.url, "pairing_code": await world.pairing_code()}
    )
    await home.hass.async_block_till_done()
    home.entry = done["result"]
    await caught_up(home, world)
    kept = watch(home).receipts.documents
    assert "stop" in {document["kind"] for document in kept}
    pinned = {"kty": "OKP", "crv": "Ed25519", "x": home.entry.data[CONF_RECEIPT_KEY]}
    for document in kept:
        assert receipt.verify(document, keyring(read_jwk(pinned))).position >= 0


async def test_an_entry_paired_before_keys_were_pinned_asks_to_pair_again(
    home: Home, world: OwnerWorld
) -> None:
    """Only a pairing can tell the key in confidence."""
    data = {key: value for key, value in home.entry.data.items() if key != CONF_RECEIPT_KEY}
    await home.hass.config_entries.async_unload(home.entry.entry_id)
    home.hass.config_entries.async_update_entry(home.entry, data=data)
    await home.hass.config_entries.async_setup(home.entry.entry_id)
    assert home.entry.state is ConfigEntryState.SETUP_ERROR
    (flow,) = home.hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_REAUTH


async def test_deleting_the_account_forgets_its_files(
    home: Home, world: OwnerWorld, hass_storage: dict[str, Any]
) -> None:
    """Nothing of an owner stays behind."""
    await say_stop(world)
    await caught_up(home, world)
    await home.hass.config_entries.async_remove(home.entry.entry_id)
    await home.hass.async_block_till_done()
    assert [name for name in hass_storage if name.startswith(f"{DOMAIN}.")] == []


async def test_an_account_unloads_at_once_while_a_receipt_is_shown_again(
    hass: HomeAssistant,
    home: Home,
    world: OwnerWorld,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It went on with what is fetched next, which failed, and watched the log for ever."""
    await caught_up(home, world)
    shown = asyncio.Event()

    async def hangs() -> None:
        shown.set()
        await asyncio.Event().wait()

    async def fails(_trusted: object) -> None:
        raise OwnerApiConnectionError("The agent is away")

    monkeypatch.setattr(watch(home).receipts, "async_replay", hangs)
    monkeypatch.setattr(watch(home).receipts, "async_catch_up", fails)
    await say_stop(world)
    await shown.wait()
    assert await hass.config_entries.async_unload(home.entry.entry_id)
    assert "did not complete in time" not in caplog.text
