"""After a restore: what each lost receipt comes to when the server is shown it again."""

from collections.abc import AsyncIterator
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from custom_components.v2g_owner.api_errors import (
    OwnerApiAnswerError,
    OwnerApiConnectionError,
    OwnerApiError,
)
from owner_api.core import receipt

from .log_world import Json, Log, Watched, away, watched

LOST = {receipt.receipt_id(1), receipt.receipt_id(2)}


@pytest.fixture
async def home(hass: HomeAssistant) -> AsyncIterator[Watched]:
    """Watch a log that has lost two of the owner's three stops, and says so."""
    async with watched(hass, Log()) as made:
        made.log.open_epoch(keep=1)
        yield made


def lost(home: Watched) -> list[Json]:
    """Return the receipts of what is lost; they are kept, whatever becomes of them."""
    found = [each for each in home.watch.receipts.documents if "missing_since_epoch" in each]
    assert {each["receipt_id"] for each in found} == LOST
    return found


async def test_what_was_lost_is_shown_once_whole_and_noted_under_its_new_receipt(
    home: Watched,
) -> None:
    """Shown are the proofs alone, as they were signed; nothing that we noted beside them."""
    await home.watch.async_check()
    parts = ("jws", "proof", "checkpoint", "key_statements")
    assert home.log.shown == [{name: each[name] for name in parts} for each in lost(home)]
    assert [each["replayed_as"] for each in lost(home)] == ["rcp_1", "rcp_2"]
    await home.watch.async_check()
    assert len(home.log.shown) == 2


@pytest.mark.parametrize(
    "code", ["invalid_body", "payload_too_large", "not_found", "method_not_allowed"]
)
async def test_a_receipt_that_is_refused_for_good_is_kept_and_not_shown_again(
    home: Watched, code: str
) -> None:
    """Nor does the refusal keep new receipts from being fetched."""
    home.log.say(body={"number": 3})
    home.log.bent = {"replay": away(code)}
    await home.watch.async_check()
    assert [each["replayed_as"] for each in lost(home)] == [None, None]
    assert len(home.kept) == 4
    assert home.repair is None
    home.log.bent = {}
    await home.watch.async_check()
    assert len(home.log.shown) == 2


@pytest.mark.parametrize(
    "trouble",
    [
        OwnerApiConnectionError("gone"),
        OwnerApiAnswerError("not the owner API"),
        away("overloaded", 503),
        away("internal", 500),
    ],
    ids=str,
)
async def test_an_api_that_is_away_is_shown_the_receipts_when_it_is_back(
    home: Watched, trouble: OwnerApiError
) -> None:
    """What could not be asked is still waiting, and nobody is accused."""
    home.log.bent = {"replay": trouble}
    home.log.say(body={"number": 3})
    for _ in range(2):
        with pytest.raises(type(trouble)):
            await home.watch.async_check()
    assert home.repair is None
    assert len(home.kept) == 4, "a new receipt does not wait for them"
    assert not [each for each in lost(home) if "replayed_as" in each]
    home.log.bent, home.log.shown = {}, []
    await home.watch.async_check()
    assert len(home.log.shown) == 2
    assert all(each["replayed_as"] for each in lost(home))


async def test_what_was_taken_before_the_link_broke_is_not_shown_twice(home: Watched) -> None:
    """Only the second is still waiting."""
    post, home_log = home.log.post, home.log

    async def breaks(path: str, body: Json) -> Any:
        if home_log.shown:
            raise OwnerApiConnectionError("gone")
        return await post(path, body)

    home_log.post = breaks  # type: ignore[method-assign]
    with pytest.raises(OwnerApiConnectionError):
        await home.watch.async_check()
    assert [each.get("replayed_as") for each in lost(home)] == ["rcp_1", None]
    home_log.post = post  # type: ignore[method-assign]
    await home.watch.async_check()
    first, second = lost(home)
    assert [body["jws"] for body in home_log.shown] == [first["jws"], second["jws"]]
    assert second["replayed_as"] == "rcp_2"


async def test_a_server_that_does_not_serve_yet_is_shown_the_receipts_again(
    home: Watched,
) -> None:
    """Taken for a look only: the log does not say it again, so it is not settled."""
    home.log.bent = {"replay": {"serving": False}}
    await home.watch.async_check()
    await home.watch.async_check()
    assert len(home.log.shown) == 4
    assert not [each for each in lost(home) if "replayed_as" in each]
    home.log.bent = {}
    await home.watch.async_check()
    assert all(each["replayed_as"] for each in lost(home))


async def test_what_a_second_restore_loses_again_is_shown_again(home: Watched) -> None:
    """The log that said it again is itself gone."""
    await home.watch.async_check()
    home.log.open_epoch(keep=1)
    home.log.shown = []
    await home.watch.async_check()
    assert len(home.log.shown) == 2
    assert {each["missing_since_epoch"] for each in lost(home)} == {3}
    await home.watch.async_check()
    assert len(home.log.shown) == 2


async def test_a_second_restore_to_after_the_first_loses_that_the_receipts_were_shown(
    home: Watched,
) -> None:
    """Their old places are kept by then, with other entries: it is their record that is gone."""
    for number in range(3):
        home.log.say(body={"since": number})
    await home.watch.async_check()
    assert len(home.log.shown) == 2
    home.log.open_epoch(keep=5)
    home.log.shown = []
    await home.watch.async_check()
    assert [body["jws"] for body in home.log.shown] == [each["jws"] for each in lost(home)]


async def test_the_record_of_a_replay_is_not_replayed(hass: HomeAssistant) -> None:
    """It would only be wrapped once more at each restore."""
    async with watched(hass, Log()) as home:
        home.log.say("receipt.replayed", {"receipt_id": "rcp_0"})
        await home.watch.async_check()
        assert len(home.kept) == 4
        home.log.open_epoch(keep=2)
        await home.watch.async_check()
        assert [body["jws"] for body in home.log.shown] == [
            each["jws"]
            for each in home.watch.receipts.documents
            if each["kind"] == "stop" and "missing_since_epoch" in each
        ]
        assert len(home.log.shown) == 1
