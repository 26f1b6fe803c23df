"""Ledgers of every earlier version are opened, on both databases: nothing that they know is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger import Ledger
from dynosaur_core.ledger.budget import spending
from dynosaur_core.ledger.engine import _MIGRATIONS
from dynosaur_core.ledger.identities import catalog_places, store_id
from dynosaur_core.ledger.tables import metadata

from .test_ledger import entry

REVISIONS = ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"]
ENTRY = """INSERT INTO datasets (repo_id, catalog, revision, listing, pipeline, outcome, detail, attempts, quarantined,
contribution, records, ref, seen, updated)
VALUES ('a/b', 'folder catalog', 'r1', 'l', 'p', 'grown', '', 0, false, 'c', 3,
'{"repo_id": "a/b", "revision": "r1"}', '2026-01-10 03:00:00', '2026-01-10 03:00:00')"""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _back_to(ledger: Ledger, revision: str) -> None:
    """The schema as it was, with what it held."""
    config = _config()
    with ledger.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def test_every_revision_is_tested() -> None:
    assert [step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()][::-1] == REVISIONS


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_earlier_ledger_is_opened_and_keeps_what_it_knows(ledger: Ledger, revision: str, logged: list[str]) -> None:
    _back_to(ledger, revision)
    with ledger.engine.begin() as connection:
        connection.execute(text(ENTRY))
        connection.execute(text("INSERT INTO growths (growth_id, catalog, started) VALUES ('g', 'hub', '2026-01-10')"))
        if revision >= "0003":
            connection.execute(
                text("INSERT INTO leases (name, holder, expires) VALUES ('growth', 'host 1 x', '2026-01-10')")
            )
    logged.clear()
    opened = Ledger(ledger.url)
    assert logged == (
        [] if revision == REVISIONS[-1] else [f"the ledger is brought from revision {revision} to {REVISIONS[-1]}"]
    )
    assert list(opened.contributions()) == [("a/b", "c")]
    assert opened.released("folder catalog") == 1
    if revision < "0005":
        assert catalog_places(opened) == {"folder catalog": None, "hub": None}
    assert store_id(opened) is None
    with opened.growing():
        opened.record([entry("c/d")])
    assert len(list(opened.entries())) == 2
    with opened.engine.connect() as connection:
        assert spending.metadata is metadata
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_ledger_of_a_later_version_is_refused(ledger: Ledger) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DynosaurError, match="newer version of Dynosaur") as caught:
        Ledger(ledger.url)
    assert caught.value.code is Code.STORE_FAILED


def test_a_new_ledger_says_nothing(tmp_path: Path, logged: list[str]) -> None:
    Ledger(f"sqlite:///{tmp_path}/new.db")
    assert logged == []
