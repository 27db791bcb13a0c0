"""Tables every deal stands on: parties, devices, credentials, repeats and what goes out.

Secrets are stored as SHA-256 only: they are random and long, so nothing slower is needed.
"""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, text

from .metadata import STRICT, metadata

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    **STRICT,
)
outbox = Table(
    "outbox",
    metadata,
    # The party's number in ``stream_head``: parties take turns, so that each event falls on another
    # page of the key's index, and a number lets four times as many share one as an id does.
    Column("stream", Integer, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("party_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("data", Text, nullable=False),
    **STRICT,
)
# The head outlives pruned events, so that a number is never given out twice.
stream_head = Table(
    "stream_head",
    metadata,
    Column("stream", Integer, primary_key=True),
    Column("party_id", Text, nullable=False, unique=True),
    Column("seq", Integer, nullable=False),
    **STRICT,
)
idempotency = Table(
    "idempotency",
    metadata,
    # Keys are found by the writer's memory of them, which is filled from the index.
    Column("number", Integer, primary_key=True),
    Column("client", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("key_sha256", Text, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("sealed", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    # In the order in which rows come, so that each falls on the page of the one before.
    Index("idempotency_keys", "number", "client", "route", "key_sha256"),
    **STRICT,
)
owner = Table(
    "owner",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("erased_at", Text),
    # Of whom not all is forgotten yet: the table, and the last row of it that is.
    Column("forgetting", Text),
    Index("owner_forgetting", "forgetting", sqlite_where=text("forgetting IS NOT NULL")),
    **STRICT,
)
park = Table(
    "park",
    metadata,
    Column("park_id", Text, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("secret_sha256", Text, nullable=False),
    Column("token_epoch", Integer, nullable=False),
    Column("terms_version", Integer, nullable=False),
    Column("terms_text", Text, nullable=False),
    Column("terms_sha256", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("disabled_at", Text),
    **STRICT,
)
device = Table(
    "device",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("owner_id", Text, ForeignKey("owner.owner_id"), nullable=False, index=True),
    Column("display_name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("token_epoch", Integer, nullable=False),
    Column("paired_at", Text, nullable=False),
    Column("last_seen_at", Text),
    Column("revoked_at", Text),
    **STRICT,
)
refresh_token = Table(
    "refresh_token",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("device_id", Text, ForeignKey("device.device_id"), nullable=False, index=True),
    Column("issued_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False, index=True),
    Column("used_at", Text),
    Column("successor_sha256", Text),
    **STRICT,
)
pairing_code = Table(
    "pairing_code",
    metadata,
    Column("code_id", Text, primary_key=True),
    Column("owner_id", Text, ForeignKey("owner.owner_id"), nullable=False, index=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("secret_sha256", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("used_at", Text),
    # Which device made it, None for the operator; once it was used, which it let in.
    Column("device_id", Text),
    **STRICT,
)
