"""A car is found by its identifier's digest; each session that named one read every car."""

from alembic import op
import sqlalchemy as sa

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one step forward."""
    op.add_column("vehicle", sa.Column("identifier_digest", sa.Text(), nullable=True))
    op.execute(
        "UPDATE vehicle SET identifier_digest = json_extract(body, '$.identifier_digest')"
        " WHERE json_extract(body, '$.identifier_digest') IS NOT NULL"
    )
    op.create_index(
        "vehicle_identifier",
        "vehicle",
        ["identifier_digest"],
        sqlite_where=sa.text("identifier_digest IS NOT NULL"),
    )


def downgrade() -> None:
    """Go one step back."""
    op.drop_index("vehicle_identifier", table_name="vehicle")
    op.drop_column("vehicle", "identifier_digest")
