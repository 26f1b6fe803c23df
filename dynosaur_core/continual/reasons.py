"""Why each task was chosen: a table that a person reads."""

from __future__ import annotations

import pyarrow as pa

from dynosaur_core.continual.choosing import Chosen
from dynosaur_core.continual.similarity import nearest_of
from dynosaur_core.continual.strategies import strategy

_COLUMNS = {
    "rank": pa.int64(),
    "task_id": pa.string(),
    "instruction": pa.string(),
    "repo_id": pa.string(),
    "license": pa.string(),
    "version": pa.int64(),
    "rows": pa.int64(),
    "tokens": pa.int64(),
    "score": pa.float64(),
    "why": pa.string(),
    "nearest_new": pa.string(),
    "nearest_cosine": pa.float64(),
}


def why_chosen(chosen: Chosen, name: str) -> pa.Table:
    """A row per replayed task in the order of the choice: what it is, its score and what that says, and the new task
    that is nearest to it, where the strategy compares."""
    pool, compares = chosen.pool, strategy(name).embeds != "nothing"
    places = [at for at, _ in chosen.picks]
    near = nearest_of(pool.vectors[places], pool.new_vectors) if compares else []
    rows = []
    for rank, (at, score) in enumerate(chosen.picks):
        task = pool.earlier[at]
        other, cosine = near[rank] if compares else (None, None)
        rows.append(
            {
                "rank": rank + 1,
                "task_id": task.task_id,
                "instruction": task.instruction,
                "repo_id": task.repo_id,
                "license": task.license,
                "version": task.stage,
                "rows": len(chosen.places[task.task_id]),
                "tokens": task.tokens,
                "score": score,
                "why": strategy(name).why.format(score),
                "nearest_new": None if other is None else pool.new[other].instruction,
                "nearest_cosine": cosine,
            }
        )
    return pa.Table.from_pylist(rows, pa.schema(_COLUMNS))
