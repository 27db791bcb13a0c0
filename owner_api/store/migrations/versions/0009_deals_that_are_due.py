"""Deals of which something is due are found by their times; two indexes say what others say."""

from alembic import op
import sqlalchemy as sa

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.drop_index("commitment_live", table_name="commitment")
    op.drop_index("commitment_unsettled", table_name="commitment")
    op.drop_index("ix_commitment_park_id", table_name="commitment")
    op.create_index(
        "commitment_due",
        "commitment",
        ["state", "award_by", "start_at", "end_at"],
        sqlite_where=sa.text("state = 'active' OR state = 'pending_award' OR state = 'scheduled'"),
    )
    op.create_index(
        "commitment_unsettled",
        "commitment",
        ["ended_at"],
        sqlite_where=sa.text("settlement_id IS NULL AND ended_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Go one step back."""
    op.drop_index("commitment_unsettled", table_name="commitment")
    op.drop_index("commitment_due", table_name="commitment")
    op.create_index("ix_commitment_park_id", "commitment", ["park_id"])
    op.create_index("commitment_unsettled", "commitment", ["settlement_id", "ended_at"])
    op.create_index("commitment_live", "commitment", ["state", "vehicle_id"])
