"""Several payers on one event: a reward for each, and postings that name theirs."""

from alembic import op
import sqlalchemy as sa

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A changed constraint makes the table anew, which must stay strict.
_STRICT = {"sqlite_strict": True}


def upgrade() -> None:
    """Go one step forward."""
    with op.batch_alter_table("posting", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reward_id", sa.Text(), nullable=True))
    with op.batch_alter_table("reward", schema=None, table_kwargs=_STRICT) as batch_op:
        batch_op.add_column(sa.Column("part", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("payer", sa.Text(), nullable=True))
        batch_op.drop_constraint(batch_op.f("uq_reward_settlement_id"), type_="unique")
        batch_op.create_unique_constraint(
            batch_op.f("uq_reward_settlement_id_part"), ["settlement_id", "part"]
        )


def downgrade() -> None:
    """Go one step back."""
    with op.batch_alter_table("reward", schema=None, table_kwargs=_STRICT) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_reward_settlement_id_part"), type_="unique")
        batch_op.create_unique_constraint(batch_op.f("uq_reward_settlement_id"), ["settlement_id"])
        batch_op.drop_column("payer")
        batch_op.drop_column("part")
    with op.batch_alter_table("posting", schema=None) as batch_op:
        batch_op.drop_column("reward_id")
