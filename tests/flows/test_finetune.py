"""flows.finetune: the training is a flow run, and its metrics are an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from dynosaur_core.errors import DynosaurError
from dynosaur_core.training.choice import FinetuneChoice
from tests.training.conftest import ROWS, make_llama, write

pytest.importorskip("torch")
pytestmark = pytest.mark.xdist_group("training")


def test_finetune_is_a_flow_run_with_its_metrics(prefect_server: None, tmp_path: Path) -> None:
    from flows.finetune import finetune

    rows = [*ROWS, {"instruction": "x", "input": "y", "output": ""}]
    values: dict[str, Any] = {"model": str(make_llama(tmp_path / "llama")), "batch": 10, "max_steps": 3, "length": 64}
    choice = FinetuneChoice(
        data=str(write(tmp_path / "rows.jsonl", rows)), out=str(tmp_path / "out"), recipe="t5-small", values=values
    )
    done = finetune(choice, return_state=True)
    assert done.is_completed() and done.message and "3 steps over 20 rows (0 cut, 1 left out)" in done.message
    again = finetune(choice, return_state=True)
    assert again.message and "was trained already" in again.message
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["finetune"])))
    page = str(found[0].data)
    assert page.count("\n| ") >= 4 and "1 rows: its output is empty" in page and "learning rate" in page


def test_finetune_ends_before_a_task_run_where_the_recipe_is_none(prefect_server: None) -> None:
    from flows.finetune import finetune

    state = finetune(FinetuneChoice(data="x", out="y", recipe="t5-3"), return_state=True)
    with pytest.raises(DynosaurError, match="did you mean t5-3b"):
        state.result()
