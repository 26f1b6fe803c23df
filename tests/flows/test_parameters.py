"""Parameters of the flows that grow: `options`, and what deployments of earlier versions hold instead."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from prefect.exceptions import ParameterTypeError, SignatureMismatchError

from flows.backfill import backfill
from flows.choice import Choice
from flows.grow import grow
from flows.options import Options


def test_options_are_taken_as_a_form_sends_them() -> None:
    empty = {name: field.default for name, field in Options.model_fields.items()}
    assert grow.validate_parameters({"options": empty}) == {"options": Options()}
    assert grow.validate_parameters({"options": {"limit": 3, "since": "2026-01-31"}})["options"] == Options(
        limit=3, since=datetime(2026, 1, 31, tzinfo=UTC)
    )
    assert grow.validate_parameters({}) == {"options": Options()}


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"catalog": "c", "limit": 3}, Options(catalog="c", limit=3)),
        ({"catalog": "c", "store": None, "adopt": True}, Options(catalog="c", adopt=True)),
        ({"catalog": "c", "options": {"catalog": "d"}}, Options(catalog="d")),
        ({"catalog": "c", "options": {"store": "s"}}, Options(catalog="c", store="s")),
    ],
)
def test_options_of_an_earlier_deployment_are_parameters_of_their_own(given: dict[str, Any], options: Options) -> None:
    assert grow.validate_parameters(given) == {"options": options}
    found = backfill.validate_parameters({"choice": {"datasets": ["a/*"]}, "dry_run": True, **given})
    assert found == {"choice": Choice(datasets=["a/*"]), "dry_run": True, "options": options}


@pytest.mark.parametrize(
    "given", [{"options": {"recipe": "nope"}}, {"limit": 0}, {"options": {"nope": 1}}, {"nope": 1}]
)
def test_options_that_are_none_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises((ParameterTypeError, SignatureMismatchError)):
        grow.validate_parameters(given)
