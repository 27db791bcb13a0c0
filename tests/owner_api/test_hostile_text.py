"""Every parser that faces the network: whatever is bent in a valid input, only its own error.

An error of another type would be answered 500, and logged as a fault of ours.
"""

from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
import json
import sqlite3
from typing import Any, Final
from urllib.parse import quote

from aiohttp.test_utils import make_mocked_request
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
import orjson
import pytest

from owner_api.access import keys as key_files
from owner_api.access.tokens import TokenError, Tokens
from owner_api.calls import PUBLIC, Call, Reply
from owner_api.commands.paging import page, read_page
from owner_api.commands.tokens import _client
from owner_api.config import Config
from owner_api.core import checkpoint, keyring, merkle, receipt
from owner_api.ids import new_id
from owner_api.problems import Problem
from owner_api.schemas import access as messages
from owner_api.schemas.fields import boolean, integer, text, timestamp
from owner_api.server.auth import Authenticator
from owner_api.server.endpoints import _if_match
from owner_api.server.idempotency import HEADER, Ticket
from owner_api.server.limits import parse_body, parse_query
from owner_api.server.routing import PAGE, Route
from owner_api.server.stream import _position
from owner_api.store import Tx

NOW: Final = datetime(2026, 12, 1, 5, 30, tzinfo=UTC)
KEY: Final = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
NEXT: Final = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
TRUSTED: Final = keyring.keyring(KEY.public_key())
# What readers stumble over: separators, blanks, signs, digits that are none in ASCII, NUL, what
# base64 does not know, and bytes that are no UTF-8 as aiohttp hands them on.
ODD: Final = "\n\r\0 .,:;=+/-_%&\"'*09\u0660\u00e9\u2014\U0001f697\udc80\udcff"
ODD_VALUES: Final[st.SearchStrategy[Any]] = st.sampled_from(
    [None, True, -1, 1.5, 2**70, "", "é", "\ud800", [], [[]], {}, {"a": []}, "0" * 5_000]
)
DEEP: Final = ("[" * 40_000, '{"a":' * 20_000, "9" * 6_000, "null", '"x"', "[]")


def without_padding(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@st.composite
def bent(draw: st.DrawFn, good: str, alphabet: str = ODD) -> str:
    """Return the text with a few characters replaced, left out, put in, or cut off."""
    found = list(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(found) - 1)))
        new = draw(st.sampled_from(alphabet))
        match draw(st.sampled_from(["replace", "insert", "delete", "cut", "double"])):
            case "replace":
                found[at : at + 1] = [new]
            case "insert":
                found.insert(at, new)
            case "delete":
                del found[at : at + 1]
            case "cut":
                del found[at:]
            case _:
                found[at:at] = found[: at + 1]
    return "".join(found)


@st.composite
def bent_json(draw: st.DrawFn, good: dict[str, Any]) -> dict[str, Any]:
    """Return the object with some members replaced, left out or added."""
    found = dict(good)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from([*good, "crit", "jku"]))
        if draw(st.booleans()):
            found[name] = draw(ODD_VALUES)
        else:
            found.pop(name, None)
    return found


@st.composite
def bent_jws(draw: st.DrawFn, good: str) -> str:
    """Return a compact JWS whose text, header or claims are bent; its signature stays."""
    header, claims, signature = good.split(".")
    match draw(st.sampled_from(["text", "header", "claims", "deep"])):
        case "text":
            return draw(bent(good))
        case "deep":
            header = without_padding(draw(st.sampled_from(DEEP)).encode())
        case "header":
            header = draw(_part(header))
        case _:
            claims = draw(_part(claims))
    return f"{header}.{claims}.{signature}"


@st.composite
def _part(draw: st.DrawFn, encoded: str) -> str:
    said = orjson.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    return without_padding(json.dumps(draw(bent_json(said))).encode())


