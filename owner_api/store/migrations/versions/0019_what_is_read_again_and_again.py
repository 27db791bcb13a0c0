"""What is read again and again takes no longer with the years.

Lists are read in the order of their pages: each page sorted all that its reader ever had.
Deals that ended before they began are never settled: they were looked at twice a second for good.
A car's live deals and its session were sought among all it ever had, at each of its readings.
"""

from typing import Final

from alembic import op
import sqlalchemy as sa

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# Index, table, columns, and the index whose place it takes.
_INDEXES: Final = (
    ("offer_of_park", "offer", ["park_id", "offer_id"], "ix_offer_park_id"),
    ("offer_of_owner", "offer", ["owner_id", "offer_id"], "ix_offer_owner_id"),
    ("commitment_of_park", "commitment", ["park_id", "commitment_id"], None),
    ("commitment_of_owner", "commitment", ["owner_id", "commitment_id"], "ix_commitment_owner_id"),
    ("settlement_of_park", "settlement", ["park_id", "settlement_id"], "ix_settlement_park_id"),
)
_OF_A_CAR: Final = (
    ("commitment_live", "commitment", "state IN ('pending_award', 'scheduled', 'active')"),
    ("session_live", "session", "state = 'bound' OR state = 'claimed'"),
)
_ENDED: Final = "settlement_id IS NULL AND ended_at IS NOT NULL"


def upgrade() -> None:
    """Go one step forward."""
    _unsettled(f"{_ENDED} AND started_at IS NOT NULL")
    for name, table, where in _OF_A_CAR:
        op.create_index(name, table, ["vehicle_id"], sqlite_where=sa.text(where))
    for name, table, columns, before in _INDEXES:
        op.create_index(name, table, columns)
        if before is not None:
            op.drop_index(before, table_name=table)


def downgrade() -> None:
    """Go one step back."""
    for name, table, columns, before in _INDEXES:
        if before is not None:
            op.create_index(before, table, columns[:1])
        op.drop_index(name, table_name=table)
    for name, table, _ in _OF_A_CAR:
        op.drop_index(name, table_name=table)
    _unsettled(_ENDED)


def _unsettled(where: str) -> None:
    op.drop_index("commitment_unsettled", table_name="commitment")
    op.create_index("commitment_unsettled", "commitment", ["ended_at"], sqlite_where=sa.text(where))
