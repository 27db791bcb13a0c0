"""A session keeps when its recharge was found broken: a newer agreement forgives it."""

from alembic import op
import sqlalchemy as sa

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.add_column("session", sa.Column("recharge_broken_at", sa.Text(), nullable=True))


def downgrade() -> None:
    """Go one step back."""
    op.drop_column("session", "recharge_broken_at")
