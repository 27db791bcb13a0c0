"""Fewer pages for an answer: no index that only an erasure asked, and one of open offers only."""

from alembic import op
import sqlalchemy as sa

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.drop_index("ix_ledger_entry_party_id", table_name="ledger_entry")
    op.drop_index("ix_decision_owner_id", table_name="decision")
    op.drop_index("offer_due", table_name="offer")
    op.create_index(
        "offer_due",
        "offer",
        ["respond_by"],
        sqlite_where=sa.text("state IN ('presented', 'countered')"),
    )


def downgrade() -> None:
    """Go one step back."""
    op.drop_index("offer_due", table_name="offer")
    op.create_index("offer_due", "offer", ["state", "respond_by"])
    op.create_index("ix_decision_owner_id", "decision", ["owner_id"])
    op.create_index("ix_ledger_entry_party_id", "ledger_entry", ["party_id"])
