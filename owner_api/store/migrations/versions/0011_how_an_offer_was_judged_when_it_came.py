"""An offer keeps how it was judged when it came, for the rules that are tried on it later."""

from alembic import op
import sqlalchemy as sa

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.add_column("offer", sa.Column("arrival", sa.Text(), nullable=True))


def downgrade() -> None:
    """Go one step back."""
    op.drop_column("offer", "arrival")
