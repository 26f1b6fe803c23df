"""Runs migrations on the connection that the ledger hands over."""

from __future__ import annotations

from alembic import context

from dynosaur_core.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
