"""What a park asks of an operator's log and checks for itself: its growth, entries, keys, epochs.

Every answer is a claim; only signatures and proofs decide, by the code that anyone may run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from owner_api.core import checkpoint as notes, merkle, receipt
from owner_api.core.checkpoint import Checkpoint
from owner_api.core.epoch import Epoch, Standing, common, in_question, judge
from owner_api.core.keyring import Keyring, SignatureError, follow, key_id

from .client import ApiError, Client

type Json = dict[str, Any]

# A log that does not reach so far answers a question for a proof with one of these.
_NO_SUCH_SIZE: Final = frozenset(("invalid_parameter", "not_found"))


class LogContradictedError(Exception):
    """The log that is shown did not grow from the one that was signed before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a new epoch says openly: why it began, and how many of our entries it kept."""

    epoch: int
    reason: str
    kept_size: int
    held_size: int


async def read(client: Client, note: str, keys: Keyring) -> tuple[Checkpoint, Keyring]:
    """Return what a note says and the keys to go by from now on.

    Raises LogContradictedError when none of them signed it, nor a key that they vouch for and
    whose entry the log holds.
    """
    try:
        return notes.verify(note, keys)[0], keys
    except notes.CheckpointError:
        pass
    items = (await client.get("/v1/ledger/keys"))["items"]
    try:
        followed = follow(keys, [item["statement"] for item in items if item["statement"]])
        shown, _ = notes.verify(note, followed)
    except (notes.CheckpointError, SignatureError) as error:
        raise LogContradictedError(str(error)) from error
    fresh = {key_id(key) for key in followed.values()} - keys.keys()
    for item in items:
        if item["key_id"] in fresh:
            await prove_said(client, "key", item, ("key_id", "x", "statement"), shown)
            fresh.remove(item["key_id"])
    if fresh:
        raise LogContradictedError("the log holds no entry of the key that signed it")
    return shown, followed


async def prove_growth(client: Client, old: Checkpoint, new: Checkpoint) -> None:
    """Have the log prove that it only grew; raises LogContradictedError."""
    path = await _path(client, "consistency", {"from": str(old.size), "to": str(new.size)})
    try:
        merkle.verify_consistency(old.size, old.root, new.size, new.root, path)
    except merkle.ProofError as error:
        raise LogContradictedError(str(error)) from error


async def prove_said(
    client: Client, kind: str, item: Json, names: tuple[str, ...], under: Checkpoint
) -> None:
    """Have the log prove that it holds what it says of itself; raises LogContradictedError."""
    body = {name: item[name] for name in names}
    entry = receipt.Entry(kind=kind, at=item["at"], party_id=None, subject_id=None, body=body)
    digest = receipt.content_digest(bytes.fromhex(item["salt"]), entry.content)
    leaf = merkle.leaf_hash(receipt.leaf_bytes(kind, entry.at, digest))
    asked = {"position": str(item["position"]), "size": str(under.size)}
    path = await _path(client, "inclusion", asked)
    try:
        merkle.verify_inclusion(leaf, item["position"], under.size, path, under.root)
    except merkle.ProofError as error:
        raise LogContradictedError(str(error)) from error


async def prove_epoch(client: Client, held: Checkpoint, shown: Checkpoint, keys: Keyring) -> Loss:
    """Return what the log says it lost since ``held``; raises unless all is signed and proven."""
    items = [
        item
        for item in (await client.get("/v1/ledger/epochs"))["items"]
        if held.epoch < item["epoch"] <= shown.epoch
    ]
    if not items or items[-1]["epoch"] != shown.epoch:
        raise LogContradictedError("nothing explains the new epoch")
    epochs = []
    for item in items:
        await prove_said(client, "epoch", item, ("epoch", "reason", "kept", "lost"), shown)
        if item["kept"] is not None:
            try:
                kept, _ = notes.verify(item["kept"]["checkpoint"], keys)
            except notes.CheckpointError as error:
                raise LogContradictedError(str(error)) from error
            await prove_growth(client, kept, shown)
        epochs.append(_read(item))
    found = {each: await _grew(client, each, shown) for each in in_question(held, epochs)}
    standing = judge(held, epochs, found.__getitem__)
    kept_size = common(epochs) or 0
    if standing is Standing.CONTRADICTED:
        # What it kept it has to prove; of what lies beyond it has to say how much.
        if held.size <= kept_size:
            await prove_growth(client, held, shown)
        raise LogContradictedError("more is missing than was said")
    if standing is Standing.GIVEN_UP and held.size <= kept_size:
        # Where the other history parted from this one, nobody can prove.
        kept_size = 0
    return Loss(
        epoch=shown.epoch, reason=items[0]["reason"], kept_size=kept_size, held_size=held.size
    )


def _read(item: Json) -> Epoch:
    try:
        return Epoch.read(item["position"], item)
    except notes.CheckpointError as error:
        raise LogContradictedError(str(error)) from error


async def _grew(client: Client, old: Checkpoint, new: Checkpoint) -> bool:
    """Return whether the log proves that it grew from a checkpoint."""
    try:
        await prove_growth(client, old, new)
    except LogContradictedError:
        return False
    return True


async def _path(client: Client, kind: str, asked: Mapping[str, str]) -> list[bytes]:
    try:
        answer = await client.get(f"/v1/ledger/proofs/{kind}", **asked)
    except ApiError as error:
        if error.code in _NO_SUCH_SIZE:
            raise LogContradictedError(f"the log does not reach so far: {error}") from error
        raise
    return [bytes.fromhex(part) for part in answer["path"]]
