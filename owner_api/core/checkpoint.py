"""Checkpoints: what a log was at one moment, signed (C2SP tlog-checkpoint, signed-note).

A note is the origin, the size and the root, a blank line, and one signature line per key::

    v2g-owner/srv_0193.../1
    8
    XcnaecpwZZqa1Vnl...

    — v2g-owner/srv_0193.../1 pZ3h...
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
import json
import re
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from . import keyring
from .keyring import Keyring
from .merkle import HASH_BYTES

MAX_NOTE: Final = 8_192
_SIGNATURE_BYTES: Final = 4 + 64
_ORIGIN: Final = re.compile(r"v2g-owner/(?P<server>[\x21-\x2a\x2c-\x7e]{1,64})/(?P<epoch>[1-9]\d*)")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class CheckpointError(ValueError):
    """A text that is no checkpoint, or not one that a trusted key signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A log's name, how many leaves it had and the root over them (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        """The text that is signed, its last newline included."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @property
    def epoch(self) -> int:
        """Which epoch of the log this is; a restored older history opens the next one."""
        return int(self._named["epoch"])

    @property
    def server_id(self) -> str:
        """The server whose log this is."""
        return self._named["server"]

    @property
    def _named(self) -> re.Match[str]:
        match = _ORIGIN.fullmatch(self.origin)
        assert match is not None
        return match

    def sign(self, private: Ed25519PrivateKey) -> str:
        """Return the signed note."""
        body = self.body
        name_hash = keyring.note_key_hash(self.origin, private.public_key())
        signature = b64encode(name_hash + private.sign(body.encode())).decode()
        return f"{body}\n\u2014 {self.origin} {signature}\n"


def origin(server_id: str, epoch: int) -> str:
    """Return a log's name; raises CheckpointError when the server's id cannot stand in one."""
    name = f"v2g-owner/{server_id}/{epoch}"
    if not _ORIGIN.fullmatch(name):
        raise CheckpointError(f"{name!r} cannot name a log")
    return name


def parse(note: str) -> Checkpoint:
    """Return what a note says, its signatures unchecked; raises CheckpointError."""
    return _read(note)[0]


def kept_note(text: str) -> str:
    """Return the note in a text that somebody kept, its signatures unchecked.

    Either the note itself, with as many newlines at its end as its keeper's tools left, or a JSON
    document that holds it, as ``GET /v1/ledger/checkpoint`` answers. Raises CheckpointError.
    """
    if text.lstrip().startswith("{"):
        try:
            text = json.loads(text)["checkpoint"]
        except (ValueError, KeyError) as error:
            raise CheckpointError("a JSON document without a checkpoint") from error
    note = f"{text}".rstrip("\n") + "\n"
    parse(note)
    return note


def verify(note: str, keys: Keyring) -> tuple[Checkpoint, str]:
    """Return the checkpoint and the name of the trusted key that signed it.

    Raises CheckpointError when no trusted key did.
    """
    checkpoint, signatures = _read(note)
    content = checkpoint.body.encode()
    for name, key in keys.items():
        expected = keyring.note_key_hash(checkpoint.origin, key)
        for signature in signatures:
            if signature[:4] == expected and keyring.is_signed(key, signature[4:], content):
                return checkpoint, name
    raise CheckpointError("no trusted key signed this checkpoint")


def _read(note: str) -> tuple[Checkpoint, list[bytes]]:
    """Return the checkpoint and the signatures made in its own name."""
    body, _, lines = note.partition("\n\n")
    parts = body.split("\n")
    # Without a blank line there are no lines of signatures.
    if len(note) > MAX_NOTE or len(parts) != 3 or not lines.endswith("\n"):
        raise CheckpointError("not a checkpoint: origin, size and root, a blank line, signatures")
    name, size, root = parts
    if not _ORIGIN.fullmatch(name):
        raise CheckpointError(f"{name[:80]!r} names no log of ours")
    if not _SIZE.fullmatch(size):
        raise CheckpointError("the size is not a plain number")
    checkpoint = Checkpoint(origin=name, size=int(size), root=_decode(root, HASH_BYTES))
    signatures = []
    for line in lines.removesuffix("\n").split("\n"):
        dash, _, rest = line.partition(" ")
        signer, _, encoded = rest.partition(" ")
        if dash != "\u2014" or not signer or not encoded:
            raise CheckpointError("a signature line is malformed")
        # Other witnesses may sign beside the log; only the log's own signatures count here.
        if signer == name:
            signatures.append(_decode(encoded, _SIGNATURE_BYTES))
    return checkpoint, signatures


def _decode(text: str, length: int) -> bytes:
    try:
        raw = b64decode(text, validate=True)
    except ValueError as error:
        raise CheckpointError("not base64") from error
    if len(raw) != length or b64encode(raw).decode() != text:
        raise CheckpointError(f"{length} bytes in base64 are needed")
    return raw
