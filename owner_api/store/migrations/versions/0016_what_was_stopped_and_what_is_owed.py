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
    op.add_column("vehicle", sa.Column("owner_stopped_at", sa.Text(), nullable=True))
    op.execute("UPDATE commitment SET owner_stopped_at = ended_at WHERE state_reason = 'owner'")
    op.drop_index("ix_commitment_offer_id", table_name="commitment")
    # Before 0015 nobody noted when it was found; agreeing anew took it back and left the time.
    op.execute(
        "UPDATE session SET recharge_broken_at = iif(recharge_broken,"
        " coalesce(recharge_broken_at, created_at), NULL)"
    )
    op.drop_column("session", "recharge_broken")
    op.add_column("session", sa.Column("recharge_owed", sa.Text(), nullable=True))
    # Where its owner had left the park nobody asked for it: it is owed again to who comes back.
    op.execute(
        "UPDATE session SET recharge_owed = json_object('recharges', json_array(json_object("
        "'promise', json(recharge), 'left_wh', recharge ->> 'energy_wh')))"
        " WHERE recharge ->> 'guaranteed' AND (recharge_due_at IS NOT NULL OR state = 'claimed')"
    )


def downgrade() -> None:
    """Go one step back: of several that are owed only the one that was promised last is kept."""
    op.drop_column("session", "recharge_owed")
    op.add_column(
        "session", sa.Column("recharge_broken", sa.Integer(), nullable=False, server_default="0")
    )
    op.execute("UPDATE session SET recharge_broken = recharge_broken_at IS NOT NULL")
    op.create_index("ix_commitment_offer_id", "commitment", ["offer_id"])
    op.drop_column("vehicle", "owner_stopped_at")
    op.drop_column("commitment", "owner_stopped_at")
