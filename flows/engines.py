"""What runs the tasks of a growth or a wave: threads of its process, a Dask cluster, or Ray. The setting is
`waves.engine`; caching, names and states of task runs are the same on all of them."""

from __future__ import annotations

from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.settings import Settings


def task_runner(settings: Settings) -> TaskRunner[Any]:
    """The engine of these settings, to be entered. Raises BadSetting where its package is not installed."""
    engine = settings.waves.engine
    if engine == "threads":
        return ThreadPoolTaskRunner(max_workers=settings.concurrency)
    try:
        return _dask(settings) if engine == "dask" else _ray(settings)
    except ImportError as error:
        message = f"waves.engine is {engine}, and {error.name} is not installed: pip install 'dynosaur[{engine}]'"
        raise DynosaurError(Code.BAD_SETTING, message) from error


def _dask(settings: Settings) -> TaskRunner[Any]:
    from prefect_dask.task_runners import DaskTaskRunner

    runner: TaskRunner[Any]
    if settings.waves.address:
        runner = DaskTaskRunner(address=settings.waves.address)
        return runner
    # a thread each, since the parts of a stage that are Python take turns in a process anyway
    workers = {"n_workers": settings.concurrency, "threads_per_worker": 1, "dashboard_address": None}
    runner = DaskTaskRunner(cluster_kwargs=workers)
    return runner


def _ray(settings: Settings) -> TaskRunner[Any]:
    import ray  # noqa: F401 - prefect_ray asks for it only when it starts
    from prefect_ray import RayTaskRunner

    runner: TaskRunner[Any]
    if settings.waves.address:
        runner = RayTaskRunner(address=settings.waves.address)
        return runner
    here = {"num_cpus": settings.concurrency, "include_dashboard": False, "log_to_driver": False}
    runner = RayTaskRunner(init_kwargs=here)
    return runner
