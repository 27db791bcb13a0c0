"""What was earned in a month, and what was paid for a deal, is found without all the others.

Both went through what was ever booked for the owner, in the writer that takes everybody's stops.
Nobody asks for a transaction's postings by its id. And a park's open sessions are found without
those that have ended, and of an erasure that takes longer it is known how far it has come.
"""

from alembic import op
import sqlalchemy as sa

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.drop_index("ix_posting_txn_id", table_name="posting")
    op.add_column("owner", sa.Column("forgetting", sa.Text(), nullable=True))
    op.create_index(
        "owner_forgetting",
        "owner",
        ["forgetting"],
        sqlite_where=sa.text("forgetting IS NOT NULL"),
    )
    op.create_index("posting_of_settlement", "posting", ["settlement_id"])
    op.create_index("settlement_of_time", "settlement", ["owner_id", "created_at"])
    op.create_index(
        "session_of_park",
        "session",
        ["park_id", "session_id"],
        sqlite_where=sa.text("state = 'bound' OR state = 'claimed'"),
    )


def downgrade() -> None:
    """Go one step back."""
    op.drop_index("session_of_park", table_name="session")
    op.drop_index("settlement_of_time", table_name="settlement")
    op.drop_index("posting_of_settlement", table_name="posting")
    op.create_index("ix_posting_txn_id", "posting", ["txn_id"])
    op.drop_index("owner_forgetting", table_name="owner")
    op.drop_column("owner", "forgetting")
