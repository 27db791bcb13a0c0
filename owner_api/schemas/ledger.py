"""What the log answers: its head, its proofs and a party's receipts."""

import re
from typing import Any, Final

from probatio import Optional, Required

from .fields import (
    AnyJson,
    Leaf,
    LimitError,
    ListOf,
    Nullable,
    boolean,
    integer,
    text,
    timestamp,
    typed_id,
)
from .views import listed, required

_POSITION: Final = integer(0, 2**53 - 1)
_SIZE: Final = integer(1, 2**53 - 1)
_HASH: Final = text(64, 64, r"[0-9a-f]{64}")
_PATH: Final = ListOf(_HASH, 0, 128)
# Lines, as a signed note has them; no other control character.
_LINES: Final = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f]{1,8192}")


def _note(value: Any) -> str:  # noqa: ANN401 - any JSON value may arrive
    if type(value) is not str:
        raise LimitError("type", "a string")
    if not _LINES.fullmatch(value):
        raise LimitError("format", "a signed note of at most 8192 characters")
    return value


_NOTE: Final = Leaf(_note, {"type": "string", "minLength": 1, "maxLength": 8_192})

CHECKPOINT: Final = required(
    {
        "origin": text(1, 100),
        "epoch": integer(1, 10**9),
        "size": _SIZE,
        "root": _HASH,
        "key_id": text(43, 43),
        "checkpoint": _NOTE,
    }
)
WITNESS: Final = {Required("checkpoint"): _NOTE}
WITNESSED: Final = required({"holds": boolean(), "serving": boolean(), "head": _NOTE})
_OPENED: Final = {
    "epoch": integer(2, 10**9),
    "reason": text(1, 200),
    "kept": Nullable(required({"checkpoint": _NOTE, "size": _SIZE})),
    "lost": Nullable(required({"checkpoint": _NOTE, "size": _SIZE})),
}
EPOCH_OPENED: Final = required(_OPENED)
EPOCHS: Final = required(
    {
        "items": ListOf(
            required(
                {
                    "position": _POSITION,
                    "at": timestamp(),
                    "salt": text(32, 32, r"[0-9a-f]{32}"),
                    **_OPENED,
                }
            ),
            0,
            10_000,
        )
    }
)
KEYS: Final = required(
    {
        "items": ListOf(
            required(
                {
                    "position": _POSITION,
                    "at": timestamp(),
                    "salt": text(32, 32, r"[0-9a-f]{32}"),
                    "key_id": text(43, 43),
                    "x": text(43, 43),
                    "statement": Nullable(text(1, 4_096)),
                }
            ),
            0,
            1_000,
        )
    }
)
_PROOF: Final = required({"size": _SIZE, "path": _PATH})
_STATEMENTS: Final = ListOf(text(1, 4_096), 0, 1_000)
INCLUSION_QUERY: Final = {Required("position"): _POSITION, Optional("size"): _SIZE}
INCLUSION: Final = required(
    {"position": _POSITION, "size": _SIZE, "leaf_hash": _HASH, "root": _HASH, "path": _PATH}
)
CONSISTENCY_QUERY: Final = {Required("from"): _SIZE, Optional("to"): _SIZE}
CONSISTENCY: Final = required(
    {"from": _SIZE, "to": _SIZE, "from_root": _HASH, "to_root": _HASH, "path": _PATH}
)
_ABOUT: Final = {
    "receipt_id": typed_id("rcp"),
    "kind": text(1, 40),
    "subject_id": Nullable(text(1, 64)),
}
_NAMED: Final = {**_ABOUT, "position": _POSITION, "at": timestamp()}
CHECKPOINT_NEW: Final = required(
    {"checkpoint": _NOTE, "receipts": ListOf(required(_ABOUT), 1, 100_000)}
)
RECEIPTS: Final = listed(required(_NAMED))
RECEIPT: Final = required(
    {
        **_NAMED,
        "jws": text(1, 65_536),
        "content": AnyJson(),
        "proof": _PROOF,
        "checkpoint": _NOTE,
        "key_statements": _STATEMENTS,
    }
)
REPLAY: Final = {
    Required("jws"): text(1, 65_536),
    Required("proof"): _PROOF,
    Required("checkpoint"): _NOTE,
    Optional("key_statements"): _STATEMENTS,
}
REPLAYED: Final = required(
    {"held": boolean(), "serving": boolean(), "receipt_id": Nullable(typed_id("rcp"))}
)
