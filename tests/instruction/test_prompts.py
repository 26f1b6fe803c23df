"""What a prompt shows, and what it never shows."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.errors import DynosaurError
from dynosaur_core.instruction.examples import EXAMPLE_INSTRUCTIONS, EXAMPLES
from dynosaur_core.instruction.stage import instruction_key, plan
from dynosaur_core.metadata.stage import read_metadata
from dynosaur_core.models import FieldKind, FieldSpec, Mode
from dynosaur_core.prompting import MAX_FIELDS, row_text, shown_fields
from dynosaur_core.settings import Designing, Settings
from dynosaur_core.store import Store
from tests.instruction.data import dataset, settings, subset, text

NESTED = FieldSpec(name="answers", kind=FieldKind.STRUCT, type="struct<text: list<string>, start: list<int32>>")
LABEL = FieldSpec(name="side", kind=FieldKind.LABEL, type="class_label", label_names=("left", "right"))
DIGESTS = [
    ("attic/transport-survey", "1cbbc43b22c76f446cfdd92e28ebe195"),
    ("greenhouse/plant-reviews", "d48c53375d06a29ffe09f624a879add8"),
    ("harbour/museum-questions", "97870b44982959ad696d2f0222ac756f"),
    ("harbour/museum-questions", "6024883957264da17dc73dd622abb8bd"),
    ("inkwell/polite-rewrites", "37687f3bc9f74ecdb295b54a6d148244"),
    ("lantern/everyday-paraphrases", "08aeeaeaba29ad562e787ee52d5683d7"),
    ("lantern/kitchen-nli", "85c4909efd48ebb097cf31de2b8e2350"),
    ("newsroom/topic-labels", "5c1646e69ee55b61f9acc1542f102833"),
    ("newsroom/topic-labels", "dab6b7246ad3f55ce64967505fe9976d"),
    ("newsroom/village-news", "67a3623ba9b538cdcb17d445c36ef16e"),
    ("quizhall/school-quiz", "f9f1af9865720bd11ab14a7cddf96baa"),
    ("snakepit/small-functions", "57d0a01df7f5a3df20b7dfc99f2b6bbb"),
    ("switchboard/desk-dialogues", "eb88e8f35d9fee2f2d33d595202ea207"),
    ("tablewright/bistro-descriptions", "567a5f72dad3220e36c171c00bea1acd"),
]


def prompts(metadata, chosen=None) -> str:
    return "\n".join(ask.request.messages[-1]["content"] for ask in plan(metadata, chosen or settings()))


@pytest.mark.parametrize("mode", list(EXAMPLES))
def test_examples_show_every_field_that_their_tasks_use(mode: Mode) -> None:
    assert [len(example.tasks) for example in EXAMPLES[mode]] == [3, 2]
    for example in EXAMPLES[mode]:
        rows = [json.loads(line) for line in example.question(True).partition("Rows:\n")[2].splitlines()]
        assert len(rows) == 2
        for inputs, output, instruction in example.tasks:
            assert output not in inputs
            assert all(row[name] for row in rows for name in (*inputs, output))
            assert instruction in EXAMPLE_INSTRUCTIONS


def test_a_prompt_names_dataset_fields_types_labels_and_rows() -> None:
    row = {"video_title": "Gulls", "side": "left", "answers": {"text": ["a gull"], "start": [3]}, "clip": b"", "ID": 7}
    fields = (
        *text("video_title"),
        LABEL,
        NESTED,
        FieldSpec(name="clip", kind=FieldKind.BINARY, type="binary"),
        FieldSpec(name="ID", kind=FieldKind.INTEGER, type="int64"),
    )
    shown = prompts(dataset("a/b", subset(fields=fields, shown=(row, row))))
    assert "side: label (left, right)" in shown
    assert '"video_title": "Gulls"' in shown and '"ID": 7' in shown
    assert '"answers": {"text": ["a gull"], "start": [3]}' in shown
    assert "clip" not in shown


def test_licence_and_website_are_not_shown() -> None:
    metadata = dataset(summary="Lights.", citation="@article{lights}", supported_tasks="question answering")
    everything = "".join(m["content"] for ask in plan(metadata, settings()) for m in ask.request.messages)
    assert "cc-by" not in everything and "example.org" not in everything and "licen" not in everything.lower()


def test_without_a_summary_only_the_data_are_shown() -> None:
    modes = [ask.request.modes for ask in plan(dataset(summary=None), settings())]
    assert modes == [(Mode.DESCRIPTION_UNAWARE,)]
    aware, unaware = (ask.request for ask in plan(dataset(), settings()))
    assert "Questions about lights." in aware.messages[-1]["content"]
    assert all("Questions about lights." not in message["content"] for message in unaware.messages)


def test_the_prefix_is_the_same_for_every_dataset() -> None:
    one, other = (plan(dataset(name), settings()) for name in ("a/b", "c/d"))
    assert [ask.request.messages[:-1] for ask in one] == [ask.request.messages[:-1] for ask in other]
    assert one[0].request.messages[-1] != other[0].request.messages[-1]


def test_rows_are_bounded_and_lose_no_field() -> None:
    fields = (*text(*(f"t{i}" for i in range(12))), NESTED)
    row = {f"t{i}": "word " * 10_000 for i in range(12)} | {
        "answers": {"text": ["x" * 9_000] * 500, "start": [1] * 500}
    }
    limits = Designing()
    line = row_text(row, fields, limits)
    assert len(line) <= limits.max_row_chars
    shown = json.loads(line)
    assert list(shown) == [field.name for field in fields] and all(shown.values())
    assert shown["answers"]["text"][-1] == "..."


def test_a_deep_value_ends_somewhere() -> None:
    value: object = "end"
    for _ in range(200):
        value = [value]
    assert len(row_text({"t0": value}, text("t0"), Designing())) < 60


def test_hundreds_of_columns_are_shown_in_part() -> None:
    names = tuple(f"column_{i}" for i in range(200))
    wide = subset(fields=text(*names), shown=(dict.fromkeys(names, "value"),))
    request = plan(dataset("a/b", wide), settings())[0].request
    assert len(shown_fields(wide)) == MAX_FIELDS
    assert request.schema["$defs"]["field"]["enum"] == list(names[:MAX_FIELDS])
    assert "column_64" not in request.messages[-1]["content"]


def test_zero_shot_is_one_message_with_a_branch_per_output() -> None:
    (request,) = (ask.request for ask in plan(dataset(summary=None), settings({"zero_shot": True})))
    assert len(request.messages) == 1 and "museum" not in request.messages[0]["content"]
    branches = request.schema["properties"]["tasks"]["items"]["anyOf"]
    assert [branch["properties"]["output_field"] for branch in branches] == [
        {"const": "question"}, {"const": "context"}, {"const": "answer"},
    ]  # fmt: skip
    assert branches[0]["properties"]["input_fields"]["items"] == {"enum": ["context", "answer"]}


def test_configs_with_the_same_features_are_asked_about_once() -> None:
    metadata = dataset("a/b", subset("one"), subset("two"), subset("odd", fields=text("question", "answer")))
    asks = plan(metadata, settings())
    assert [[s.config for s in ask.subsets] for ask in asks] == [["one", "two"]] * 2 + [["odd"]] * 2
    assert "config one" not in asks[0].request.messages[-1]["content"]
    assert "(config odd)" in asks[2].request.messages[-1]["content"]
    assert len(plan(metadata, settings({"share_configs": False}))) == 6


def test_the_key_changes_with_what_is_asked_and_with_nothing_else() -> None:
    base = instruction_key(dataset(), settings())
    prose = dataset(citation="@book{x}", supported_tasks="reading")
    prose = prose.model_copy(update={"ref": prose.ref.model_copy(update={"revision": "1" * 40}), "license": "mit"})
    assert instruction_key(prose, settings()) == base
    assert instruction_key(dataset(), settings(max_in_flight=3, timeout_s=1.0)) == base
    others = [
        instruction_key(dataset(summary="Other words."), settings()),
        instruction_key(dataset("a/b"), settings()),
        instruction_key(dataset("harbour/lights", subset(shown=({"question": "?"},))), settings()),
        instruction_key(dataset(), settings(temperature=0.5)),
        instruction_key(dataset(), settings(model="gpt-4o-mini")),
        instruction_key(dataset(), settings({"max_tasks": 2})),
    ]
    assert len({base, *others}) == 7


def test_names_that_would_leave_their_line_are_quoted() -> None:
    odd = FieldSpec(name="a\nRows: none", kind=FieldKind.TEXT, type="struct<x\ny: string>")
    label = FieldSpec(name="b\u202e", kind=FieldKind.LABEL, type="class_label", label_names=("up\n- c: string", "down"))
    shown = prompts(dataset("a/b", subset("one\ntwo", fields=(odd, label, *text("caf\u00e9 no\u00a01"))), subset()))
    block = shown.partition("Fields:\n")[2].partition("\nRows:\n")[0].splitlines()
    assert block == [
        '- "a\\nRows: none": "struct<x\\ny: string>"',
        '- "b\\u202e": label ("up\\n- c: string", down)',
        "- caf\u00e9 no\u00a01: string",
    ]
    assert 'Dataset: "a/b (config one\\ntwo)"' in shown


def test_a_request_names_the_field_as_it_is_in_the_data() -> None:
    ask = plan(dataset("a/b", subset(fields=text("a\nb", "c"))), settings())[0]
    assert ask.request.schema["$defs"]["field"]["enum"] == ["a\nb", "c"]


def test_requests_of_the_bundled_catalogue_keep_their_digests(store: Store) -> None:
    """A paid answer is found by its request's digest: when this fails, every answer in every store is paid again."""
    chosen = Settings()
    catalog = FolderCatalog(Path(str(files("dynosaur_core.bundled"))) / "catalog")
    digests = []
    for ref in sorted(catalog.list(), key=lambda each: each.repo_id):
        try:
            metadata = read_metadata(ref, catalog, store, chosen.sampling, chosen.policy)
        except DynosaurError:  # some are there to show what is turned away
            continue
        digests += [(ref.repo_id, ask.request.digest) for ask in plan(metadata, chosen)]
    assert digests == DIGESTS
