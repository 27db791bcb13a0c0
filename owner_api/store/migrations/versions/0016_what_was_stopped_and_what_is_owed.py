"""A deal keeps when its owner stopped it, whatever it ended for; a broken recharge is told once.

Nothing finds a deal by its offer.
"""

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
    # Before 0015 nobody noted when it was found; agreeing anew took it back and left the time.
    op.execute(
        "UPDATE session SET recharge_broken_at = iif(recharge_broken,"
        " coalesce(recharge_broken_at, created_at), NULL)"
    )
    op.drop_column("session", "recharge_broken")


def downgrade() -> None:
    """Go one step back."""
    op.add_column(
        "session", sa.Column("recharge_broken", sa.Integer(), nullable=False, server_default="0")
    )
    op.execute("UPDATE session SET recharge_broken = recharge_broken_at IS NOT NULL")
    op.create_index("ix_commitment_offer_id", "commitment", ["offer_id"])
    op.drop_column("commitment", "owner_stopped_at")
