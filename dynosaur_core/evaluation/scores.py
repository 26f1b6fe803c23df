"""Exact match and ROUGE-L as the scorer of Super-NaturalInstructions computes them (Wang et al., EMNLP 2022).

Its script is `src/compute_metrics.py` of yizhongw/Tk-Instruct. Both scores of an instance are the best over its
references; a score of a task, a category or all is the mean over its instances, times 100. The ROUGE-L of the English
track is the F1 of google-research's `rouge-score` with Porter's stemmer (Lin, 2004).
"""

from __future__ import annotations

import string
import sys
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeVar

from dynosaur_core.continual.encoders import needed
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.choice import Track

SCORES_VERSION = 1
"""Raised when the same predictions get other scores."""
_PUNCTUATION = str.maketrans("", "", string.punctuation)
Group = TypeVar("Group", bound=Hashable)


class Score(NamedTuple):
    """Of one instance between 0 and 1, of several the mean times 100."""

    exact_match: float
    rouge_l: float


class Tokenizer(Protocol):
    """What `rouge-score` takes."""

    def tokenize(self, text: str) -> list[str]: ...


class Scorer:
    """Scores predictions of one track."""

    def __init__(self, track: Track = "default", tokenizer: Tokenizer | None = None) -> None:
        """`tokenizer` goes before the track's. Raises BadSetting where the extra `eval` is not installed, or where the
        Hub does not give the tokenizer of `xlingual`."""
        if tokenizer is None and track == "xlingual":
            tokenizer = Gpt2Tokens()
        rouge = needed("rouge_score.rouge_scorer", "eval")
        # absl, which it imports, closes the stderr of its import when logging is set up anew, as Prefect does
        needed("absl.logging", "eval").get_absl_handler().python_handler.stream = sys.__stderr__
        self._rouge: Any = rouge.RougeScorer(["rougeL"], use_stemmer=True, tokenizer=tokenizer)

    def score(self, prediction: str, references: Sequence[str]) -> Score:
        """The best over the references, of which there is one at least."""
        said = normalised(prediction)
        return Score(
            max(float(normalised(reference) == said) for reference in references),
            max(float(self._rouge.score(reference, prediction)["rougeL"].fmeasure) for reference in references),
        )


class Gpt2Tokens:
    """The tokens of GPT-2 without the space before them, which the script counts for tracks in other languages."""

    def __init__(self, tokenizer: Any = None) -> None:
        """`tokenizer`: a `tokenizers.Tokenizer`; by default GPT-2's, from the Hub or its cache."""
        self._tokenizer = tokenizer or _gpt2()

    def tokenize(self, text: str) -> list[str]:
        return [token.lstrip("Ġ") for token in self._tokenizer.encode(text).tokens]


@lru_cache(maxsize=1)
def _gpt2() -> Any:
    try:
        return needed("tokenizers", "replay").Tokenizer.from_pretrained("openai-community/gpt2")
    except Exception as error:  # the library raises bare Exceptions
        message = f"the tokenizer of GPT-2, which the track xlingual counts by, cannot be fetched: {error}"
        raise DynosaurError(Code.BAD_SETTING, message) from error


def normalised(text: str) -> str:
    """In lower case, without ASCII punctuation, with single spaces: what exact match compares. Articles stay."""
    return " ".join(text.lower().translate(_PUNCTUATION).split())


def mean(scores: Sequence[Score]) -> Score:
    """The mean times 100, rounded to four digits as the script does; 0 for none."""
    total = max(len(scores), 1)
    return Score(
        *(round(100 * sum(values) / total, 4) for values in (zip(*scores, strict=True) if scores else ((), ())))
    )


def grouped(scores: Iterable[tuple[Group, Score]]) -> dict[Group, tuple[int, Score]]:
    """Per group its number of instances and their mean, in the order in which groups come."""
    found: defaultdict[Group, list[Score]] = defaultdict(list)
    for group, score in scores:
        found[group].append(score)
    return {group: (len(each), mean(each)) for group, each in found.items()}
