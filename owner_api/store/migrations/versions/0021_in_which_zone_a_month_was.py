"""In which time zone an owner lived before: a month that was shown stays that month."""

from alembic import op
import sqlalchemy as sa

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward: who moved before has lived where they live now."""
    op.create_table(
        "earlier_zone",
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("until_at", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "until_at", name=op.f("pk_earlier_zone")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    """Go one step back."""
    op.drop_table("earlier_zone")
