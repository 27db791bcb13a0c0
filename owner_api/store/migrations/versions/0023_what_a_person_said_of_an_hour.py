"""What a person said of an hour is found by that hour, not among all they ever said."""

from alembic import op
import sqlalchemy as sa

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    _by(["vehicle_id", "asked_until"])


def downgrade() -> None:
    """Go one step back."""
    _by(["vehicle_id"])


def _by(columns: list[str]) -> None:
    op.drop_index("offer_asked", table_name="offer")
    op.create_index(
        "offer_asked", "offer", columns, sqlite_where=sa.text("person_asked IS NOT NULL")
    )
