"""The ledger knows its store, and where each catalogue is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "identity",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(64), nullable=False),
    )
    op.create_table(
        "catalogs",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("place", sa.Text),
    )
    # the places of those that are known by name alone are learnt when they are met
    op.execute("INSERT INTO catalogs (name) SELECT catalog FROM datasets UNION SELECT catalog FROM growths")


def downgrade() -> None:
    op.drop_table("catalogs")
    op.drop_table("identity")
