"""Since when a dataset fails."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("datasets", sa.Column("failing_since", sa.DateTime(timezone=True)))
    # of earlier attempts the last one alone is known
    op.execute("UPDATE datasets SET failing_since = updated WHERE outcome IN ('failed', 'deferred')")


def downgrade() -> None:
    with op.batch_alter_table("datasets") as batch:
        batch.drop_column("failing_since")
