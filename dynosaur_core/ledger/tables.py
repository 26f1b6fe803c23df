"""The ledger's tables. A change here needs a migration in migrations/versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

metadata = MetaData()


class UtcDateTime(TypeDecorator[object]):
    """Aware datetimes in UTC in every database; SQLite alone would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> object:
        from datetime import UTC, datetime

        return value.astimezone(UTC) if isinstance(value, datetime) else value

    def process_result_value(self, value: object, dialect: Dialect) -> object:
        from datetime import UTC, datetime

        return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


datasets = Table(
    "datasets",
    metadata,
    Column("repo_id", String(255), primary_key=True),
    Column("catalog", String(255), nullable=False),
    Column("revision", String(64), nullable=False),
    Column("listing", String(32), nullable=False),  # digest of what the listing told
    Column("pipeline", String(32), nullable=False),  # digest of stage versions and settings
    Column("last_modified", UtcDateTime),
    Column("outcome", String(16), nullable=False),
    Column("stage", String(16)),
    Column("code", String(32)),  # error code or reason
    Column("detail", Text, nullable=False, default=""),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_try", UtcDateTime),
    Column("quarantined", Boolean, nullable=False, default=False),
    Column("contribution", String(32)),  # what of it is in the release
    Column("contribution_revision", String(64)),
    Column("license", String(64)),
    Column("records", Integer, nullable=False, default=0),
    Column("ref", JSON, nullable=False),
    Column("growth_id", String(64)),
    Column("seen", UtcDateTime, nullable=False),
    Column("updated", UtcDateTime, nullable=False),
    Column("failing_since", UtcDateTime),  # null while it does not fail
    Index("datasets_by_outcome", "outcome", "code"),
    Index("datasets_by_seen", "catalog", "seen"),
)

growths = Table(
    "growths",
    metadata,
    Column("growth_id", String(64), primary_key=True),
    Column("catalog", String(255), nullable=False),
    Column("started", UtcDateTime, nullable=False),
    Column("finished", UtcDateTime),
    Column("report", JSON),
)

removals = Table(
    "removals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("repo_id", String(255), nullable=False),
    Column("revision", String(64), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False, default=""),
    Column("removed", UtcDateTime, nullable=False),
)

surveys = Table(
    "surveys",
    metadata,
    Column("catalog", String(255), primary_key=True),
    Column("watermark", UtcDateTime),  # everything modified before it has been seen
    Column("cursor", Text),  # where a survey that was cut off goes on
    Column("updated", UtcDateTime, nullable=False),
)

identity = Table(
    "identity",
    metadata,
    Column("name", String(32), primary_key=True),  # `store`: the id of the store that this ledger belongs to
    Column("value", String(64), nullable=False),
)

catalogs = Table(
    "catalogs",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("place", Text),  # resolved path or URL; none where it is not known yet, or where the catalogue has left it
)

claims = Table(
    "claims",
    metadata,
    Column("content", String(32), primary_key=True),  # digest of a subset's rows
    Column("repo_id", String(255), primary_key=True),
    Column("holds", Boolean),  # true for the dataset that came first; null for its copies, of which there may be many
    Column("settled", Boolean, nullable=False),  # whether the holder has been grown with it
    UniqueConstraint("content", "holds", name="claims_one_holder"),
    Index("claims_by_repo", "repo_id"),
)

waves = Table(
    "waves",
    metadata,
    Column("wave_id", String(128), primary_key=True),  # the line is removed when its datasets go to another run
    Column("beats", BigInteger, nullable=False),  # 0 until a process has taken it; then they grow as long as that lives
    Column("ended", JSON),  # `WaveEnd`
)

wave_ends = Table(
    "wave_ends",
    metadata,
    Column("repo_id", String(255), primary_key=True),  # of a dataset that has ended in a wave of the growth at work
    Column("ended", JSON, nullable=False),  # `BranchEnd`, until the growth has counted it
)


def inserting(table: Table, dialect: Dialect) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what becomes of a row that is there already; each database has one of its own."""
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # whose drivers a ledger on SQLite need not wait for

        return postgresql.insert(table)
    return sqlite.insert(table)
