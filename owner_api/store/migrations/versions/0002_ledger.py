"""The log: leaves, contents, tree, checkpoints, keys and receipts."""

from alembic import op

from owner_api.store.ledger_tables import LEDGER_TABLES
from owner_api.store.metadata import metadata

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the log's tables; a file made whole by an earlier step has them already."""
    metadata.create_all(op.get_bind(), tables=list(LEDGER_TABLES), checkfirst=True)


def downgrade() -> None:
    """Drop the log's tables."""
    metadata.drop_all(op.get_bind(), tables=list(LEDGER_TABLES))
