"""A growth whose ledger is a PostgreSQL database, and whose store and release are on S3."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pyarrow.parquet as pq
import pytest
import s3fs

from dynosaur_core.models import Release
from tests.flows.conftest import Grown
from tests.flows.hub_case import add_reviews, asked
from tests.support.hub import LoopbackHub
from tests.support.llm import LlmServer
from tests.support.postgres import postgres_server
from tests.support.s3 import S3Server, s3_server

__all__ = ["s3_server"]
BUCKET = "nights"


@pytest.fixture
def elsewhere(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem().mkdir(BUCKET)
    with postgres_server() as url:
        monkeypatch.setenv("DYNOSAUR_LEDGER", url)
        yield {"store": f"s3://{BUCKET}/store", "release": [f"s3://{BUCKET}/release"]}


def sources() -> tuple[int, set[str]]:
    fs = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
    manifest = Release.model_validate_json(fs.cat_file(f"{BUCKET}/release/manifest.json"))
    files = [fs.cat_file(f"{BUCKET}/release/{file.path}") for file in manifest.files]
    return manifest.version, {name for file in files for name in pq.read_table(io.BytesIO(file))["repo_id"].to_pylist()}


def test_nights_without_a_local_file(
    night: Callable[..., Grown], hub: LoopbackHub, endpoint: LlmServer, elsewhere: dict[str, object]
) -> None:
    names = [f"shop/r{n}" for n in range(4)]
    for n, name in enumerate(names):
        add_reviews(hub, name, start=n * 100)
    first = night(**elsewhere)
    assert first.report.grown == 4 and first.report.release_errors == {}
    assert sources() == (1, set(names))
    llm = sum(endpoint.seen.attempts.values())
    hub.reset_counts()
    second = night(**elsewhere)
    assert second.runs == [] and asked(hub) == {"": {"list": 1}}
    assert [made.changed for made in second.report.releases.values()] == [False]
    hub.edit_rows("shop/r0")
    hub.relicense("shop/r1", "cc-by-nd-4.0")
    third = night(**elsewhere)
    assert {run.name.split()[1] for run in third.runs} == {"shop/r0"}
    assert sum(endpoint.seen.attempts.values()) == llm
    assert sources() == (2, {"shop/r0", "shop/r2", "shop/r3"})
