"""Opens the ledger's database and brings its schema up to date."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

from dynosaur_core.errors import Code, DynosaurError

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = threading.Lock()  # alembic keeps its context in module globals
_LOG = logging.getLogger("dynosaur.ledger")
_ADVISORY_KEY = 0x64796E6F  # "dyno": one migration at a time on PostgreSQL


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///path` or `postgresql+psycopg://...`, migrated to the newest schema.

    SQLite: WAL, waits 60 s for another writer, and every transaction that writes begins with the write lock, so that
    what it read cannot be stale. Raises BadSetting (address) or StoreFailed (database).
    """
    parsed = ledger_address(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(parsed, connect_args={"timeout": 60}, json_deserializer=_json)
            event.listen(engine, "connect", _sqlite_connect)
            event.listen(engine, "begin", _sqlite_begin)
        else:
            engine = create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=20, json_deserializer=_json)
        event.listen(engine, "handle_error", _failed)
        _migrate(engine)
    except (SQLAlchemyError, OSError, ImportError) as error:
        where = parsed.render_as_string(hide_password=True)
        raise DynosaurError(Code.STORE_FAILED, f"the ledger {where} cannot be opened: {_short(error)}") from error
    return engine


def ledger_address(url: str) -> URL:
    """The address in its parts; raises BadSetting where it is none, or one of a database that is not installed."""
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        parsed.get_dialect()
    except (ArgumentError, ValueError, ImportError) as error:  # the text is left out: it may hold a password
        message = (
            "ledger is not the SQLAlchemy URL of a database, such as sqlite:///ledger.db or postgresql://host/name"
        )
        raise DynosaurError(Code.BAD_SETTING, message) from error
    return parsed


def newest_revision() -> str:
    """The revision of a ledger that needs no migration, by the names of the migrations' files."""
    return max(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision(engine: Engine) -> str | None:
    with engine.connect().execution_options(reading=True) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def _migrate(engine: Engine) -> None:
    if _revision(engine) == newest_revision():
        return
    # an up-to-date ledger waits for no writer, and for none of these
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with _LOCK, engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})
        before = MigrationContext.configure(connection).get_current_revision()
        script = ScriptDirectory.from_config(config)
        head = script.get_current_head()
        if before == head:
            return
        if before:
            if before not in {step.revision for step in script.walk_revisions()}:
                message = (
                    f"the ledger has revision {before}: it was made by a newer version of Dynosaur: upgrade this one"
                )
                raise DynosaurError(Code.STORE_FAILED, message)
            _LOG.warning("the ledger is brought from revision %s to %s", before, head)  # who looks on stderr sees it
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN would come too late; see _sqlite_begin
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA busy_timeout=60000")


def _sqlite_begin(connection: Connection) -> None:
    # a reader says so with execution_options(reading=True) and does not wait for the write lock
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _json(text: str) -> Any:
    """A JSON column's value. What is no JSON is read as an empty object; code that needs its members then fails."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return {}


def _failed(context: ExceptionContext) -> None:
    """Whatever the database says while it is used is StoreFailed; two writers of one row are their caller's affair."""
    error = context.sqlalchemy_exception
    if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError) and not context.is_pre_ping:
        where = context.engine.url.render_as_string(hide_password=True) if context.engine else "of this store"
        raise DynosaurError(Code.STORE_FAILED, f"the ledger {where} fails: {_short(error)}") from error


def _short(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).splitlines()[0][:300] if str(cause) else type(cause).__name__
