"""What is asked of one car or owner is found by its time, not among all there ever was of it.

Each question, offer, yes and stop went through every deal of the car, in the writer that takes
everybody's stops; a statement of a month through all that its parks had ever booked.
"""

from typing import Final

from alembic import op
import sqlalchemy as sa

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

# Index, table, columns, and the index whose place it takes with its columns.
_INDEXES: Final = (
    ("commitment_of_car", "commitment", ["vehicle_id", "end_at"], "ix_commitment_vehicle_id"),
    ("offer_of_car", "offer", ["vehicle_id", "respond_by"], "ix_offer_vehicle_id"),
    ("session_of_car", "session", ["vehicle_id", "plugged_in_at"], "ix_session_vehicle_id"),
    ("session_of_owner", "session", ["owner_id", "session_id"], "ix_session_owner_id"),
    ("settlement_of_owner", "settlement", ["owner_id", "settlement_id"], "ix_settlement_owner_id"),
    ("settlement_of_state", "settlement", ["park_id", "state", "settlement_id"], None),
    ("reward_of_park", "reward", ["park_id", "status", "settlement_id"], "ix_reward_park_id"),
    ("posting_of_account", "posting", ["account", "at"], None),
    ("question_of_car", "question", ["vehicle_id", "asked_at"], None),
)
# Of few rows: index, table, columns, and of which.
_OF_FEW: Final = (
    ("session_guessed", "session", ["vehicle_id", "created_at"], "bound_by IS NULL"),
    ("session_broken", "session", ["owner_id", "park_id"], "recharge_broken_at IS NOT NULL"),
)
_ASKED: Final = sa.text("person_asked IS NOT NULL")


def upgrade() -> None:
    """Go one step forward."""
    op.add_column("question", sa.Column("vehicle_id", sa.Text(), nullable=True))
    op.execute(
        "UPDATE question SET vehicle_id = (SELECT vehicle_id FROM session"
        " WHERE session.session_id = question.session_id)"
    )
    for name, table, columns, before in _INDEXES:
        op.create_index(name, table, columns)
        if before is not None:
            op.drop_index(before, table_name=table)
    _balance(["account", "currency", "amount_minor"])
    for name, table, columns, where in _OF_FEW:
        op.create_index(name, table, columns, sqlite_where=sa.text(where))
    op.drop_index("offer_asked", table_name="offer")
    op.create_index("offer_asked", "offer", ["vehicle_id", "asked_until"], sqlite_where=_ASKED)


def downgrade() -> None:
    """Go one step back."""
    op.drop_index("offer_asked", table_name="offer")
    op.create_index("offer_asked", "offer", ["vehicle_id"], sqlite_where=_ASKED)
    for name, table, *_ in _OF_FEW:
        op.drop_index(name, table_name=table)
    _balance(["account", "currency"])
    for name, table, columns, before in _INDEXES:
        if before is not None:
            op.create_index(before, table, columns[:1])
        op.drop_index(name, table_name=table)
    op.drop_column("question", "vehicle_id")


def _balance(columns: list[str]) -> None:
    op.drop_index("posting_balance", table_name="posting")
    op.create_index("posting_balance", "posting", columns)
