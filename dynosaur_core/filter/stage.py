"""The filter stage: which of the proposed designs become tasks, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import pyarrow as pa

from dynosaur_core.digest import digest
from dynosaur_core.evidence import Evidence
from dynosaur_core.filter.case import Case
from dynosaur_core.filter.recipes import RECIPES, Key, Recipe
from dynosaur_core.filter.specific import example_words
from dynosaur_core.filter.wording import Instruction
from dynosaur_core.models import (
    FilterResult,
    InstructionTask,
    Mode,
    Proposal,
    Rejection,
    Subset,
    TaskDesign,
)
from dynosaur_core.reasons import Finding, Reason
from dynosaur_core.settings import Filtering

FILTER_VERSION = 5


def filter_key(proposals: Iterable[Proposal], rows_digests: Mapping[str, str], settings: Filtering) -> str:
    """What a filter result depends on: the designs (not what they cost), the rows by config, the settings."""
    designs = [(p.config, p.mode, p.model, p.designs, p.shown_fields, p.problem) for p in proposals]
    return digest("filter", FILTER_VERSION, designs, rows_digests, settings)


def judge_design(
    repo_id: str,
    subset: Subset,
    design: TaskDesign,
    table: pa.Table | Evidence | None,
    settings: Filtering,
    *,
    shown_fields: tuple[str, ...] | None = None,
    examples: Collection[str] = (),
) -> list[Finding]:
    """All that speaks against one design on its own, whatever else was designed; it is accepted when nothing does.

    `table`: the subset's rows as `models.RowsHandle` says, or the Evidence of them, which several designs can share;
    without it the checks of rows are left out. A reason comes with a detail for people.
    """
    recipe = RECIPES[settings.recipe]
    known, taken_apart = tuple(example_words(text) for text in examples), Instruction(design.instruction)
    case = Case(repo_id, subset, design, taken_apart, settings, None, shown_fields, known)
    found = recipe.cheap(case)
    if found or table is None:
        return found
    return _from_rows(recipe, replace(case, evidence=table if isinstance(table, Evidence) else Evidence(table)))


def task_of(
    repo_id: str, subset: Subset, design: TaskDesign, evidence: Evidence, settings: Filtering, mode: Mode, model: str
) -> InstructionTask:
    """The task that a design with known fields becomes, whatever speaks against it."""
    case = Case(repo_id, subset, design, Instruction(design.instruction), settings, evidence)
    return _task(RECIPES[settings.recipe], case, mode, model)


def _task(recipe: Recipe, case: Case, mode: Mode, model: str) -> InstructionTask:
    return InstructionTask(
        repo_id=case.repo_id,
        config=case.subset.config,
        instruction=case.design.instruction.strip(),
        input_fields=case.design.input_fields,
        output_field=case.design.output_fields[0],
        labels=recipe.labels(case),
        list_output=recipe.list_output(case),
        label_words=recipe.words(case),
        mode=mode,
        model=model,
    )


def filter_tasks(
    repo_id: str,
    subsets: Sequence[Subset],
    proposals: Sequence[Proposal],
    rows: Callable[[Subset], pa.Table | None],
    settings: Filtering,
    examples: Collection[str] = (),
) -> FilterResult:
    """Judges every proposed design of one dataset, in order: each one is accepted, or rejected with its first reason.

    `rows` returns a subset's sampled rows, or None if there are none. It is called at most once per subset, and only
    for one of which a design passed the cheap checks. `examples` are the instructions of the prompt's examples.
    """
    known = tuple(example_words(text) for text in examples)
    desks = {subset.config: _Desk(repo_id, subset, rows, settings, known) for subset in subsets}
    tasks: list[InstructionTask] = []
    rejections: list[Rejection] = []
    accepted_in_order: list[bool] = []
    for number, proposal in enumerate(proposals):
        if proposal.problem is not None:
            rejections.append(proposal.problem.model_copy(update={"level": "task", "count": 1}))
            accepted_in_order.append(False)
        accepted = 0
        for design in proposal.designs:
            desk = desks.get(proposal.config)
            if desk is None:
                verdict: InstructionTask | Finding = (Reason.UNKNOWN_SUBSET, f"there is no config {proposal.config!r}")
            elif accepted >= settings.max_tasks and settings.recipe != "reference":
                verdict = (Reason.TOO_MANY_TASKS, f"{settings.max_tasks} tasks of this answer were accepted before it")
            else:
                verdict = desk.judge(proposal, number, design)
            accepted_in_order.append(isinstance(verdict, InstructionTask))
            if isinstance(verdict, InstructionTask):
                accepted += 1
                tasks.append(verdict)
            else:
                rejections.append(_rejection(repo_id, proposal, design, verdict))
    return FilterResult(
        proposed=len(tasks) + len(rejections),
        tasks=tuple(tasks),
        rejections=tuple(rejections),
        accepted=tuple(accepted_in_order),
    )


class _Desk:
    """Where the designs of one subset are judged: its rows, read when first needed, and what has come before."""

    def __init__(
        self,
        repo_id: str,
        subset: Subset,
        rows: Callable[[Subset], pa.Table | None],
        settings: Filtering,
        examples: tuple[frozenset[str], ...],
    ) -> None:
        self.repo_id, self.subset, self.settings, self.examples = repo_id, subset, settings, examples
        self.recipe = RECIPES[settings.recipe]
        self.seen: set[Key] = set()
        self._rows = rows

    @cached_property
    def evidence(self) -> Evidence:
        table = self._rows(self.subset)
        return Evidence(pa.table({}) if table is None else table)

    def judge(self, proposal: Proposal, number: int, design: TaskDesign) -> InstructionTask | Finding:
        case = Case(
            self.repo_id,
            self.subset,
            design,
            Instruction(design.instruction),
            self.settings,
            shown_fields=proposal.shown_fields,
            examples=self.examples,
        )
        keys = self.recipe.keys(design, number)
        found = self.recipe.cheap(case) or [(reason, "") for reason, key in keys if (reason, key) in self.seen]
        if self.recipe.rejected_count:
            self.seen.update(keys)
        if found:
            return found[0]
        case = replace(case, evidence=self.evidence)
        if found := _from_rows(self.recipe, case):
            return found[0]
        self.seen.update(keys)
        return _task(self.recipe, case, proposal.mode, proposal.model)


def _from_rows(recipe: Recipe, case: Case) -> list[Finding]:
    """The recipe's findings, where the rows hold the fields at all."""
    missing = [field.name for field in (*case.inputs, case.output) if not case.rows.has(field.name)]
    if missing:
        return [(Reason.TOO_FEW_ROWS, f"the rows do not hold {', '.join(missing)}")]
    return recipe.rows(case)


def _rejection(repo_id: str, proposal: Proposal, design: TaskDesign, finding: Finding) -> Rejection:
    reason, detail = finding
    return Rejection(
        repo_id=repo_id,
        level="task",
        stage="filter",
        reason=reason,
        detail=detail,
        config=proposal.config,
        instruction=design.instruction,
        mode=proposal.mode,
    )
