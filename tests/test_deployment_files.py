"""The files of `deployments/`: well-formed, and every command, option and variable in them is one that exists."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml
from prefect.cli._app import _app as prefect_app
from prefect.settings import Settings as PrefectSettings
from prefect.settings.legacy import _get_valid_setting_names

from dynosaur_core.figures import samples
from dynosaur_core.models import GrowthPlan, Usage
from dynosaur_core.report import GrowthReport
from dynosaur_core.setting_names import check_variables
from dynosaur_core.settings import Settings
from flows.command.main import app
from flows.command.serve import variables

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deployments"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
OBJECTS = [each for path in sorted((FOLDER / "kubernetes").iterdir()) for each in yaml.safe_load_all(path.read_text())]
UNITS = sorted((FOLDER / "systemd").glob("*.service"))
OTHERS = {"OPENAI_API_KEY", "HF_TOKEN", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "DO_NOT_TRACK"}


def _pods() -> Iterator[dict[str, Any]]:
    for found in OBJECTS:
        if found["kind"] == "Deployment":
            pod = found["spec"]["template"]["spec"]
            yield from [*pod.get("initContainers", []), *pod["containers"]]


def _of_env_file(path: Path) -> list[str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [line.partition("=")[0] for line in lines]


def _unit(path: Path, key: str) -> list[str]:
    return [value for name, _, value in (line.partition("=") for line in path.read_text().splitlines()) if name == key]


def _commands() -> list[list[str]]:
    found = [service["command"] for service in COMPOSE["services"].values() if "command" in service]
    found += [pod["command"] for pod in _pods()]
    found += [shlex.split(command) for unit in UNITS for command in _unit(unit, "ExecStart")]
    return [[Path(command[0]).name, *command[1:]] for command in found]


def _of_document(path: Path) -> list[list[str]]:
    """Commands in a document: lines of its code blocks, and what stands between backticks."""
    text = path.read_text()
    lines = [line.strip() for line in re.findall(r"^ {4}(.+)$", text, re.MULTILINE)]
    written = [part for line in lines for part in re.split(r"&&|  #", line)] + re.findall(r"`([^`\n]+)`", text)
    found = (re.search(r"(?:^|/)((?:dynosaur|prefect) [a-z-].*)", part.strip()) for part in written)
    texts = (each[1].replace("...", "x").replace("prefect --no-prompt ", "prefect ") for each in found if each)
    return [shlex.split(text) for text in texts if not text.endswith("--help")]


DOCUMENTS = [*_of_document(ROOT / "docs/runbook.md"), *_of_document(FOLDER / "README.md")]


def _variables() -> set[str]:
    names = {name for service in COMPOSE["services"].values() for name in service.get("environment", {})}
    names |= {each["name"] for pod in _pods() for each in pod.get("env", [])}
    names |= {value.partition("=")[0] for unit in UNITS for value in _unit(unit, "Environment")}
    names |= {name for path in FOLDER.glob("*.env") for name in _of_env_file(path)}
    return names | set(re.findall(r"(?:ENV|\s)\s*([A-Z][A-Z_]+)=", (FOLDER / "Dockerfile").read_text()))


def _check(command: list[str]) -> None:
    """Raises where the program has no such command or option; nothing is run."""
    if command[0] == "dynosaur":
        group = typer.main.get_command(app)
        context = group.make_context("dynosaur", command[1:])
        name, found, rest = group.resolve_command(context, command[1:])  # type: ignore[attr-defined]
        found.make_context(name, rest, parent=context)
        return
    prefect_app.parse_args(command[1:], print_error=False, exit_on_error=False)


@pytest.mark.parametrize("command", [*_commands(), *DOCUMENTS], ids=" ".join)
def test_commands_of_the_files_exist(command: list[str]) -> None:
    assert command[0] in ("dynosaur", "prefect")
    _check(command)


@pytest.mark.parametrize("command", ["prefect server begin", "prefect worker start --pol x", "dynosaur deploy --al"])
def test_commands_that_do_not_exist_are_found(command: str) -> None:
    with pytest.raises((Exception, SystemExit)):
        _check(command.split())


def test_variables_of_the_files_are_settings() -> None:
    found = _variables()
    assert len(found) > 15
    check_variables(Settings, dict.fromkeys(found, ""))
    unknown = {name for name in found if not name.startswith("DYNOSAUR_")} - OTHERS
    assert unknown <= _get_valid_setting_names(PrefectSettings)


def test_variables_of_the_server_are_those_that_serve_sets() -> None:
    of_file = dict(
        line.split("=", 1) for line in (FOLDER / "server.env").read_text().splitlines() if not line.startswith("#")
    )
    own = variables({"PREFECT_SERVER_ANALYTICS_ENABLED": "false"}, "http://a/api", "http://a")
    assert of_file.items() <= own.items()


@pytest.mark.parametrize("found", OBJECTS, ids=lambda found: f"{found['kind']} {found['metadata']['name']}")
def test_kubernetes_objects_follow_their_schemas(found: dict[str, Any]) -> None:
    kubernetes_validate.validate(found, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kubernetes_objects_are_put_together() -> None:
    done = subprocess.run(["kubectl", "kustomize", FOLDER], capture_output=True, text=True, check=True)
    built = list(yaml.safe_load_all(done.stdout))
    assert len(built) == len(OBJECTS) + 1
    assert {found["metadata"]["namespace"] for found in built} == {"dynosaur"}


def test_compose_services_wait_for_one_another_and_their_files_are_there() -> None:
    services, volumes = COMPOSE["services"], set(COMPOSE["volumes"])
    for service in services.values():
        for name, how in service.get("depends_on", {}).items():
            assert name in services
            assert how["condition"] != "service_healthy" or "healthcheck" in services[name]
        for path in service.get("env_file", []):
            assert (FOLDER / path.replace("operator.env", "operator.example.env")).is_file()
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in volumes
    build = services["worker"]["build"]
    assert (FOLDER / build["context"] / build["dockerfile"]).is_file()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_units_are_whole(unit: Path, tmp_path: Path) -> None:
    for each in UNITS:  # their programs are looked for
        text = (
            each.read_text().replace("/opt/dynosaur/.venv/bin/prefect", "/bin/true").replace("=dynosaur\n", "=root\n")
        )
        (tmp_path / each.name).write_text(text)
    command = ["systemd-analyze", "verify", "--recursive-errors=no", str(tmp_path / unit.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and unit.name not in done.stderr, done.stderr


def test_alerts_ask_for_figures_that_a_growth_publishes() -> None:
    report = GrowthReport("x", GrowthPlan(surveyed=0))
    report.usage = Usage(cost_usd=0.0)
    known = {f"dynosaur_{name}" for name in samples(report, 1.0)}
    [group] = yaml.safe_load((FOLDER / "prometheus-alerts.yaml").read_text())["groups"]
    asked = {name for rule in group["rules"] for name in re.findall(r"dynosaur_\w+", rule["expr"])}
    assert asked and asked <= known
