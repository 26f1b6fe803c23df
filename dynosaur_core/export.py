"""The grown dataset in the forms that others read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN, Contribution, DatasetMetadata

# The store brings Arrow: tenths of a second that `--help` need not wait for.
if TYPE_CHECKING:
    from dynosaur_core.store import Store

Record = dict[str, Any]


def alpaca(record: Record) -> Record:
    """{instruction, input, output}."""
    return {name: record[name] for name in ("instruction", "input", "output")}


def messages(record: Record) -> Record:
    """A chat of two turns, as most trainers read it."""
    question = f"{record['instruction']}\n\n{record['input']}"
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": record["output"]}]}


def tk_instruct(record: Record) -> Record:
    """The fields of Super-NaturalInstructions' training lines: Task, Definition, Instance."""
    instance = {
        "id": f"{record['task_id']}-{record['split']}-{record['row']}",
        "input": record["input"],
        "output": record.get("references") or [record["output"]],
    }
    return {"Task": record["task_id"], "Definition": [record["instruction"]], "Instance": instance}


LineForm = Literal["alpaca", "messages", "tk-instruct"]
FORMATS: dict[LineForm, Callable[[Record], Record]] = {
    "alpaca": alpaca,
    "messages": messages,
    "tk-instruct": tk_instruct,
}
Form = Literal[LineForm, "reference"]
"""What `dynosaur export` writes; `reference` are the two files of 2023."""


def records(contributions: Iterable[Contribution], store: Store) -> Iterator[Record]:
    """All records of the contributions, in their order; memory holds one batch."""
    for contribution in contributions:
        with store.open_table("records", contribution.shard.digest, contribution.repo_id) as file:
            for batch in file.iter_batches(2_000):
                yield from batch.to_pylist()


def write_records(contributions: Iterable[Contribution], store: Store, form: LineForm, url: str) -> int:
    """Writes one JSON line per record; returns their number. The file appears when it is whole."""
    from dynosaur_core.store import written_whole

    shape = FORMATS[form]
    count = 0
    with written_whole(url) as file:
        for record in records(contributions, store):
            file.write(json.dumps(shape(record), ensure_ascii=False).encode() + b"\n")
            count += 1
    return count


def config_lines(metadata: Iterable[DatasetMetadata], store: Store) -> Iterator[tuple[Record, list[Record]]]:
    """Per config, its facts under the keys of 2023 and its sampled rows: what `write_exports` takes."""
    for dataset in metadata:
        for subset in dataset.subsets:
            if subset.rows is None:
                continue
            table = store.read_table("rows", subset.rows.digest).drop_columns([SPLIT_COLUMN, ROW_COLUMN])
            alone = len(dataset.subsets) == 1 and subset.config == "default"
            facts = {
                "task_name": dataset.ref.repo_id if alone else f"{dataset.ref.repo_id}-{subset.config}",
                "multilinguality": list(dataset.multilinguality),
                "summary": dataset.summary,
                "supported_task": dataset.supported_tasks,
                "data_fields": [field.name for field in subset.fields],
                "task_category": list(dataset.task_categories),
                "task_ids": list(dataset.task_ids),
                "license": dataset.license,
                "website": f"https://huggingface.co/datasets/{dataset.ref.repo_id}",
                "languages": list(dataset.languages),
            }
            yield facts, table.to_pylist()
