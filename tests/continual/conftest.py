"""A release of three versions, made as growths make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from dynosaur_core.models import Contribution
from dynosaur_core.publish.sinks import open_sink
from dynosaur_core.publish.stage import publish
from dynosaur_core.settings import Embedding, Publishing, ReleaseSettings, Settings
from dynosaur_core.store import Store
from tests.publish.conftest import NOW, describe, design, make_release, sample

VERSIONS: tuple[Mapping[str, Sequence[str]], ...] = (
    {
        "a/sentiment": ["Say whether the review is positive or negative.", "Name the mood of the review."],
        "a/copy": ["Say whether the review is positive or negative."],
        "b/math": ["Solve the equation for x."],
    },
    {"c/french": ["Translate the sentence into French."], "d/facts": ["Answer the question about the passage."]},
    {"e/german": ["Translate the sentence into German."]},
)
"""repo id -> the instructions of its tasks, for each version of the release."""
ROWS = 6


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def grown(tmp_path: Path, store: Store) -> Settings:
    """Settings of a release with the three versions, each in a file of its own."""
    url = str(tmp_path / "release")
    wanted: list[Contribution] = []
    for version in VERSIONS:
        wanted += [contribute(store, repo_id, instructions) for repo_id, instructions in version.items()]
        release_to(url, store, wanted)
    return settings_of(url, store)


def settings_of(url: str, store: Store) -> Settings:
    return Settings(release=(url,), store=store.url, embedding=Embedding(encoder="hashing"))


def release_to(url: str, store: Store, wanted: Sequence[Contribution]) -> None:
    sink = open_sink(url, ReleaseSettings())
    make_release(wanted, sink, store, ReleaseSettings(), NOW, [])


def contribute(store: Store, repo_id: str, instructions: Sequence[str], license: str = "mit") -> Contribution:
    """A contribution of `ROWS` records a task."""
    texts = [f"{repo_id} {number}" for number in range(ROWS)]
    rows = pa.table({"text": texts, "label": [f"label of {text}" for text in texts]})
    tasks = [design("text", "label", instruction=text, repo_id=repo_id) for text in instructions]
    return publish(describe(sample(store, rows), repo_id=repo_id, license=license), tasks, store, Publishing())
