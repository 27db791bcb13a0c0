"""Alembic's entry: runs the steps on the connection it is handed."""

from alembic import context

from owner_api.store.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
