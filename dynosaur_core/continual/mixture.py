"""The training mixture of a stage: its own rows and those that are replayed, with a report why.

README.md                   data card, with the first of the chosen tasks
data/train-00000.parquet    all rows: a release's columns, `version` (which added the row) and `replayed`
chosen.parquet              every replayed task in the order of its choice, its score and what that says
exports/<form>.jsonl        the rows as others read them: alpaca, messages, tk-instruct, reference
map.png                     the embeddings in two dimensions, with what was chosen
replay.json                 the manifest, written last
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dynosaur_core.continual.card import CARD
from dynosaur_core.continual.choice import ReplayChoice
from dynosaur_core.continual.choosing import Chosen, choose, replay_encoder, replay_key
from dynosaur_core.continual.embeddings import Progress
from dynosaur_core.continual.encoders import Billed, needed
from dynosaur_core.continual.folder import made_before, made_whole
from dynosaur_core.continual.mixture_card import mixture_card
from dynosaur_core.continual.picture import draw_map
from dynosaur_core.continual.reasons import why_chosen
from dynosaur_core.continual.row_files import RowFiles, in_schema
from dynosaur_core.continual.stages import Stage, open_stages
from dynosaur_core.publish.records import SCHEMA
from dynosaur_core.results import Result
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store

MANIFEST = "replay.json"
DATA = "data/train-00000.parquet"
_MIXTURE = SCHEMA.append(pa.field("version", pa.int64(), nullable=False)).append(
    pa.field("replayed", pa.bool_(), nullable=False)
)


class ReplaySummary(Result):
    """What `dynosaur replay` made, or found made."""

    out: str
    changed: bool
    """False where the mixture stood there already."""
    stage: str
    earlier: str
    strategy: str
    encoder: str | None
    new_tasks: int
    new_rows: int
    earlier_tasks: int
    replayed_tasks: int
    replayed_rows: int
    replayed_tokens: int
    """Estimated."""
    embedding: Billed = Billed()

    def sentence(self) -> str:
        done = "made" if self.changed else "stood there already"
        return (
            f"mixture {done}: {self.new_rows:,} rows of {self.new_tasks:,} new tasks, {self.replayed_rows:,} rows of "
            f"{self.replayed_tasks:,} replayed tasks ({self.strategy}, of {self.earlier_tasks:,})"
            f"{self.embedding.sentence()}"
        )


def replay(
    choice: ReplayChoice, settings: Settings, store: Store, progress: Progress = lambda _done, _total: None
) -> ReplaySummary:
    """Makes the mixture, unless it stands there already.

    Raises DynosaurError: BadSetting for a stage, strategy or place that is none; or what sink, encoder or store raise.
    """
    encoder = replay_encoder(choice, settings)
    if encoder is not None:
        needed("matplotlib.figure", "replay")  # before the work that the picture is of
    new, earlier = open_stages(choice.stage, choice.earlier, settings)
    out = choice.out or f"{new.sink.url}/mixtures/{new.last:06d}-{choice.strategy}"
    key = replay_key(new, earlier, choice, encoder)
    if made := made_before(out, MANIFEST, key):
        return ReplaySummary(**{**made.summary, "out": out, "changed": False})
    chosen = choose(new, earlier, choice, encoder, store, progress)
    summary: dict[str, Any] = {}
    with made_whole(out, MANIFEST, key, summary) as folder:
        summary |= {
            "stage": new.name,
            "earlier": earlier.name,
            "strategy": choice.strategy,
            "encoder": encoder.name if encoder else None,
            **_write_rows(folder, new, earlier, chosen),
            "new_tasks": len(chosen.pool.new),
            "earlier_tasks": len(chosen.pool.earlier),
            "replayed_tasks": len(chosen.picks),
            "embedding": Billed.of(encoder).as_json(),
            "replayed_tokens": sum(chosen.pool.earlier[at].tokens for at, _ in chosen.picks),
        }
        found = ReplaySummary(out=out, changed=True, **summary)
        table = why_chosen(chosen, choice.strategy)
        pq.write_table(table, folder / "chosen.parquet", compression="zstd")
        if encoder is not None:
            draw_map(chosen, f"{choice.strategy}: {len(chosen.picks):,} of {len(chosen.pool.earlier):,}", folder)
        card = mixture_card(found.as_json(), chosen, table, choice, key, pictured=encoder is not None)
        (folder / CARD).write_text(card, encoding="utf-8")
    return found


def _write_rows(folder: Path, new: Stage, earlier: Stage, chosen: Chosen) -> dict[str, int]:
    """The data file and the exports; returns how many rows are new and how many replayed."""
    counts = {"new_rows": 0, "replayed_rows": 0}
    with RowFiles(folder / DATA, folder / "exports", _MIXTURE) as files:
        for table in _rows(new, earlier, chosen):
            files.write(table)
            counts["replayed_rows" if table["replayed"][0].as_py() else "new_rows"] += table.num_rows
    return counts


def _rows(new: Stage, earlier: Stage, chosen: Chosen) -> Iterator[pa.Table]:
    """Tables of the mixture's columns that hold a row at least: the new stage's, then the replayed ones."""
    wanted: defaultdict[int, list[int]] = defaultdict(list)
    for at, _ in chosen.picks:
        for part, place in chosen.places[chosen.pool.earlier[at].task_id]:
            wanted[part].append(place)
    for table in new.tables(SCHEMA.names):
        if table.num_rows:
            yield _as_mixture(table, replayed=False)
    for part, table in enumerate(earlier.tables(SCHEMA.names) if wanted else ()):
        if part in wanted:
            yield _as_mixture(table.filter(pc.is_in(table["at"], pa.array(wanted[part]))), replayed=True)


def _as_mixture(table: pa.Table, *, replayed: bool) -> pa.Table:
    table = table.append_column("replayed", pa.array([replayed] * table.num_rows, pa.bool_()))
    return in_schema(table, _MIXTURE)
