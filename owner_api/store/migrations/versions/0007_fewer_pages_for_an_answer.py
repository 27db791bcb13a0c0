"""Fewer pages for an answer: fewer and shorter indexes."""

from alembic import op
import sqlalchemy as sa

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STRICT = {"sqlite_strict": True}


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
    with op.batch_alter_table("receipt", table_kwargs=_STRICT) as batch_op:
        batch_op.drop_constraint("pk_receipt", type_="primary")
        batch_op.drop_constraint("uq_receipt_position", type_="unique")
        batch_op.create_primary_key("pk_receipt", ["position"])


def downgrade() -> None:
    """Go one step back."""
    with op.batch_alter_table("receipt", table_kwargs=_STRICT) as batch_op:
        batch_op.drop_constraint("pk_receipt", type_="primary")
        batch_op.create_primary_key("pk_receipt", ["receipt_id"])
        batch_op.create_unique_constraint("uq_receipt_position", ["position"])
    op.drop_index("offer_due", table_name="offer")
    op.create_index("offer_due", "offer", ["state", "respond_by"])
    op.create_index("ix_decision_owner_id", "decision", ["owner_id"])
    op.create_index("ix_ledger_entry_party_id", "ledger_entry", ["party_id"])
