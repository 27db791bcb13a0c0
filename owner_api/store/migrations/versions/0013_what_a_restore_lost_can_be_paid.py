"""Claims that receipts prove after a restore, and what was paid before it."""

from alembic import op
import sqlalchemy as sa

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.create_table(
        "claim",
        sa.Column("reward_id", sa.Text(), nullable=False),
        sa.Column("receipt_id", sa.Text(), nullable=False),
        sa.Column("settlement_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("commitment_id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("park_id", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("payer", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("price_per_kwh", sa.Text(), nullable=False),
        sa.Column("delivered_wh", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.Integer(), nullable=False),
        sa.Column("already_paid_minor", sa.Integer(), nullable=False),
        sa.Column("corrected", sa.Integer(), nullable=False),
        sa.Column("settled_at", sa.Text(), nullable=False),
        sa.Column("claimed_at", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("paid_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("reward_id", name=op.f("pk_claim")),
        sqlite_strict=True,
    )
    for column in ("commitment_id", "owner_id", "park_id"):
        op.create_index(op.f(f"ix_claim_{column}"), "claim", [column])
    op.create_table(
        "earlier_payment",
        sa.Column("reward_id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("reward_id", name=op.f("pk_earlier_payment")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    """Go one step back."""
    op.drop_table("earlier_payment")
    for column in ("park_id", "owner_id", "commitment_id"):
        op.drop_index(op.f(f"ix_claim_{column}"), table_name="claim")
    op.drop_table("claim")
