"""Replay strategies: the published ones on matrices worked out by hand, and what holds for all of them."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynosaur_core.continual.encoders import normalised
from dynosaur_core.continual.inscl import insinfo, wasserstein
from dynosaur_core.continual.pool import Candidate, Pool, Room, make_pool
from dynosaur_core.continual.similarity import mean_cosine, nearest
from dynosaur_core.continual.strategies import STRATEGIES, select
from dynosaur_core.errors import Code, DynosaurError

E, F, G = (1.0, 0.0), (0.6, 0.8), (0.0, 1.0)
"""cos(E, F) = 0.6, cos(F, G) = 0.8, cos(E, G) = 0."""


def task(name: str, stage: int = 1, **more: Any) -> Candidate:
    given = {"instruction": name, "repo_id": name, "license": "mit", "records": 1, **more}
    return Candidate(task_id=name, stage=stage, **given)


def pool(earlier: dict[str, Any], new: dict[str, Any], stages: dict[str, int] | None = None, **more: Any) -> Pool:
    tasks = [task(name, (stages or {}).get(name, 1)) for name in earlier]
    vectors = [np.array(list(rows.values()), dtype=np.float32).reshape(len(rows), -1) for rows in (earlier, new)]
    return make_pool(tasks, vectors[0], [task(name, 9) for name in new], vectors[1], **more)


def chosen(of: Pool, strategy: str, tasks: int | None = None, **room: Any) -> list[str]:
    return [of.earlier[at].task_id for at, _ in select(of, strategy, Room(tasks, **room))]


BY_HAND = pool({"a": E, "b": F, "c": G, "d": F}, {"x": E, "y": F})
"""S_cp = [1, .6, 0, .6; .6, 1, .8, 1]: column sums 1.6, 1.6, 0.8, 1.6. Row sums of S_pp: a 2.2, b 3.4, c 2.6, d 3.4."""


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        ("instr-diverse", "cabd"),
        ("data-diverse", "cabd"),
        ("instr-similar", "abdc"),
        ("instr-support", "bdca"),
        ("full", "abcd"),
        ("none", ""),
    ],
)
def test_published_strategies_on_a_matrix_by_hand(strategy: str, order: str) -> None:
    assert "".join(chosen(BY_HAND, strategy, 4)) == order
    if STRATEGIES[strategy].bounded:
        assert "".join(chosen(BY_HAND, strategy, 2)) == order[:2]


def test_scores_are_the_means_of_columns_and_rows() -> None:
    scores = {name: [score for _, score in select(BY_HAND, name, Room(4))] for name in STRATEGIES}
    assert scores["instr-diverse"] == pytest.approx([0.4, 0.8, 0.8, 0.8])
    assert scores["instr-support"] == pytest.approx([0.85, 0.85, 0.65, 0.55])


def test_mean_cosine_is_that_of_the_whole_matrix() -> None:
    draw = np.random.default_rng(3)
    of, to = (normalised(draw.normal(size=(n, 16))) for n in (9_001, 77))
    whole = of.astype(np.float64) @ to.astype(np.float64).T
    assert np.abs(mean_cosine(of, to) - whole.mean(axis=1)).max() < 1e-6
    assert np.abs(nearest(of, to) - np.maximum(whole.max(axis=1), 0)).max() < 1e-6


def test_coverage_takes_what_stands_for_most_first() -> None:
    """By hand: new E. Gains of b (F) are .4 + .4 + .8 of b, d and c; of c (G) 1 + (.8 - .6) * 2; b and d are equal."""
    of = pool({"a": E, "b": F, "c": G, "d": F}, {"x": E})
    picks = select(of, "coverage", Room(4))
    assert [of.earlier[at].task_id for at, _ in picks] == ["b", "c", "a", "d"]
    assert [score * 4 for _, score in picks] == pytest.approx([1.6, 0.2, 0, 0], abs=1e-4)


def test_coverage_is_the_greedy_choice_of_its_formula() -> None:
    draw = np.random.default_rng(5)
    rows = normalised(draw.normal(size=(300, 8)))
    of = pool({f"{at:03d}": row for at, row in enumerate(rows)}, {"x": draw.normal(size=8)})
    assert [at for at, _ in select(of, "coverage", Room(25))] == plain_greedy(of, 25)


def plain_greedy(of: Pool, count: int) -> list[int]:
    cosines = of.vectors.astype(np.float64) @ of.vectors.T
    covered = np.maximum((of.vectors @ of.new_vectors.T).max(axis=1), 0)
    found: list[int] = []
    for _ in range(count):
        gains = np.maximum(cosines - covered[:, None], 0).sum(axis=0)
        gains[found] = -1
        found.append(int(gains.argmax()))
        covered = np.maximum(covered, cosines[found[-1]])
    return found


def test_coverage_weighs_ages() -> None:
    earlier = {"a": (1.0, 0, 0), "b": (0, 1.0, 0)}
    stages = {"a": 1, "b": 2}
    assert chosen(pool(earlier, {"x": (0, 0, 1.0)}, stages, age_weight=0.5), "coverage", 1) == ["b"]
    assert chosen(pool(earlier, {"x": (0, 0, 1.0)}, stages, age_weight=2.0), "coverage", 1) == ["a"]


def test_random_weighs_ages() -> None:
    earlier = {f"{at:03d}": E for at in range(400)}
    stages = {name: 1 + (at >= 200) for at, name in enumerate(earlier)}
    drawn = chosen(pool(earlier, {"x": E}, stages, age_weight=0.25), "random", 100)
    assert 10 <= sum(stages[name] == 1 for name in drawn) <= 35
    assert drawn != chosen(pool(earlier, {"x": E}, stages, age_weight=0.25, seed=1), "random", 100)


def test_wasserstein_is_the_best_transport() -> None:
    vectors = {name: np.array([row], dtype=np.float32) for name, row in {"e": E, "f": F, "g": G}.items()}
    one = np.ones(1)
    assert wasserstein(vectors["e"], one, vectors["f"], one) == pytest.approx(0.4)
    both = np.concatenate([vectors["e"], vectors["g"]])
    # half of the mass goes from e to f at 0.4, half from g to f at 0.2; weighted 3 to 1 it is 0.35
    assert wasserstein(both, np.ones(2), vectors["f"], one) == pytest.approx(0.3)
    assert wasserstein(both, np.array([3.0, 1.0]), vectors["f"], one) == pytest.approx(0.35)
    assert wasserstein(both, np.ones(2), both[::-1], np.ones(2)) == 0


def test_insinfo_is_the_sum_of_the_words_rarities() -> None:
    found = insinfo(["sort the words", "sort the the list", "sort"])
    assert found == pytest.approx([math.log(3 / 2) + math.log(3), math.log(3 / 2) + math.log(3), 0], abs=1e-5)


def test_inscl_shares_by_distance_and_ranks_by_information() -> None:
    """Stage 1 is at distance 1 of the new one, stage 2 at 0.4: of 7 tasks 5 and 2."""
    earlier = {f"{name}{at}": row for name, row in (("a", G), ("b", F)) for at in range(6)}
    of = pool(earlier, {"x": E}, {name: 1 if name[0] == "a" else 2 for name in earlier})
    picked = chosen(of, "inscl", 7)
    assert sum(name[0] == "a" for name in picked) == 5 and len(picked) == 7
    rich = [task("a", instruction="the"), task("b", instruction="the rare words"), task("c", instruction="the the")]
    of = make_pool(rich, np.array([G, G, G], dtype=np.float32), [task("x", 9)], np.array([E], dtype=np.float32))
    assert chosen(of, "inscl", 1) == ["b"]


def test_inscl_takes_stages_at_no_distance_last() -> None:
    of = pool({"a": E, "b": G}, {"x": E}, {"a": 1, "b": 2})
    assert chosen(of, "inscl", 2) == ["b", "a"]


def test_quotas_hold_for_sources_and_licenses() -> None:
    tasks = [
        task(name, repo_id=name[0], license="mit" if name[0] == "p" else "cc") for name in ("p1", "p2", "p3", "q1")
    ]
    of = make_pool(tasks, np.array([E, E, F, G], dtype=np.float32), [task("x", 9)], np.array([E], dtype=np.float32))
    for name in set(STRATEGIES) - {"none"}:
        assert sorted(chosen(of, name, 4, per_source=1))[1:] == ["q1"], name
        found = chosen(of, name, 4, per_license=2)
        assert sum(each[0] == "p" for each in found) == 2 and "q1" in found, name


def test_a_budget_of_tokens_is_kept_and_used() -> None:
    tasks = [task(name, tokens=tokens) for name, tokens in (("a", 50), ("b", 70), ("c", 40))]
    of = make_pool(tasks, np.array([E, F, G], dtype=np.float32), [task("x", 9)], np.array([E], dtype=np.float32))
    for name in set(STRATEGIES) - {"none"}:
        assert sum(of.earlier[at].tokens for at, _ in select(of, name, Room(tokens=95))) in (70, 90), name


@pytest.mark.parametrize("name", ["instr-supprt", "", "Full"])
def test_a_mistyped_strategy_is_named(name: str) -> None:
    with pytest.raises(DynosaurError, match="instr-support") as caught:
        select(BY_HAND, name, Room(1))
    assert caught.value.code is Code.BAD_SETTING


def test_a_strategy_says_what_it_needs() -> None:
    with pytest.raises(DynosaurError, match="--tasks or --tokens"):
        select(BY_HAND, "instr-diverse", Room())
    with pytest.raises(DynosaurError, match="--age-weight is for random, coverage"):
        select(pool({"a": E}, {"x": E}, age_weight=0.5), "instr-diverse", Room(1))


ANGLES = st.lists(st.integers(0, 23), min_size=1, max_size=40)


@settings(max_examples=25)
@given(
    angles=ANGLES,
    new=st.lists(st.integers(0, 23), min_size=1, max_size=5),
    count=st.integers(0, 45),
    seed=st.integers(0, 9),
)
def test_strategies_keep_their_promises(angles: list[int], new: list[int], count: int, seed: int) -> None:
    """The size, and the same choice for the same seed whatever the order in which the tasks came."""
    earlier = [task(f"t{at:02d}", at % 3, instruction=f"at {angle}") for at, angle in enumerate(angles)]
    order = list(range(len(angles)))
    random.Random(seed).shuffle(order)
    rows, others = rows_at(angles), rows_at(new)
    fresh = [task(f"n{at}", 9) for at in range(len(new))]
    straight = make_pool(earlier, rows, fresh, others, seed)
    shuffled = make_pool([earlier[at] for at in order], rows[order], fresh[::-1], others[::-1], seed)
    for name, each in STRATEGIES.items():
        found = chosen(straight, name, count)
        assert found == chosen(shuffled, name, count) == chosen(straight, name, count), name
        wanted = {"none": 0, "full": len(angles)}.get(name, min(count, len(angles)))
        assert len(found) == len(set(found)) == wanted and each, name


@given(angles=ANGLES, count=st.integers(1, 45))
def test_coverage_never_takes_duplicates_before_every_distinct_task(angles: list[int], count: int) -> None:
    earlier = [task(f"t{at:02d}", instruction=f"at {angle}") for at, angle in enumerate(angles)]
    of = make_pool(earlier, rows_at(angles), [task("x", 9)], rows_at([3]))
    found = [angles[int(name[1:])] for name in chosen(of, "coverage", count)]
    assert len(set(found)) == min(len(found), len(set(angles)))


def rows_at(angles: list[int]) -> Any:
    turned = np.array(angles) * math.pi / 12
    return normalised(np.stack([np.cos(turned), np.sin(turned)], axis=1))
