"""`dynosaur export`: the grown dataset in the forms that others read."""

from __future__ import annotations

from collections.abc import Iterator

from dynosaur_core.clients import Clients
from dynosaur_core.contributions import Contributions
from dynosaur_core.export import Form, config_lines, write_records
from dynosaur_core.models import DatasetMetadata
from dynosaur_core.results import Result
from dynosaur_core.traces import read_trace
from flows.command.counting import counted
from flows.command.screen import Screen


class Exported(Result):
    """What was written."""

    format: Form
    to: str
    lines: int


def export(clients: Clients, form: Form, to: str) -> Exported:
    """Writes the grown dataset: a line per record, or the two files of 2023 with `reference`."""
    if form == "reference":
        from dynosaur_core.catalog.jsonl import write_exports

        base = to.rstrip("/")
        configs = config_lines(_grown_metadata(clients), clients.store)
        lines = write_exports(configs, f"{base}/huggingface_metadata.jsonl", f"{base}/huggingface_data.jsonl")
    else:
        entries = Contributions(clients.ledger, clients.store)
        lines = write_records((entry.contribution for entry in entries), clients.store, form, to)
    return Exported(format=form, to=to, lines=lines)


def show_exported(found: Exported, screen: Screen) -> None:
    screen.line(f"{counted(found.lines, 'line')} to {found.to}")


def _grown_metadata(clients: Clients) -> Iterator[DatasetMetadata]:
    """Metadata of everything that is grown: as its last branch read it, else read again."""
    from dynosaur_core.growth import refusal_of  # with what reads datasets: seconds that the other forms need not wait
    from dynosaur_core.metadata.stage import read_metadata

    settings = clients.settings
    for entry in clients.ledger.entries(released=True):
        metadata = read_trace(clients.store, entry.repo_id).metadata
        if not isinstance(metadata, DatasetMetadata):
            ref = entry.dataset_ref() or clients.catalog.ref(entry.repo_id)
            metadata = read_metadata(ref, clients.catalog, clients.store, settings.sampling, settings.policy)
        if refusal_of(metadata) is None:
            yield metadata
