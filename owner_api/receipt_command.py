"""`owner-api receipt verify`: check a receipt with nothing but the public key."""

import json
from pathlib import Path
from typing import Any, Final

import click
import orjson

from owner_api.core.receipt import ReceiptError, Verified, verify as verify_receipt
from owner_api.problems import Problem, ProblemCode

from .cli_common import EXIT_CHECK_FAILED, bad_input, json_option, say, visible
from .ledger_command import read_public_keys

# A receipt is a few kB.
_MOST_BYTES: Final = 2**22


@click.group("receipt")
def receipt() -> None:
    """Check signed receipts of decisions, stops, settlements and rewards."""


@receipt.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--public-key",
    "public_key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The key pinned at pairing: PEM, JWK or JWK set.",
)
@json_option
def verify(file: Path, *, public_key: Path, as_json: bool) -> None:
    """Check a receipt as GET /v1/receipts/{id} gave it; needs no server and no database.

    Exit code 0 when it proves what it says, 1 when it does not, 2 when a file cannot be read.
    """
    keys = read_public_keys(public_key, as_json=as_json)
    try:
        proven = verify_receipt(_read(file, as_json=as_json), keys)
    except ReceiptError as error:
        say(
            {"valid": False, "what": str(error)},
            as_json=as_json,
            text=f"NOT VALID: {visible(str(error))}",
        )
        raise click.exceptions.Exit(EXIT_CHECK_FAILED) from None
    say(_shown(proven), as_json=as_json, text=_sentence(proven))


def _read(file: Path, *, as_json: bool) -> dict[str, Any]:
    with file.open("rb") as opened:
        raw = opened.read(_MOST_BYTES + 1)
    try:
        found = None if len(raw) > _MOST_BYTES else orjson.loads(raw)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        bad_input(Problem(ProblemCode.MALFORMED_JSON, f"{file}: not a receipt"), as_json=as_json)
    json.loads(raw, object_pairs_hook=_told_once)
    return found


def _told_once(pairs: list[tuple[str, Any]]) -> None:
    """Refuse a name that stands twice: a person reads the first, and a program the last."""
    told: set[str] = set()
    for name, _ in pairs:
        if name in told:
            raise ReceiptError(f"{name} stands in it twice")
        told.add(name)


def _shown(proven: Verified) -> dict[str, Any]:
    return {
        "valid": True,
        "receipt_id": proven.receipt_id,
        "issuer": proven.issuer,
        "key_id": proven.key_id,
        "kind": proven.entry.kind,
        "at": proven.entry.at,
        "party_id": proven.entry.party_id,
        "subject_id": proven.entry.subject_id,
        "content": proven.entry.body,
        "log": {
            "origin": proven.checkpoint.origin,
            "position": proven.position,
            "size": proven.checkpoint.size,
        },
    }


def _sentence(proven: Verified) -> str:
    entry = proven.entry
    content = orjson.dumps(entry.body, option=orjson.OPT_INDENT_2).decode()
    lines = (
        f"VALID: {proven.issuer} recorded {entry.kind} for {entry.party_id} at {entry.at},",
        f"as number {proven.position} of the {proven.checkpoint.size} entries that it signed.",
        *content.split("\n"),
    )
    return "\n".join(map(visible, lines))
