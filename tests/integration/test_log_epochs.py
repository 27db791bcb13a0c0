"""Promise 6: a loss may be said rightly only by a later epoch; a fork has to be owned up to."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import HomeAssistant
import pytest

from .log_world import Log, Watched, watched
from .test_log_answers import loss

NO_BEGINNING = "the newer log does not begin with the older one"


def lost(note: str, size: int) -> dict[str, Any]:
    """Return what an epoch's entry says of a checkpoint that it gives up."""
    return {"checkpoint": note, "size": size}


async def test_a_loss_that_was_said_too_small_may_be_said_rightly_by_a_later_epoch(
    hass: HomeAssistant,
) -> None:
    """Asked what helps, the operator says more; from then on nothing is hidden."""
    async with watched(hass, Log()) as home:
        ours = home.log.note()
        home.log.open_epoch(keep=1, size=2)
        await home.watch.async_check()
        assert home.repair == ("log_shorter", "more is missing than was said")
        for _ in range(4):
            home.log.say()
        home.log.open_epoch(keep=6, reason="shown to us", lost=lost(ours, 3))
        await home.watch.async_check()
        assert home.repair is None
        told = loss(home, 3)
        assert told is not None
        assert (told["kept"], told["missing"], told["receipts"]) == ("1", "2", "2")
        assert told["reason"] == "shown to us"


async def test_a_loss_of_which_the_operator_knows_no_end_is_a_loss_of_all_that_was_not_kept(
    hass: HomeAssistant,
) -> None:
    """Whoever puts an old backup back may have nothing that says how long the log was."""
    async with watched(hass, Log()) as home:
        home.log.open_epoch(keep=1, lost=None)
        await home.watch.async_check()
        assert home.repair is None
        told = loss(home)
        assert told is not None
        assert (told["kept"], told["missing"], told["receipts"]) == ("1", "2", "2")


def rolled_back(log: Log) -> None:
    """Put the first entry back in silence and go on with others, past what was signed before."""
    log.entries = log.entries[:1]
    for number in range(4):
        log.say(body={"other": number})


async def test_a_fork_that_the_operator_owns_up_to_is_a_loss_of_all_that_nobody_can_prove(
    hass: HomeAssistant,
) -> None:
    """Where the histories parted cannot be shown, so every receipt of ours is shown again."""
    async with watched(hass, Log()) as home:
        ours = home.log.note()
        rolled_back(home.log)
        await home.watch.async_check()
        assert home.repair == ("log_rewritten", NO_BEGINNING)
        assert home.log.witnessed == [ours]
        home.log.open_epoch(keep=5, lost=lost(ours, 3))
        await home.watch.async_check()
        assert home.repair is None
        told = loss(home)
        assert told is not None
        assert (told["kept"], told["missing"], told["receipts"]) == ("0", "3", "3")
        assert home.held_size == 6
        assert len(home.log.shown) == 3


async def test_news_of_an_epoch_that_comes_late_is_judged_without_what_came_after_it(
    hass: HomeAssistant,
) -> None:
    """A note that waited while the log went on into another epoch is explained all the same."""
    async with watched(hass, Log()) as home:
        home.log.open_epoch(keep=2)
        late = home.log.note()
        home.log.open_epoch(keep=3)
        await home.watch.async_check(late)
        assert home.repair is None
        assert home.held_size == 3
        await home.watch.async_check()
        assert home.repair is None
        assert loss(home, 3) is not None


def nothing_owned_up_to(log: Log, _ours: str) -> None:
    """Open an epoch that says the end was lost, and nothing of another beginning."""
    log.say()
    log.open_epoch(keep=5)


def the_logs_own(log: Log, _ours: str) -> None:
    """Give up, for a fork, what the log holds."""
    log.open_epoch(keep=5, lost=lost(log.note(4), 4))


def too_little(log: Log, _ours: str) -> None:
    """Give up a smaller part of the other history than ours."""
    fork = Log(private=log.private)
    fork.say(body="elsewhere")
    log.open_epoch(keep=5, lost=lost(fork.note(), 1))


def another(log: Log, _ours: str) -> None:
    """Give up a third history of the very size of ours."""
    fork = Log(private=log.private)
    for _ in range(3):
        fork.say(body="elsewhere")
    log.open_epoch(keep=5, lost=lost(fork.note(), 3))


def of_another_epoch(log: Log, _ours: str) -> None:
    """Give up a fork of an epoch that is not ours."""
    fork = Log(private=log.private, epoch=2)
    for _ in range(4):
        fork.say(body="elsewhere")
    log.epoch = 2
    log.open_epoch(keep=5, lost=lost(fork.note(), 4))


UNTRUE: dict[Callable[[Log, str], None], tuple[str, str]] = {
    nothing_owned_up_to: ("log_rewritten", NO_BEGINNING),
    the_logs_own: ("log_rewritten", NO_BEGINNING),
    too_little: ("log_shorter", "more is missing than was said"),
    another: ("log_shorter", "more is missing than was said"),
    of_another_epoch: ("log_rewritten", NO_BEGINNING),
}


@pytest.mark.parametrize("lie", UNTRUE, ids=lambda lie: lie.__name__)
async def test_promise_6_a_fork_that_is_not_owned_up_to_stays_a_contradiction(
    hass: HomeAssistant, lie: Callable[[Log, str], None]
) -> None:
    """Promise 6: to say that the end was lost is no way around another beginning."""
    async with watched(hass, Log()) as home:
        ours = home.log.note()
        rolled_back(home.log)
        lie(home.log, ours)
        await home.watch.async_check()
        assert home.repair == UNTRUE[lie]
        assert nothing_lost(home)
        assert home.held_size == 3
        assert home.log.witnessed == [ours]


def nothing_lost(home: Watched) -> bool:
    """Tell whether the owner was told of no loss and no receipt was marked as lost."""
    marked = [each for each in home.watch.receipts.documents if "missing_since_epoch" in each]
    return loss(home, 2) is None and loss(home, 3) is None and not marked
