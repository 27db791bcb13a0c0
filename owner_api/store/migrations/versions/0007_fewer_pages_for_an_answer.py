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
    _number_streams()
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
    _name_streams()
    op.drop_index("offer_due", table_name="offer")
    op.create_index("offer_due", "offer", ["state", "respond_by"])
    op.create_index("ix_decision_owner_id", "decision", ["owner_id"])
    op.create_index("ix_ledger_entry_party_id", "ledger_entry", ["party_id"])


def _number_streams() -> None:
    op.rename_table("stream_head", "old_head")
    op.create_table(
        "stream_head",
        sa.Column("stream", sa.Integer(), nullable=False),
        sa.Column("party_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name="pk_stream_head"),
        sa.UniqueConstraint("party_id", name="uq_stream_head_party_id"),
        sqlite_strict=True,
    )
    op.execute("INSERT INTO stream_head (party_id, seq) SELECT party_id, seq FROM old_head")
    op.drop_table("old_head")
    op.rename_table("outbox", "old_outbox")
    op.drop_index("outbox_age", table_name="old_outbox")
    op.create_table(
        "outbox",
        sa.Column("stream", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("party_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "seq", name="pk_outbox"),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO outbox (stream, seq, party_id, type, at, data)"
        " SELECT (SELECT stream FROM stream_head AS h WHERE h.party_id = old.party_id), seq,"
        " party_id, type, at, data FROM old_outbox AS old ORDER BY old.rowid"
    )
    op.drop_table("old_outbox")
    op.create_index("outbox_age", "outbox", ["at"])


def _name_streams() -> None:
    as_before = ("party_id", "seq", "type", "at", "data")
    with op.batch_alter_table(
        "outbox", table_kwargs=_STRICT, partial_reordering=[as_before]
    ) as batch_op:
        batch_op.drop_constraint("pk_outbox", type_="primary")
        batch_op.create_primary_key("pk_outbox", ["party_id", "seq"])
        batch_op.drop_column("stream")
    with op.batch_alter_table("stream_head", table_kwargs=_STRICT) as batch_op:
        batch_op.drop_constraint("uq_stream_head_party_id", type_="unique")
        batch_op.drop_constraint("pk_stream_head", type_="primary")
        batch_op.create_primary_key("pk_stream_head", ["party_id"])
        batch_op.drop_column("stream")
