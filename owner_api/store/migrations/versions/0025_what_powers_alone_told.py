"""A deal keeps what left for it by powers alone, which no register of its meter tells."""

from alembic import op
import sqlalchemy as sa

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward: of deals before it is not known."""
    op.add_column("commitment", sa.Column("powered_j", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Go one step back."""
    op.drop_column("commitment", "powered_j")
