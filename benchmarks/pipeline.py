"""Filter and organise together: designs and sampled rows into records on one core.

    DYNOSAUR_CORPUS=... python benchmarks/pipeline.py [--records 696341]

The corpus is sampled as a growth samples it (100 rows of each split). Its designs of 2023, good and bad ones, and those
of the rule-based designer go through the filter, and the accepted ones through publish; all is repeated under other
names until the default recipe has made the records. Designs, metadata and rows are read from disk and records written
to disk within the measured time. Each contender runs in a process of its own over the same copies, and the faster of
two runs counts. Baseline: the rules of 2023 in plain loops over dicts, JSON in, JSON out, one list of records.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from organise import new_store, organise_rows

RECORDS_OF_2023 = 696_341
FILTER_OF_2023, ORGANISE_OF_2023 = 3.4, 18.6
"""Seconds on one core that the scripts of 2023 took for 5,632 tasks with these many records."""


@dataclass
class Measured:
    designs: int = 0
    tasks: int = 0
    records: int = 0
    cpu_s: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "filter": 0.0, "organise": 0.0})
    wall_s: float = 0.0
    peak_mb: float = 0.0
    _last: float = 0.0

    def start(self) -> None:
        self._last = time.process_time()

    def lap(self, step: str) -> None:
        """The CPU time since the last lap was this step's."""
        now = time.process_time()
        self.cpu_s[step] += now - self._last
        self._last = now


def prepare(corpus: Path, work: Path) -> None:
    """Writes the sampled rows, and per dataset its metadata and proposals; for the baseline both as plain JSON."""
    import datasets

    from dynosaur_core.catalog.folder import FolderCatalog
    from dynosaur_core.instruction.rules import design_by_rules
    from dynosaur_core.metadata.stage import read_subsets
    from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN, DatasetMetadata, Mode, Proposal, TaskDesign
    from dynosaur_core.settings import Settings
    from dynosaur_core.store import Store

    datasets.disable_progress_bars()
    catalog, store = FolderCatalog(corpus / "hub"), Store(str(work / "store"))
    # test splits too: some of the corpus's datasets have no other
    sampling = Settings().sampling.model_copy(update={"include_test": True})
    designs: dict[str, dict[str, list[TaskDesign]]] = {}
    for line in (corpus / "gpt35.jsonl").read_text(encoding="utf-8").splitlines():
        given = json.loads(line)
        inputs, outputs = tuple(given["input_fields"]), tuple(given["output_field"])
        design = TaskDesign(instruction=given["instruction"], input_fields=inputs, output_fields=outputs)
        designs.setdefault(given["dataset"], {}).setdefault(given["config"], []).append(design)
    (work / "datasets").mkdir()
    for number, (repo_id, by_config) in enumerate(sorted(designs.items())):
        ref = catalog.ref(repo_id)
        subsets, _ = read_subsets(ref, catalog.open(ref), store, sampling, detect=False)
        metadata = DatasetMetadata(
            ref=ref, title=repo_id, website="", licenses=(), license="mit", languages=("en",), subsets=subsets
        )
        proposals, plain = [], []
        for subset in subsets:
            if subset.rows is None:
                continue
            table = store.read_table("rows", subset.rows.digest)
            by_rules = design_by_rules(metadata, subset, table)
            by_model = Proposal(
                config=subset.config,
                mode=Mode.DESCRIPTION_AWARE,
                request_digest="",
                model="gpt-3.5-turbo",
                designs=tuple(by_config.get(subset.config, ())),
                shown_fields=subset.field_names,
            )
            proposals += [by_model, by_rules]
            data = work / f"{subset.rows.digest}.json"
            rows = table.drop_columns([SPLIT_COLUMN, ROW_COLUMN]).to_pylist()
            data.write_text(json.dumps({"selected_data": rows}, default=str))
            both = [design.model_dump() for design in by_model.designs + by_rules.designs]
            plain.append({"config": subset.config, "data": str(data), "designs": both})
        folder = work / "datasets" / f"{number:03d}"
        folder.mkdir()
        (folder / "metadata.json").write_text(metadata.model_dump_json())
        (folder / "proposals.json").write_text(f"[{','.join(each.model_dump_json() for each in proposals)}]")
        (folder / "plain.json").write_text(json.dumps({"dataset": repo_id, "configs": plain}))


def stages(work: Path, copies: range, recipe: str) -> Measured:
    """`filter_tasks` and `publish` for every dataset and copy."""
    import pyarrow as pa
    from pydantic import TypeAdapter

    from dynosaur_core.filter.stage import filter_tasks
    from dynosaur_core.instruction.examples import EXAMPLE_INSTRUCTIONS
    from dynosaur_core.models import DatasetMetadata, Proposal
    from dynosaur_core.publish.stage import publish
    from dynosaur_core.settings import Filtering, Publishing

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    store, made, several = new_store(work), Measured(), TypeAdapter(list[Proposal])
    filtering, publishing = (kind.model_validate({"recipe": recipe}) for kind in (Filtering, Publishing))
    made.start()
    for copy in copies:
        for folder in sorted((work / "datasets").iterdir()):
            metadata = DatasetMetadata.model_validate_json((folder / "metadata.json").read_bytes())
            proposals = several.validate_json((folder / "proposals.json").read_bytes())
            repo_id = f"{metadata.ref.repo_id}-{copy}"
            metadata = metadata.model_copy(update={"ref": metadata.ref.model_copy(update={"repo_id": repo_id})})
            made.lap("read")
            result = filter_tasks(
                repo_id,
                metadata.subsets,
                proposals,
                lambda subset: store.read_table("rows", subset.rows.digest) if subset.rows else None,
                filtering,
                EXAMPLE_INSTRUCTIONS,
            )
            made.lap("filter")
            contribution = publish(metadata, result.tasks, store, publishing)
            made.lap("organise")
            made.designs += sum(len(proposal.designs) for proposal in proposals)
            made.tasks += len(result.tasks)
            made.records += contribution.shard.records
    return made


