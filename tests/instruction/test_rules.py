"""The rule-based designer: every rule fires on its shape, and nothing fires where the shape is not plain."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets import ClassLabel, Features, Sequence, Value

from dynosaur_core.bundled import bundled_catalog
from dynosaur_core.card import listing_fields, parse_card
from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.instruction.rules import CHECKS, design_by_rules, load_rules
from dynosaur_core.metadata.features import field_specs
from dynosaur_core.metadata.stage import read_subsets
from dynosaur_core.models import DatasetMetadata, DatasetRef, Mode, Proposal, Split, Subset
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Sampling
from dynosaur_core.store import Store

ROWS = 24
TEXTS = [f"The {color} {thing} stood near the old mill." for color in ("red", "blue", "green") for thing in range(8)]
OTHERS = [f"Near the old mill one saw number {row} in the morning." for row in range(ROWS)]
QUESTIONS = [f"What stood near the old mill on day {row}?" for row in range(ROWS)]
LONG = [" ".join([text] * 5) for text in TEXTS]
CODE = [f"def add_{row}(n):\n    return n + {row}" for row in range(ROWS)]
CHOICES = [[f"number {row}", f"number {row + 1}", "none"] for row in range(ROWS)]
NESTED = [{"text": [f"day {row}"], "answer_start": [row]} for row in range(ROWS)]
SQUAD = {"text": Sequence(Value("string")), "answer_start": Sequence(Value("int32"))}
TURNS = [[{"speaker": "A", "text": text}, {"speaker": "B", "text": "Indeed it did."}] for text in TEXTS]
Columns = dict[str, Any]


def labels(*names: str) -> tuple[ClassLabel, list[str]]:
    """A ClassLabel column, decoded to names as in the sampled rows."""
    return ClassLabel(names=list(names)), [names[row % len(names)] for row in range(ROWS)]


def strings(values: list[str]) -> tuple[Value, list[str]]:
    return Value("string"), values


SPEAKER = [{"speaker": Value("string"), "text": Value("string")}]
PAIR = {"sentence1": strings(TEXTS), "sentence2": strings(OTHERS)}
NLI = {"premise": strings(TEXTS), "hypothesis": strings(OTHERS)}
ATTRIBUTES = strings([f"name[Mill {row}], area[north]" for row in range(ROWS)])
SHORT = strings([f"Mill {row}" for row in range(ROWS)])
QUIZ = {"question": strings(QUESTIONS), "choices": (Sequence(Value("string")), CHOICES)}
PICKED = strings([choices[row % 3] for row, choices in enumerate(CHOICES)])

SHAPES: dict[str, tuple[Columns, tuple[str, ...]]] = {
    "sentiment": ({"review": strings(TEXTS), "sentiment": labels("neg", "pos")}, ()),
    "emotion": ({"tweet": strings(TEXTS), "emotion": labels("anger", "joy", "sadness")}, ()),
    "irony": ({"text": strings(TEXTS), "label": labels("non_irony", "irony")}, ()),
    "offence": ({"tweet": strings(TEXTS), "class": labels("hate speech", "offensive language", "neither")}, ()),
    "acceptability": ({"sentence": strings(TEXTS), "label": labels("unacceptable", "acceptable")}, ()),
    "spam": ({"message": strings(TEXTS), "label": labels("ham", "spam")}, ()),
    "level": ({"text": strings(TEXTS), "label": labels("ele", "int", "adv")}, ()),
    "emoji": ({"text": strings(TEXTS), "label": labels("❤", "😍", "🔥")}, ()),
    "intent": (
        {"text": strings(TEXTS), "label": labels("lost_card", "top_up", "age_limit")},
        ("intent-classification",),
    ),
    "dialogue_topic": ({"dialogue": (SPEAKER, TURNS), "topic": labels("travel", "food")}, ()),
    "topic": ({"headline": strings(TEXTS), "label": labels("Sports", "World")}, ("topic-classification",)),
    "entailment": (PAIR | {"label": labels("entailment", "not_entailment")}, ()),
    "hypothesis": (NLI | {"label": labels("entailment", "neutral", "contradiction")}, ()),
    "answered": (
        {
            "question": strings(QUESTIONS),
            "sentence": strings(TEXTS),
            "label": labels("entailment", "not_entailment"),
        },
        (),
    ),
    "same_meaning": (
        {"question1": strings(QUESTIONS), "question2": strings(OTHERS), "label": labels("not_duplicate", "duplicate")},
        (),
    ),
    "similarity": (
        PAIR | {"score": (Value("float32"), [row % 7 * 0.7 for row in range(ROWS)])},
        ("semantic-similarity-scoring",),
    ),
    "choice_of_passage": (QUIZ | {"context": strings(LONG), "answer": labels("A", "B", "C")}, ()),
    "choice": (QUIZ | {"answer": labels("A", "B", "C")}, ()),
    "choice_text_of_passage": (QUIZ | {"context": strings(LONG), "answer": PICKED}, ()),
    "choice_text": (QUIZ | {"answer": PICKED}, ()),
    "reading": ({"context": strings(LONG), "question": strings(QUESTIONS), "answers": (SQUAD, NESTED)}, ()),
    "asking": ({"context": strings(LONG), "question": strings(QUESTIONS), "answer": SHORT, "title": SHORT}, ()),
    "word_problem": ({"question": strings(QUESTIONS), "answer": strings(LONG)}, ("other-math-word-problems",)),
    "open_question": ({"question": strings(QUESTIONS), "answer": SHORT}, ("closed-book-qa",)),
    "attributes_to_text": ({"meaning_representation": ATTRIBUTES, "human_reference": strings(TEXTS)}, ()),
    "text_to_attributes": ({"mr": ATTRIBUTES, "reference": strings(TEXTS)}, ()),
    "dialogue_summary": ({"dialogue": (SPEAKER, TURNS), "summary": strings(TEXTS)}, ()),
    "summary": ({"article": strings(LONG), "highlights": strings(OTHERS)}, ()),
    "target_summary": ({"source": strings(LONG), "target": strings(OTHERS)}, ("summarization",)),
    "headline": ({"text": strings(LONG), "title": SHORT}, ("news-articles-headline-generation",)),
    "target_simpler": ({"source": strings(TEXTS), "target": strings(OTHERS)}, ("text-simplification",)),
    "target_paraphrase": ({"input": strings(TEXTS), "output": strings(OTHERS)}, ("other-paraphrasing",)),
    "formal": ({"informal": strings(TEXTS), "formal": strings(OTHERS)}, ()),
    "informal": ({"informal": strings(TEXTS), "formal": strings(OTHERS)}, ()),
    "simpler": ({"normal_sentence": strings(TEXTS), "simple_sentence": strings(OTHERS)}, ()),
    "correction": ({"sentence_bad": strings(TEXTS), "sentence_good": strings(OTHERS)}, ()),
    "code": ({"task_id": (Value("int32"), list(range(ROWS))), "text": strings(OTHERS), "code": strings(CODE)}, ()),
    "code_description": ({"instruction": strings(OTHERS), "code": strings(CODE), "tests": strings(TEXTS)}, ()),
}


def propose(columns: Columns, tags: tuple[str, ...] = (), config: str = "default", **more: Any) -> Proposal:
    features = Features({name: feature for name, (feature, _) in columns.items()})
    table = pa.table({name: pa.array(values) for name, (_, values) in columns.items()})
    subset = Subset(config=config, splits=(Split(name="train", role="train"),), fields=field_specs(features))
    metadata = DatasetMetadata(
        ref=DatasetRef(repo_id="acme/mills", revision="0" * 40),
        title="Mills",
        website="https://example.org",
        licenses=(),
        license="mit",
        languages=("en",),
        task_ids=tags,
        subsets=(subset,),
    )
    return design_by_rules(metadata, subset, table, **more)


def mappings(proposal: Proposal) -> set[tuple[frozenset[str], str]]:
    return {(frozenset(design.input_fields), design.output_fields[0]) for design in proposal.designs}


def test_the_table_refers_to_what_is_there() -> None:
    table = load_rules()
    for rule in table.rules:
        assert {*rule.inputs, rule.output, *rule.beside} <= set(table.roles)
        assert rule.labels is None or rule.labels in table.families
        assert rule.check is None or rule.check in CHECKS
        assert len(set(rule.phrasings)) == len(rule.phrasings) > 0
    assert [rule.name for rule in table.rules] == list(SHAPES)
    used = {rule.labels for rule in table.rules} | {rule.check for rule in table.rules}
    assert set(table.families) | set(CHECKS) == used - {None}


@pytest.mark.parametrize("name", SHAPES)
def test_a_rule_fires_on_its_shape(name: str) -> None:
    columns, tags = SHAPES[name]
    rule = next(rule for rule in load_rules().rules if rule.name == name)
    proposal = propose(columns, tags)
    assert proposal.problem is None
    wordings = [design.instruction for design in proposal.designs]
    stems = [phrasing.partition("{")[0] for phrasing in rule.phrasings]
    assert any(wording.startswith(stem) for wording in wordings for stem in stems), wordings
    assert not any("{" in wording for wording in wordings)
    for design in proposal.designs:
        assert {*design.input_fields, *design.output_fields} <= set(columns)
        assert len(design.output_fields) == 1
        assert design.output_fields[0] not in design.input_fields


@pytest.mark.parametrize("name", [name for name, (_, tags) in SHAPES.items() if tags])
def test_a_rule_with_tags_is_silent_without_them(name: str) -> None:
    proposal = propose(SHAPES[name][0])
    assert proposal.designs == ()
    assert proposal.problem is not None
    assert proposal.problem.reason == Reason.NO_DESIGN


SILENT: dict[str, tuple[Columns, tuple[str, ...]]] = {
    "sentiment towards a mention": (
        {"sentence": strings(TEXTS), "mention": SHORT, "polarity": labels("negative", "positive")},
        (),
    ),
    "sentiment as a number that nothing explains": (
        {"text": strings(TEXTS), "label": (Value("int64"), [row % 2 for row in range(ROWS)])},
        (),
    ),
    "stance on a target that is not shown": ({"text": strings(TEXTS), "label": labels("none", "against", "favor")}, ()),
    "two texts that could be meant": (
        {"text": strings(TEXTS), "sentence": strings(OTHERS), "label": labels("negative", "positive")},
        (),
    ),
    "labels of which one is unknown": ({"text": strings(TEXTS), "label": labels("negative", "positive", "x9")}, ()),
    "one class only": (
        {"text": strings(TEXTS), "label": (ClassLabel(names=["negative", "positive"]), ["positive"] * ROWS)},
        (),
    ),
    "is the answer plausible": (
        {
            "sentence": strings(LONG),
            "question": strings(QUESTIONS),
            "answer": SHORT,
            "label": labels("no", "yes"),
        },
        ("multiple-choice-qa",),
    ),
    "an answer as the index of a choice": (QUIZ | {"answer": (Value("int32"), [row % 3 for row in range(ROWS)])}, ()),
    "an answer that is none of the choices": (QUIZ | {"answer": strings(OTHERS)}, ()),
    "a summary as long as its text": ({"text": strings(TEXTS), "summary": strings(OTHERS)}, ()),
    "code that is prose": ({"text": strings(TEXTS), "code": strings(OTHERS)}, ()),
    "rated simplifications": (
        {"complex": strings(TEXTS), "simple": strings(OTHERS), "aspect": labels("fluency", "meaning")},
        (),
    ),
    "a translation, say": ({"source": strings(TEXTS), "target": strings(OTHERS)}, ("translation",)),
    "numbered labels": (PAIR | {"label": labels("0", "1")}, ("semantic-similarity-classification",)),
    "one column": ({"text": strings(TEXTS)}, ("topic-classification",)),
    "nothing but keys": ({"id": SHORT, "label": labels("negative", "positive")}, ()),
}


@pytest.mark.parametrize("name", SILENT)
def test_silence_where_the_shape_is_not_plain(name: str) -> None:
    assert propose(*SILENT[name]).designs == ()


def test_names_constants_and_keys_beside_the_task_do_not_disturb_it() -> None:
    columns = {
        "UID": strings([f"u-{row}" for row in range(ROWS)]),
        "Review_Text": strings(TEXTS),
        "Sentiment": strings(["positive", "negative"] * (ROWS // 2)),
        "hash": strings([f"{row:08x}" for row in range(ROWS)]),
        "domain": strings(["mills"] * ROWS),
        "votes": (Value("int64"), list(range(ROWS))),
    }
    proposal = propose(columns)
    assert mappings(proposal) == {(frozenset({"Review_Text"}), "Sentiment")}
    assert "review" in proposal.designs[0].instruction


def test_nulls_and_blanks_are_looked_past() -> None:
    values: list[Any] = [None, "", "  ", *TEXTS[3:]]
    kinds, names = labels("negative", "positive")
    columns = {"comment": (Value("string"), values), "opinion": (kinds, [None, *names[1:]])}
    assert mappings(propose(columns)) == {(frozenset({"comment"}), "opinion")}
    empty = {name: (feature, [None] * ROWS) for name, (feature, _) in columns.items()}
    assert propose(empty).designs == ()


def test_labels_are_left_to_the_records_however_many_and_long() -> None:
    many = [f"ask_about_{chr(97 + row)}{chr(97 + row)}" for row in range(12)]
    columns = {"query": strings(TEXTS), "intent": labels(*many)}
    for (design,) in (propose(columns, ("intent-classification",)).designs, propose(*SHAPES["offence"]).designs):
        assert "Answer with" not in design.instruction


def test_a_score_names_its_range() -> None:
    (design,) = propose(*SHAPES["similarity"]).designs
    assert "from 0" in design.instruction
    assert "to 5" in design.instruction


def test_the_same_content_gives_the_same_proposal_and_configs_vary_in_wording() -> None:
    columns, tags = SHAPES["topic"]
    assert propose(columns, tags) == propose(columns, tags)
    of_configs = {propose(columns, tags, config=f"c{number}").designs[0].instruction for number in range(20)}
    assert len(of_configs) > 1
    first = propose(columns, tags)
    assert (first.mode, first.model, first.usage.requests) == (Mode.RULES, "rules", 0)
    assert first.request_digest != propose(columns, (*tags, "more")).request_digest


def test_no_more_tasks_than_asked_for() -> None:
    columns, tags = SHAPES["hypothesis"]
    assert len(propose(columns, tags).designs) == 2
    assert len(propose(columns, tags, max_tasks=1).designs) == 1


def designs_of(root: Path, store: Store, ids: set[str] | None = None) -> dict[tuple[str, str], Proposal]:
    """What the rules propose for every subset of the datasets `ids` (default: all) in a folder."""
    catalog, found = FolderCatalog(root), {}
    for ref in catalog.list():
        if ids is not None and ref.repo_id not in ids:
            continue
        source = catalog.open(ref)
        listing = listing_fields(parse_card(source.card()))
        metadata = DatasetMetadata(
            ref=ref,
            title=ref.repo_id,
            website="",
            licenses=(),
            license="",
            languages=(),
            task_categories=listing["task_categories"],
            task_ids=listing["task_ids"],
        )
        subsets, _ = read_subsets(ref, source, store, Sampling(), detect=False)
        for subset in subsets:
            assert subset.rows is not None
            rows = store.read_table("rows", subset.rows.digest)
            found[ref.repo_id, subset.config] = design_by_rules(metadata, subset, rows)
    return found


BUNDLED = {
    "attic/transport-survey": {("comment",): "opinion"},
    "greenhouse/plant-reviews": {("review",): "sentiment"},
    "inkwell/polite-rewrites": {("informal",): "formal", ("formal",): "informal"},
    "lantern/everyday-paraphrases": {("sentence1", "sentence2"): "label"},
    "lantern/kitchen-nli": {("premise", "hypothesis"): "label", ("premise", "label"): "hypothesis"},
    "newsroom/village-news": {("document",): "summary"},
    "snakepit/small-functions": {("instruction",): "code", ("code",): "instruction"},
    "tablewright/bistro-descriptions": {
        ("meaning_representation",): "reference",
        ("reference",): "meaning_representation",
    },
}


def test_the_bundled_catalogue_gets_the_tasks_that_it_was_made_for(store: Store) -> None:
    found = designs_of(bundled_catalog(), store, set(BUNDLED) | {"quizhall/school-quiz", "switchboard/desk-dialogues"})
    for repo_id, expected in BUNDLED.items():
        proposed = found[repo_id, "default"].designs
        assert {design.input_fields: design.output_fields[0] for design in proposed} == expected
    for config in ("science", "geography"):
        assert mappings(found["quizhall/school-quiz", config]) == {(frozenset({"question", "choices"}), "answer")}
    assert {output for _, output in mappings(found["switchboard/desk-dialogues", "default"])} == {"topic", "summary"}


@pytest.mark.corpus
def test_on_real_datasets_the_rules_agree_with_the_annotators(corpus: Path, store: Store) -> None:
    """Of the mappings that annotators judged, the rules propose none whose wiring they found wrong.

    Faults of wording (about the shown row, contradictory, an incomplete label list) are the judged designs' own.
    """
    wording = {"row_specific", "contradiction", "wrong_labels"}
    judged: dict[tuple[str, str, frozenset[str], str], set[str]] = defaultdict(set)
    for line in (corpus / "gpt35_labels.jsonl").read_text(encoding="utf-8").splitlines():
        design = json.loads(line)
        inputs, output = frozenset(design["input_fields"]), "+".join(design["output_field"])
        judged[design["dataset"], design["config"], inputs, output] |= set(design["reasons"]) or {design["verdict"]}
    found = designs_of(corpus / "hub", store)
    proposed = {(*key, *mapping) for key, proposal in found.items() for mapping in mappings(proposal)}
    assert len(found) >= 100
    assert sum(bool(proposal.designs) for proposal in found.values()) >= 60
    known = proposed & set(judged)
    assert len(known) >= 30
    assert [mapping for mapping in known if not judged[mapping] & (wording | {"valid"})] == []
    silent = ("gap", "selqa", "mc_taco", "woz_dialogue", "time_dial", "sede", "neural_code_search", "opinosis", "quail")
    assert not [key for key, proposal in found.items() if proposal.designs and key[0].split("/")[1] in silent]
