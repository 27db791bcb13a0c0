"""Of which deal a lost reward was, as either side's receipt says: an owner may show another one."""

from alembic import op
import sqlalchemy as sa

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.create_table(
        "earlier_reward",
        sa.Column("reward_id", sa.Text(), nullable=False),
        sa.Column("commitment_id", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("payment_minor", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("reward_id", name=op.f("pk_earlier_reward")),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_earlier_reward_commitment_id"), "earlier_reward", ["commitment_id"])
    op.execute(
        "INSERT INTO earlier_reward"
        " SELECT reward_id, commitment_id, part, amount_minor - already_paid_minor FROM claim"
    )


def downgrade() -> None:
    """Go one step back."""
    op.drop_index(op.f("ix_earlier_reward_commitment_id"), table_name="earlier_reward")
    op.drop_table("earlier_reward")
