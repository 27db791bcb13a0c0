"""Fewer pages for an answer: two indexes that only an erasure and an export asked."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.drop_index("ix_ledger_entry_party_id", table_name="ledger_entry")
    op.drop_index("ix_decision_owner_id", table_name="decision")


def downgrade() -> None:
    """Go one step back."""
    op.create_index("ix_decision_owner_id", "decision", ["owner_id"])
    op.create_index("ix_ledger_entry_party_id", "ledger_entry", ["party_id"])