def request(method: str = "GET", target: str = "/v1/things", **headers: str) -> Any:
    """Return a request with headers as aiohttp's parser hands them on, no UTF-8 among them."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = make_mocked_request(method, target)
    asked._headers = CIMultiDictProxy(CIMultiDict(named))
    return asked


def refused(problem: Problem, *statuses: int) -> None:
    """Hold a problem against the statuses that the contract names for it."""
    assert problem.code.status in statuses


def handler(_tx: Tx, _call: Call) -> Reply:
    return Reply()


def call(**changes: Any) -> Call:
    given_: dict[str, Any] = {
        "principal": PUBLIC,
        "now": NOW,
        "config": Config(),
        "new_id": new_id,
        "params": {},
        "query": {},
        "body": {},
        "if_match": None,
    }
    return Call(**given_ | changes)


def _server_tokens() -> Tokens:
    token = key_files.signing_key(key_files.new_p256())
    keys = key_files.Keys(
        token=token, former_tokens=(), receipt=key_files.signing_key(KEY), pairing=b""
    )
    return Tokens(keys, "srv_0193")


TOKENS: Final = _server_tokens()
TOKEN: Final = TOKENS.issue(
    role="owner", party_id="own_1", client_id="dev_1", epoch=0, now=NOW, life_s=900
)
NOTE: Final = checkpoint.Checkpoint(
    origin=checkpoint.origin("srv_0193", 1), size=1, root=b"\x5d" * 32
).sign(KEY)
STATEMENT: Final = keyring.vouch(
    NEXT.public_key(), issuer="urn:v2g-owner:srv_0193", at=1_796_000_000, old=KEY
)
QUERY: Final = PAGE | {
    "from": timestamp(),
    "count": integer(0, 9),
    "all": boolean(),
    "name": text(1, 20),
}
THINGS: Final = Route(
    method="GET", path="/v1/things", role="any", kind="query", summary="", query=QUERY,
    handler=handler,
)  # fmt: skip
CHANGE: Final = Route(
    method="PATCH", path="/v1/things", role="any", kind="command", summary="",
    needs_if_match=True, handler=handler,
)  # fmt: skip
FORM: Final = Route(
    method="POST", path="/v1/token", role="public", kind="command", summary="",
    request=messages.TOKEN, media="form", handler=handler,
)  # fmt: skip


def _receipt() -> dict[str, Any]:
    entry = receipt.Entry(
        kind="decision", at="2026-12-01T05:30:00Z", party_id="own_1", subject_id="off_1",
        body={"energy_wh": 4_000},
    )  # fmt: skip
    salt = b"\x01" * receipt.SALT_BYTES
    digest = receipt.content_digest(salt, entry.content)
    leaf = merkle.leaf_hash(receipt.leaf_bytes(entry.kind, entry.at, digest))
    head = checkpoint.Checkpoint(origin=checkpoint.origin("srv_0193", 1), size=1, root=leaf)
    jws = receipt.sign(
        entry, position=0, salt=salt, iss=receipt.issuer("srv_0193"), iat=1_796_000_000, private=KEY
    )
    return {
        "jws": jws,
        "proof": {"size": 1, "path": []},
        "checkpoint": head.sign(KEY),
        "key_statements": [STATEMENT],
    }


RECEIPT: Final = _receipt()
CLAIMS: Final = keyring.read_jws(RECEIPT["jws"], receipt.RECEIPT_TYPE, TRUSTED)


def test_what_is_bent_here_is_valid_as_it_is() -> None:
    assert TOKENS.read(TOKEN, NOW).party_id == "own_1"
    assert checkpoint.verify(NOTE, TRUSTED)[0].size == 1
    assert len(keyring.follow(TRUSTED, [STATEMENT])) == 2
    assert receipt.verify(RECEIPT, TRUSTED).position == 0


@given(token=st.one_of(bent_jws(TOKEN), bent(TOKEN)))
def test_an_access_token(token: str) -> None:
    try:
        TOKENS.read(token, NOW)
    except TokenError:
        return
    # An edit may cancel itself out, and nothing else passes.
    assert token == TOKEN


@given(header=bent("Bearer " + TOKEN))
def test_an_authorization_header(header: str) -> None:
    try:
        Authenticator(TOKENS)(request(Authorization=header), None, _Clock())  # type: ignore[arg-type]
    except Problem as problem:
        refused(problem, 401)


class _Clock:
    def now(self) -> datetime:
        return NOW


@given(said=bent("4711"))
def test_a_last_event_id(said: str) -> None:
    try:
        found = _position(request(Last_Event_ID=said))
    except Problem as problem:
        refused(problem, 400, 422)
    else:
        assert found is not None
        assert 0 <= found < 10**18


@given(cursor=bent("off_0193a0c0ffee"), limit=bent("50"))
def test_a_cursor_and_a_limit(cursor: str, limit: str) -> None:
    wire = quote(cursor, safe="%&=+", errors="surrogateescape")
    query = _query(f"cursor={wire}&limit={quote(limit, errors='surrogateescape')}")
    if query is None:
        return
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.execute("CREATE TABLE offer (offer_id TEXT)")
    asked = call(query=query)
    try:
        read_page(Tx(connection), asked, "SELECT * FROM offer WHERE 1", key="offer_id", view=dict)
        page(asked, [{"offer_id": "off_1"}], "offer_id")
    except Problem as problem:
        refused(problem, 422)
    connection.close()


@given(
    raw=bent("from=2026-12-01T05:30:00Z&count=3&all=true&name=a%20b&cursor=x&limit=9"),
    escape=st.booleans(),
)
def test_a_query_string(raw: str, escape: bool) -> None:  # noqa: FBT001 - drawn
    _query(quote(raw, safe="%&=+", errors="surrogateescape") if escape else raw)


def _query(raw: str) -> dict[str, Any] | None:
    try:
        found = parse_query(request(target=f"/v1/things?{raw}"), THINGS)
    except Problem as problem:
        refused(problem, 400, 422)
        return None
    for value in found.values():
        # What cannot be written as UTF-8 could be neither stored nor answered.
        str(value).encode()
    return found


@given(said=bent('"3"'))
def test_an_if_match_header(said: str) -> None:
    try:
        found = _if_match(request("PATCH", If_Match=said), CHANGE)
    except Problem as problem:
        refused(problem, 400, 422, 428)
    else:
        assert found is not None
        assert found.isascii()


@given(said=bent("0b8f6c2e-5d1f-4a7e"))
def test_an_idempotency_key(said: str) -> None:
    asked = request("POST", **{HEADER.replace("-", "_"): said})
    try:
        ticket = Ticket.issue(
            asked.headers.get(HEADER), client="c", route="r", target="/t", raw=b"", sealed=False
        )
    except Problem as problem:
        refused(problem, 400, 422)
    else:
        assert ticket.place
        assert ticket.asked_sha256


@given(
    said=st.one_of(
        bent("Basic " + b64encode(b"prk_1:v2gcs_secret").decode()),
        bent("prk_1:v2gcs_%C3%A9+").map(
            lambda pair: "Basic " + b64encode(pair.encode(errors="surrogateescape")).decode()
        ),
    )
)
def test_basic_credentials(said: str) -> None:
    found = _client(call(authorization=said))
    if isinstance(found, Problem):
        assert found.code.status in (400, 401)
    else:
        for part in found:
            part.encode()


@given(
    raw=bent("grant_type=client_credentials&client_id=prk_1&client_secret=v2gcs_%C3%A9%20x"),
    media=st.one_of(
        st.just("application/x-www-form-urlencoded"), bent("application/x-www-form-urlencoded")
    ),
)
def test_a_form(raw: str, media: str) -> None:
    asked = request("POST", Content_Type=media)
    try:
        found = parse_body(raw.encode(errors="surrogateescape"), asked, FORM, Config())
    except Problem as problem:
        refused(problem, 400, 415, 422)
    else:
        for value in found.values():
            str(value).encode()


@given(note=bent(NOTE))
def test_a_checkpoint_note(note: str) -> None:
    try:
        checkpoint.verify(note, TRUSTED)
    except checkpoint.CheckpointError:
        return
    assert note == NOTE


@given(statement=bent_jws(STATEMENT))
def test_a_key_statement(statement: str) -> None:
    try:
        trusted = keyring.follow(TRUSTED, [statement])
    except keyring.SignatureError:
        return
    # One by a key that is not pinned here is passed over; it adds nothing.
    assert len(trusted) == 1 or statement == STATEMENT


@given(jws=bent_jws(RECEIPT["jws"]))
def test_a_signed_text(jws: str) -> None:
    try:
        claims = keyring.read_jws(jws, receipt.RECEIPT_TYPE, TRUSTED)
    except keyring.SignatureError:
        return
    assert claims == CLAIMS


@given(statement=bent_json({"iss": "x", "iat": 1, "jwk": keyring.public_jwk(NEXT.public_key())}))
def test_a_key_statement_that_a_trusted_key_signed(statement: dict[str, Any]) -> None:
    try:
        keyring.follow(TRUSTED, [_signed(statement, keyring.KEY_TYPE)])
    except keyring.SignatureError:
        return


@given(document=bent_json(RECEIPT))
def test_a_receipt_with_parts_of_another_kind(document: dict[str, Any]) -> None:
    _verified(document)


@given(
    jws=bent_jws(RECEIPT["jws"]), note=bent(RECEIPT["checkpoint"]), statement=bent_jws(STATEMENT)
)
def test_a_receipt_whose_texts_are_bent(jws: str, note: str, statement: str) -> None:
    for part in ({"jws": jws}, {"checkpoint": note}, {"key_statements": [statement]}):
        _verified(RECEIPT | part)


@given(proof=bent_json({"size": 1, "path": []}), hashes=st.lists(bent("00" * 32), max_size=3))
def test_a_receipt_whose_proof_is_bent(proof: dict[str, Any], hashes: list[str]) -> None:
    _verified(RECEIPT | {"proof": proof})
    _verified(RECEIPT | {"proof": {"size": 1, "path": hashes}})


@given(claims=bent_json(CLAIMS))
def test_a_receipt_with_odd_claims_that_a_trusted_key_signed(claims: dict[str, Any]) -> None:
    _verified(RECEIPT | {"jws": _signed(claims, receipt.RECEIPT_TYPE)})


def _verified(document: dict[str, Any]) -> None:
    try:
        assert receipt.verify(document, TRUSTED).position == 0
    except receipt.ReceiptError:
        return


def _signed(claims: dict[str, Any], kind: str) -> str:
    """Sign claims that no signer of ours would write."""
    header = {"alg": "EdDSA", "typ": kind, "kid": keyring.key_id(KEY.public_key())}
    content = ".".join(without_padding(json.dumps(part).encode()) for part in (header, claims))
    return f"{content}.{without_padding(KEY.sign(content.encode()))}"


@pytest.mark.parametrize("deep", DEEP)
def test_json_without_bottom_in_a_signed_text(deep: str) -> None:
    part = without_padding(deep.encode())
    for jws in (f"{part}.e30.AA", _raw_signed(deep)):
        with pytest.raises(keyring.SignatureError):
            keyring.read_jws(jws, receipt.RECEIPT_TYPE, TRUSTED)
        _verified(RECEIPT | {"jws": jws})
        _verified(RECEIPT | {"key_statements": [jws]})
    with pytest.raises(keyring.SignatureError):
        keyring.follow(TRUSTED, [f"{part}.e30.AA"])


def _raw_signed(content: str) -> str:
    header = orjson.dumps(
        {"alg": "EdDSA", "typ": receipt.RECEIPT_TYPE, "kid": keyring.key_id(KEY.public_key())}
    )
    signed = f"{without_padding(header)}.{without_padding(content.encode())}"
    return f"{signed}.{without_padding(KEY.sign(signed.encode()))}"
