"""What a person asked of a park is kept beside the offer: no rule sells that time for less."""

from alembic import op
import sqlalchemy as sa

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward: what was asked for before is in its decision alone, as it was."""
    for name in ("person_asked", "asked_from", "asked_until"):
        op.add_column("offer", sa.Column(name, sa.Text(), nullable=True))
    op.create_index(
        "offer_asked", "offer", ["vehicle_id"], sqlite_where=sa.text("person_asked IS NOT NULL")
    )


def downgrade() -> None:
    """Go one step back."""
    op.drop_index("offer_asked", table_name="offer")
    for name in ("asked_until", "asked_from", "person_asked"):
        op.drop_column("offer", name)
