"""Which dataset came first with its rows, and which are copies of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "claims",
        sa.Column("content", sa.String(32), primary_key=True),
        sa.Column("repo_id", sa.String(255), primary_key=True),
        sa.Column("holds", sa.Boolean),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.UniqueConstraint("content", "holds", name="claims_one_holder"),
    )
    op.create_index("claims_by_repo", "claims", ["repo_id"])


def downgrade() -> None:
    op.drop_table("claims")
