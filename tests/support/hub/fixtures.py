"""pytest fixtures; import them in a conftest.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.hub.hub import LoopbackHub


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """An empty loopback Hub; fails the test where the Hub itself broke."""
    with LoopbackHub() as running:
        yield running
    assert running.errors == []
