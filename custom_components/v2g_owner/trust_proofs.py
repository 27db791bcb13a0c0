"""Have the operator's log prove what it says, by the arithmetic that anyone may run.

What a proof does not carry is a contradiction, never a network fault.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal

from .api import Json, OwnerApi
from .api_errors import OwnerApiAnswerError, OwnerApiProblem
from .trust_keys import TrustError
from .trust_note import Checkpoint
from .trust_receipt import entry_leaf
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


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Say of an answer that lacks a part, or has it in another form, that it cannot be read.

    Raises OwnerApiAnswerError: nothing was shown, so nothing is contradicted.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise OwnerApiAnswerError(f"{what} cannot be read") from error


async def prove_growth(api: OwnerApi, old: Checkpoint, new: Checkpoint, shown: str) -> None:
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


async def prove_said(
    api: OwnerApi, kind: str, item: Json, said: Mapping[str, Any], under: Checkpoint
) -> None:
    """Have the log prove that it holds what was said about the log itself."""
    with readable(f"an entry of the kind {kind}"):
        leaf = entry_leaf(kind, str(item["at"]), str(item["salt"]), said)
        position = int(item["position"])
    await prove_entry(api, leaf, position, under)


async def read_items(api: OwnerApi, path: str) -> list[Json]:
    """Return the items of a list; raises OwnerApiAnswerError when it is none."""
    answer = await api.get(path)
    with readable(path):
        return [dict(item) for item in answer["items"]]
