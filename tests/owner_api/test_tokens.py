"""Access tokens over a real socket: what is not exactly ours is nobody's."""

import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import fields
import hashlib
import hmac
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
import jwt
import orjson
import pytest

from owner_api.access.keys import load_keys, new_p256
from owner_api.access.tokens import MAX_IAT_AHEAD_S, MAX_LIFE_S, MAX_TOKEN_LENGTH, Tokens
from owner_api.config import Config

from .access_server import Server, running

type Forge = Callable[[Server, dict[str, Any]], str]


@pytest.fixture(name="server")
async def _server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(tmp_path / "owner.db", failure_burst=1000) as server:
        yield server


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def part(value: Any) -> str:
    return b64(orjson.dumps(value))


def header(server: Server, **changes: Any) -> dict[str, Any]:
    base = {"alg": "ES256", "typ": "at+jwt", "kid": server.access.keys.token.kid}
    return {name: value for name, value in (base | changes).items() if value is not None}


def claims(genuine: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (genuine | changes).items() if value is not None}


def signed(server: Server, head: dict[str, Any], body: Any) -> str:
    """Sign any header and any body with the server's real key: only the content is wrong."""
    text = f"{part(head)}.{part(body)}"
    algorithm = jwt.get_algorithm_by_name("ES256")
    return f"{text}.{b64(algorithm.sign(text.encode(), server.access.keys.token.private))}"


def hs256(server: Server, key: bytes, body: dict[str, Any], **head: Any) -> str:
    text = f"{part(header(server, alg='HS256', **head))}.{part(body)}"
    return f"{text}.{b64(hmac.digest(key, text.encode(), hashlib.sha256))}"


def public_key(server: Server) -> ec.EllipticCurvePublicKey:
    public = server.access.keys.token.public
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return public


def by_a_stranger(server: Server, body: dict[str, Any]) -> str:
    return jwt.encode(body, new_p256(), "ES256", {"typ": "at+jwt", "kid": header(server)["kid"]})


def with_own_key_inside(server: Server, body: dict[str, Any]) -> str:
    key = new_p256()
    own = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwt.encode(body, key, "ES256", header(server, jwk=own))


def eddsa(server: Server, body: dict[str, Any]) -> str:
    receipt = server.access.keys.receipt
    assert not isinstance(receipt.private, ec.EllipticCurvePrivateKey)
    return jwt.encode(body, receipt.private, "EdDSA", {"typ": "at+jwt", "kid": receipt.kid})


def genuine(server: Server, body: dict[str, Any]) -> str:
    return signed(server, header(server), body)


def cut_signature(server: Server, body: dict[str, Any]) -> str:
    return genuine(server, body).rpartition(".")[0] + "."


def flipped(server: Server, body: dict[str, Any]) -> str:
    head, middle, signature = genuine(server, body).split(".")
    return f"{head}.{middle}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def zero_signature(server: Server, body: dict[str, Any]) -> str:
    return f"{part(header(server))}.{part(body)}.{b64(bytes(64))}"


def deep(server: Server, _body: dict[str, Any]) -> str:
    text = f"{part(header(server))}.{b64(b'[' * 700 + b']' * 700)}"
    algorithm = jwt.get_algorithm_by_name("ES256")
    return f"{text}.{b64(algorithm.sign(text.encode(), server.access.keys.token.private))}"


def other_header(**changes: Any) -> Forge:
    return lambda server, body: signed(server, header(server, **changes), body)


def other_claims(**changes: Any) -> Forge:
    return lambda server, body: genuine(server, claims(body, **changes))


