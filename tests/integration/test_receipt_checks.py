"""Promise 6: a receipt that is wrong in any part is noticed, named to the owner, and not kept."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
import pytest

from custom_components.v2g_owner.api_errors import OwnerApiAnswerError
from custom_components.v2g_owner.repairs import CheckAgainFlow, async_create_fix_flow
from custom_components.v2g_owner.verbatim import verbatim
from owner_api.access.keys import base64url
from owner_api.core import keyring, receipt

from .log_world import OWNER, SALT, SERVER, Json, Log, away, watched

PLACE = 3
NAME = receipt.receipt_id(PLACE)


def signed(log: Log, **changes: Any) -> Json:
    """Return a receipt whose claims are changed, and signed by the operator as they are."""
    claims = {
        "iss": receipt.issuer(SERVER),
        "aud": OWNER,
        "jti": NAME,
        "iat": 0,
        "kind": "stop",
        "at": log.entries[PLACE].at,
        "subject_id": None,
        "position": PLACE,
        "salt": SALT.hex(),
        "body": {"number": 3},
    } | changes
    kept = {name: value for name, value in claims.items() if value is not ...}
    return log.document(PLACE) | {"jws": keyring.sign_jws(kept, "v2g-receipt+jwt", log.private)}


def proven(log: Log, **changes: Any) -> Json:
    """Return a receipt whose proof is changed."""
    document = log.document(PLACE)
    return document | {"proof": document["proof"] | changes}


def nested(part: int) -> Callable[[Log], Json]:
    """Return how a receipt is bent whose header or claims are brackets without an end."""

    def bend(log: Log) -> Json:
        document = log.document(PLACE)
        parts = document["jws"].split(".")
        parts[part] = base64url(b"[" * 10**6)
        if part:
            signature = log.private.sign(f"{parts[0]}.{parts[1]}".encode())
            parts[2] = base64url(signature)
        return document | {"jws": ".".join(parts)}

    return bend


def by_a_stranger(log: Log) -> Json:
    """Return a receipt that somebody else signed."""
    stranger = Log(private=Ed25519PrivateKey.generate(), entries=log.entries)
    return log.document(PLACE) | {"jws": stranger.jws(PLACE)}


NOT_A_RECEIPT = "the signed claims are not a receipt's"
NOT_ITS_OWN = "the receipt's id or salt does not belong to it"
ANOTHERS = "the receipt is another server's or another owner's"
MALFORMED = "a part of the receipt is missing or malformed"
NOT_HELD = "the log does not hold this entry"
BAD_PROOF = "the receipt's proof is malformed"
WRONG: dict[str, tuple[Callable[[Log], Json], str]] = {
    "signed by a stranger": (by_a_stranger, "signed by the unknown key"),
    "not signed": (lambda log: log.document(PLACE) | {"jws": None}, "not a compact JWS"),
    "a claim too many": (lambda log: signed(log, exp=1), NOT_A_RECEIPT),
    "a claim too few": (lambda log: signed(log, iat=...), NOT_A_RECEIPT),
    "no place": (lambda log: signed(log, position=...), MALFORMED),
    "a place in words": (lambda log: signed(log, position="3"), NOT_A_RECEIPT),
    "another place's id": (lambda log: signed(log, jti=receipt.receipt_id(2)), NOT_ITS_OWN),
    "a short salt": (lambda log: signed(log, salt=SALT.hex()[2:]), NOT_ITS_OWN),
    "a salt that is none": (lambda log: signed(log, salt="salt"), MALFORMED),
    "another server's": (lambda log: signed(log, iss=receipt.issuer("srv_2")), ANOTHERS),
    "another owner's": (lambda log: signed(log, aud="own_2"), ANOTHERS),
    "a body that is none": (lambda log: signed(log, body=None), NOT_A_RECEIPT),
    "a body that is a list": (lambda log: signed(log, body=[["number", 3]]), NOT_A_RECEIPT),
    "a kind that is no word": (lambda log: signed(log, kind=["stop"]), NOT_A_RECEIPT),
    "an instant that is none": (lambda log: signed(log, at=0), NOT_A_RECEIPT),
    "about no name": (lambda log: signed(log, subject_id={}), NOT_A_RECEIPT),
    "a header without an end": (nested(0), "not a compact JWS"),
    "claims without an end": (nested(1), "not a compact JWS"),
    "another content": (lambda log: signed(log, body={"number": 4}), NOT_HELD),
    "another kind": (lambda log: signed(log, kind="decision"), NOT_HELD),
    "another instant": (lambda log: signed(log, at="2026-10-01T10:00:01Z"), NOT_HELD),
    "about another thing": (lambda log: signed(log, subject_id="off_1"), NOT_HELD),
    "another entry's place": (
        lambda log: signed(log, position=2, jti=receipt.receipt_id(2)),
        NOT_HELD,
    ),
    "a place beyond the log": (
        lambda log: signed(log, position=9, jti=receipt.receipt_id(9)),
        "no leaf 9 in a tree of 4",
    ),
    "no proof": (lambda log: log.document(PLACE) | {"proof": None}, BAD_PROOF),
    "a path in no hex": (lambda log: proven(log, path=["xy"]), BAD_PROOF),
    "another path": (lambda log: proven(log, path=["00" * 32] * 2), NOT_HELD),
    "a path too short": (lambda log: proven(log, path=[]), NOT_HELD),
    "a path too long": (
        lambda log: proven(log, path=[*log.inclusion(PLACE, 4), "00" * 32]),
        "the proof is too long",
    ),
    "a proof for another size": (
        lambda log: proven(log, size=3),
        "the proof is for another size than the checkpoint's",
    ),
    "no checkpoint": (
        lambda log: log.document(PLACE) | {"checkpoint": None},
        "not a checkpoint of an owner API",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_promise_6_a_receipt_that_is_wrong_raises_a_repair_that_says_in_what(
    hass: HomeAssistant, wrong: str
) -> None:
    """Promise 6: it is not kept, and once a right one is handed out the repair goes away."""
    bend, detail = WRONG[wrong]
    async with watched(hass, Log()) as home:
        home.log.say(body={"number": 3})
        home.log.bent = {f"/v1/receipts/{NAME}": bend(home.log)}
        await home.watch.async_check()
        assert home.repair is not None
        kind, told = home.repair
        assert kind == "log_receipt"
        assert told.startswith(verbatim(detail))
        assert NAME not in home.kept
        assert home.watch.evidence[-1]["kind"] == "receipt"
        home.log.bent = {}
        await home.watch.async_check()
        assert home.repair is None
        assert NAME in home.kept


async def test_right_receipts_around_a_wrong_one_are_kept_and_not_fetched_again(
    hass: HomeAssistant,
) -> None:
    """One bad answer costs one receipt, not those around it; pages are read to their end."""
    async with watched(hass, Log()) as home:
        for number in range(3, 8):
            home.log.say(body={"number": number})
        name = receipt.receipt_id(5)
        home.log.bent = {f"/v1/receipts/{name}": signed(home.log, aud="own_2")}
        await home.watch.async_check()
        assert home.repair == ("log_receipt", verbatim(ANOTHERS))
        assert home.kept == [receipt.receipt_id(place) for place in (0, 1, 2, 3, 4, 6, 7)]
        home.log.bent, home.log.asked = {}, []
        await home.watch.async_check()
        assert home.repair is None
        assert home.kept == [receipt.receipt_id(place) for place in (0, 1, 2, 3, 4, 6, 7, 5)]
        assert fetched(home.log) == [5]


def fetched(log: Log) -> list[int]:
    """Return the places whose receipts were asked for."""
    names = [path.removeprefix("/v1/receipts/") for path in log.asked]
    return [int(name.removeprefix("rcp_"), 16) for name in names if name.startswith("rcp_")]


UNREADABLE: dict[str, Exception] = {
    "not found": away("not_found", 404),
    "gone": away("gone", 410),
    "an error of the server's": away("internal", 500),
    "no answer of its own": OwnerApiAnswerError("not the owner API"),
}


@pytest.mark.parametrize("why", UNREADABLE)
async def test_promise_5_a_receipt_that_cannot_be_fetched_costs_no_other(
    hass: HomeAssistant, why: str
) -> None:
    """Promise 5: a yes that came after it was not known either, and nothing new began at home."""
    async with watched(hass, Log()) as home:
        for number in range(3, 6):
            home.log.say(body={"number": number})
        home.log.bent = {f"/v1/receipts/{NAME}": UNREADABLE[why]}
        await home.watch.async_check()
        assert home.kept == [receipt.receipt_id(place) for place in (0, 1, 2, 4, 5)]
        assert home.repair is None
        home.log.say(body={"number": 6})
        home.log.asked = []
        await home.watch.async_check()
        assert fetched(home.log) == [6, PLACE]
        home.log.bent = {}
        await home.watch.async_check()
        assert home.kept[-2:] == [receipt.receipt_id(6), NAME]


async def test_a_server_that_fails_at_every_receipt_is_not_asked_for_all_of_them(
    hass: HomeAssistant,
) -> None:
    """It is in trouble; what was not asked for, and what failed, is asked for later."""
    async with watched(hass, Log()) as home:
        for number in range(3, 40):
            home.log.say(body={"number": number})
        home.log.bent = {"/v1/receipts/": away("internal", 500)}
        home.log.asked = []
        await home.watch.async_check()
        assert len(fetched(home.log)) <= 20
        home.log.bent = {}
        for _ in range(3):
            await home.watch.async_check()
        assert sorted(home.kept) == [receipt.receipt_id(place) for place in range(40)]


async def test_promise_6_the_receipt_of_another_entry_than_was_asked_for_is_a_wrong_one(
    hass: HomeAssistant,
) -> None:
    """Promise 6: a true receipt in the place of one that is held back would hide that."""
    async with watched(hass, Log()) as home:
        home.log.say(body={"number": 3})
        home.log.bent = {f"/v1/receipts/{NAME}": home.log.document(2)}
        await home.watch.async_check()
        assert home.repair is not None
        assert home.repair[0] == "log_receipt"


async def test_a_wrong_receipt_stays_told_while_others_are_asked_for(hass: HomeAssistant) -> None:
    """Promise 6: a few that cannot be fetched do not take its turn away."""
    async with watched(hass, Log()) as home:
        for number in range(3, 16):
            home.log.say(body={"number": number})
        missing = {f"/v1/receipts/{receipt.receipt_id(n)}": away("gone", 410) for n in range(4, 15)}
        home.log.bent = {f"/v1/receipts/{NAME}": signed(home.log, aud="own_2"), **missing}
        for _ in range(3):
            await home.watch.async_check()
            assert home.repair == ("log_receipt", verbatim(ANOTHERS))
        home.log.bent = {}
        for _ in range(3):
            await home.watch.async_check()
        assert home.repair is None
        assert len(home.kept) == 16


async def test_promise_6_a_receipt_that_stays_wrong_hides_no_worse_contradiction(
    hass: HomeAssistant,
) -> None:
    """Promise 6: what a log is caught at is shown to its server, and kept, whatever else is wrong.

    The receipt was noted again under each checkpoint, until nothing else was left of the ten.
    """
    async with watched(hass, Log()) as home:
        home.log.say(body={"number": 3})
        wrong = {f"/v1/receipts/{NAME}": signed(home.log, aud="own_2")}
        home.log.bent = wrong
        await home.watch.async_check()
        witnessed = len(home.log.witnessed)
        forked = Log(private=home.log.private, entries=[*home.log.entries[:2]])
        for number in range(2, 6):
            forked.say(body={"another": number})
        home.log.bent = wrong | {
            "/v1/ledger/proofs/consistency": {"path": forked.consistency(4, 6)}
        }
        await home.watch.async_check(forked.note())
        assert home.repair is not None
        assert home.repair[0] != "log_receipt"
        assert len(home.log.witnessed) == witnessed + 1
        home.log.bent = wrong
        for number in range(12):
            home.log.say(body={"number": number})
            await home.watch.async_check()
        shown = [each["shown"] for each in home.watch.evidence]
        assert forked.note() in shown
        assert len(shown) == 2
        assert len(home.log.witnessed) == witnessed + 1


async def test_promise_6_the_repair_of_a_bad_receipt_checks_again_and_gives_up_no_checkpoint(
    hass: HomeAssistant,
) -> None:
    """Promise 6: an operator cannot hand out a bad receipt to be let off what it signed."""
    async with watched(hass, Log()) as home:
        home.log.say()
        home.log.bent = {f"/v1/receipts/{NAME}": by_a_stranger(home.log)}
        await home.watch.async_check()
        assert home.watch.trusted is not None
        held = home.watch.trusted.held
        assert held is not None
        (issue,) = ir.async_get(hass).issues.values()
        flow = await async_create_fix_flow(hass, issue.issue_id, dict(issue.data or {}))
        assert isinstance(flow, CheckAgainFlow)
        home.entry.runtime_data = SimpleNamespace(log=home.watch)
        still = await flow.async_repair(home.entry)
        assert still["reason"] == "still_contradicted"
        assert home.watch.trusted.held == held
        home.log.bent = {}
        assert (await flow.async_repair(home.entry))["type"] is FlowResultType.CREATE_ENTRY
        assert home.repair is None
