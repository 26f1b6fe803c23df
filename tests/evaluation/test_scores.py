"""Exact match and ROUGE-L, against Super-NI's way of calling `rouge-score` and against an implementation of our own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer

from dynosaur_core.evaluation.scores import Gpt2Tokens, Score, Scorer, grouped, mean, normalised

SCORER = Scorer()
STEMMER = PorterStemmer()
WORDS = (
    "the",
    "The",
    "cats",
    "cat",
    "running",
    "ran,",
    "run.",
    "happily",
    "happy",
    "42",
    "42nd",
    "a-b",
    "état",
    "猫",
    "!",
)
texts = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)


def rouge_l(reference: str, prediction: str) -> float:
    """F1 of the longest common subsequence of the stems of [a-z0-9]+ words: Lin, 2004."""
    a, b = (
        [STEMMER.stem(word) if len(word) > 3 else word for word in re.findall("[a-z0-9]+", text.lower())]
        for text in (reference, prediction)
    )

    row = [0] * (len(b) + 1)
    for word in a:
        before = row[:]
        for at, other in enumerate(b, start=1):
            row[at] = before[at - 1] + 1 if word == other else max(before[at], row[at - 1])
    both = row[-1]
    return 2 * both / (len(a) + len(b)) if both else 0.0


@given(texts, st.lists(texts, min_size=1, max_size=3))
def test_score_is_the_best_over_references_of_stems_in_common(prediction: str, references: list[str]) -> None:
    found = SCORER.score(prediction, references)
    assert found.rouge_l == pytest.approx(max(rouge_l(reference, prediction) for reference in references))
    assert found.exact_match == float(normalised(prediction) in map(normalised, references))


def test_scorer_leaves_stderr_open_when_logging_is_set_up_anew() -> None:
    code = """
import io, logging.config, sys
sys.stderr = kept = io.StringIO()
from dynosaur_core.evaluation.scores import Scorer
Scorer()
sys.stderr = sys.__stderr__
logging.config.dictConfig({"version": 1})
assert not kept.closed
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@given(st.text(max_size=40), st.text(max_size=40))
def test_score_of_any_text_is_that_of_rouge_score(prediction: str, reference: str) -> None:
    expected = RougeScorer(["rougeL"], use_stemmer=True).score(target=reference, prediction=prediction)
    assert SCORER.score(prediction, [reference]).rouge_l == expected["rougeL"].fmeasure


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("  The  Cat.\n", "the cat"),
        ("It's", "its"),
        ("a, b", "a b"),
        ("(Yes)!", "yes"),
        ("état «x»", "état «x»"),
        ("...", ""),
    ],
)
def test_normalised_drops_ascii_punctuation_and_case_and_keeps_articles(text: str, same: str) -> None:
    assert normalised(text) == same


def test_score_of_the_empty_text() -> None:
    assert SCORER.score("", ["x"]) == Score(0.0, 0.0)
    assert SCORER.score("!", ["", "x"]) == Score(
        1.0, 0.0
    )  # as the script: no words in common, the same when normalised


def test_mean_is_over_instances_times_100() -> None:
    scores = [Score(1.0, 1.0), Score(0.0, 0.5), Score(0.0, 0.0)]
    assert mean(scores) == Score(33.3333, 50.0)
    assert mean([]) == Score(0.0, 0.0)
    assert grouped(zip("aba", scores, strict=True)) == {"a": (2, Score(50.0, 50.0)), "b": (1, Score(0.0, 50.0))}


def test_xlingual_counts_the_tokens_of_a_tokenizer_without_their_space() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator(
        ["猫 が 好き 猫 が 好き"],
        tokenizers.trainers.BpeTrainer(vocab_size=300, initial_alphabet=letters, show_progress=False),
    )
    tokens = Gpt2Tokens(made)
    assert tokens.tokenize("猫 猫")[0] == tokens.tokenize("猫 猫")[1]
    scorer = Scorer("xlingual", tokens)
    assert scorer.score("猫 が 好き", ["猫 が 好き"]).rouge_l == 1.0
    assert SCORER.score("猫 が 好き", ["猫 が 好き"]).rouge_l == 0.0, "the English track has no words there"


@pytest.mark.corpus
def test_score_on_real_answers_is_that_of_the_script(corpus: Path) -> None:
    """Each answer of every fourth task against the references of the next instance, which share some words."""
    theirs, seen = RougeScorer(["rougeL"], use_stemmer=True), 0.0
    for name in ("test_tasks.jsonl", "other_tasks_sample.jsonl"):
        for line in (corpus / "superni" / name).read_text().splitlines()[::4]:
            outputs = [list(map(str, each["output"])) for each in json.loads(line)["instances"]]
            for mine, references in zip(outputs, outputs[1:] + outputs[:1], strict=True):
                best = max(theirs.score(target=each, prediction=mine[0])["rougeL"].fmeasure for each in references)
                found = SCORER.score(mine[0], references)
                assert found.rouge_l == best and SCORER.score(mine[0], mine).exact_match == 1.0
                assert found.rouge_l == pytest.approx(max(rouge_l(each, mine[0]) for each in references))
                seen += best
    assert seen > 30