def rows(work: Path, copies: range) -> Measured:
    """The rules of 2023, one design and one row at a time."""
    made, records = Measured(), []
    made.start()
    for copy in copies:
        for folder in sorted((work / "datasets").iterdir()):
            given = json.loads((folder / "plain.json").read_text())
            made.lap("read")
            for config in given["configs"]:
                data = json.loads(Path(config["data"]).read_text())["selected_data"]
                made.lap("read")
                kept = _filter_rows(config["designs"], data)
                made.lap("filter")
                for design in kept:
                    if (answers := _answers(design, data)) is not None:
                        made.tasks += 1
                        listed = design | {"answers": answers, "output_field": design["output_fields"]}
                        records += organise_rows(listed, data, f"{given['dataset']}-{copy}", config["config"])
                made.lap("organise")
                made.designs += len(config["designs"])
    (work / f"records-{os.getpid()}.json").write_text(json.dumps(records))
    made.lap("organise")
    made.records = len(records)
    return made


def _filter_rows(designs: list[dict[str, Any]], data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Designs whose fields are in the data and do not overlap, each instruction once."""
    kept: dict[str, dict[str, Any]] = {}
    for design in designs:
        inputs, outputs = design["input_fields"], design["output_fields"]
        known = inputs and outputs and all(name in data[0] for name in [*inputs, *outputs])
        if known and not set(inputs) & set(outputs):
            kept.setdefault(design["instruction"], design)
    return list(kept.values())


def _answers(design: dict[str, Any], data: list[dict[str, Any]]) -> list[str] | None:
    """The answers of a task with few of them, [] for an open one, None where it is dropped: by the first 100 rows."""
    values = [row[design["output_fields"][0]] for row in data[:100]]
    if not all(isinstance(value, str | int | float) for value in values):
        return None
    counts = Counter(map(str, values))
    if len(counts) > 10:
        return []
    most = {1: 0, 2: 70}.get(len(counts), 50)
    return sorted(counts) if max(counts.values()) <= most else None


CONTENDERS: dict[str, Callable[[Path, range], Measured]] = {
    "default": lambda work, copies: stages(work, copies, "default"),
    "row by row (2023 rules)": rows,
    "recipe reference (2023 rules)": lambda work, copies: stages(work, copies, "reference"),
}


def measure(contender: str, work: Path, copies: int) -> Measured:
    run = CONTENDERS[contender]
    run(work, range(-1, 0))  # imports and page cache are not what is measured
    start = time.perf_counter()
    made = run(work, range(copies))
    made.wall_s = time.perf_counter() - start
    made.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=RECORDS_OF_2023)
    parser.add_argument("--run", nargs=3, metavar=("CONTENDER", "WORK", "COPIES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        contender, work, copies = arguments.run
        print(json.dumps(asdict(measure(contender, Path(work), int(copies)))))
        return
    with tempfile.TemporaryDirectory(prefix="dynosaur-pipeline-") as folder:
        prepare(Path(os.environ["DYNOSAUR_CORPUS"]), Path(folder))
        times = -(-arguments.records // _measured("default", folder, 1).records)
        whole = FILTER_OF_2023 + ORGANISE_OF_2023
        print(f"{times} copies; one core; load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores at the start\n")
        print("| contender | designs | tasks | records | filter s | organise s | both, files read and written: CPU s |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        print(
            f"| scripts of 2023, as measured then | | 5,632 | {RECORDS_OF_2023:,} "
            f"| {FILTER_OF_2023} | {ORGANISE_OF_2023} | {whole:.1f} |"
        )
        for contender in CONTENDERS:
            best = min((_measured(contender, folder, times) for _ in range(2)), key=lambda run: sum(run.cpu_s.values()))
            both = sum(best.cpu_s.values())
            print(
                f"| {contender} | {best.designs:,} | {best.tasks:,} | {best.records:,} | {best.cpu_s['filter']:.1f} "
                f"| {best.cpu_s['organise']:.1f} | {both:.1f} (wall {best.wall_s:.1f}; {best.records / both:,.0f} "
                f"records/s; peak {best.peak_mb:.0f} MB) |"
            )
        print(f"\nload {os.getloadavg()[0]:.1f} at the end")


def _measured(contender: str, folder: str, copies: int) -> Measured:
    command = [sys.executable, __file__, "--run", contender, folder, str(copies)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return Measured(**json.loads(ran.stdout))


if __name__ == "__main__":
    main()
