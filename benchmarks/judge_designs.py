"""How well a judge tells good task designs from bad ones: its prompts are written out, answers are read back.

    DYNOSAUR_CORPUS=... python benchmarks/judge_designs.py write FOLDER [LABELS.jsonl ...]
    DYNOSAUR_CORPUS=... python benchmarks/judge_designs.py read FOLDER [LABELS.jsonl ...] [--show]

`write` makes FOLDER/<file>/<number>.prompt.txt for each request of the judge stage, exactly as a growth would send it:
all designs of a dataset that are of the asked form, in an order drawn by a seed, whatever the filter says of them and
without their verdicts. Whoever answers puts the answer, JSON in whatever prose, beside it as <number>.answer.txt.
`read` reads answers as the stage does, and prints for each file of designs what the filter, the judge and both together
reject, with Wilson's 95 % intervals.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.check import Checker, Given, read_line
from dynosaur_core.errors import DynosaurError
from dynosaur_core.judge.parse import Said, read_verdicts
from dynosaur_core.judge.stage import Ask, plan
from dynosaur_core.llm.prices import prompt_tokens
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.check_designs import FILES, share

SEED = 9


@dataclass
class Design:
    """One line of a file: what the annotators, the filter and the judge say of it."""

    line: dict[str, Any]
    given: Given
    judged: Said | None = None
    """None where it is not asked about, or not answered."""
    place: str = ""
    """File and number of its request's task."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    corpus = Path(os.environ["DYNOSAUR_CORPUS"])
    parser.add_argument("what", choices=("write", "read"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("labels", nargs="*", type=Path, default=[corpus / name for name in FILES])
    parser.add_argument("--show", action="store_true", help="print the designs that are told wrongly")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        checker = Checker(FolderCatalog(corpus / "hub"), Store(scratch), Settings())
        found = {path.stem: read_designs(checker, path, options.folder / path.stem) for path in options.labels}
        if options.what == "write":
            for path in options.labels:
                write(checker, found[path.stem], options.folder / path.stem)
        else:
            print_table(found)
            print_wrong(found if options.show else {})


def read_designs(checker: Checker, path: Path, folder: Path) -> list[Design]:
    """The designs of a file in its order, with the answers that the folder holds."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    read = [read_line(line, number) for number, line in enumerate(lines, start=1)]
    designs = [Design(line, checker.filtered(repo_id, line)) for repo_id, line in read]
    for number, ask, asked in requests(checker, designs):
        answer = folder / f"{number:03}.answer.txt"
        said = read_verdicts(answer.read_text(encoding="utf-8"), len(ask.places)) if answer.exists() else {}
        for task, places in enumerate(ask.places, start=1):
            for place in places:
                asked[place].judged, asked[place].place = said.get(task), f"{answer.name}:{task}"
    return designs


def requests(checker: Checker, designs: list[Design]) -> Iterator[tuple[int, Ask, list[Design]]]:
    """Every request with its number, and the designs that its places point to."""
    number = 0
    for repo_id in dict.fromkeys(design.line["dataset"] for design in designs):
        metadata = checker.dataset(repo_id)
        mine = [each for each in designs if each.line["dataset"] == repo_id and is_judged(each.given)]
        if not mine or isinstance(metadata, DynosaurError):
            continue
        random.Random(f"{SEED} {repo_id}").shuffle(mine)
        tasks = [checker.task(repo_id, each.given.subset, each.given.design) for each in mine if each.given.subset]
        for ask in plan(metadata, tasks, checker.settings, checker.store):
            number += 1
            yield number, ask, mine


def is_judged(given: Given) -> bool:
    """Whether a design is of the form that a task has: known fields, one of them the output."""
    if given.subset is None or given.design.malformed or not given.design.instruction:
        return False
    known, design = set(given.subset.every_field), given.design
    return (
        bool(design.input_fields)
        and len(design.output_fields) == 1
        and known >= {*design.input_fields, *design.output_fields}
    )


def write(checker: Checker, designs: list[Design], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokens = tasks = number = 0
    for number, ask, _ in requests(checker, designs):
        parts = [f"[{message['role']}]\n{message['content']}" for message in ask.request.messages]
        text = "\n\n".join([*parts, f"[JSON schema of the answer]\n{json.dumps(ask.request.schema)}"])
        (folder / f"{number:03}.prompt.txt").write_text(f"{text}\n", encoding="utf-8")
        tokens += prompt_tokens(ask.request.messages, ask.request.schema)
        tasks += len(ask.places)
    left = sum(not is_judged(design.given) for design in designs)
    print(f"{folder}: {number} requests about {tasks} tasks, {tokens:,} tokens; {left} designs are of no task's form")


def print_table(found: dict[str, list[Design]]) -> None:
    print("| designs | | filter alone | judge alone | both |\n|---|---|---|---|---|")
    for name, designs in found.items():
        for verdict, words in (("invalid", "invalid rejected"), ("valid", "valid lost")):
            mine = [design for design in designs if design.line["verdict"] == verdict]
            by_filter = [bool(design.given.found) for design in mine]
            by_judge = [bool(design.judged and design.judged.reason) for design in mine]
            # what is of no task's form never comes to the judge
            formless = [not is_judged(design.given) for design in mine]
            alone = [judged or odd for judged, odd in zip(by_judge, formless, strict=True)]
            both = [filtered or judged for filtered, judged in zip(by_filter, by_judge, strict=True)]
            cells = [share(sum(rejected), len(rejected)) for rejected in (by_filter, alone, both)]
            print(f"| {name} | {words} | {' | '.join(cells)} |")
        open_ = [design.place for design in designs if is_judged(design.given) and design.judged is None]
        if open_:
            print(f"| {name} | not answered | | {len(open_)}, such as {open_[0]} | |")


def print_wrong(found: dict[str, list[Design]]) -> None:
    for designs in found.values():
        for design in designs:
            rejected = bool(design.judged and design.judged.reason)
            if design.judged and rejected is (design.line["verdict"] == "valid"):
                said = {"judge": design.judged.reason, "thought": design.judged.thought, "place": design.place}
                print(json.dumps({**design.line, **said, "filter": design.given.found}, ensure_ascii=False))


if __name__ == "__main__":
    main()
