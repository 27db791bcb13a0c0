"""Promise 6: what the log answers is a claim. Contradictions are named; unreadable answers wait."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.v2g_owner.api_errors import OwnerApiConnectionError, OwnerApiError
from custom_components.v2g_owner.const import DOMAIN
from custom_components.v2g_owner.snapshot import StreamEvent
from custom_components.v2g_owner.verbatim import verbatim
from owner_api.core import receipt

from .conftest import until
from .log_world import Log, Watched, away, watched

UNREADABLE: tuple[Any, ...] = ({}, {"path": None}, {"path": ["xy"]}, {"path": [7]})
NO_LIST: tuple[Any, ...] = ({}, {"items": None}, {"items": [7]}, {"items": {"a": 1}})


def loss(home: Watched, epoch: int = 2) -> dict[str, str] | None:
    """Return what the owner is told about a loss that was said openly."""
    name = f"log_epoch_{home.entry.entry_id}_{epoch}"
    issue = ir.async_get(home.hass).async_get_issue(DOMAIN, name)
    return None if issue is None else dict(issue.translation_placeholders or {})


async def not_readable(home: Watched) -> None:
    """Check the log; nothing was shown, so no repair is raised and what we hold stays."""
    before = home.watch.trusted
    with pytest.raises(OwnerApiError):
        await home.watch.async_check()
    assert home.repair is None
    assert home.watch.evidence == []
    assert home.watch.trusted == before


async def test_the_log_of_another_server_is_not_ours_though_our_key_signed_it(
    hass: HomeAssistant,
) -> None:
    """One key under two logs would let either stand in for the other."""
    async with watched(hass, Log()) as home:
        home.log.server_id = "srv_2"
        await home.watch.async_check()
        assert home.repair == ("log_rewritten", "the log of another server")
        assert home.held_size == 3


async def test_a_checkpoint_that_comes_late_is_no_shorter_log(hass: HomeAssistant) -> None:
    """Older than ours and part of it; a head of that size would be another matter."""
    async with watched(hass, Log()) as home:
        await home.watch.async_check(home.log.note(2))
        assert home.repair is None
        assert home.held_size == 3
        home.log.bent = {"/v1/ledger/checkpoint": {"checkpoint": home.log.note(2)}}
        await home.watch.async_check()
        assert home.repair == ("log_shorter", "2 entries where 3 were signed")
        assert home.held_size == 3


async def test_a_late_checkpoint_of_another_history_is_a_contradiction(
    hass: HomeAssistant,
) -> None:
    """What the operator signs beside our log shows even where ours has grown past it."""
    async with watched(hass, Log()) as home:
        other = Log(private=home.log.private)
        other.say("decision")
        other.say("decision")
        await home.watch.async_check(other.note())
        assert home.repair == (
            "log_rewritten",
            "the newer log does not begin with the older one",
        )
        assert home.watch.evidence[-1]["shown"] == other.note()


@pytest.mark.parametrize("code", ["not_found", "invalid_parameter"])
async def test_a_log_that_cannot_prove_what_it_signed_has_become_shorter(
    hass: HomeAssistant, code: str
) -> None:
    """It says that it has no such size: the very size that it signed for us.

    Its words are shown as they are; the repair is Markdown, in which words can be hidden.
    """
    async with watched(hass, Log()) as home:
        home.log.say()
        held = home.watch.trusted.held.note  # type: ignore[union-attr]
        home.log.bent = {"/v1/ledger/proofs/consistency": away(code)}
        await home.watch.async_check()
        assert home.repair == ("log_shorter", verbatim(f"said {code}"))
        assert home.held_size == 3
        # The operator is shown what it signed, once, however often we look again.
        await home.watch.async_check()
        assert home.log.witnessed == [held]
        home.log.bent = {}
        await home.watch.async_check()
        assert home.repair is None
        assert home.held_size == 4


@pytest.mark.parametrize(
    "answer",
    [*UNREADABLE, away("internal", 500), away("overloaded", 503), OwnerApiConnectionError("gone")],
    ids=str,
)
async def test_a_proof_that_does_not_come_or_cannot_be_read_accuses_nobody(
    hass: HomeAssistant, answer: Any
) -> None:
    """The checkpoint we hold stays until there is a proof; then the log is followed again."""
    async with watched(hass, Log()) as home:
        home.log.say()
        home.log.bent = {"/v1/ledger/proofs/": answer}
        await not_readable(home)
        home.log.bent = {}
        await home.watch.async_check()
        assert home.held_size == 4


@pytest.mark.parametrize("answer", [{}, {"items": [{"kind": "stop"}]}, {"items": None}], ids=str)
async def test_a_list_of_receipts_that_cannot_be_read_is_asked_for_again(
    hass: HomeAssistant, answer: Any
) -> None:
    """Nothing is missed for it."""
    async with watched(hass, Log()) as home:
        home.log.say()
        home.log.bent = {"/v1/receipts?": answer}
        with pytest.raises(OwnerApiError):
            await home.watch.async_check()
        assert home.repair is None
        home.log.bent = {}
        await home.watch.async_check()
        assert home.kept[-1] == receipt.receipt_id(3)


async def test_the_log_is_watched_on_after_an_answer_that_cannot_be_read(
    hass: HomeAssistant,
) -> None:
    """One bent answer would else end all checking until the next restart, in silence."""
    async with watched(hass, Log()) as home:
        for bent in ({"/v1/ledger/proofs/": {"path": 7}}, {"/v1/receipts?": {"items": [7]}}):
            home.log.say()
            home.log.bent, home.log.asked = dict(bent), []
            home.watch.async_connection_changed(connected=False)
            home.watch.async_connection_changed(connected=True)
            start = tuple(bent)
            await until(
                lambda start=start: [path for path in home.log.asked if path.startswith(start)]
            )
        home.log.bent = {}
        event = StreamEvent(seq=1, type="checkpoint.new", data={"checkpoint": home.log.note()})
        home.watch.async_handle_event(event)
        await until(lambda: home.held_size == 5 and len(home.kept) == 5)


async def test_a_new_key_is_followed_past_statements_that_nobody_here_can_check(
    hass: HomeAssistant,
) -> None:
    """Older ones than ours, and bent ones, are no reason to distrust the one that counts."""
    async with watched(hass, Log()) as home:
        strange = Log()
        strange.change_key()
        home.log.change_key()
        true = home.log.keys[0]
        bent = [*strange.keys, true | {"statement": "bent"}, true | {"x": strange.keys[0]["x"]}]
        home.log.keys = [*bent, true]
        await home.watch.async_check()
        assert home.repair is None
        assert home.held_size == 4
        trusted = home.watch.trusted
        assert trusted is not None
        assert trusted.keys[1:] == (true["x"],)


async def test_a_new_key_that_no_key_of_ours_vouches_for_is_not_followed(
    hass: HomeAssistant,
) -> None:
    """The repair asks to pair again; nothing that the key signed is taken."""
    async with watched(hass, Log()) as home:
        home.log.change_key(vouched=False)
        await home.watch.async_check()
        assert home.repair == ("log_unknown_key", "none of the trusted keys signed this checkpoint")
        assert home.held_size == 3


@pytest.mark.parametrize(
    "lack", [{"position": None}, {"position": "x"}, {"salt": "xy"}], ids=str
)  # fmt: skip
async def test_a_key_whose_entry_cannot_be_read_is_not_trusted_yet(
    hass: HomeAssistant, lack: dict[str, Any]
) -> None:
    """Without its place in the log a voucher alone passes no trust on."""
    async with watched(hass, Log()) as home:
        home.log.change_key()
        true = home.log.keys[0]
        home.log.keys = [true | lack]
        await not_readable(home)
        home.log.keys = [true]
        await home.watch.async_check()
        assert home.held_size == 4


@pytest.mark.parametrize("answer", NO_LIST, ids=str)
async def test_lists_of_keys_and_epochs_that_are_none_accuse_nobody(
    hass: HomeAssistant, answer: Any
) -> None:
    """The next look may show them."""
    async with watched(hass, Log()) as home:
        home.log.open_epoch(keep=1)
        home.log.bent = {"/v1/ledger/epochs": answer}
        await not_readable(home)
        home.log.bent = {}
        await home.watch.async_check()
        assert loss(home) is not None
        home.log.change_key()
        home.log.bent = {"/v1/ledger/keys": answer}
        await not_readable(home)


async def test_a_restore_that_kept_all_we_hold_is_told_with_nothing_missing(
    hass: HomeAssistant,
) -> None:
    """Our checkpoint lies within what was kept, and the log proves it."""
    async with watched(hass, Log()) as home:
        home.log.open_epoch(keep=3)
        await home.watch.async_check()
        assert home.repair is None
        told = loss(home)
        assert told is not None
        assert (told["kept"], told["missing"], told["receipts"]) == ("3", "0", "0")
        assert told["reason"] == "the disk broke"
        assert home.held_size == 4


async def test_a_restore_that_kept_nothing_is_told_with_all_of_it_missing(
    hass: HomeAssistant,
) -> None:
    """Every receipt stays here, as the proof of what is gone there."""
    async with watched(hass, Log()) as home:
        home.log.open_epoch(keep=0)
        await home.watch.async_check()
        assert home.repair is None
        told = loss(home)
        assert told is not None
        assert (told["kept"], told["missing"], told["receipts"]) == ("0", "3", "3")
        assert len(home.kept) == 3


def nothing_said(log: Log) -> None:
    """Open a new epoch without an entry that says so."""
    log.epoch += 1


def said_of_an_earlier_one(log: Log) -> None:
    """Explain one epoch and be in the next."""
    log.open_epoch(keep=3)
    log.epoch += 1


def more_lost_than_said(log: Log) -> None:
    """Lose two entries and say that the log ended after the first of them."""
    log.open_epoch(keep=1, size=2)


def kept_by_a_stranger(log: Log) -> None:
    """Point to a checkpoint of somebody else's as what was kept."""
    stranger = Log(private=Ed25519PrivateKey.generate(), entries=list(log.entries))
    log.open_epoch(keep=1, kept={"checkpoint": stranger.note(1), "size": 1})


