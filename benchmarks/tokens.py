"""Tokens of designing and judging: this project's prompts beside those of 2023, on real datasets; and how good the
estimate is.

    DYNOSAUR_CORPUS=... python benchmarks/tokens.py [--json]

The baseline is built after the description of the 2023 system: a call per config and mode, two examples each with data
as long as those of SQuAD, ANLI, MathQA and CommonGen are on average, rows with strings cut at 1,000 characters, nested
values and names with "id" left out. Both are answered by a loopback endpoint that replays the designs of 2023 for the
corpus, and accepted tasks are those that the filter passes: only prompts and number of calls differ. The judge is asked
about these; it answers with a thought of 11 words, as a strong model did on the same prompts. What a strong present-day
model designs, which the filter passes nearly all, is replayed for the datasets that it was asked about.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.errors import DynosaurError
from dynosaur_core.filter.stage import filter_tasks
from dynosaur_core.instruction.estimate import estimate
from dynosaur_core.instruction.examples import EXAMPLE_INSTRUCTIONS
from dynosaur_core.instruction.stage import propose
from dynosaur_core.judge.stage import judge, plan
from dynosaur_core.llm.client import LlmClient
from dynosaur_core.llm.prices import cost_usd, count_tokens
from dynosaur_core.metadata.stage import read_metadata
from dynosaur_core.models import DatasetMetadata, InstructionTask, Subset, Usage
from dynosaur_core.settings import Designing, Llm, Policy, Settings
from dynosaur_core.store import Store

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.support.llm import Behaviour, Judge, LlmServer, Replay

EVERYTHING = Policy(
    allow_licenses=("unknown", "other", "cc-by-nc-nd-4.0", "cc-by-nd-4.0"),
    non_commercial=True,
    languages=("en", "code", "de", "fr", "nl", "bn", "id", "ro", "es", "zh"),
)
"""The corpus is small: for measuring, its refused licences and languages take part."""

_THOUGHT = "Outputs are labels of the sentences, and instruction and inputs ask so."
_FILLER = "The keeper of the old harbour light wrote down the weather every evening before he climbed the stairs. "
_SYSTEM_2023 = (
    "Use the following dataset to design tasks. Each task needs an instruction, input fields and an output field. The "
    "input fields and the output field must be taken from the data fields, must exist and must not overlap. Give up to "
    "three tasks. Write each task as a dictionary with the keys instruction, input_fields and output_field.\n"
)
_EXAMPLES_2023: dict[bool, list[tuple[dict[str, int], int]]] = {
    True: [
        ({"title": 12, "context": 735, "question": 60, "answers": 20}, 3),
        ({"premise": 330, "hypothesis": 60, "label": 12, "reason": 110}, 2),
    ],
    False: [
        ({"Problem": 210, "Rationale": 330, "options": 110, "correct": 1, "formula": 90}, 3),
        ({"concepts": 25, "target": 55}, 2),
    ],
}
"""Per mode (with summary or not) and example: characters of each field in a row, and tasks."""
_TASK_2023 = {
    "instruction": "Read the passage and answer the question about it with a few words of it.",
    "input_fields": ["context", "question"],
    "output_field": ["answers"],
}


def read_corpus(corpus: Path, store: Store, settings: Settings) -> list[DatasetMetadata]:
    catalog, found = FolderCatalog(corpus / "hub"), []
    for ref in catalog.list():
        try:
            metadata = read_metadata(ref, catalog, store, settings.sampling, settings.policy)
        except DynosaurError as error:
            print(f"{ref.repo_id}: {error}", file=sys.stderr)
            continue
        found += [metadata] if metadata.subsets else []
    return found


def baseline_prompts(metadata: DatasetMetadata) -> list[str]:
    """The prompts of 2023 for every subset: with the summary where there is one, and without."""
    modes = [True, False] if metadata.summary else [False]
    return [_baseline(metadata, subset, mode) for subset in metadata.subsets for mode in modes]


def _baseline(metadata: DatasetMetadata, subset: Subset, aware: bool) -> str:
    parts = [_SYSTEM_2023]
    for lengths, tasks in _EXAMPLES_2023[aware]:
        rows = [{name: (_FILLER * 10)[:length] for name, length in lengths.items()} for _ in range(2)]
        answer = "\n".join(f"Task {i}: {_TASK_2023}" for i in range(1, tasks + 1))
        parts.append(_block("an_example", _FILLER * 2 if aware else None, list(lengths), rows) + answer)
    rows = [
        {k: v[:1_000] if isinstance(v, str) else v for k, v in row.items() if _shown_2023(k, v)} for row in subset.shown
    ]
    summary = metadata.summary if aware else None
    return "\n\n".join([*parts, _block(metadata.ref.repo_id, summary, list(subset.field_names), rows)])


def _block(name: str, summary: str | None, fields: list[str], rows: list[dict[str, Any]]) -> str:
    about = f"Dataset description: {summary}\n" if summary else ""
    data = "\n".join(f"Data {i}: {row}" for i, row in enumerate(rows, 1))
    return f"Dataset name: {name}\n{about}Data fields: {fields}\n{data}\nDesign tasks:\n"


def _shown_2023(name: str, value: Any) -> bool:
    return "id" not in name and not isinstance(value, list | dict)


def measure_ours(found: list[DatasetMetadata], settings: Settings, store: Store, replay: Replay) -> dict[str, Any]:
    used, accepted, guess = Usage(), 0, Usage()
    behaviour = Behaviour(answerer=replay, judge=Judge(fits=_THOUGHT))
    with LlmServer(behaviour) as server, tempfile.TemporaryDirectory() as folder:
        llm = LlmClient(settings, Store(folder), base_url=server.url)
        for metadata in found:
            guess += estimate(metadata, settings)
            proposals = propose(metadata, settings, llm, store)
            used += sum((proposal.usage for proposal in proposals), Usage())
            tasks = accepted_tasks(metadata, proposals, store, settings)
            accepted += len(tasks)
            judge(plan(metadata, tasks, settings, store), tasks, llm)
        whole = llm.usage()
    assert used.cost_usd is not None and guess.cost_usd is not None
    judging = whole.prompt_tokens + whole.completion_tokens - used.prompt_tokens - used.completion_tokens
    return {
        **summary(used, len(found), accepted),
        "judging_requests": whole.requests - used.requests,
        "judging_tokens_per_dataset": round(judging / len(found)),
        "judging_share": round(judging / (used.prompt_tokens + used.completion_tokens), 3),
        "estimated_usd": round(guess.cost_usd, 5),
        "estimate_off": round(guess.cost_usd / used.cost_usd - 1, 3),
        "estimate_off_completion": round(guess.completion_tokens / used.completion_tokens - 1, 3),
    }


def accepted_tasks(
    metadata: DatasetMetadata, proposals: Any, store: Store, settings: Settings
) -> tuple[InstructionTask, ...]:
    def rows(subset: Subset) -> Any:
        assert subset.rows is not None
        return store.read_table("rows", subset.rows.digest)

    repo_id = metadata.ref.repo_id
    return filter_tasks(repo_id, metadata.subsets, proposals, rows, settings.filtering, EXAMPLE_INSTRUCTIONS).tasks


def measure_baseline(found: list[DatasetMetadata], settings: Settings, accepted: int, replay: Replay) -> dict[str, Any]:
    prompts = [(metadata, prompt) for metadata in found for prompt in baseline_prompts(metadata)]
    completion = 0
    for metadata in found:
        modes = 2 if metadata.summary else 1
        for subset in metadata.subsets:
            designs = replay.designs.get(metadata.ref.repo_id, [])
            texts = [f"Task 1: {design}\n" for config, design in designs if config == subset.config]
            completion += modes * sum(count_tokens(text) for text in texts)
    prompt_tokens = [count_tokens(prompt) for _, prompt in prompts]
    cost = cost_usd(settings, sum(prompt_tokens), 0, completion)
    used = Usage(requests=len(prompts), prompt_tokens=sum(prompt_tokens), completion_tokens=completion, cost_usd=cost)
    return {**summary(used, len(found), accepted), "prompt_tokens_median": statistics.median(prompt_tokens)}


def summary(used: Usage, datasets: int, accepted: int) -> dict[str, Any]:
    tokens = used.prompt_tokens + used.completion_tokens
    return {
        **used.model_dump(),
        "tokens_per_request": round(tokens / used.requests),
        "tokens_per_dataset": round(tokens / datasets),
        "accepted_tasks": accepted,
        "tokens_per_accepted_task": round(tokens / accepted),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    corpus = Path(os.environ["DYNOSAUR_CORPUS"])
    settings = Settings(policy=EVERYTHING, llm=Llm(retry_s=30))
    replay = Replay(corpus / "gpt35.jsonl")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        found = read_corpus(corpus, store, settings)
        unshared = settings.model_copy(update={"designing": Designing(share_configs=False)})
        apart = settings.model_copy(update={"llm": Llm(one_call=False)})
        ours = {
            "default": measure_ours(found, settings, store, replay),
            "without sharing configs": measure_ours(found, unshared, store, replay),
            "a request for each mode": measure_ours(found, apart, store, replay),
        }
        strong = Replay(corpus / "modern_designs.jsonl")
        known = [metadata for metadata in found if metadata.ref.repo_id in strong.designs]
        ours["designs of today"] = measure_ours(known, settings, store, strong)
        base = measure_baseline(found, settings, ours["without sharing configs"]["accepted_tasks"], replay)
    results = {"datasets": len(found), "configs": sum(len(m.subsets) for m in found), "2023": base, **ours}
    if as_json:
        print(json.dumps(results))
        return
    print(f"{results['datasets']} datasets, {results['configs']} configs")
    for name, one in [("2023", base), *ours.items()]:
        share = one["tokens_per_dataset"] / base["tokens_per_dataset"]
        print(
            f"{name:26} {one['requests']:4} requests {one['tokens_per_request']:6,} tokens each "
            f"{one['tokens_per_dataset']:7,} a dataset ({share:.2f}) {one['tokens_per_accepted_task']:6,} a task "
            f"(of {one['accepted_tasks']} accepted) ${one['cost_usd']:.4f}"
            + (f" estimate {one['estimate_off']:+.1%}" if "estimate_off" in one else "")
        )
    print("\njudging")
    for name, one in ours.items():
        print(
            f"{name:26} {one['judging_requests']:4} requests {one['judging_tokens_per_dataset']:6,} tokens a dataset, "
            f"{one['judging_share']:.2f} of designing"
        )


if __name__ == "__main__":
    main()
