"""Judge whether the log that the operator shows only grew from what we hold.

Every answer of the API is a claim. Signatures, proofs and the checkpoint we kept decide; what they
do not carry is a contradiction, never a network fault.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from .api import Json, OwnerApi
from .api_errors import OwnerApiAnswerError, OwnerApiProblem
from .trust_keys import Keyring, TrustError, UnknownKeyError, keyring, vouched
from .trust_note import Checkpoint, read_note
from .trust_receipt import entry_leaf, issuer
from .trust_tree import check_consistency, check_inclusion

type Kind = Literal["shorter", "rewritten", "unknown_key", "receipt"]

# The log cannot prove what it does not hold, and says so in these words.
_NO_SUCH_SIZE: Final = frozenset({"invalid_parameter", "not_found"})


class LogContradictionError(Exception):
    """The log is not the one we hold a checkpoint of."""

    def __init__(self, kind: Kind, detail: str, shown: str | None = None) -> None:
        """Say in which way; ``shown`` is the checkpoint that contradicts ours."""
        super().__init__(detail)
        self.kind: Kind = kind
        self.shown = shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """What we go by: the server, the keys we trust (as JWK ``x``), the last checkpoint."""

    server_id: str
    keys: tuple[str, ...]
    held: Checkpoint | None = None

    @property
    def keyring(self) -> Keyring:
        """The trusted keys by thumbprint."""
        return keyring(*self.keys)


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


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Say of an answer that lacks a part, or has it in another form, that it cannot be read.

    Raises OwnerApiAnswerError: nothing was shown, so nothing is contradicted.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise OwnerApiAnswerError(f"{what} cannot be read") from error


async def judge(
    api: OwnerApi, trusted: Trusted, note: str, *, is_head: bool
) -> tuple[Trusted, NewEpoch | None]:
    """Return what to trust after a checkpoint was shown, and the new epoch where one began.

    ``is_head``: the log is now no longer than this. Else it may be old news, late on its way.
    Raises LogContradictionError, or OwnerApiError when the API could not be asked.
    """
    try:
        try:
            shown = read_note(note, trusted.keyring)
        except UnknownKeyError:
            trusted = replace(trusted, keys=await _followed(api, trusted, note))
            shown = read_note(note, trusted.keyring)
    except TrustError as error:
        raise LogContradictionError("unknown_key", str(error), note) from error
    if shown.server_id != trusted.server_id:
        raise LogContradictionError("rewritten", "the log of another server", note)
    held = trusted.held
    if held is None:
        return replace(trusted, held=shown), None
    if shown.epoch > held.epoch:
        opened = await _opened(api, trusted, held, shown)
        return replace(trusted, held=shown), opened
    if (shown.epoch, shown.size) < (held.epoch, held.size):
        if is_head:
            raise LogContradictionError(
                "shorter", f"{shown.size} entries where {held.size} were signed", note
            )
        if shown.epoch == held.epoch:
            await _prove(api, shown, held, note)
        return trusted, None
    await _prove(api, held, shown, note)
    return replace(trusted, held=shown), None


async def _prove(api: OwnerApi, old: Checkpoint, new: Checkpoint, shown: str) -> None:
    """Have the log prove that it only grew from one checkpoint to the other; one was shown."""
    path = await _path(api, f"consistency?from={old.size}&to={new.size}", shown)
    try:
        check_consistency(old.size, old.root, new.size, new.root, path)
    except TrustError as error:
        raise LogContradictionError("rewritten", str(error), shown) from error


async def prove_entry(api: OwnerApi, leaf: bytes, position: int, under: Checkpoint) -> list[bytes]:
    """Have the log prove that it holds an entry; returns the audit path."""
    path = await _path(api, f"inclusion?position={position}&size={under.size}", under.note)
    try:
        check_inclusion(leaf, position, under.size, path, under.root)
    except TrustError as error:
        raise LogContradictionError("rewritten", str(error), under.note) from error
    return path


async def _path(api: OwnerApi, query: str, shown: str) -> list[bytes]:
    """Return the hashes of a proof."""
    try:
        answer = await api.get(f"/v1/ledger/proofs/{query}")
    except OwnerApiProblem as error:
        if error.code in _NO_SUCH_SIZE:
            raise LogContradictionError("shorter", str(error), shown) from error
        raise
    with readable("a proof"):
        return [bytes.fromhex(part) for part in answer["path"]]


async def _followed(api: OwnerApi, trusted: Trusted, note: str) -> tuple[str, ...]:
    """Return our keys and those that they vouch for *and* whose entry the shown log holds."""
    keys, found = list(trusted.keys), []
    for item in await _items(api, "/v1/ledger/keys"):
        said = {name: item.get(name) for name in ("key_id", "x", "statement")}
        try:
            x = vouched(str(said["statement"]), keyring(*keys), issuer(trusted.server_id))
        except TrustError:
            # Older than what we pinned, or bent: nobody here trusts it, and nothing hangs on it.
            continue
        if x == said["x"] and x not in keys:
            keys.append(x)
            found.append((item, said))
    shown = read_note(note, keyring(*keys))
    for item, said in found:
        await _prove_said(api, "key", item, said, shown)
    return tuple(keys)


async def _opened(api: OwnerApi, trusted: Trusted, held: Checkpoint, shown: Checkpoint) -> NewEpoch:
    """Return what the operator said was lost; raises unless all of it is signed and proven."""
    items = await _items(api, "/v1/ledger/epochs")
    with readable("an epoch"):
        items = [item for item in items if int(item["epoch"]) > held.epoch]
    if not items or int(items[-1]["epoch"]) != shown.epoch:
        raise LogContradictionError("rewritten", "a new epoch that nothing explains", shown.note)
    for item in items:
        said = {name: item.get(name) for name in ("epoch", "reason", "kept", "lost")}
        await _prove_said(api, "epoch", item, said, shown)
    first = items[0]
    kept_size = await _kept(api, trusted, first, shown)
    with readable("an epoch"):
        lost = first.get("lost")
        lost_size = held.size if lost is None else int(lost["size"])
    if held.size <= kept_size:
        await _prove(api, held, shown, shown.note)
    elif lost_size < held.size:
        raise LogContradictionError("shorter", "more is missing than was said", shown.note)
    return NewEpoch(
        epoch=shown.epoch,
        reason=str(first.get("reason")),
        kept_size=kept_size,
        held_size=held.size,
    )


async def _kept(api: OwnerApi, trusted: Trusted, item: Json, shown: Checkpoint) -> int:
    """Return how many entries an epoch says were kept, having seen that they were."""
    if item.get("kept") is None:
        return 0
    with readable("an epoch"):
        note = str(item["kept"]["checkpoint"])
    try:
        kept = read_note(note, trusted.keyring)
    except TrustError as error:
        raise LogContradictionError("rewritten", str(error), shown.note) from error
    if kept.size:
        await _prove(api, kept, shown, shown.note)
    return kept.size


async def _prove_said(
    api: OwnerApi, kind: str, item: Json, said: Mapping[str, Any], under: Checkpoint
) -> None:
    """Have the log prove that it holds what was said about the log itself."""
    with readable(f"an entry of the kind {kind}"):
        leaf = entry_leaf(kind, str(item["at"]), str(item["salt"]), said)
        position = int(item["position"])
    await prove_entry(api, leaf, position, under)


async def _items(api: OwnerApi, path: str) -> list[Json]:
    """Return the items of a list; raises OwnerApiAnswerError when it is none."""
    answer = await api.get(path)
    with readable(path):
        return [dict(item) for item in answer["items"]]
