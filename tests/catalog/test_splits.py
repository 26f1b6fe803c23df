"""What a split's name says of its use: a test row is never taken for a training row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynosaur_core.catalog.splits import split_role

NAMES = {
    "train": "train training TRAIN train_extra train.clean.100 train-00 trainset train2k full FULL all data default"
    " main full_data unsupervised unlabeled train_sft sft pretrain buzztrain auxiliary_train prompt corpus",
    "validation": "validation valid val dev devel development validation_matched dev-clean dev_2 val1 validset devset"
    " train_val trainval labelled_dev validation.en Validation pilot_dev",
    "test": "test tests testing testset testmini testMini TestMini TESTMINI test_core testcore test2 test.clean TEST"
    " devtest devTest dev-test DEVTEST valtest ca_test test_ood testA testbed minitest mini_test public_test final_test"
    " publictest hiddentest traintest train_test test_train eval evals evaluation evalset benchmark benchmarks bench"
    " holdout hold-out held_out heldout challenge leaderboard buzztest guesstest test1k test_private_leaderboard",
    "unknown": "latest contest greatest attest testimony testament validated invalidated other easy hard 2019 1 part_1"
    " en funlines adversarial trial pilot extra unused all_n_presupposition sample constrain",
}


@pytest.mark.parametrize(("name", "role"), [(name, role) for role, names in NAMES.items() for name in names.split()])
def test_what_a_split_is_for(name: str, role: str) -> None:
    assert split_role(name) == role


@given(st.sampled_from(["test", "eval", "holdout", "devtest"]), st.text(max_size=20), st.sampled_from("_-. 0"))
def test_a_word_for_tests_decides_beside_any_other(word: str, other: str, between: str) -> None:
    assert split_role(f"{other}{between}{word}") == split_role(f"{word}{between}{other}") == "test"


@given(st.text())
def test_every_name_has_a_role(name: str) -> None:
    assert split_role(name) in NAMES
