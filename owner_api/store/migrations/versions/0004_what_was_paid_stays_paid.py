"""What was paid stays paid: a reward counts the payments of earlier versions."""

from alembic import op
import sqlalchemy as sa

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    with op.batch_alter_table("reward", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("already_paid_minor", sa.Integer(), server_default="0", nullable=False)
        )


def downgrade() -> None:
    """Go one step back."""
    with op.batch_alter_table("reward", schema=None) as batch_op:
        batch_op.drop_column("already_paid_minor")