def kept_of_another_history(log: Log) -> None:
    """Point to a checkpoint that our key signed over other entries."""
    other = Log(private=log.private)
    other.say("decision")
    log.open_epoch(keep=1, kept={"checkpoint": other.note(), "size": 1})


def changed_before_what_was_kept(log: Log) -> None:
    """Rewrite an entry and claim, under a new epoch, to have kept everything."""
    place = log.say("stop", {"number": 99})
    log.entries[1] = log.entries.pop(place)
    log.open_epoch(keep=3)


def changed_after_it_was_signed(log: Log) -> None:
    """Give another reason than the one in the log."""
    log.open_epoch(keep=1)["reason"] = "routine maintenance"


UNTRUE = {
    nothing_said: ("log_rewritten", "a new epoch that nothing explains"),
    said_of_an_earlier_one: ("log_rewritten", "a new epoch that nothing explains"),
    more_lost_than_said: ("log_shorter", "more is missing than was said"),
    kept_by_a_stranger: ("log_rewritten", "none of the trusted keys signed this checkpoint"),
    kept_of_another_history: (
        "log_rewritten",
        "the newer log does not begin with the older one",
    ),
    changed_before_what_was_kept: (
        "log_rewritten",
        "the newer log does not begin with the older one",
    ),
    changed_after_it_was_signed: ("log_rewritten", "the log does not hold this entry"),
}


@pytest.mark.parametrize("lie", UNTRUE, ids=lambda lie: lie.__name__)
async def test_promise_6_a_new_epoch_that_hides_something_is_a_contradiction(
    hass: HomeAssistant, lie: Any
) -> None:
    """Promise 6: opening an epoch is no way around what was signed before."""
    async with watched(hass, Log()) as home:
        lie(home.log)
        await home.watch.async_check()
        assert home.repair == UNTRUE[lie]
        assert loss(home) is None
        assert home.held_size == 3
        assert len(home.log.witnessed) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"kept": {"size": 1}},
        {"kept": 1},
        {"lost": {"size": "many"}},
        {"lost": {}},
        {"epoch": "second"},
        {"epoch": None},
    ],
    ids=str,
)
async def test_an_epoch_that_cannot_be_read_is_no_loss_said_openly(
    hass: HomeAssistant, said: dict[str, Any]
) -> None:
    """What we hold stays; nothing is marked as lost."""
    async with watched(hass, Log()) as home:
        home.log.open_epoch(keep=1, **said)
        await not_readable(home)
        assert loss(home) is None
        assert not [each for each in home.watch.receipts.documents if "missing_since_epoch" in each]
