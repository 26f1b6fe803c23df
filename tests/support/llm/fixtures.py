"""Fixtures: a store in a temporary folder, and a client of a loopback endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dynosaur_core.llm.client import LlmClient
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from tests.support.llm import LlmServer

MakeClient = Callable[..., LlmClient]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def endpoint() -> Iterator[LlmServer]:
    with LlmServer() as server:
        yield server


@pytest.fixture
def client(endpoint: LlmServer, store: Store) -> MakeClient:
    def make(settings: Settings, **more: Any) -> LlmClient:
        return LlmClient(settings, store, base_url=endpoint.url, **more)

    return make
