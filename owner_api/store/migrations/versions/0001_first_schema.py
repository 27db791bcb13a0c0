"""The first schema: every table as it stands before the first release."""

import uuid

from alembic import op

from owner_api.store.metadata import metadata
from owner_api.store.tables import meta

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table and give this database its identity."""
    metadata.create_all(op.get_bind())
    op.bulk_insert(meta, [{"key": "server_id", "value": f"srv_{uuid.uuid7().hex}"}])


def downgrade() -> None:
    """Drop every table."""
    metadata.drop_all(op.get_bind())
