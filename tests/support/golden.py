"""What each stage makes of the bundled catalogue, as digests beside the stage's version: tests/data/golden.json.

`make golden` renews the parts whose version was raised. A part whose version must stay is renewed when it is named:
`python -m tests.support.golden requests`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from dynosaur_core.bundled import bundled_catalog
from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.digest import digest
from dynosaur_core.errors import DynosaurError
from dynosaur_core.filter.stage import FILTER_VERSION, filter_tasks, judge_design
from dynosaur_core.instruction.examples import EXAMPLE_INSTRUCTIONS
from dynosaur_core.instruction.parse import parse_answer
from dynosaur_core.instruction.rules import RULES_VERSION, design_by_rules
from dynosaur_core.instruction.stage import INSTRUCTION_VERSION, plan
from dynosaur_core.judge.parse import read_verdicts
from dynosaur_core.judge.stage import JUDGE_VERSION
from dynosaur_core.judge.stage import plan as plan_judge
from dynosaur_core.llm.request import REQUEST_VERSION
from dynosaur_core.metadata.stage import METADATA_VERSION, read_metadata
from dynosaur_core.models import DatasetMetadata, FilterResult, InstructionTask, Mode, Proposal, Subset, TaskDesign
from dynosaur_core.policy.judge import POLICY_VERSION, judge_metadata, judge_ref
from dynosaur_core.prompting import shown_fields
from dynosaur_core.publish.stage import PUBLISH_VERSION, publish
from dynosaur_core.settings import Filtering, Policy, Publishing, Reading, Sampling, Settings
from dynosaur_core.store import Store
from tests.support.constants import constants
from tests.support.designs import SAYINGS, designs, variants
from tests.support.llm.answer import Asked, Judge, design
from tests.support.llm.faults import CONTENT, EMPTY, UNUSABLE, spoil

GOLDEN = Path(__file__).parents[1] / "data" / "golden.json"
_ROWS = 60
_WORDS = "(thresholds and words)"


@dataclass(frozen=True)
class Part:
    """One kind of result."""

    version: int
    where: str
    """The constant to raise, and its module."""
    why: str
    """What raising it does, or forgetting it."""
    results: Callable[[Data], Any]
    modules: tuple[str, ...] = ()
    """Whose thresholds and word lists are results too."""


@dataclass
class Data:
    """One bundled dataset with all that its stages make of it; each stage reads what the golden one before gave."""

    metadata: DatasetMetadata
    store: Store

    def rows(self, subset: Subset) -> Any:
        return self.store.read_table("rows", subset.rows.digest) if subset.rows else None

    def judged_listing(self) -> Any:
        """Why the dataset would be refused, were its listing another one; the table of licences has a digest itself."""
        bare, size = {"licenses": (), "languages": (), "tags": ()}, {"size_bytes": 10**15}
        flags: list[dict[str, Any]] = [{name: True} for name in ("private", "gated", "disabled", "unreadable_card")]
        tags = [{"tags": (tag,)} for tag in ("dynosaur", "modality:image", "modality:audio", "modality:text")]
        langs = [{"languages": each} for each in (("en",), ("de",), ("en", "de"), ("code",))]
        changed = [{}, bare, size, *flags, *tags, {"tags": ("modality:image", "modality:text")}, *langs]
        policies = [Policy(), Policy(untagged_language="refuse"), Policy(blocklist=("*",)), Policy(max_size_bytes=9)]
        refs = [self.metadata.ref.model_copy(update=each) for each in changed]
        found = [[judge_ref(ref, policy) for ref in refs] for policy in policies]
        described = [judge_metadata(self.metadata.model_copy(update=each), Policy()) for each in langs]
        return found, described

    def metadata_result(self) -> Any:
        """The bytes of parquet differ from one version of Arrow to the next: the rows themselves count."""
        found = self.metadata.model_dump(
            mode="json", exclude={"ref": {"last_modified"}, "subsets": {"__all__": {"rows"}}}
        )
        return found, [self.rows(subset).to_pylist() for subset in self.metadata.subsets]

    def requests(self) -> Any:
        variants: list[dict[str, Any]] = [{}, {"llm": {"one_call": False}}, {"designing": {"zero_shot": True}}]
        return [[ask.request.digest for ask in plan(self.metadata, Settings(**each))] for each in variants]

    def answers(self) -> Any:
        """What is read of a good answer and of spoilt ones."""
        return [
            [vars(parse_answer(spoil(text, kind), names)) for kind in ("", *CONTENT, *UNUSABLE, *EMPTY)]
            for text, names in self._answers()
        ]

    def _answers(self) -> Iterator[tuple[str, list[str]]]:
        for ask in plan(self.metadata, Settings()):
            names = [field.name for field in shown_fields(ask.subsets[0])]
            yield design(Asked(ask.request.messages, ask.request.schema)), names

    def rules(self) -> Any:
        return [design_by_rules(self.metadata, subset, self.rows(subset), 3) for subset in self.metadata.subsets]

    def proposals(self) -> list[Proposal]:
        """Designs of the rules; one by one, then all in one answer, those that are mostly invalid."""
        made = []
        for subset in self.metadata.subsets:
            names, invalid = subset.field_names, tuple(designs(subset.field_names))
            facts = {"config": subset.config, "request_digest": "", "model": "golden", "shown_fields": names}
            for mode, each in [(Mode.DESCRIPTION_UNAWARE, (one,)) for one in invalid] + [
                (Mode.DESCRIPTION_AWARE, invalid)
            ]:
                made.append(Proposal(**facts, mode=mode, designs=each))
            made.append(
                Proposal(**{**facts, "config": "elsewhere", "shown_fields": ()}, mode=Mode.RULES, designs=invalid[:1])
            )
        return [*self.rules(), *made]

    def filtered(self, recipe: Any = "default") -> FilterResult:
        settings, repo_id = Filtering(recipe=recipe), self.metadata.ref.repo_id
        return filter_tasks(repo_id, self.metadata.subsets, self.proposals(), self.rows, settings, EXAMPLE_INSTRUCTIONS)

    def verdicts(self) -> Any:
        findings = [list(self._findings(subset)) for subset in self.metadata.subsets]
        return [self.filtered("default"), self.filtered("reference"), findings]

    def _findings(self, subset: Subset) -> Iterator[Any]:
        """Everything that speaks against each design, on rows that come near the thresholds one by one."""
        table, repo_id = self.rows(subset).slice(0, _ROWS), self.metadata.ref.repo_id
        for made in designs(subset.field_names):
            asked = {"shown_fields": subset.field_names[:-1], "examples": EXAMPLE_INSTRUCTIONS}
            yield judge_design(repo_id, subset, made, table, Filtering(), **asked)
        for given, asked in permutations(subset.field_names, 2):
            saying = SAYINGS[1].format(input=given, output=asked)
            made = TaskDesign(instruction=saying, input_fields=(given,), output_fields=(asked,))
            for rows in variants(table, given, asked):
                yield judge_design(repo_id, subset, made, rows, Filtering())

    def judged(self) -> Any:
        """What is asked about the accepted tasks, and what is read of a good answer and of spoilt ones."""
        asks = plan_judge(self.metadata, self.filtered("default").tasks, Settings(), self.store)
        answers = [Judge({"e": ("mismatch", "Do it.")})(Asked(ask.request.messages, None)) for ask in asks]
        read = [
            [read_verdicts(spoil(answer, kind), len(ask.places)) for kind in ("", *CONTENT, *UNUSABLE, *EMPTY)]
            for ask, answer in zip(asks, answers, strict=True)
        ]
        said = [[(number, vars(said)) for each in of for number, said in each.items()] for of in read]
        return [(ask.request.digest, ask.places) for ask in asks], said

    def records(self) -> Any:
        default, reference = self.filtered("default").tasks, self.filtered("reference").tasks
        strange = [task.model_copy(update={"labels": ("no", "such")}) for task in default]
        short = {"max_input_chars": 40, "max_output_chars": 20}
        return [
            self._records(default),
            self._records(default, **short),
            self._records(strange),
            self._records(reference, recipe="reference"),
        ]

    def _records(self, tasks: Sequence[InstructionTask], **settings: Any) -> Any:
        made = publish(self.metadata, tasks, self.store, Publishing(**settings))
        return made.model_dump(mode="json", exclude={"shard"}), self.store.read_table(
            "records", made.shard.digest
        ).to_pylist()


PARTS = {
    "policy": Part(
        POLICY_VERSION,
        "POLICY_VERSION in dynosaur_core/policy/judge.py",
        "else datasets that are released stay so although they are refused now",
        Data.judged_listing,
    ),
    "metadata": Part(
        METADATA_VERSION,
        "METADATA_VERSION in dynosaur_core/metadata/stage.py",
        "else datasets that were read before keep what was read then",
        Data.metadata_result,
        ("dynosaur_core.metadata.facts",),
    ),
    "requests": Part(
        REQUEST_VERSION,
        "REQUEST_VERSION in dynosaur_core/llm/request.py",
        "every answer is asked for, and paid, again either way: name the part to say that this is meant",
        Data.requests,
    ),
    "answers": Part(
        INSTRUCTION_VERSION,
        "INSTRUCTION_VERSION in dynosaur_core/instruction/stage.py",
        "else answers that were read before keep the designs that were read then",
        Data.answers,
        ("dynosaur_core.instruction.parse",),
    ),
    "rules": Part(
        RULES_VERSION,
        "RULES_VERSION in dynosaur_core/instruction/rules.py",
        "else datasets that were designed for before keep their designs",
        Data.rules,
        ("dynosaur_core.instruction.rules", "dynosaur_core.instruction.evidence"),
    ),
    "filter": Part(
        FILTER_VERSION,
        "FILTER_VERSION in dynosaur_core/filter/stage.py",
        "else designs that were judged before keep their verdicts",
        Data.verdicts,
        ("dynosaur_core.filter", "dynosaur_core.evidence"),
    ),
    "judge": Part(
        JUDGE_VERSION,
        "JUDGE_VERSION in dynosaur_core/judge/stage.py",
        "then every task is judged, and paid, again; else those that were judged before keep their verdicts",
        Data.judged,
        ("dynosaur_core.judge.parse",),
    ),
    "publish": Part(
        PUBLISH_VERSION,
        "PUBLISH_VERSION in dynosaur_core/publish/stage.py",
        "else datasets that were published before keep their records",
        Data.records,
        ("dynosaur_core.publish.stage", "dynosaur_core.rendering"),
    ),
}


def bundled(store: Store) -> Iterator[tuple[str, Data | None]]:
    """Every bundled dataset with its metadata; None where it cannot be read."""
    catalog = FolderCatalog(bundled_catalog(), Reading(), 120.0)
    for ref in catalog.list():
        try:
            yield ref.repo_id, Data(read_metadata(ref, catalog, store, Sampling(), Policy()), store)
        except DynosaurError:
            yield ref.repo_id, None


def compute() -> dict[str, dict[str, str]]:
    """part -> dataset -> digest of its results; the thresholds and words of a part stand beside its datasets."""
    found = {name: {_WORDS: digest(constants(part.modules))} if part.modules else {} for name, part in PARTS.items()}
    with tempfile.TemporaryDirectory() as folder:
        for repo_id, data in bundled(Store(folder)):
            for name, part in PARTS.items():
                found[name][repo_id] = digest(part.results(data)) if data else "unreadable"
    return found


def read() -> dict[str, dict[str, Any]]:
    """part -> {version, results}, as they were."""
    kept: dict[str, dict[str, Any]] = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    return kept


def forgotten(name: str, results: dict[str, str]) -> str | None:
    """Why the results of a part cannot be what they are under its version; None where they are as they were."""
    part, was = PARTS[name], read().get(name, {"version": 0, "results": {}})
    changed = sorted(key for key in results | was["results"] if results.get(key) != was["results"].get(key))
    if not changed or part.version > was["version"]:
        return None
    where = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    return (
        f"the {name} results of {where} have changed under version {part.version}: raise {part.where} ({part.why}), "
        f"then run `make golden`. Where the meaning stays, `python -m tests.support.golden {name}` renews them"
    )


def renew(named: Sequence[str]) -> int:
    """Writes what is now; returns 1, and writes nothing, where a version was forgotten."""
    found = compute()
    wrong = [why for name, results in found.items() if name not in named and (why := forgotten(name, results))]
    for why in wrong:
        sys.stderr.write(f"{why}\n")
    if not wrong:
        kept = {name: {"version": PARTS[name].version, "results": results} for name, results in found.items()}
        GOLDEN.write_text(json.dumps(kept, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(renew(sys.argv[1:]))
