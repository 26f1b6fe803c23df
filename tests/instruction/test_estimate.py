"""What a dry run says beside what a run costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynosaur_core.instruction.estimate import estimate
from dynosaur_core.instruction.stage import propose
from dynosaur_core.models import Usage
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from tests.instruction.data import dataset, settings, subset, text
from tests.support.llm import LlmServer, Replay
from tests.support.llm.fixtures import MakeClient


def test_prompts_are_counted_and_known_answers_cost_nothing(
    endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    chosen = settings()
    metadata = dataset("a/b", subset("one"), subset("two", fields=text("prompt", "reply")))
    before = estimate(metadata, chosen, store)
    spent = sum((p.usage for p in propose(metadata, chosen, client(chosen), store)), Usage())
    assert before.requests == spent.requests == 4
    assert before.prompt_tokens == pytest.approx(spent.prompt_tokens, rel=0.05)
    assert estimate(metadata, chosen, store) == Usage()


def test_batches_cost_half_and_unknown_models_nobody_knows() -> None:
    full, half = (estimate(dataset(), settings(batch=batch)).cost_usd for batch in (False, True))
    assert full is not None and half == pytest.approx(full / 2)
    assert estimate(dataset(), settings(model="a-model-of-my-own")).cost_usd is None


@pytest.mark.corpus
def test_the_estimate_is_within_a_fifth_on_real_datasets(
    corpus: Path, endpoint: LlmServer, client: MakeClient, store: Store
) -> None:
    from dynosaur_core.catalog.folder import FolderCatalog
    from dynosaur_core.metadata.stage import read_metadata

    endpoint.behaviour.answerer = Replay(corpus / "gpt35.jsonl")
    chosen: Settings = settings()
    catalog, llm = FolderCatalog(corpus / "hub"), client(chosen)
    before = after = 0.0
    for ref in catalog.list():
        metadata = read_metadata(ref, catalog, store, chosen.sampling, chosen.policy)
        before += estimate(metadata, chosen).cost_usd or 0.0
        after += sum(p.usage.cost_usd or 0.0 for p in propose(metadata, chosen, llm, store))
    assert after and before == pytest.approx(after, rel=0.2)
