"""How well and how fast the filter tells good task designs from bad ones, each file of designs apart.

    DYNOSAUR_CORPUS=... python benchmarks/check_designs.py [LABELS.jsonl ...] [--checks] [--show] [--designs 5632]

Quality: designs with a verdict (valid or invalid) and its reasons, each judged on its own as `dynosaur check` does;
a share comes with its 95 % interval (Wilson). `--checks` leaves out one check after the other and counts what would
pass then: what a check catches that nothing else does, and what it costs. Speed: `filter_tasks` over the same configs,
sampled as a growth samples them (100 rows of each split), repeated until the given number of designs is reached, on
one core; the rows are in memory and nothing is remembered from one dataset to the next.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.check import Checker
from dynosaur_core.filter import recipes
from dynosaur_core.filter.case import Check
from dynosaur_core.filter.stage import filter_tasks
from dynosaur_core.metadata.stage import read_subsets
from dynosaur_core.models import Mode, Proposal, TaskDesign
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

FILES = ("gpt35_labels.jsonl", "modern_designs.jsonl", "human_designs.jsonl")
Designs = Sequence[dict[str, Any]]
Z = 1.96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    corpus = Path(os.environ["DYNOSAUR_CORPUS"])
    parser.add_argument("labels", nargs="*", type=Path, default=[corpus / name for name in FILES])
    parser.add_argument("--checks", action="store_true", help="what each check alone catches and costs")
    parser.add_argument("--designs", type=int, default=5_632, help="designs of the speed run; 0 for none")
    parser.add_argument("--show", action="store_true", help="print the designs that are told wrongly")
    options = parser.parse_args()
    files = {path.stem: _read(path) for path in options.labels}
    catalog = FolderCatalog(corpus / "hub")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        checker = Checker(catalog, store, Settings())
        verdicts = {name: judge(checker, designs) for name, designs in files.items()}
        print_table(files, verdicts)
        for name, designs in files.items():
            print_reasons(name, designs, verdicts[name], options.show)
        if options.checks:
            print_checks(checker, files, verdicts)
        if options.designs:
            print_speed(next(iter(files.values())), catalog, store, options.designs)


def _read(path: Path) -> Designs:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def judge(checker: Checker, designs: Designs) -> Designs:
    return [verdict.model_dump() for verdict in checker.check(json.dumps(design) for design in designs)]


def rejected(designs: Designs, verdicts: Designs, verdict: str) -> tuple[int, int]:
    """How many designs of a verdict the filter rejects, and of how many."""
    mine = [
        not found["accepted"] for design, found in zip(designs, verdicts, strict=True) if design["verdict"] == verdict
    ]
    return sum(mine), len(mine)


def share(count: int, of: int) -> str:
    """`3 of 40: 8 % (3 to 20)`, the interval being Wilson's."""
    if not of:
        return "none"
    middle, spread = (
        count / of + Z**2 / (2 * of),
        Z * math.sqrt(count / of * (1 - count / of) / of + (Z / (2 * of)) ** 2),
    )
    low, high = ((middle + sign * spread) / (1 + Z**2 / of) for sign in (-1, 1))
    return f"{count} of {of}: {count / of:.0%} ({max(low, 0):.0%} to {high:.0%})"


def print_table(files: dict[str, Designs], verdicts: dict[str, Designs]) -> None:
    print("| designs | invalid rejected | valid lost | valid lost whose output is a list | other valid lost |")
    print("|---|---|---|---|---|")
    for name, designs in files.items():
        pairs = list(zip(designs, verdicts[name], strict=True))
        cells = [share(*rejected(designs, verdicts[name], verdict)) for verdict in ("invalid", "valid")]
        for wants_list in (True, False):
            some = [pair for pair in pairs if bool(pair[0].get("list_output")) is wants_list]
            cells.append(share(*rejected([d for d, _ in some], [v for _, v in some], "valid")))
        print(f"| {name} | {' | '.join(cells)} |")


def print_reasons(name: str, designs: Designs, verdicts: Designs, show: bool) -> None:
    print(f"\n{name}\n\n| annotators' reason | designs | rejected | by the filter's reason |\n|---|---|---|---|")
    groups: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for design, verdict in zip(designs, verdicts, strict=True):
        for reason in design.get("reasons") or (["(valid)"] if design["verdict"] == "valid" else []):
            groups[reason].append(verdict)
    for reason, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        ours = Counter(str(verdict["reasons"][0]) for verdict in group if verdict["reasons"])
        named = ", ".join(f"{name} {count}" for name, count in ours.most_common())
        print(f"| {reason} | {len(group)} | {sum(ours.values())} | {named} |")
    for design, verdict in zip(designs, verdicts, strict=True) if show else ():
        if verdict["accepted"] is (design["verdict"] == "invalid"):
            print(json.dumps({**design, **verdict}, ensure_ascii=False))


def print_checks(checker: Checker, files: dict[str, Designs], verdicts: dict[str, Designs]) -> None:
    print("\nwithout one check: invalid that pass more / valid that are lost less\n")
    print(f"| check | {' | '.join(files)} |\n|---|{'---|' * len(files)}")
    for check in (check for group in recipes.CHECKS for check in group):
        with without(check):
            after = {name: judge(checker, designs) for name, designs in files.items()}
        cells = []
        for name, designs in files.items():
            bad, good = (
                rejected(designs, verdicts[name], verdict)[0] - rejected(designs, after[name], verdict)[0]
                for verdict in ("invalid", "valid")
            )
            cells.append(f"{bad} / {good}")
        print(f"| {check.__module__.rpartition('.')[2]}.{check.__name__} | {' | '.join(cells)} |")


@contextmanager
def without(check: Check) -> Iterator[None]:
    """The filter without one of its checks."""
    kept = recipes.CHECKS
    recipes.CHECKS = tuple(tuple(other for other in group if other is not check) for group in kept)
    try:
        yield
    finally:
        recipes.CHECKS = kept


def print_speed(designs: Designs, catalog: FolderCatalog, store: Store, total: int) -> None:
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
