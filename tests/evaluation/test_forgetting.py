"""Forgetting and backward transfer on matrices worked out by hand; intervals; strategies side by side."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dynosaur_core.evaluation.comparison import StageScores, against, compare, comparison_table, draw_comparison
from dynosaur_core.evaluation.forgetting import (
    Interval,
    average,
    backward_transfer,
    difference,
    forgetting,
    interval,
    since_learnt,
)

FORGETS = ((50, None, None), (46, 40, None), (44, 36.12, 30))
"""Stage 1 falls 50, 46, 44 and stage 2 falls 40, 36.12: -6 and -3.88 since they were learnt."""
REGAINS = ((50, 20, 10), (56, 40, 12), (53, 41, 30))
"""Stage 1 rises to 56 after stage 2 and is 53 at the end: 3 above where it was learnt, 3 below its best."""
squares = st.integers(2, 5).flatmap(
    lambda size: st.lists(st.lists(st.floats(0, 100), min_size=size, max_size=size), min_size=size, max_size=size)
)


def test_since_learnt_is_the_last_score_minus_the_first() -> None:
    assert since_learnt(FORGETS) == pytest.approx((-6, -3.88))
    assert since_learnt(REGAINS) == pytest.approx((3, 1))


def test_backward_transfer_is_its_mean() -> None:
    assert backward_transfer(FORGETS) == pytest.approx(-4.94)
    assert backward_transfer(REGAINS) == pytest.approx(2)


def test_forgetting_is_from_the_best_that_a_stage_before_the_last_left() -> None:
    assert forgetting(FORGETS) == pytest.approx(4.94)
    assert forgetting(REGAINS) == pytest.approx((3 + -1) / 2)


def test_average_is_of_the_last_row() -> None:
    assert average(REGAINS) == pytest.approx((53 + 41 + 30) / 3)


@given(squares)
def test_forgetting_is_never_less_than_what_backward_transfer_lost(scores: list[list[float]]) -> None:
    assert forgetting(scores) >= -backward_transfer(scores) - 1e-9
    assert backward_transfer([[value + 7 for value in row] for row in scores]) == pytest.approx(
        backward_transfer(scores), abs=1e-9
    )


@pytest.mark.parametrize("scores", [[[1.0]], [], [[1.0, 2.0]], [[1.0, None], [None, 1.0]], [[None, None], [1.0, 1.0]]])
def test_forgetting_of_no_whole_matrix_is_an_error(scores: list[list[float | None]]) -> None:
    with pytest.raises(ValueError, match="stage"):
        forgetting(scores)


def test_interval_is_students() -> None:
    found = interval([1.0, 2.0, 3.0])
    # t(0.975, 2) = 4.3027, s = 1, n = 3
    assert (found.mean, found.low, found.high) == pytest.approx((2, 2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-4)
    assert interval([4.0]) == Interval(4.0, None, None, 1)
    assert str(interval([4.0])) == "4.00" and str(Interval(1, 0.5, 1.5, 3)) == "1.00 [0.50, 1.50]"
    with pytest.raises(ValueError, match="no values"):
        interval([])


def test_difference_is_paired_by_seed() -> None:
    """What a seed does to both strategies falls out: the difference is 1 for each."""
    found = difference({0: 11.0, 1: 31.0, 2: 51.0, 7: 0.0}, {2: 50.0, 1: 30.0, 0: 10.0})
    assert found == Interval(1.0, 1.0, 1.0, 3)


def runs(seeds: int = 3) -> list[StageScores]:
    return [
        StageScores(
            strategy=strategy,
            seed=seed,
            unseen=(36.0 + seed, 37 + seed + gain, 38 + seed + 2 * gain),
            held_out=((50, None, None), (46 + gain, 40, None), (44 + gain, 36.12 + gain, 30)),
        )
        for strategy, gain in (("none", 0.0), ("instr-support", 2.0), ("a|b$x$", 1.0))
        for seed in range(seeds)
    ]


def test_compare_has_each_measure_over_seeds() -> None:
    found = compare(runs())
    assert list(found) == ["none", "instr-support", "a|b$x$"]
    assert found["instr-support"]["test after stage 3"].mean == pytest.approx(43)
    assert found["none"]["stage 2 after 3, since learnt"] == pytest.approx(Interval(-3.88, -3.88, -3.88, 3))
    assert [found["none"][f"held-out of stage {at} when learnt"].mean for at in (1, 2, 3)] == [50, 40, 30]
    assert found["none"]["BWT"].mean == pytest.approx(-4.94) and found["none"]["forgetting"].mean == pytest.approx(4.94)
    assert found["none"]["test after stage 1"].low == pytest.approx(37 - 4.3027 / 3**0.5, abs=1e-3)
    paired = against(runs(), "none")
    assert list(paired) == ["instr-support", "a|b$x$"]
    assert paired["instr-support"]["test after stage 3"] == pytest.approx(Interval(4, 4, 4, 3))


def test_compare_refuses_what_does_not_belong_together() -> None:
    two = StageScores(strategy="none", seed=9, unseen=(1, 2), held_out=((1, None), (1, 1)))
    with pytest.raises(ValueError, match=r"\[2, 3\] stages"):
        compare([*runs(), two])
    with pytest.raises(ValueError, match="none has the seed 0 twice"):
        compare([*runs(), runs()[0]])
    with pytest.raises(ValueError, match="no square"):
        StageScores(strategy="none", seed=0, unseen=(1, 2), held_out=((1,), (1, 1)))
    with pytest.raises(ValueError, match="no score when it was learnt"):
        StageScores(strategy="none", seed=0, unseen=(1, 2), held_out=((1, None), (1, None)))


def test_comparison_table_has_a_row_a_strategy() -> None:
    lines = comparison_table(compare(runs())).splitlines()
    assert len(lines) == 5 and len({line.replace(r"\|", "").count("|") for line in lines}) == 1
    assert lines[2].startswith("| none | 3 | 37.00 [34.52, 39.48] | ")
    assert r"a\|b\$x\$" in lines[4]


@pytest.mark.parametrize("seeds", [1, 3])
def test_draw_comparison_is_a_picture(tmp_path: Path, seeds: int) -> None:
    draw_comparison(runs(seeds), tmp_path)
    with Image.open(tmp_path / "strategies.png") as picture:
        assert picture.format == "PNG" and picture.size[0] > 1_000
    before = (tmp_path / "strategies.png").read_bytes()
    draw_comparison(runs(seeds), tmp_path)
    assert (tmp_path / "strategies.png").read_bytes() == before


def test_draw_comparison_of_one_stage_has_no_forgetting(tmp_path: Path) -> None:
    alone = [StageScores(strategy="none", seed=0, unseen=(1.0,), held_out=((2.0,),))]
    assert list(compare(alone)["none"]) == ["test after stage 1", "held-out of stage 1 when learnt"]
    draw_comparison(alone, tmp_path)
