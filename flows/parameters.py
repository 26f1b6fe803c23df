"""Flows whose parameters are `Options`: also for runs whose deployment was made by an earlier version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.logging import get_logger

from flows.options import Options

Given = ParamSpec("Given")
Result = TypeVar("Result")


class OptionsFlow(Flow[Given, Result]):
    """A flow with the parameter `options`. Deployments of earlier versions give each option as a parameter of its own;
    they are taken as such, those of `options` before them."""

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        flat = {name: value for name, value in parameters.items() if name in Options.model_fields}
        if flat:
            get_logger("dynosaur").warning("its deployment is of an earlier version: `prefect deploy --all` renews it")
            options = Options.model_validate(parameters.get("options") or {})
            given = {**flat, **options.model_dump(exclude_unset=True)}
            rest = {name: value for name, value in parameters.items() if name not in flat}
            parameters = {**rest, "options": {name: value for name, value in given.items() if value is not None}}
        return super().validate_parameters(parameters)


def flow_with_options(name: str) -> Callable[[Callable[Given, Result]], OptionsFlow[Given, Result]]:
    """Decorates a function as a flow of that name; its result is not kept."""
    return lambda function: OptionsFlow(function, name=name, persist_result=False)
