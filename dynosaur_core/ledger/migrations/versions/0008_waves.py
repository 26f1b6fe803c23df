"""Waves of a growth in processes of their own: which are at work, and what has ended in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "waves",
        sa.Column("wave_id", sa.String(128), primary_key=True),
        sa.Column("beats", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.JSON),
    )
    op.create_table(
        "wave_ends",
        sa.Column("repo_id", sa.String(255), primary_key=True),
        sa.Column("ended", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("wave_ends")
    op.drop_table("waves")
