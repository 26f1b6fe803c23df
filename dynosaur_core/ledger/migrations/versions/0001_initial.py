"""The first schema: datasets, growths, removals, surveys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "datasets",
        sa.Column("repo_id", sa.String(255), primary_key=True),
        sa.Column("catalog", sa.String(255), nullable=False),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("listing", sa.String(32), nullable=False),
        sa.Column("pipeline", sa.String(32), nullable=False),
        sa.Column("last_modified", _TIME),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16)),
        sa.Column("code", sa.String(32)),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try", _TIME),
        sa.Column("quarantined", sa.Boolean, nullable=False),
        sa.Column("contribution", sa.String(32)),
        sa.Column("contribution_revision", sa.String(64)),
        sa.Column("license", sa.String(64)),
        sa.Column("records", sa.Integer, nullable=False),
        sa.Column("ref", sa.JSON, nullable=False),
        sa.Column("growth_id", sa.String(64)),
        sa.Column("seen", _TIME, nullable=False),
        sa.Column("updated", _TIME, nullable=False),
    )
    op.create_index("datasets_by_outcome", "datasets", ["outcome", "code"])
    op.create_index("datasets_by_seen", "datasets", ["catalog", "seen"])
    op.create_table(
        "growths",
        sa.Column("growth_id", sa.String(64), primary_key=True),
        sa.Column("catalog", sa.String(255), nullable=False),
        sa.Column("started", _TIME, nullable=False),
        sa.Column("finished", _TIME),
        sa.Column("report", sa.JSON),
    )
    op.create_table(
        "removals",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("repo_id", sa.String(255), nullable=False),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("removed", _TIME, nullable=False),
    )
    op.create_table(
        "surveys",
        sa.Column("catalog", sa.String(255), primary_key=True),
        sa.Column("watermark", _TIME),
        sa.Column("cursor", sa.Text),
        sa.Column("updated", _TIME, nullable=False),
    )


def downgrade() -> None:
    for table in ("surveys", "removals", "growths", "datasets"):
        op.drop_table(table)
