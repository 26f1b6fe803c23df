"""From two stages and a choice to the tasks that are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dynosaur_core.continual.choice import ReplayChoice
from dynosaur_core.continual.embeddings import Progress, embed
from dynosaur_core.continual.encoders import Encoder, Vectors, open_encoder
from dynosaur_core.continual.pool import Candidate, Pool, Room, make_pool
from dynosaur_core.continual.rows import Drawn, draw
from dynosaur_core.continual.stages import Stage
from dynosaur_core.continual.strategies import check, select, strategy
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

REPLAY_VERSION = 1
"""Raised when the same choice over the same stages yields another mixture."""
_EXAMPLES = 8
"""Drawn rows of a task whose mean is its vector for strategies on examples."""


@dataclass(frozen=True)
class Chosen:
    """What is replayed, and what it was chosen from. Tasks of both stages are the new one's alone."""

    pool: Pool
    picks: tuple[tuple[int, float], ...]
    """(place in `pool.earlier`, score) in the order of the choice."""
    places: Mapping[str, tuple[tuple[int, int], ...]]
    """task id -> places of its drawn rows in the earlier stage, see `rows.Drawn`."""


def replay_encoder(choice: ReplayChoice, settings: Settings) -> Encoder | None:
    """The encoder, or None for a strategy that needs none. Raises BadSetting."""
    chosen = check(choice.strategy, _room(choice), choice.age_weight)
    return None if chosen.embeds == "nothing" else open_encoder(settings)


def _room(choice: ReplayChoice) -> Room:
    return Room(choice.tasks, choice.tokens, choice.per_source, choice.per_license)


def replay_key(new: Stage, earlier: Stage, choice: ReplayChoice, encoder: Encoder | None) -> str:
    """Digest of all that the mixture depends on, but for where it goes."""
    how = choice.model_dump(exclude={"stage", "earlier", "out"})
    return digest("replay", REPLAY_VERSION, new.digest, earlier.digest, how, encoder.digest if encoder else None)


def choose(
    new: Stage,
    earlier: Stage,
    choice: ReplayChoice,
    encoder: Encoder | None,
    store: Store,
    progress: Progress = lambda _done, _total: None,
) -> Chosen:
    """Reads both stages, embeds what the strategy compares, and selects. Raises DynosaurError."""
    current = draw(new, None if encoder is None else _EXAMPLES, choice.seed)
    before = draw(earlier, choice.rows, choice.seed)
    known = {task.task_id for task in current.tasks}
    tasks = [task for task in before.tasks if task.task_id not in known]
    if not tasks:
        raise DynosaurError(Code.BAD_SETTING, f"all tasks of {earlier.name} are in {new.name} too: nothing to replay")
    if encoder is None:
        vectors = [np.zeros((len(each), 1), dtype=np.float32) for each in (tasks, current.tasks)]
    elif strategy(choice.strategy).embeds == "instructions":
        texts = [task.instruction for task in (*tasks, *current.tasks)]
        every = embed(texts, encoder, store, progress)
        vectors = [every[: len(tasks)], every[len(tasks) :]]
    else:
        vectors = [
            _examples(stage, drawn, each, encoder, store, progress)
            for stage, drawn, each in ((earlier, before, tasks), (new, current, current.tasks))
        ]
    pool = make_pool(tasks, vectors[0], current.tasks, vectors[1], choice.seed, choice.age_weight)
    return Chosen(
        pool,
        tuple(select(pool, choice.strategy, _room(choice))),
        before.places,
    )


def _examples(
    stage: Stage,
    drawn: Drawn,
    tasks: list[Candidate] | tuple[Candidate, ...],
    encoder: Encoder,
    store: Store,
    progress: Progress,
) -> Vectors:
    """[K, d]: per task the mean of the vectors of its first drawn examples, input and output together."""
    at = {task.task_id: number for number, task in enumerate(tasks)}
    wanted: dict[tuple[int, int], int] = {
        place: at[task_id] for task_id, places in drawn.places.items() if task_id in at for place in places[:_EXAMPLES]
    }
    texts, owners = [], []
    for part, table in enumerate(stage.tables(("input", "output"))):
        for place, given, answer in zip(*(table[name].to_pylist() for name in ("at", "input", "output")), strict=True):
            if (part, place) in wanted:
                texts.append(f"{given}\n{answer}")
                owners.append(wanted[part, place])
    vectors = embed(texts, encoder, store, progress)
    sums = np.zeros((len(tasks), vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, owners, vectors)
    counts = np.bincount(np.array(owners, dtype=np.int64), minlength=len(tasks))
    return np.asarray(sums / np.maximum(counts, 1)[:, None], dtype=np.float32)
