"""Which history of the log tells of a lost payment: two in one are two, under one reference too."""

from alembic import op
import sqlalchemy as sa

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward: of what was shown before it is not known."""
    op.add_column("earlier_payment", sa.Column("epoch", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Go one step back."""
    op.drop_column("earlier_payment", "epoch")
