"""Alembic's entry: migrate on the connection that `feature_repo.stores.schema` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None)
with context.begin_transaction():
    context.run_migrations()
