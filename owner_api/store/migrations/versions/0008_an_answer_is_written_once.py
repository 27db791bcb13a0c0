"""An answer is written once: its entry in the log says what its row said."""

from alembic import op
import sqlalchemy as sa

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What a decision's document holds, of the entry's body.
_BODY = (
    "decision_id",
    "offer_id",
    "revision",
    "terms_sha256",
    "decision",
    "method",
    "decided_at",
    "preferences_revision",
    "consented_energy_wh",
    "counter_terms",
    "rule_id",
    "device_id",
    "actor",
    "reason",
)


def upgrade() -> None:
    """Go one step forward."""
    op.drop_table("decision")
    op.drop_index("outbox_age", table_name="outbox")
    op.drop_index("ix_idempotency_created_at", table_name="idempotency")


def downgrade() -> None:
    """Go one step back; decisions of owners who were erased are not there any more."""
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])
    op.create_index("outbox_age", "outbox", ["at"])
    op.create_table(
        "decision",
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name="pk_decision"),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offer.offer_id"], name="fk_decision_offer_id_offer"
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_decision_offer_id", "decision", ["offer_id"])
    body = ", ".join(f"'{name}', content -> '$.body.{name}'" for name in _BODY)
    columns = ("offer_id", "revision", "decision", "method", "decided_at")
    told = ", ".join(f"content ->> '$.body.{name}'" for name in columns[:-1])
    # The log leaves out a fraction of zero, which a column that is sorted as text must have.
    at = "content ->> '$.body.decided_at'"
    told += f", CASE length({at}) WHEN 20 THEN substr({at}, 1, 19) || '.000000Z' ELSE {at} END"
    op.execute(
        f"INSERT INTO decision (decision_id, owner_id, {', '.join(columns)}, body)"  # noqa: S608 - names of ours
        f" SELECT content ->> '$.body.decision_id', party_id, {told}, json_object({body})"
        " FROM ledger_entry JOIN ledger_leaf USING (position)"
        " WHERE kind = 'decision' AND content IS NOT NULL ORDER BY position"
    )
