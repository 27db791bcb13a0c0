"""Which lost settlements were corrected, as either side's receipt says, before any claim too."""

from alembic import op
import sqlalchemy as sa

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.create_table(
        "earlier_correction",
        sa.Column("settlement_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("settlement_id", name=op.f("pk_earlier_correction")),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO earlier_correction SELECT DISTINCT settlement_id FROM claim WHERE corrected"
    )
    op.drop_column("claim", "corrected")


def downgrade() -> None:
    """Go one step back."""
    op.add_column("claim", sa.Column("corrected", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE claim SET corrected = 1"
        " WHERE settlement_id IN (SELECT settlement_id FROM earlier_correction)"
    )
    op.drop_table("earlier_correction")
