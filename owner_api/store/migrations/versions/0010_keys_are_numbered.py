"""Stored answers are numbered as they come; their keys have no index of their own."""

from alembic import op
import sqlalchemy as sa

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COLUMNS = "client, route, key_sha256, body_sha256, status, headers, body, sealed, created_at"


def upgrade() -> None:
    """Go one step forward."""
    _remake(sa.PrimaryKeyConstraint("number", name="pk_idempotency"), numbered=True)
    op.create_index("idempotency_keys", "idempotency", ["number", "client", "route", "key_sha256"])


def downgrade() -> None:
    """Go one step back."""
    op.drop_index("idempotency_keys", table_name="idempotency")
    key = sa.PrimaryKeyConstraint("client", "route", "key_sha256", name="pk_idempotency")
    _remake(key, numbered=False)


def _remake(key: sa.PrimaryKeyConstraint, *, numbered: bool) -> None:
    op.rename_table("idempotency", "old_idempotency")
    number = [sa.Column("number", sa.Integer(), nullable=False)] if numbered else []
    op.create_table(
        "idempotency",
        *number,
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key_sha256", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        key,
        sqlite_strict=True,
    )
    # Oldest first: what is old is looked for where it was written first.
    op.execute(
        f"INSERT INTO idempotency ({_COLUMNS}) SELECT {_COLUMNS}"  # noqa: S608 - a constant
        " FROM old_idempotency ORDER BY rowid"
    )
    op.drop_table("old_idempotency")
