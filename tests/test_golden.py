"""A stage with other results than before has another version: what is stored of before would else pass for new."""

from __future__ import annotations

import pytest

from tests.support.golden import PARTS, compute, forgotten, read


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, str]]:
    return compute()


@pytest.mark.parametrize("name", PARTS)
def test_results_change_with_their_version_only(name: str, results: dict[str, dict[str, str]]) -> None:
    why = forgotten(name, results[name])
    assert why is None, why
    kept = read()[name]
    assert (kept["version"], kept["results"]) == (PARTS[name].version, results[name]), "renew them: `make golden`"
