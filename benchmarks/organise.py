"""Organising: rows into records, in columns (`publish`) beside row by row as the 2023 rules read.

    DYNOSAUR_CORPUS=... python benchmarks/organise.py [--tasks 5600] [--original organize_data.py]

The corpus's configs are sampled (100 rows of each train and validation split), and its designs of 2023 that can be
rendered are repeated under other names. Each contender runs in a process of its own on one core, and the best of three
runs counts: rows are read from disk and records written to disk, to new files, within the measured time. Baseline:
`selected_data` as JSON in, one list of records, JSON out, plain loops over dicts. `--original` names the script of
2023 in a checkout of its repository: it runs as it is, on files of the form that it reads.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynosaur_core.store import Store

ROWS_PER_SPLIT = 100
TASKS_PER_REPOSITORY = 19
SPLITS = ("train", "validation")


@dataclass
class Measured:
    contender: str
    tasks: int
    records: int
    wall_s: float
    cpu_s: float
    peak_mb: float


def prepare(corpus: Path, work: Path) -> int:
    """Writes each design's rows as parquet (for `publish`) and JSON (for the baseline); gives the number of designs."""
    import datasets
    import pyarrow as pa

    from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN
    from dynosaur_core.store import Store

    datasets.disable_progress_bars()
    store = Store(str(work / "store"))
    designs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in (corpus / "gpt35.jsonl").read_text().splitlines():
        design = json.loads(line)
        designs.setdefault((design["dataset"], design["config"]), []).append(design)
    prepared = []
    for (dataset, config), own in designs.items():
        tables = []
        for split in SPLITS:
            try:
                loaded = datasets.load_dataset(
                    str(corpus / "hub" / dataset),
                    config,
                    split=f"{split}[:{ROWS_PER_SPLIT}]",
                    cache_dir=str(work / "hf"),
                )
            except ValueError:
                continue  # the config has no such split
            rows = loaded.to_list()
            for name, feature in loaded.features.items():
                if isinstance(feature, datasets.ClassLabel):
                    for row in rows:
                        row[name] = feature.int2str(row[name]) if row[name] is not None and row[name] >= 0 else None
            places = [{SPLIT_COLUMN: split, ROW_COLUMN: number} for number in range(len(rows))]
            tables.append(pa.Table.from_pylist([row | place for row, place in zip(rows, places, strict=True)]))
        if not tables:
            continue
        table = pa.concat_tables(tables, promote_options="permissive")
        usable = [design for design in own if _usable(design, table)]
        if usable:
            digest, size = store.write_table("rows", table)
            plain = table.drop_columns([SPLIT_COLUMN, ROW_COLUMN]).to_pylist()
            prepared.append((dataset, config, digest, table.num_rows, size, usable))
            (work / f"{digest}.json").write_text(json.dumps({"selected_data": plain}, default=str))
    (work / "designs.json").write_text(json.dumps(prepared))
    return sum(len(usable) for *_, usable in prepared)


def _usable(design: dict[str, Any], table: Any) -> bool:
    import pyarrow as pa

    fields = [*design["input_fields"], *design["output_field"][:1]]
    known = bool(design["input_fields"] and design["output_field"]) and set(fields) <= set(table.column_names)
    return known and not pa.types.is_nested(table.schema.field(design["output_field"][0]).type)


