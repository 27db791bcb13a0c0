"""What a new epoch of the operator's log says: what it kept, what it gave up openly, and why.

A checkpoint of ours that the log does not hold may be given up by any later epoch, as in the
server's own rule. A lost end is said by a lost checkpoint beyond what was kept, a second history
under one name by a lost checkpoint within it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .api import Json, OwnerApi
from .trust_keys import Keyring, TrustError
from .trust_note import Checkpoint, read_kept_note, read_note
from .trust_proofs import (
    LogContradictionError,
    prove_growth,
    prove_said,
    read_items,
    readable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEpoch:
    """A loss that the operator said openly: entries from ``kept_size`` on are missing."""

    epoch: int
    reason: str
    kept_size: int
    held_size: int

    @property
    def missing(self) -> int:
        """How many entries of the log we held are missing."""
        return max(0, self.held_size - self.kept_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """One epoch's entry; ``lost`` is None when the operator did not know how much."""

    reason: str
    kept: int
    lost: Checkpoint | None

    def gives_up(self, held: Checkpoint) -> bool:
        """Tell whether the loss said here may well have been the loss of what we hold."""
        lost = self.lost
        if lost is None:
            return held.size > self.kept
        if (lost.epoch, lost.size) == (held.epoch, held.size):
            return lost.root == held.root
        return lost.epoch >= held.epoch and lost.size >= held.size


async def opened_since(
    api: OwnerApi, keys: Keyring, held: Checkpoint, shown: Checkpoint
) -> NewEpoch:
    """Return what the operator said was lost; raises unless all of it is signed and proven."""
    said = await _said(api, keys, held, shown)
    kept_size, by = min(each.kept for each in said), said[0]
    if held.size > kept_size:
        by = _given_up(said, held, shown.note)
    else:
        try:
            await prove_growth(api, held, shown, shown.note)
        except LogContradictionError:
            own = [each for each in said if each.lost and each.lost.epoch == held.epoch]
            if not await _owns_up(api, own, kept_size, shown):
                raise
            # Where the other history parted from this one, nobody can prove.
            by, kept_size = _given_up(own, held, shown.note), 0
    return NewEpoch(epoch=shown.epoch, reason=by.reason, kept_size=kept_size, held_size=held.size)


def _given_up(said: Iterable[_Said], held: Checkpoint, note: str) -> _Said:
    """Return the epoch that gives up what we hold; raises LogContradictionError without one."""
    for each in said:
        if each.gives_up(held):
            return each
    raise LogContradictionError("shorter", "more is missing than was said", note)


async def _owns_up(api: OwnerApi, own: Iterable[_Said], kept_size: int, shown: Checkpoint) -> bool:
    """Return whether a checkpoint that the log should hold, and does not, was given up."""
    for each in own:
        if each.lost is not None and each.lost.size <= kept_size:
            try:
                await prove_growth(api, each.lost, shown, shown.note)
            except LogContradictionError:
                return True
    return False


async def _said(api: OwnerApi, keys: Keyring, held: Checkpoint, shown: Checkpoint) -> list[_Said]:
    """Return what each epoch since ours says, having seen that the log holds all of it."""
    items = await read_items(api, "/v1/ledger/epochs")
    with readable("an epoch"):
        items = [item for item in items if held.epoch < int(item["epoch"]) <= shown.epoch]
    if not items or int(items[-1]["epoch"]) != shown.epoch:
        raise LogContradictionError("rewritten", "a new epoch that nothing explains", shown.note)
    found = []
    for item in items:
        said = {name: item.get(name) for name in ("epoch", "reason", "kept", "lost")}
        await prove_said(api, "epoch", item, said, shown)
        kept = await _kept(api, keys, item, shown)
        with readable("an epoch"):
            part = item.get("lost")
            # The log's own entry vouches for it; by which key it was signed is all the same.
            lost = None if part is None else read_kept_note(str(part["checkpoint"]))
        found.append(_Said(reason=str(item.get("reason")), kept=kept, lost=lost))
    return found


async def _kept(api: OwnerApi, keys: Keyring, item: Json, shown: Checkpoint) -> int:
    """Return how many entries an epoch says were kept, having seen that they were."""
    if item.get("kept") is None:
        return 0
    with readable("an epoch"):
        note = str(item["kept"]["checkpoint"])
    try:
        kept = read_note(note, keys)
    except TrustError as error:
        raise LogContradictionError("rewritten", str(error), shown.note) from error
    if kept.size:
        await prove_growth(api, kept, shown, shown.note)
    return kept.size
