"""Data that comes with the package: the demo's catalogue, described in README.md beside this file."""

from __future__ import annotations

from pathlib import Path


def bundled_catalog() -> Path:
    """The demo's datasets: a folder in the Hub's layout, `<owner>/<name>/`."""
    return Path(__file__).parent / "catalog"
