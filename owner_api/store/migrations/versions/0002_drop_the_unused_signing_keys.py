"""Drop the unused signing keys: keys lie in files beside the database, never in it."""

from alembic import op
import sqlalchemy as sa

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.drop_table("signing_key")


def downgrade() -> None:
    """Go one step back."""
    op.create_table(
        "signing_key",
        sa.Column("key_id", sa.TEXT(), nullable=False),
        sa.Column("private_pem", sa.TEXT(), nullable=False),
        sa.Column("created_at", sa.TEXT(), nullable=False),
        sa.Column("retired_at", sa.TEXT(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_signing_key")),
        sqlite_strict=True,
    )
