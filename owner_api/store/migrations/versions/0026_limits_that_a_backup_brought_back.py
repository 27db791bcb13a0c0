"""Since when a car's limits are a backup's and no person has looked at them."""

from alembic import op
import sqlalchemy as sa

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.add_column("vehicle", sa.Column("unconfirmed_since", sa.Text(), nullable=True))


def downgrade() -> None:
    """Go one step back."""
    op.drop_column("vehicle", "unconfirmed_since")