def columns(work: Path, copies: range, recipe: str) -> tuple[int, int]:
    """`publish` for every dataset and copy, into a store of this process; gives tasks and records."""
    import pyarrow as pa

    from dynosaur_core.models import DatasetMetadata, DatasetRef, InstructionTask, Mode, RowsHandle, Subset
    from dynosaur_core.publish.stage import publish
    from dynosaur_core.settings import Publishing

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    store, settings = new_store(work), Publishing.model_validate({"recipe": recipe})
    tasks = records = 0
    for copy in copies:
        for dataset, own in _repositories(work):
            repo_id = f"{dataset}-{copy}"
            metadata = DatasetMetadata(
                ref=DatasetRef(repo_id=repo_id, revision="0" * 40),
                title=repo_id,
                website=f"https://huggingface.co/datasets/{repo_id}",
                licenses=(),
                license="mit",
                languages=("en",),
                subsets=tuple(
                    Subset(
                        config=f"{source}/{config}",
                        splits=(),
                        fields=(),
                        rows=RowsHandle(digest=name, rows=rows, size_bytes=size),
                    )
                    for source, config, name, rows, size, _ in own
                ),
            )
            designs = [
                InstructionTask(
                    repo_id=repo_id,
                    config=f"{design['dataset']}/{design['config']}",
                    instruction=design["instruction"],
                    input_fields=tuple(design["input_fields"]),
                    output_field=design["output_field"][0],
                    labels=tuple(design["answers"] or ()),
                    mode=Mode.DESCRIPTION_AWARE,
                    model="gpt-3.5-turbo",
                )
                for *_, usable in own
                for design in usable
            ]
            contribution = publish(metadata, designs, store, settings)
            tasks += len(designs)
            records += contribution.shard.records
    return tasks, records


def new_store(work: Path) -> Store:
    """A store of this process alone that holds the prepared rows: what it writes is not there yet."""
    from dynosaur_core.store import Store

    store = Store(str(work / f"store-{os.getpid()}"))
    if not Path(store.path("rows")).exists():
        Path(store.root).mkdir()
        Path(store.path("rows")).symlink_to(work / "store" / "rows")
    return store


def rows(work: Path, copies: range) -> tuple[int, int]:
    """The rules of 2023, one row at a time, all records in one list and one file; gives tasks and records."""
    made: list[dict[str, str]] = []
    tasks = 0
    for copy in copies:
        for dataset, own in _repositories(work):
            for _, config, name, *_, usable in own:
                data = json.loads((work / f"{name}.json").read_text())["selected_data"]
                for design in usable:
                    tasks += 1
                    made += organise_rows(design, data, f"{dataset}-{copy}", config)
    (work / "records.json").write_text(json.dumps(made))
    return tasks, len(made)


def organise_rows(
    design: dict[str, Any], data: list[dict[str, Any]], dataset: str, config: str
) -> Iterator[dict[str, str]]:
    """The records of one design, by the rules of 2023."""
    answers = design["answers"]
    instruction = design["instruction"]
    if answers and all(len(answer) <= 15 for answer in answers):
        instruction = f"{instruction} Answers must be one of {', '.join(answers)}."
    output_field = design["output_field"][0]
    several = len(design["input_fields"]) > 1
    for row in data:
        text = ""
        for field in design["input_fields"]:
            value = row[field]
            if isinstance(value, list):
                if not all(isinstance(item, str) for item in value):
                    break
                if "choice" in field:
                    items = " " + ", ".join(f"{chr(65 + i)}. '{item}'" for i, item in enumerate(value)) + "."
                else:
                    items = ", ".join(f"'{item}'" for item in value) + ". "
                text += f"{field} is {items}" if several else items
            elif isinstance(value, str | int | float):
                text += f"{field} is '{value}'. " if several else str(value)
            else:
                break
        else:
            if row[output_field] is None:
                return
            yield {
                "instruction": instruction,
                "input": text[:2000],
                "output": str(row[output_field])[:2000],
                "license": "mit",
                "website": f"https://huggingface.co/datasets/{dataset}",
                "taskname": f"{dataset}-{config}",
            }


def _repositories(work: Path) -> Iterator[tuple[str, list[Any]]]:
    """The prepared configs, dealt out to repositories with as many tasks each as in 2023 (5,740 tasks, about 300)."""
    held: list[Any] = []
    for number, entry in enumerate(json.loads((work / "designs.json").read_text())):
        held.append(entry)
        if sum(len(usable) for *_, usable in held) >= TASKS_PER_REPOSITORY:
            yield f"bench/{number}", held
            held = []
    if held:
        yield "bench/rest", held


