"""Leases are numbered, so that a holder that was suspended cannot write after its successor."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("leases", sa.Column("number", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("leases", "number")
