"""An evaluation: a suite's instances become prompts, predictions and scores, in a folder that is made whole.

README.md            the scores, and what was left out and cut
scores.parquet       one row a task
scores.png           ROUGE-L by category, or by task
predictions.jsonl    every instance with its prediction and scores, in the suite's order
scores.json          the manifest, written last

While it is at work the folder holds `predictions-<what>.part.jsonl`, from which the same command goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dynosaur_core.alone import LOCK, alone
from dynosaur_core.continual.encoders import needed
from dynosaur_core.continual.folder import Made, made_before, made_whole
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.choice import EvaluationChoice
from dynosaur_core.evaluation.generators import Generator, open_generator
from dynosaur_core.evaluation.journal import Journal, Predicted, kept
from dynosaur_core.evaluation.prompts import PromptForm
from dynosaur_core.evaluation.questions import PROMPT_VERSION, Question, ask
from dynosaur_core.evaluation.report import MANIFEST, PREDICTIONS, EvaluationSummary, Scored, write_report
from dynosaur_core.evaluation.scores import SCORES_VERSION, Scorer
from dynosaur_core.logs import logger
from dynosaur_core.settings import Settings
from dynosaur_core.stored import from_stored
from dynosaur_core.suites.suite import Suite, open_suite
from dynosaur_core.training.manifest import prompt_of

Progress = Callable[[int, int], None]
"""Called with how many predictions are there, and of how many."""
_log = logger("evaluation")


def evaluate(
    choice: EvaluationChoice,
    settings: Settings,
    generator: Generator | None = None,
    progress: Progress = lambda _done, _total: None,
) -> EvaluationSummary:
    """Evaluates, unless that was done; `generator` goes before the one that `choice.model` names.

    Raises DynosaurError: BadSetting for a model, suite or folder that is none, or a folder that holds another
    evaluation; or what the model's endpoint raises. Predictions that were made until then are kept.
    """
    scorer = Scorer(choice.track)
    needed("matplotlib.figure", "eval")  # before the work that the picture is of
    out = _folder(choice.out)
    form = choice.prompt or prompt_of(choice.model)
    if choice.prompt is None:
        _log.info("%s is asked with the prompt %s", choice.model, form)
    suite = open_suite(choice.suite, settings)
    generator = generator or open_generator(choice, settings)
    asked = (form, choice.examples, choice.input_tokens, PROMPT_VERSION)
    identity = digest(generator.digest, suite.digest, *asked)
    key = digest(identity, choice.instances, choice.seed, choice.first_line, choice.track, SCORES_VERSION)
    if made := _standing(out, identity, key):
        return EvaluationSummary(**{**made.summary, "out": choice.out, "changed": False})
    choice = choice.model_copy(update={"prompt": form})
    with alone(out, f"another evaluation is at work in {out}"):
        left_out, questions = _questions(choice, form, suite, generator)
        found = _predict(questions, generator, out, identity, progress)
        summary: dict[str, Any] = {}
        with made_whole(str(out), MANIFEST, key, summary) as folder:
            scored = [Scored.of(question, found[question.digest], scorer, choice) for question in questions]
            summary |= {"identity": identity, "scores_version": SCORES_VERSION}
            summary |= {"model": generator.name, "suite": choice.suite, "track": choice.track}
            summary |= {"prompt": form, "examples": choice.examples}
            summary |= write_report(scored, left_out, summary, choice, folder)
    return EvaluationSummary(out=choice.out, changed=True, usage=generator.usage(), **summary)


def _folder(out: str) -> Path:
    if "://" in out:
        message = f"--out {out}: an evaluation goes on in its folder: give one of this machine"
        raise DynosaurError(Code.BAD_SETTING, message)
    return Path(out).absolute()


def _standing(out: Path, identity: str, key: str) -> Made | None:
    """The evaluation that was done before. Raises BadSetting where the folder is something else's."""
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if MANIFEST in names:
        remedy = f"remove {out}, and evaluate anew"
        before = from_stored((out / MANIFEST).read_bytes(), Made, f"{MANIFEST} of {out}", remedy)
        if before.summary.get("identity") != identity:
            raise _other(out)
        return made_before(str(out), MANIFEST, key)
    if any(name.endswith(_part("")) for name in names - {_part(identity)}):
        raise _other(out)
    return None if names <= {_part(identity), LOCK} else made_before(str(out), MANIFEST, key)


def _other(out: Path) -> DynosaurError:
    message = (
        f"{out} holds another evaluation (of another model, suite or prompt, or with other tokens): "
        "give another --out, or remove it"
    )
    return DynosaurError(Code.BAD_SETTING, message)


def _questions(
    choice: EvaluationChoice, form: PromptForm, suite: Suite, generator: Generator
) -> tuple[Counter[str], Sequence[Question]]:
    drawn = suite.draw(choice.instances, choice.seed)
    given = (form, choice.examples, choice.input_tokens, generator.count, drawn.left_out)
    questions = ask(drawn.instances, *given)
    if not questions:
        message = f"no prompt of {suite.name} fits into {choice.input_tokens:,} tokens: raise --input-tokens"
        raise DynosaurError(Code.BAD_SETTING, message)
    return drawn.left_out, questions


def _predict(
    questions: Sequence[Question], generator: Generator, out: Path, identity: str, progress: Progress
) -> dict[str, Predicted]:
    """prompt digest -> prediction; equal prompts are asked once."""
    part = out / _part(identity)
    found = kept(out / PREDICTIONS) | kept(part)
    of = {question.digest: question for question in questions}
    names = list(of)
    done = {place for place, name in enumerate(names) if name in found}
    progress(len(done), len(names))
    with Journal(part) as journal:
        for place, text, error in generator.generate([of[name].prompt for name in names], frozenset(done)):
            instance, name = of[names[place]].instance, names[place]
            line = Predicted(id=instance.id, task=instance.task, prompt=name, prediction=text, error=error)
            journal.add(iter([line]))
            found[name] = line
            done.add(place)
            progress(len(done), len(names))
    return found


def _part(identity: str) -> str:
    return f"{identity and f'predictions-{identity}'}.part.jsonl"
