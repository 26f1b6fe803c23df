"""Judges given task designs as the filter stage would, each on its own, and where a model may be asked as the judge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dynosaur_core.card import parse_card
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evidence import Evidence
from dynosaur_core.filter.stage import judge_design, task_of
from dynosaur_core.instruction.examples import EXAMPLE_INSTRUCTIONS
from dynosaur_core.instruction.parse import design_of
from dynosaur_core.judge.stage import judge, plan
from dynosaur_core.metadata.stage import describe, read_subsets, with_sections
from dynosaur_core.models import DatasetMetadata, InstructionTask, ListOutput, Mode, Subset, TaskDesign
from dynosaur_core.models import Verdict as Judged
from dynosaur_core.protocols import Catalog
from dynosaur_core.reasons import Finding, Reason
from dynosaur_core.results import Result
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

if TYPE_CHECKING:  # it brings `openai`: a second that only those wait for who ask
    from dynosaur_core.llm.client import LlmClient

_KEYS = ("instruction", "input_fields", "output_field", "output_fields", "list_output", "label_words")


class Verdict(Result):
    """What the filter, and after it the judge, say of one design."""

    accepted: bool
    reasons: list[Reason]
    detail: str
    judged_by: str | None = None
    """The model that was asked; unset where none was: without a judge, or for what the filter rejects."""
    mended: dict[str, Any] | None = None
    """What the judge would have in its place, as another line to check; a growth tries it."""


@dataclass
class Given:
    """One design of the subset that it names, and what speaks against it so far."""

    subset: Subset | None
    """None where there is no such subset."""
    design: TaskDesign
    found: list[Finding]
    judged: Judged | None = None
    """What the judge said of it, where it was asked."""

    def verdict(self, repo_id: str) -> Verdict:
        found = Verdict(
            accepted=not self.found,
            reasons=list(dict.fromkeys(reason for reason, _ in self.found)),
            detail="; ".join(detail for _, detail in self.found if detail),
        )
        if self.judged is None or self.subset is None:
            return found
        more: dict[str, Any] = {"judged_by": self.judged.model}
        if self.judged.mended:
            design = self.judged.mended.model_dump(mode="json", include=set(_KEYS), exclude_defaults=True)
            more["mended"] = {"dataset": repo_id, "config": self.subset.config, **design}
        return found.model_copy(update=more)


class Checker:
    """Reads each dataset once. Rows of every split count as evidence, test splits too: none becomes a record here."""

    def __init__(self, catalog: Catalog, store: Store, settings: Settings) -> None:
        self.catalog, self.store, self.settings = catalog, store, settings
        self._datasets: dict[str, DatasetMetadata | DynosaurError] = {}
        self._evidence: dict[tuple[str, str], Evidence] = {}

    def check(self, lines: Iterable[str]) -> Iterator[Verdict]:
        """One verdict a line, in order. Blank lines have none."""
        for number, line in enumerate(lines, start=1):
            if line.strip():
                repo_id, design = read_line(line, number)
                yield self.filtered(repo_id, design).verdict(repo_id)

    def check_with_judge(self, lines: Iterable[str], llm: LlmClient) -> list[Verdict]:
        """The same, with what the judge says of those that the filter accepts. It is asked about all designs of a
        dataset together. Raises DynosaurError as `judge.stage.judge` does."""
        read = [read_line(line, number) for number, line in enumerate(lines, start=1) if line.strip()]
        of = [repo_id for repo_id, _ in read]
        given = [self.filtered(*each) for each in read]
        for repo_id in dict.fromkeys(of):
            self._judge(repo_id, [each for name, each in zip(of, given, strict=True) if name == repo_id], llm)
        return [each.verdict(repo_id) for repo_id, each in zip(of, given, strict=True)]

    def filtered(self, repo_id: str, design: dict[str, Any]) -> Given:
        """A design as a line of JSON gives it, and the filter's findings."""
        asked = {key: design[key] for key in _KEYS if key in design}
        metadata = self.dataset(repo_id)
        if isinstance(metadata, DynosaurError):
            return Given(None, design_of(asked), [(Reason.UNKNOWN_SUBSET, str(metadata))])
        subsets = {subset.config: subset for subset in metadata.subsets}
        config = design.get("config")
        subset = next(iter(subsets.values())) if config is None and len(subsets) == 1 else subsets.get(str(config))
        if subset is None:
            why = f"{repo_id} has no usable config {config!r}; it has {list(subsets)[:20]}"
            return Given(None, design_of(asked), [(Reason.UNKNOWN_SUBSET, why)])
        made, rows, settings = design_of(asked, list(subset.every_field)), self._rows(repo_id, subset), self.settings
        said = design.get("list_output")
        if said is not None and made.list_output is None:
            # a designer's slip is decided for it by the rows; whoever checks a design wants to know
            how = f"list_output is {said!r} and none of {', '.join(ListOutput)}"
            made = made.model_copy(update={"malformed": "; ".join(filter(None, (made.malformed, how)))})
        found = judge_design(repo_id, subset, made, rows, settings.filtering, examples=EXAMPLE_INSTRUCTIONS)
        return Given(subset, made, found)

    def task(self, repo_id: str, subset: Subset, design: TaskDesign) -> InstructionTask:
        """The task that a design becomes where it is accepted."""
        rows, settings = self._rows(repo_id, subset) or Evidence(pa.table({})), self.settings
        return task_of(repo_id, subset, design, rows, settings.filtering, Mode.DESCRIPTION_AWARE, settings.model)

    def dataset(self, repo_id: str) -> DatasetMetadata | DynosaurError:
        """A dataset with its usable configs, or why there are none."""
        if repo_id not in self._datasets:
            sampling = self.settings.sampling.model_copy(update={"include_test": True})
            try:
                ref = self.catalog.ref(repo_id)
                source = self.catalog.open(ref)
                card = parse_card(source.card())
                subsets, _ = read_subsets(ref, source, self.store, sampling, detect=False)
                described = describe(ref, card, self.catalog, self.settings.policy)
                self._datasets[repo_id] = described.model_copy(update={"subsets": with_sections(subsets, card)})
            except DynosaurError as error:
                self._datasets[repo_id] = error
        return self._datasets[repo_id]

    def _judge(self, repo_id: str, given: Sequence[Given], llm: LlmClient) -> None:
        metadata = self.dataset(repo_id)
        accepted = [(each, each.subset) for each in given if each.subset and not each.found]
        if not accepted or isinstance(metadata, DynosaurError):
            return
        tasks = [self.task(repo_id, subset, each.design) for each, subset in accepted]
        verdicts = judge(plan(metadata, tasks, self.settings, self.store), tasks, llm)
        for (each, _), verdict in zip(accepted, verdicts, strict=True):
            each.judged = verdict
            if verdict.reason:
                each.found.append((Reason(verdict.reason), verdict.said))

    def _rows(self, repo_id: str, subset: Subset) -> Evidence | None:
        key = (repo_id, subset.config)
        if key not in self._evidence and subset.rows:
            self._evidence[key] = Evidence(self.store.read_table("rows", subset.rows.digest))
        return self._evidence.get(key)


def read_line(line: str, number: int) -> tuple[str, dict[str, Any]]:
    """The dataset and the design of one line; raises BadSetting where it is none."""
    try:
        design = json.loads(line)
    except ValueError as error:
        raise DynosaurError(Code.BAD_SETTING, f"line {number} is not JSON: {error}") from error
    if not isinstance(design, dict) or not isinstance(design.get("dataset"), str):
        raise DynosaurError(Code.BAD_SETTING, f"line {number} names no dataset")
    return design["dataset"], design
