"""After a growth: the training mixture of the new stage, beside the release."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from dynosaur_core.continual.choice import ReplayChoice
from dynosaur_core.continual.mixture import ReplaySummary
from dynosaur_core.continual.strategies import strategy
from dynosaur_core.text import markdown_text
from flows.options import Options
from flows.progress import Embedded, MixtureMade, tell
from tasks.replay import replay as replay_task

_DEFAULT = ReplayChoice()


@flow(name="replay", persist_result=False)
def replay(
    choice: ReplayChoice = _DEFAULT,
    store: str | None = None,
    release: list[str] | None = None,
    max_cost_usd: float | None = None,
) -> State[Any]:
    """Makes the mixture of a stage: its own rows and what is replayed of earlier ones. The same again changes nothing.

    Args:
        choice: The stage, what is replayed from, how it is chosen, and how much of it.
        store: Folder or fsspec URL of what is kept between growths; embeddings are kept there. Default: DYNOSAUR_STORE.
        release: Where the release lies; the first one counts. Default: DYNOSAUR_RELEASE.
        max_cost_usd: Cap on what embedding at an endpoint may cost, in US dollars. Default: DYNOSAUR_MAX_COST_USD.
    """
    strategy(choice.strategy)  # a mistyped one ends here
    settings = Options(store=store, release=release, max_cost_usd=max_cost_usd).settings()
    summary = ReplaySummary(**replay_task(choice, settings, lambda done, total: tell(Embedded(done, total))))
    tell(MixtureMade(summary))
    get_run_logger().info("%s: %s", summary.out, summary.sentence())
    create_markdown_artifact(f"{markdown_text(summary.out)}: {markdown_text(summary.sentence())}", key="replay")
    return Completed(message=summary.sentence(), data=summary.as_json())
