"""A deal keeps when its owner stopped it, whatever it ended for; nothing finds deals by offer."""

from alembic import op
import sqlalchemy as sa

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.add_column("commitment", sa.Column("owner_stopped_at", sa.Text(), nullable=True))
    op.execute("UPDATE commitment SET owner_stopped_at = ended_at WHERE state_reason = 'owner'")
    op.drop_index("ix_commitment_offer_id", table_name="commitment")


def downgrade() -> None:
    """Go one step back."""
    op.create_index("ix_commitment_offer_id", "commitment", ["offer_id"])
    op.drop_column("commitment", "owner_stopped_at")
