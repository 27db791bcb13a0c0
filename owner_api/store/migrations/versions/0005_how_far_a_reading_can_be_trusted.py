"""How far a reading can be trusted: its source, a signing meter's words, and what counted."""

from alembic import op
import sqlalchemy as sa

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NO_READINGS = '{"begin":null,"end":null}'


def upgrade() -> None:
    """Go one step forward."""
    with op.batch_alter_table("commitment", schema=None) as batch_op:
        batch_op.add_column(sa.Column("begin_reading_id", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("last_reading_id", sa.Text(), nullable=True))
    with op.batch_alter_table("reading", schema=None) as batch_op:
        batch_op.add_column(sa.Column("source", sa.Text(), server_default="meter", nullable=False))
        batch_op.add_column(sa.Column("signed", sa.Text(), nullable=True))
    with op.batch_alter_table("settlement", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("basis", sa.Text(), server_default="measured", nullable=False)
        )
        batch_op.add_column(sa.Column("source", sa.Text(), server_default="meter", nullable=False))
        batch_op.add_column(
            sa.Column("readings", sa.Text(), server_default=_NO_READINGS, nullable=False)
        )
    op.execute(
        "UPDATE reading SET source = 'sensor' WHERE session_id IN"
        " (SELECT session_id FROM session WHERE meter = 'owner')"
    )
    # Every later version was a correction, whose energy nobody measured.
    op.execute("UPDATE settlement SET basis = 'claimed' WHERE version > 1")


def downgrade() -> None:
    """Go one step back."""
    with op.batch_alter_table("settlement", schema=None) as batch_op:
        batch_op.drop_column("readings")
        batch_op.drop_column("source")
        batch_op.drop_column("basis")
    with op.batch_alter_table("reading", schema=None) as batch_op:
        batch_op.drop_column("signed")
        batch_op.drop_column("source")
    with op.batch_alter_table("commitment", schema=None) as batch_op:
        batch_op.drop_column("last_reading_id")
        batch_op.drop_column("begin_reading_id")
