"""Flows whose parameter is `options`: also for runs whose deployment was made by an earlier version."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.logging import get_logger

from flows.options import Options

Given = ParamSpec("Given")
Result = TypeVar("Result")


class OptionsFlow(Flow[Given, Result]):
    """A flow with the parameter `options`. Deployments of earlier versions have each option as a parameter of its own:
    these are taken too, those of `options` before them. The form shows none of them."""

    def __init__(self, function: Callable[Given, Result], name: str, run_name: Callable[[], str]) -> None:
        super().__init__(function, name=name, persist_result=False, flow_run_name=run_name)
        self.fn = _taking_each(function)  # the form is that of `function`

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return _without_each(super().validate_parameters(_together(parameters)))

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return super().serialize_parameters(_without_each(parameters))


def flow_with_options(
    name: str, run_name: Callable[[], str]
) -> Callable[[Callable[Given, Result]], OptionsFlow[Given, Result]]:
    """Decorates a function as a flow of that name, whose runs are named by `run_name`; its result is not kept."""
    return lambda function: OptionsFlow(function, name, run_name)


def _taking_each(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """`function` with each option as a parameter of its own, as Prefect looks for it in the signature before it lets a
    flow look at its parameters."""

    def run(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        return function(*args, **kwargs)

    signature = inspect.signature(function, eval_str=True)
    each = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in Options.model_fields]
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *each])  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    run.__name__, run.__qualname__, run.__module__ = function.__name__, function.__qualname__, function.__module__
    run.__doc__ = function.__doc__
    return run


def _without_each(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in Options.model_fields}


def _together(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with each option in `options`."""
    given = {name: parameters[name] for name in Options.model_fields if parameters.get(name) is not None}
    if not given:
        return _without_each(parameters)
    get_logger("dynosaur").warning("its deployment is of an earlier version: `prefect deploy --all` renews it")
    options = Options.model_validate(parameters.get("options") or {})
    return {**_without_each(parameters), "options": {**given, **options.model_dump(exclude_unset=True)}}
