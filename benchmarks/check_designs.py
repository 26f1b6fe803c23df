"""How well and how fast the filter tells good task designs from bad ones.

    DYNOSAUR_CORPUS=... python benchmarks/check_designs.py [LABELS.jsonl] [--designs 5632] [--show]

Quality: GPT-3.5's designs of 2023 as two annotators judged them (verdict and reasons), each judged on its own as
`dynosaur check` does. Speed: `filter_tasks` over the same configs, sampled as a growth samples them (100 rows of each
split), repeated until the given number of designs is reached, on one core; the rows are in
memory and nothing is remembered from one dataset to the next.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.check import Checker
from dynosaur_core.filter.stage import filter_tasks
from dynosaur_core.metadata.stage import read_subsets
from dynosaur_core.models import Mode, Proposal, TaskDesign
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    corpus = Path(os.environ["DYNOSAUR_CORPUS"])
    parser.add_argument("labels", nargs="?", type=Path, default=corpus / "gpt35_labels.jsonl")
    parser.add_argument("--designs", type=int, default=5_632, help="designs of the speed run")
    parser.add_argument("--show", action="store_true", help="print the designs that are told wrongly")
    options = parser.parse_args()
    designs = [json.loads(line) for line in options.labels.read_text(encoding="utf-8").splitlines() if line.strip()]
    catalog = FolderCatalog(corpus / "hub")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        verdicts = list(Checker(catalog, store, Settings()).check(json.dumps(design) for design in designs))
        print_quality(designs, verdicts, options.show)
        print_speed(designs, catalog, store, options.designs)


def print_quality(designs: Sequence[dict[str, Any]], verdicts: Sequence[dict[str, Any]], show: bool) -> None:
    bad = [d["verdict"] == "invalid" for d in designs]
    good = [d["verdict"] == "valid" for d in designs]
    refused = [not v["accepted"] for v in verdicts]
    caught, lost = (sum(r for r, which in zip(refused, side, strict=True) if which) for side in (bad, good))
    print(f"| designs | {len(designs)} | rejected |\n|---|---|---|")
    print(f"| invalid | {sum(bad)} | {caught} ({caught / max(1, sum(bad)):.1%}) |")
    print(f"| valid | {sum(good)} | {lost} ({lost / max(1, sum(good)):.1%}) |")
    print(f"\nprecision of a rejection {caught / max(1, caught + lost):.1%}, recall {caught / max(1, sum(bad)):.1%}")

    print("\n| annotators' reason | designs | rejected | by the filter's reason |\n|---|---|---|---|")
    groups: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for design, verdict in zip(designs, verdicts, strict=True):
        for reason in design.get("reasons") or ():
            groups[reason].append(verdict)
    for reason, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        ours = Counter(str(verdict["reasons"][0]) for verdict in group if verdict["reasons"])
        named = ", ".join(f"{name} {count}" for name, count in ours.most_common())
        print(f"| {reason} | {len(group)} | {sum(ours.values())} | {named} |")

    print("\n| filter's reason | rejections | of invalid ones |\n|---|---|---|")
    given: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for verdict, is_bad in zip(verdicts, bad, strict=True):
        for reason in map(str, verdict["reasons"]):
            given[reason] += 1
            right[reason] += is_bad
    for reason, count in given.most_common():
        print(f"| {reason} | {count} | {right[reason]} |")
    if show:
        for design, verdict, is_bad, is_good in zip(designs, verdicts, bad, good, strict=True):
            if (is_bad and verdict["accepted"]) or (is_good and not verdict["accepted"]):
                print(json.dumps({**design, **verdict}, ensure_ascii=False))


def print_speed(designs: Sequence[dict[str, Any]], catalog: FolderCatalog, store: Store, total: int) -> None:
    by_dataset: defaultdict[str, defaultdict[str, list[TaskDesign]]] = defaultdict(lambda: defaultdict(list))
    for design in designs:
        output = design["output_field"]
        outputs = (output,) if isinstance(output, str) else tuple(output)
        task = TaskDesign(
            instruction=design["instruction"], input_fields=tuple(design["input_fields"]), output_fields=outputs
        )
        by_dataset[design["dataset"]][design["config"]].append(task)
    # Test splits too: some of the corpus's datasets have no other.
    sampling, settings = Settings().sampling.model_copy(update={"include_test": True}), Settings().filtering
    jobs = []
    for repo_id, configs in by_dataset.items():
        ref = catalog.ref(repo_id)
        found, _ = read_subsets(ref, catalog.open(ref), store, sampling, detect=False)
        subsets = {subset.config: subset for subset in found}
        tables = {c: store.read_table("rows", s.rows.digest) for c, s in subsets.items() if s.rows and c in configs}
        proposals = [
            Proposal(
                config=config,
                mode=Mode.DESCRIPTION_AWARE,
                request_digest="",
                model="",
                designs=tuple(tasks),
                shown_fields=subsets[config].field_names,
            )
            for config, tasks in configs.items()
            if config in tables
        ]
        jobs.append((repo_id, [subsets[p.config] for p in proposals], proposals, tables))
    judged = configs_read = 0
    start = time.process_time()
    while judged < total:
        for repo_id, subsets, proposals, tables in jobs:
            judged += filter_tasks(repo_id, subsets, proposals, lambda s, t=tables: t[s.config], settings).proposed
            configs_read += len(subsets)
    spent = time.process_time() - start
    print(f"\n{judged:,} designs of {configs_read:,} configs in {spent:.2f} s of CPU: {judged / spent:,.0f} a second")


if __name__ == "__main__":
    main()
