"""Access tokens: short ES256 ``at+jwt`` (RFC 9068), made and read by one strict reader.

What a reader must not leave to a library's defaults (RFC 8725) is checked here by name: the exact
header, one algorithm, the type, issuer, audience, and every time against the injected clock.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
import re
from typing import Any, Final, Literal, cast
import uuid

import jwt
import orjson

from .keys import Keys

type Role = Literal["owner", "park"]

ALGORITHM: Final = "ES256"
TYPE: Final = "at+jwt"
MAX_TOKEN_LENGTH: Final = 2_048
# No setting gives more: what claims more is not by a server of ours.
MAX_LIFE_S: Final = 3_600
# How far ahead of ours the clock may stand that stamped a token: ours, before a step back.
MAX_IAT_AHEAD_S: Final = 60
_REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub", "jti", "client_id", "role", "epoch"]
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class TokenError(Exception):
    """A token that is not one of ours, or not any more; the message never repeats the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What a verified token says: a party, its credential, and until when (epoch seconds)."""

    role: Role
    party_id: str
    client_id: str
    epoch: int
    expires_at: int


class Tokens:
    """Makes and reads the access tokens of one server.

    Tokens of a former key are read until ``former_until`` (epoch seconds), whatever they say
    themselves: who holds that key can write any time into them.
    """

    def __init__(self, keys: Keys, server_id: str, *, former_until: float = -inf) -> None:
        self._keys = keys
        self._former_until = former_until
        self._issuer = f"urn:v2g-owner:{server_id}"
        self._jwt = jwt.PyJWT(
            {
                "enforce_minimum_key_length": True,
                "strict_aud": True,
                "require": _REQUIRED,
                # Times are compared to the injected clock below, not to the machine's.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            }
        )

    def issue(
        self,
        *,
        role: Role,
        party_id: str,
        client_id: str,
        epoch: int,
        now: datetime,
        life_s: int,
    ) -> str:
        """Return a signed token for one device or park, good for ``life_s`` seconds from ``now``.

        ``epoch`` is the credential's revocation epoch: the token dies when it moves on.
        """
        issued = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": party_id,
            "client_id": client_id,
            "role": role,
            "epoch": epoch,
            "iat": issued,
            "exp": issued + life_s,
            "jti": uuid.uuid4().hex,
        }
        key = self._keys.token
        headers = {"kid": key.kid, "typ": TYPE}
        return self._jwt.encode(claims, cast("Any", key.private), ALGORITHM, headers)

    def read(self, token: str, now: datetime) -> AccessToken:
        """Return what ``token`` says; raises TokenError unless all of it holds at ``now``."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenError(f"the token is longer than {MAX_TOKEN_LENGTH} characters")
        if not _COMPACT.fullmatch(token):
            raise TokenError("the token is not three unpadded base64url parts")
        key = self._keys.token_key(_kid(token))
        if key is None:
            raise TokenError("the token names a key that is not ours")
        try:
            claims = self._jwt.decode(
                token,
                cast("Any", key.public),
                algorithms=[ALGORITHM],
                audience=self._issuer,
                issuer=self._issuer,
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise TokenError("the token's signature or claims do not hold") from error
        found = _checked(claims, int(now.timestamp()))
        if key is self._keys.token:
            return found
        if now.timestamp() >= self._former_until:
            raise TokenError("the token's key has been replaced")
        # It may be remembered as verified, but no longer than its key counts.
        return replace(found, expires_at=min(found.expires_at, int(self._former_until)))


def _kid(token: str) -> str:
    """Return the key id of a header that says exactly what ours say."""
    try:
        header = orjson.loads(jwt.utils.base64url_decode(token.split(".", 1)[0]))
    except (ValueError, TypeError) as error:
        raise TokenError("the token's header is no JSON object") from error
    # An exact header leaves no room for jku, jwk, x5u, crit or another algorithm.
    if not isinstance(header, dict) or set(header) != {"alg", "typ", "kid"}:
        raise TokenError("the token's header has other members than alg, typ and kid")
    if header["alg"] != ALGORITHM or header["typ"] != TYPE or not isinstance(header["kid"], str):
        raise TokenError(f"the token is not {ALGORITHM} of type {TYPE}")
    return header["kid"]


def _checked(claims: dict[str, Any], now: int) -> AccessToken:
    for name in ("sub", "client_id", "role", "jti"):
        if type(claims[name]) is not str:
            raise TokenError(f"the claim {name} is no string")
    for name in ("exp", "iat", "epoch"):
        if type(claims[name]) is not int:
            raise TokenError(f"the claim {name} is no integer")
    if claims["role"] not in ("owner", "park"):
        raise TokenError("the claim role is neither owner nor park")
    if claims["exp"] - claims["iat"] > MAX_LIFE_S:
        raise TokenError(f"the token claims to live longer than {MAX_LIFE_S} s")
    if now >= claims["exp"]:
        raise TokenError("the token has expired")
    if claims["iat"] > now + MAX_IAT_AHEAD_S or "nbf" in claims:
        raise TokenError("the token is not valid yet")
    return AccessToken(
        role=claims["role"],
        party_id=claims["sub"],
        client_id=claims["client_id"],
        epoch=claims["epoch"],
        expires_at=claims["exp"],
    )
