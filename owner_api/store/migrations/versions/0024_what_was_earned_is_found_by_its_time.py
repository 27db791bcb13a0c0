"""What was earned in a month, and what was paid for a deal, is found without all the others.

Both went through what was ever booked for the owner, in the writer that takes everybody's stops.
Nobody asks for a transaction's postings by its id.
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.drop_index("ix_posting_txn_id", table_name="posting")
    op.create_index("posting_of_settlement", "posting", ["settlement_id"])
    op.create_index("settlement_of_time", "settlement", ["owner_id", "created_at"])


def downgrade() -> None:
    """Go one step back."""
    op.drop_index("settlement_of_time", table_name="settlement")
    op.drop_index("posting_of_settlement", table_name="posting")
    op.create_index("ix_posting_txn_id", "posting", ["txn_id"])
