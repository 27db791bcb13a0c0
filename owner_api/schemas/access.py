"""Messages that pair a device, mint codes and describe the caller."""

from typing import Final

from probatio import Optional, Required

from .fields import (
    AnyJson,
    ListOf,
    Nullable,
    boolean,
    choice,
    currency,
    integer,
    name,
    sha256_hex,
    text,
    time_zone,
    timestamp,
    typed_id,
)

DEVICE_KINDS: Final = ("home_assistant", "phone")

PAIR: Final = {
    Required("code"): text(8, 64),
    Required("device_name"): name(100),
    Required("kind"): choice(*DEVICE_KINDS),
}
CODE_CREATE: Final = {Optional("label"): text(0, 100)}
# Closed like every body here; ``scope`` is accepted because common clients send it, and ignored.
TOKEN: Final = {
    Required("grant_type"): text(1, 64),
    Optional("refresh_token"): text(1, 200),
    Optional("client_id"): text(1, 64),
    Optional("client_secret"): text(1, 200),
    Optional("scope"): text(0, 200),
}

PAIR_ANSWER: Final = {
    Required("device_id"): typed_id("dev"),
    Required("owner_id"): typed_id("own"),
    Required("server_id"): text(1, 64),
    Required("access_token"): text(1, 2_048),
    Required("token_type"): choice("Bearer"),
    Required("expires_in_s"): integer(1, 3_600),
    Required("refresh_token"): text(1, 200),
    # Pin it: receipts and checkpoints are worth what the key that signed them is.
    Required("receipt_key"): AnyJson(),
}
TOKEN_ANSWER: Final = {
    Required("access_token"): text(1, 2_048),
    Required("token_type"): choice("Bearer"),
    Required("expires_in"): integer(1, 3_600),
    Optional("refresh_token"): text(1, 200),
}
CODE_ANSWER: Final = {
    Required("code_id"): typed_id("cod"),
    Required("code"): text(8, 64),
    Required("expires_at"): timestamp(),
    Required("uri"): Nullable(text(1, 1_000)),
}
ME: Final = {
    Required("kind"): choice("owner", "park"),
    Required("party_id"): text(36, 36),
    Required("display_name"): text(0, 100),
    Required("server_id"): text(1, 64),
    Optional("device_id"): typed_id("dev"),
    Optional("time_zone"): time_zone(),
    Optional("language"): text(2, 20),
    Optional("currency"): currency(),
    Optional("revision"): integer(1, 10**9),
}
DEVICE: Final = {
    Required("device_id"): typed_id("dev"),
    Required("display_name"): text(1, 100),
    Required("kind"): choice(*DEVICE_KINDS),
    Required("paired_at"): timestamp(),
    Required("last_seen_at"): Nullable(timestamp()),
    Required("current"): boolean(),
}
DEVICES: Final = {
    Required("items"): ListOf(DEVICE, 0, 200),
    Required("next_cursor"): Nullable(text(1, 200)),
}
PARK: Final = {
    Required("park_id"): typed_id("prk"),
    Required("display_name"): text(1, 100),
    Required("terms_version"): integer(1, 10**6),
    Required("terms_text"): text(0, 100_000),
    Required("terms_sha256"): sha256_hex(),
}
PARKS: Final = {
    Required("items"): ListOf(PARK, 0, 200),
    Required("next_cursor"): Nullable(text(1, 200)),
}
JWKS: Final = {Required("keys"): ListOf(AnyJson(), 1, 50)}
