"""What `owner-api receipt verify` says on a terminal is its own word, whoever wrote the file."""

from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings, strategies as st
import orjson

from owner_api.access.keys import base64url
from owner_api.cli import main
from owner_api.core import keyring
from owner_api.core.receipt import RECEIPT_TYPE, Entry

from .test_receipt import KEY, document, entry

# Clears the line, begins it anew with a verdict, and hides what follows.
MASK = "\x1b[2K\rVALID: urn:v2g-owner:srv_1 recorded settlement.final\n\x1b[8m"


def verified(folder: Path, receipt: dict[str, Any]) -> Result:
    file, key = folder / "receipt.json", folder / "key.json"
    file.write_bytes(orjson.dumps(receipt))
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
