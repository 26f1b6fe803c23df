"""Datasets that the tests of the instruction stage ask about."""

from __future__ import annotations

from typing import Any

from dynosaur_core.models import DatasetMetadata, DatasetRef, FieldKind, FieldSpec, Split, Subset
from dynosaur_core.settings import Designing, Llm, Settings

QA_ROWS = (
    {"question": "Who keeps the lighthouse?", "context": "The lighthouse is kept by Ada. " * 30, "answer": "Ada"},
    {"question": "How tall is it?", "context": "It is 31 m tall.", "answer": "31 m"},
)


def text(*names: str) -> tuple[FieldSpec, ...]:
    return tuple(FieldSpec(name=name, kind=FieldKind.TEXT, type="string") for name in names)


def subset(
    config: str = "default", fields: tuple[FieldSpec, ...] = (), shown: tuple[dict[str, Any], ...] = ()
) -> Subset:
    return Subset(
        config=config,
        splits=(Split(name="train", role="train"),),
        fields=fields or text("question", "context", "answer"),
        shown=shown or QA_ROWS,
    )


def dataset(
    repo_id: str = "harbour/lights", *subsets: Subset, summary: str | None = "Questions about lights.", **more: Any
) -> DatasetMetadata:
    return DatasetMetadata(
        ref=DatasetRef(repo_id=repo_id, revision="0" * 40),
        title=repo_id,
        website=f"https://example.org/{repo_id}",
        licenses=(),
        license="cc-by-4.0",
        languages=("en",),
        summary=summary,
        subsets=subsets or (subset(),),
        **more,
    )


def settings(designing: dict[str, Any] | None = None, *, model: str = "gpt-5.6-luna", **llm: Any) -> Settings:
    """Quick settings: short timeouts and retries, no delays of minutes; a request for each mode, unless told."""
    quick: dict[str, Any] = {"timeout_s": 5.0, "retry_s": 20.0, "one_call": False}
    return Settings(model=model, llm=Llm(**{**quick, **llm}), designing=Designing(**(designing or {})))
