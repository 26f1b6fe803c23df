"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real datasets; tests that need it are skipped where DYNOSAUR_CORPUS is not set."""
    path = os.environ.get("DYNOSAUR_CORPUS")
    if not path or not Path(path).is_dir():
        pytest.skip("DYNOSAUR_CORPUS does not point to the corpus")
    return Path(path)
