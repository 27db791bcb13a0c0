"""What the log says of itself, a few of millions of entries, is found without reading them all."""

from alembic import op
import sqlalchemy as sa

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.create_index(
        "ledger_leaf_of_log",
        "ledger_leaf",
        ["kind"],
        sqlite_where=sa.text("kind = 'epoch' OR kind = 'key'"),
    )


def downgrade() -> None:
    """Go one step back."""
    op.drop_index("ledger_leaf_of_log", table_name="ledger_leaf")
