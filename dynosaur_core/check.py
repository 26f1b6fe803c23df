"""Judges given task designs as the filter stage would, each on its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evidence import Evidence
from dynosaur_core.filter.stage import judge_design
from dynosaur_core.instruction.examples import EXAMPLE_INSTRUCTIONS
from dynosaur_core.instruction.parse import design_of
from dynosaur_core.metadata.stage import read_subsets
from dynosaur_core.models import Subset
from dynosaur_core.protocols import Catalog
from dynosaur_core.reasons import Finding, Reason
from dynosaur_core.results import Result
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

_KEYS = ("instruction", "input_fields", "output_field", "output_fields", "list_output", "label_words")


class Verdict(Result):
    """What the filter says of one design."""

    accepted: bool
    reasons: list[Reason]
    detail: str


class Checker:
    """Reads each dataset once. Rows of every split count as evidence, test splits too: none becomes a record here."""

    def __init__(self, catalog: Catalog, store: Store, settings: Settings) -> None:
        self.catalog, self.store, self.settings = catalog, store, settings
        self._subsets: dict[str, dict[str, Subset] | DynosaurError] = {}
        self._evidence: dict[tuple[str, str], Evidence] = {}

    def check(self, lines: Iterable[str]) -> Iterator[Verdict]:
        """One verdict a line, in order. Blank lines have none."""
        for number, line in enumerate(lines, start=1):
            if line.strip():
                found = self._judge(line, number)
                yield Verdict(
                    accepted=not found,
                    reasons=list(dict.fromkeys(reason for reason, _ in found)),
                    detail="; ".join(detail for _, detail in found if detail),
                )

    def _judge(self, line: str, number: int) -> list[Finding]:
        try:
            design = json.loads(line)
        except ValueError as error:
            raise DynosaurError(Code.BAD_SETTING, f"line {number} is not JSON: {error}") from error
        if not isinstance(design, dict) or not isinstance(design.get("dataset"), str):
            raise DynosaurError(Code.BAD_SETTING, f"line {number} names no dataset")
        repo_id, config = design["dataset"], design.get("config")
        subsets = self._read(repo_id)
        if isinstance(subsets, DynosaurError):
            return [(Reason.UNKNOWN_SUBSET, str(subsets))]
        subset = next(iter(subsets.values())) if config is None and len(subsets) == 1 else subsets.get(str(config))
        if subset is None:
            return [(Reason.UNKNOWN_SUBSET, f"{repo_id} has no usable config {config!r}; it has {list(subsets)[:20]}")]
        given = {key: design[key] for key in _KEYS if key in design}
        return judge_design(
            repo_id,
            subset,
            design_of(given, list(subset.every_field)),
            self._rows(repo_id, subset),
            self.settings.filtering,
            examples=EXAMPLE_INSTRUCTIONS,
        )

    def _read(self, repo_id: str) -> dict[str, Subset] | DynosaurError:
        """The usable configs by name, or why there are none."""
        if repo_id not in self._subsets:
            sampling = self.settings.sampling.model_copy(update={"include_test": True})
            try:
                ref = self.catalog.ref(repo_id)
                subsets, _ = read_subsets(ref, self.catalog.open(ref), self.store, sampling, detect=False)
                self._subsets[repo_id] = {subset.config: subset for subset in subsets}
            except DynosaurError as error:
                self._subsets[repo_id] = error
        return self._subsets[repo_id]

    def _rows(self, repo_id: str, subset: Subset) -> Evidence | None:
        key = (repo_id, subset.config)
        if key not in self._evidence and subset.rows:
            self._evidence[key] = Evidence(self.store.read_table("rows", subset.rows.digest))
        return self._evidence.get(key)
