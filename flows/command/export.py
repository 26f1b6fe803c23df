"""`dynosaur export`: the grown dataset in the forms that others read."""

from __future__ import annotations

from collections.abc import Iterator

from dynosaur_core.catalog.jsonl import write_exports
from dynosaur_core.clients import Clients
from dynosaur_core.contributions import Contributions
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.export import FORMATS, config_lines, write_records
from dynosaur_core.growth import refusal_of
from dynosaur_core.metadata.stage import read_metadata
from dynosaur_core.models import DatasetMetadata
from dynosaur_core.traces import read_trace


def export(clients: Clients, form: str, to: str) -> int:
    """Writes the grown dataset in one of `FORMATS`, or the two files of 2023 with `reference`; gives the lines."""
    if form in FORMATS:
        entries = Contributions(clients.ledger, clients.store)
        return write_records((entry.contribution for entry in entries), clients.store, form, to)
    if form != "reference":
        raise DynosaurError(Code.BAD_SETTING, f"unknown format {form!r}: {', '.join([*FORMATS, 'reference'])}")
    base = to.rstrip("/")
    lines = config_lines(_grown_metadata(clients), clients.store)
    return write_exports(lines, f"{base}/huggingface_metadata.jsonl", f"{base}/huggingface_data.jsonl")


def _grown_metadata(clients: Clients) -> Iterator[DatasetMetadata]:
    """Metadata of everything that is grown: as its last branch read it, else read again."""
    settings = clients.settings
    for entry in clients.ledger.entries(released=True):
        metadata = read_trace(clients.store, entry.repo_id).metadata
        if not isinstance(metadata, DatasetMetadata):
            ref = entry.dataset_ref()
            metadata = read_metadata(ref, clients.catalog, clients.store, settings.sampling, settings.policy)
        if refusal_of(metadata) is None:
            yield metadata