HOSTILE: dict[str, Forge] = {
    "alg none, unsigned": lambda s, b: f"{part(header(s, alg='none'))}.{part(b)}.",
    "alg None in capitals": lambda s, b: f"{part(header(s, alg='None'))}.{part(b)}.AA",
    "alg none with our signature": other_header(alg="none"),
    "alg empty": other_header(alg=""),
    "alg a list": other_header(alg=["ES256"]),
    "alg missing": other_header(alg=None),
    "alg ES384 named": other_header(alg="ES384"),
    "HS256 with our public key as PEM": lambda s, b: hs256(
        s, public_key(s).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), b
    ),
    "HS256 with our public key as DER": lambda s, b: hs256(
        s, public_key(s).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), b
    ),
    "HS256 with our public JWK": lambda s, b: hs256(
        s, orjson.dumps(s.access.keys.token.public_jwk), b
    ),
    "HS256 with an empty key": lambda s, b: hs256(s, b"", b),
    "EdDSA with the receipt key": eddsa,
    "another's ES256 key": by_a_stranger,
    "key brought inside the header": with_own_key_inside,
    "jku header": other_header(jku="https://evil.example/jwks.json"),
    "x5u header": other_header(x5u="https://evil.example/cert.pem"),
    "x5c header": other_header(x5c=["AAAA"]),
    "crit header": other_header(crit=["exp"]),
    "b64 header": other_header(b64=False),
    "kid missing": other_header(kid=None),
    "kid unknown": other_header(kid="unknown"),
    "kid a path": other_header(kid="../../../etc/passwd"),
    "kid an injection": other_header(kid="' OR 1=1 --"),
    "kid a number": other_header(kid=1),
    "kid of the receipt key": lambda s, b: signed(s, header(s, kid=s.access.keys.receipt.kid), b),
    "typ JWT": other_header(typ="JWT"),
    "typ missing": other_header(typ=None),
    "typ logout+jwt": other_header(typ="logout+jwt"),
    "header no object": lambda s, b: signed(s, [1, 2], b),  # type: ignore[arg-type]
    "claims no object": lambda s, b: genuine(s, [b]),  # type: ignore[arg-type]
    "claims nested 700 deep": deep,
    "wrong audience": other_claims(aud="urn:v2g-owner:other"),
    "audience a list with ours": lambda s, b: genuine(s, claims(b, aud=[b["aud"], "x"])),
    "audience missing": other_claims(aud=None),
    "wrong issuer": other_claims(iss="urn:v2g-owner:other"),
    "issuer missing": other_claims(iss=None),
    "issuer a list": lambda s, b: genuine(s, claims(b, iss=[b["iss"]])),
    "subject missing": other_claims(sub=None),
    "subject a number": other_claims(sub=7),
    "subject another owner": other_claims(sub="own_" + "0" * 32),
    "device another's": other_claims(client_id="dev_" + "0" * 32),
    "jti missing": other_claims(jti=None),
    "jti a number": other_claims(jti=7),
    "client missing": other_claims(client_id=None),
    "role unknown": other_claims(role="admin"),
    "role of a park on an owner": other_claims(role="park"),
    "role missing": other_claims(role=None),
    "epoch another": other_claims(epoch=7),
    "epoch true": other_claims(epoch=True),
    "epoch missing": other_claims(epoch=None),
    "expiry missing": other_claims(exp=None),
    "expired": lambda s, b: genuine(s, claims(b, exp=int(s.clock.now().timestamp()))),
    "expiry text": other_claims(exp="9999999999"),
    "expiry a float": other_claims(exp=9999999999.5),
    "expiry true": other_claims(exp=True),
    "issued in the future": lambda s, b: genuine(
        s, claims(b, iat=int(s.clock.now().timestamp()) + MAX_IAT_AHEAD_S + 1)
    ),
    "issued at missing": other_claims(iat=None),
    "not before, which we never say": other_claims(nbf=0),
    "signature cut off": cut_signature,
    "signature changed": flipped,
    "signature of zeros": zero_signature,
    "padded with =": lambda s, b: genuine(s, b) + "=",
    "padded in the middle": lambda s, b: genuine(s, b).replace(".", "=.", 1),
    "standard base64": lambda s, b: genuine(s, b) + "+/",
    "a fourth part": lambda s, b: genuine(s, b) + ".AAAA",
    "two parts": lambda s, b: ".".join(genuine(s, b).split(".")[:2]),
    "no part": lambda *_: "AAAA",
    "a space inside": lambda s, b: genuine(s, b).replace(".", ". ", 1),
    "longer than any of ours": lambda s, b: genuine(s, claims(b, filler="x" * MAX_TOKEN_LENGTH)),
    "six kilobytes": lambda *_: "A" * 6_000,
    "nested token as payload": lambda s, b: (
        f"{part(header(s, cty='JWT'))}.{b64(genuine(s, b).encode())}.{b64(bytes(64))}"
    ),
}


