"""A checkpoint that a log does not hold is given up openly, by any later epoch, or stands."""

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import pytest

from owner_api.core.checkpoint import Checkpoint, CheckpointError, origin
from owner_api.core.epoch import Epoch, Standing, in_question, judge

HELD, GIVEN_UP, CONTRADICTED = Standing.HELD, Standing.GIVEN_UP, Standing.CONTRADICTED
# This log's own leaves have this root at every size.
OURS: Final = b"\0" * 32


def note(epoch: int, size: int, root: bytes = OURS) -> Checkpoint:
    return Checkpoint(origin=origin("srv_1", epoch), size=size, root=root)


def lost(epoch: int, size: int, branch: bytes = b"a") -> Checkpoint:
    return note(epoch, size, branch * 32)


def opened(number: int, kept: int, gone: Checkpoint | None = None) -> Epoch:
    return Epoch(position=kept, number=number, kept=kept, lost=gone)


@dataclass(frozen=True)
class Log:
    """A log of some size, which tells whether it holds a checkpoint."""

    size: int
    epochs: tuple[Epoch, ...] = ()
    damaged: bool = False

    def stands(self, shown: Checkpoint) -> Standing:
        return judge(shown, self.epochs, self.holds)

    def holds(self, each: Checkpoint) -> bool | None:
        if self.damaged:
            return None
        return each.size <= self.size and each.root == OURS


def test_promise_6_without_an_epoch_only_what_the_log_holds_stands() -> None:
    log = Log(20)
    assert log.stands(note(1, 20)) is HELD
    assert log.stands(note(1, 21)) is CONTRADICTED
    assert log.stands(lost(1, 7)) is CONTRADICTED


def test_any_later_epoch_may_give_a_lost_end_up() -> None:
    log = Log(20, (opened(2, 5, lost(1, 7)),))
    assert log.stands(note(1, 5)) is HELD
    assert log.stands(lost(1, 7)) is GIVEN_UP
    assert log.stands(lost(1, 10)) is CONTRADICTED
    for kept in (6, 9, 15):
        later = Log(20, (*log.epochs, opened(3, kept, lost(1, 10))))
        assert later.stands(lost(1, 10)) is GIVEN_UP
        assert later.stands(lost(1, 9)) is GIVEN_UP
        assert later.stands(lost(1, 11)) is CONTRADICTED


def test_a_loss_of_unknown_size_gives_up_what_was_not_kept_and_nothing_else() -> None:
    log = Log(20, (opened(2, 5, lost(1, 7)), opened(3, 12)))
    assert log.stands(lost(1, 10)) is CONTRADICTED
    assert log.stands(lost(2, 13)) is GIVEN_UP
    assert log.stands(lost(2, 12)) is CONTRADICTED


def test_promise_6_a_lost_end_says_nothing_about_a_beginning_that_changed() -> None:
    log = Log(20, (opened(2, 12, lost(1, 15)),))
    assert log.stands(lost(1, 14)) is GIVEN_UP
    assert log.stands(lost(1, 10)) is CONTRADICTED


def test_a_number_that_was_given_out_twice_is_owned_up_to_by_a_checkpoint_of_the_other() -> None:
    log = Log(30, (opened(2, 5), opened(3, 20, lost(2, 8))))
    assert log.stands(note(2, 8)) is HELD
    for size in (6, 8):
        assert log.stands(lost(2, size)) is GIVEN_UP
    assert log.stands(lost(2, 8, b"b")) is CONTRADICTED
    assert log.stands(lost(2, 9)) is CONTRADICTED
    # From then on whatever is said to be lost of it counts, whatever was kept.
    more = Log(30, (*log.epochs, opened(4, 22, lost(2, 25))))
    assert more.stands(lost(2, 9)) is GIVEN_UP
    assert more.stands(lost(2, 26)) is CONTRADICTED
    # It is no word about another epoch.
    assert more.stands(lost(1, 4)) is CONTRADICTED


def test_promise_6_to_give_up_what_the_log_holds_owns_up_to_nothing() -> None:
    log = Log(30, (opened(2, 20, note(1, 15)),))
    assert log.stands(note(1, 15)) is HELD
    assert log.stands(lost(1, 10)) is CONTRADICTED


def test_promise_6_a_damaged_log_holds_nothing_and_owns_up_to_nothing() -> None:
    log = Log(30, (opened(2, 20, note(1, 15)),), damaged=True)
    assert log.stands(note(1, 10)) is CONTRADICTED
    assert log.stands(lost(1, 10)) is CONTRADICTED


def test_an_older_epochs_loss_gives_nothing_up_of_a_newer_one() -> None:
    log = Log(30, (opened(2, 5), opened(3, 8, lost(1, 20))))
    assert log.stands(lost(2, 15)) is CONTRADICTED
    assert log.stands(lost(1, 15)) is GIVEN_UP


def test_only_what_may_decide_is_asked_of_a_log() -> None:
    gone = (lost(1, 3), lost(1, 9), lost(2, 4))
    epochs = tuple(opened(number, 5, each) for number, each in enumerate(gone, 2))
    assert in_question(lost(1, 4), epochs) == (lost(1, 4), lost(1, 3))
    assert in_question(lost(1, 6), epochs) == (lost(1, 3),)
    assert in_question(lost(4, 6), epochs) == (lost(4, 6),)


def test_an_entry_is_read_from_the_notes_in_it_and_not_from_its_figures() -> None:
    signed = lost(1, 7).sign(Ed25519PrivateKey.generate())
    said = {"epoch": 2, "reason": "x", "kept": None, "lost": {"checkpoint": signed, "size": 99}}
    assert Epoch.read(4, said) == Epoch(position=4, number=2, kept=0, lost=lost(1, 7))


@pytest.mark.parametrize(
    "part", [{"lost": {}}, {"lost": 7}, {"kept": {"checkpoint": "x"}}, {"epoch": "2"}], ids=str
)
def test_an_entry_that_cannot_be_read_is_refused(part: dict[str, object]) -> None:
    with pytest.raises(CheckpointError):
        Epoch.read(4, {"epoch": 2, "reason": "x", "kept": None, "lost": None} | part)
