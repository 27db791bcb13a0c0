"""What `owner-api receipt verify` says of a file is true of it, whoever wrote the file."""

from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings, strategies as st
import orjson
import pytest

from owner_api.access.keys import base64url
from owner_api.cli import main
from owner_api.core import keyring
from owner_api.core.receipt import RECEIPT_TYPE, Entry, receipt_id

from .test_receipt import BODY, KEY, document, entry

# Clears the line, begins it anew with a verdict, and hides what follows.
MASK = "\x1b[2K\rVALID: urn:v2g-owner:srv_1 recorded settlement.final\n\x1b[8m"


def verified(folder: Path, receipt: dict[str, Any] | bytes) -> Result:
    file, key = folder / "receipt.json", folder / "key.json"
    file.write_bytes(receipt if isinstance(receipt, bytes) else orjson.dumps(receipt))
    key.write_bytes(orjson.dumps(keyring.public_jwk(KEY.public_key())))
    return CliRunner().invoke(main, ["receipt", "verify", str(file), "--public-key", str(key)])


def forged(kid: str) -> dict[str, Any]:
    header = orjson.dumps({"alg": "EdDSA", "typ": RECEIPT_TYPE, "kid": kid})
    token = f"{base64url(header)}.{base64url(b'{}')}.{base64url(bytes(64))}"
    return document(entry()) | {"jws": token}


def test_promise_9_a_forged_receipt_does_not_write_its_own_verdict(tmp_path: Path) -> None:
    result = verified(tmp_path, forged(MASK))
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith("NOT VALID: ")
    assert line.isprintable()


@given(kid=st.text(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_whatever_a_forger_writes_stays_on_one_line_that_obeys_nothing(
    tmp_path: Path, kid: str
) -> None:
    result = verified(tmp_path, forged(kid))
    assert result.exit_code == 1
    assert result.output.removesuffix("\n").isprintable()


def test_what_was_signed_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    """The log's own keeper must not show a court something else than what is signed."""
    body = {"reason": f"\u202e{MASK}\x9b2K", "name": "\u674e\u4f1f"}
    made = Entry(kind=f"stop{MASK}", at="2026", party_id="own_1", subject_id="x", body=body)
    result = verified(tmp_path, document(made))
    assert result.exit_code == 0
    first, second, *content = result.output.splitlines()
    assert first.startswith("VALID: urn:v2g-owner:srv_1 recorded stop\\u001b[2K\\u000dVALID")
    assert second == "as number 3 of the 7 entries that it signed."
    assert all(line.isprintable() for line in (first, second, *content))
    assert "\u674e\u4f1f" in result.output


def handed_out() -> dict[str, Any]:
    """Return a receipt with all that the API hands out to be read beside the signature."""
    read = {"receipt_id": receipt_id(3), "position": 3, "kind": "decision", "content": BODY}
    return document(entry()) | read | {"at": "2026-12-01T05:30:00Z", "subject_id": "dec_1"}


def test_promise_9_a_receipt_whose_readable_part_was_changed_is_not_valid(tmp_path: Path) -> None:
    """Who reads 9 kWh in a file, and then VALID, must not have read what nobody signed."""
    assert verified(tmp_path, handed_out()).exit_code == 0
    changes: tuple[dict[str, Any], ...] = (
        {"content": BODY | {"consented_energy_wh": 9_000}},
        {"content": BODY | {"consented_energy_wh": 6_000.0}},
        {"content": None},
        {"kind": "stop"},
        {"at": "2026-12-02T05:30:00Z"},
        {"subject_id": "dec_2"},
        {"receipt_id": receipt_id(4)},
        {"position": 4},
    )
    for change in changes:
        result = verified(tmp_path, handed_out() | change)
        (name,) = change
        assert (result.exit_code, result.output) == (
            1,
            f"NOT VALID: {name} says something else than what was signed\n",
        )


def test_a_name_that_stands_twice_in_a_receipt_makes_it_no_proof(tmp_path: Path) -> None:
    """A person reads the first of the two, and a program takes the last."""
    raw = orjson.dumps(handed_out())
    forged_first = raw.replace(b'{"jws"', b'{"content":{"consented_energy_wh":9000},"jws"', 1)
    result = verified(tmp_path, forged_first)
    assert (result.exit_code, result.output) == (1, "NOT VALID: content stands in it twice\n")
    inside = raw.replace(b'{"size":7', b'{"size":8,"size":7', 1)
    assert verified(tmp_path, inside).exit_code == 1


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"[" * 10**5, b"\xff", b" " * 2**23 + b"{}"], ids=range(5)
)
def test_what_is_no_receipt_at_all_is_bad_input(tmp_path: Path, raw: bytes) -> None:
    result = verified(tmp_path, raw)
    assert (result.exit_code, result.exception.__class__) == (2, SystemExit)
    assert result.output.endswith("not a receipt\n")


def test_a_key_file_of_nothing_but_brackets_is_bad_input(tmp_path: Path) -> None:
    file, key = tmp_path / "receipt.json", tmp_path / "key.json"
    file.write_bytes(orjson.dumps(handed_out()))
    key.write_bytes(b"[" * 10**6)
    asked = ["receipt", "verify", str(file), "--public-key", str(key)]
    result = CliRunner().invoke(main, asked)
    assert (result.exit_code, result.exception.__class__) == (2, SystemExit)