def read_claims(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


async def test_every_hostile_token_is_answered_401_and_nothing_more(server: Server) -> None:
    device = await server.device(await server.add_owner())
    body = read_claims(device["access_token"])
    passed: list[str] = []
    for name, forge in HOSTILE.items():
        answer = await server.call("GET", "/v1/me", token=forge(server, body))
        refused = answer.status == 401 and answer.body["code"] == "unauthenticated"
        if not refused or not answer.headers["WWW-Authenticate"].startswith("Bearer"):
            passed.append(f"{name}: {answer.status} {answer.body}")
    assert passed == []
    # The same content, honestly signed, is let in: the forgeries alone made the difference.
    assert (await server.call("GET", "/v1/me", token=genuine(server, body))).status == 200


async def test_an_authorization_that_is_no_bearer_token_is_answered_401(server: Server) -> None:
    for value in ("", "Bearer", "Bearer ", "Basic b3duOng=", "bearer  x", "Token x"):
        answer = await server.call("GET", "/v1/me", headers={"Authorization": value})
        assert (value, answer.status) == (value, 401)
    assert (await server.call("GET", "/v1/me")).status == 401


async def test_a_device_token_ends_after_fifteen_minutes_and_not_before(server: Server) -> None:
    device = await server.device(await server.add_owner())
    assert device["expires_in_s"] == 900

    server.clock.move(899)
    assert (await server.call("GET", "/v1/me", token=device["access_token"])).status == 200
    server.clock.move(1)
    assert (await server.call("GET", "/v1/me", token=device["access_token"])).status == 401


async def test_a_token_is_that_of_one_server_only(server: Server, tmp_path: Path) -> None:
    device = await server.device(await server.add_owner())
    async with running(tmp_path / "other.db") as other:
        assert (await other.call("GET", "/v1/me", token=device["access_token"])).status == 401


async def test_a_token_outlives_a_restart_of_its_server(tmp_path: Path) -> None:
    async with running(tmp_path / "owner.db") as server:
        device = await server.device(await server.add_owner())
    async with running(tmp_path / "owner.db") as again:
        assert (await again.call("GET", "/v1/me", token=device["access_token"])).status == 200


async def test_the_published_key_set_verifies_a_token_and_holds_no_private_part(
    server: Server,
) -> None:
    device = await server.device(await server.add_owner())
    answer = await server.call("GET", "/v1/jwks.json")
    assert answer.status == 200
    assert [key["alg"] for key in answer.body["keys"]] == ["ES256", "EdDSA"]
    assert all("d" not in key for key in answer.body["keys"])

    kid = jwt.get_unverified_header(device["access_token"])["kid"]
    key = next(key for key in answer.body["keys"] if key["kid"] == kid)
    audience = f"urn:v2g-owner:{device['server_id']}"
    read = jwt.decode(
        device["access_token"],
        jwt.PyJWK(key),
        algorithms=["ES256"],
        audience=audience,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert read["sub"] == device["owner_id"]


async def test_a_former_signing_key_is_still_read_after_a_new_one_took_over(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "owner.db") as server:
        device = await server.device(await server.add_owner())
    keys = tmp_path / "owner.db.keys"
    (keys / "token-es256.pem").rename(keys / "token-es256-2026.pem")
    async with running(tmp_path / "owner.db") as again:
        assert (await again.call("GET", "/v1/me", token=device["access_token"])).status == 200
        renewed = await again.refresh(device["refresh_token"])
        old, new = device["access_token"], renewed.body["access_token"]
        assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
        assert len((await again.call("GET", "/v1/jwks.json")).body["keys"]) == 3


async def test_a_former_key_signs_nothing_that_is_read_an_hour_after_it_was_replaced(
    tmp_path: Path,
) -> None:
    """Whoever stole it writes the times in its tokens, so only our own clock may end it."""
    database = tmp_path / "owner.db"
    async with running(database) as server:
        device = await server.device(await server.add_owner())
        stolen = Tokens(load_keys(database), device["server_id"])
    keys = tmp_path / "owner.db.keys"
    (keys / "token-es256.pem").rename(keys / "token-es256-2026.pem")

    async def forged(again: Server, life_s: int) -> int:
        token = stolen.issue(
            role="owner",
            party_id=device["owner_id"],
            client_id=device["device_id"],
            epoch=0,
            now=again.clock.now(),
            life_s=life_s,
        )
        return (await again.call("GET", "/v1/me", token=token)).status

    async with running(database) as again:
        assert await forged(again, 3_600) == 200
        assert await forged(again, 3_601) == 401
        again.clock.move(3_599)
        assert await forged(again, 3_600) == 200
        at = again.clock.at
    # Starting anew with the same key gives the former one no more time.
    async with running(database) as later:
        later.clock.at = at
        last = await forged(later, 3_600)
        later.clock.move(1)
        assert (last, await forged(later, 3_600)) == (200, 401)


async def test_a_token_verified_by_a_former_key_is_not_remembered_beyond_it(
    tmp_path: Path,
) -> None:
    database = tmp_path / "owner.db"
    async with running(database) as server:
        device = await server.device(await server.add_owner())
        stolen = Tokens(load_keys(database), device["server_id"])
    keys = tmp_path / "owner.db.keys"
    (keys / "token-es256.pem").rename(keys / "token-es256-2026.pem")
    async with running(database) as again:
        again.clock.move(3_500)
        token = stolen.issue(
            role="owner",
            party_id=device["owner_id"],
            client_id=device["device_id"],
            epoch=0,
            now=again.clock.now(),
            life_s=3_600,
        )
        assert (await again.call("GET", "/v1/me", token=token)).status == 200
        again.clock.move(100)
        assert (await again.call("GET", "/v1/me", token=token)).status == 401


def test_no_setting_gives_a_token_a_longer_life_than_is_read() -> None:
    for name in ("access_token_s", "park_token_s"):
        leaf = next(item.metadata["leaf"] for item in fields(Config) if item.name == name)
        assert leaf.schema["maximum"] == MAX_LIFE_S