def lay_out(work: Path, copies: range) -> None:
    """The files that the script of 2023 reads, at the places where it looks for them."""
    (work / "code" / "run").mkdir(parents=True, exist_ok=True)
    (work / "instruction_data").mkdir(exist_ok=True)
    instructions: list[dict[str, Any]] = []
    with (work / "instruction_data" / "huggingface_data.jsonl").open("w") as file:
        for copy in copies:
            for dataset, own in _repositories(work):
                for source, config, name, *_, usable in own:
                    held = json.loads((work / f"{name}.json").read_text())
                    task_name = f"{dataset}-{copy}/{source}/{config}"
                    facts = {"task_name": task_name, "license": "mit", "website": f"https://huggingface.co/{dataset}"}
                    file.write(json.dumps({**facts, **held}) + "\n")
                    instructions += [{**design, "task_name": task_name} for design in usable]
    (work / "instruction_data" / "raw_instructions_full.json").write_text(json.dumps(instructions))


def original(work: Path, script: str) -> tuple[int, int]:
    """The script of 2023; it prints the tasks that its rule for labels leaves, then tasks and records."""
    said = io.StringIO()
    with contextlib.chdir(work / "code" / "run"), contextlib.redirect_stdout(said):
        runpy.run_path(script)
    _, tasks, records = map(int, said.getvalue().split())
    return tasks, records


CONTENDERS: dict[str, Callable[[Path, range], tuple[int, int]]] = {
    "row by row (2023 rules)": rows,
    "publish, recipe reference": lambda work, copies: columns(work, copies, "reference"),
    "publish, recipe default": lambda work, copies: columns(work, copies, "default"),
}


def measure(contender: str, work: Path, copies: int) -> Measured:
    if contender in CONTENDERS:
        run = CONTENDERS[contender]
        run(work, range(-1, 0))  # imports and page cache are not what is measured
    else:
        lay_out(work, range(copies))

        def run(work: Path, _copies: range) -> tuple[int, int]:
            return original(work, contender)

    wall, cpu = time.perf_counter(), time.process_time()
    tasks, records = run(work, range(copies))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(contender, tasks, records, wall, cpu, peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=5_600)
    parser.add_argument("--original", metavar="SCRIPT", help="organize_data.py of 2023")
    parser.add_argument("--run", nargs=3, metavar=("CONTENDER", "WORK", "COPIES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        contender, work, copies = arguments.run
        print(json.dumps(asdict(measure(contender, Path(work), int(copies)))))
        return
    with tempfile.TemporaryDirectory(prefix="dynosaur-organise-") as folder:
        designs = prepare(Path(os.environ["DYNOSAUR_CORPUS"]), Path(folder))
        copies = -(-arguments.tasks // designs)
        print(f"{designs} designs, {copies} copies; one core\n")
        print("| contender | tasks | records | CPU s | records/s | to baseline | peak MB | at half the tasks |")
        print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
        baseline = 0.0
        for contender in [*([str(Path(arguments.original).resolve())] if arguments.original else []), *CONTENDERS]:
            half = _measured(contender, folder, copies // 2)
            full = min((_measured(contender, folder, copies) for _ in range(3)), key=lambda run: run.cpu_s)
            speed = full.records / full.cpu_s
            baseline = baseline or speed
            print(
                f"| {Path(contender).name} | {full.tasks:,} | {full.records:,} | {full.cpu_s:.2f} | {speed:,.0f} "
                f"| {speed / baseline:.1f} | {full.peak_mb:.0f} | {half.peak_mb:.0f} |"
            )


def _measured(contender: str, folder: str, copies: int) -> Measured:
    command = [sys.executable, __file__, "--run", contender, folder, str(copies)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return Measured(**json.loads(ran.stdout))


if __name__ == "__main__":
    main()
