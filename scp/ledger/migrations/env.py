"""Run by Alembic: migrations on the connection that `Ledger.migrate` hands over."""

from alembic import context

from scp.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
