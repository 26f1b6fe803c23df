"""Suites: Super-NI's layout, its lines, and records of our own; what is drawn of them, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dynosaur_core.continual.choice import ReplayChoice
from dynosaur_core.continual.mixture import replay
from dynosaur_core.continual.row_files import EXPORTS
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.settings import Evaluation, Settings
from dynosaur_core.store import Store
from dynosaur_core.suites.suite import Drawn, Instance, find_suite, open_suite
from tests.continual.conftest import ROWS, VERSIONS
from tests.continual.conftest import grown as grown
from tests.continual.conftest import store as store
from tests.evaluation.conftest import ANIMALS, lines, task
from tests.evaluation.conftest import suite as suite


def drawn(path: Path | str, instances: int = 100, seed: int = 0) -> Drawn:
    return open_suite(str(path), Settings()).draw(instances, seed)


def ids(found: Drawn) -> list[str]:
    return [each.id for each in found.instances]


@pytest.fixture
def superni(tmp_path: Path) -> Path:
    """A folder in Super-NI's layout with two test tasks and another one."""
    root = tmp_path / "natural-instructions"
    (root / "tasks").mkdir(parents=True)
    for number in (1, 2, 3):
        (root / f"tasks/task{number}_animal.json").write_text(json.dumps(task(number, instances=250)))
    (root / "splits/default").mkdir(parents=True)
    (root / "splits/default/test_tasks.txt").write_text("task3_animal\ntask1_animal\n")
    return root


def test_superni_folder_has_the_first_hundred_of_each_test_task(superni: Path) -> None:
    found = drawn(superni)
    assert ids(found) == [f"task{number}-{at}" for number in (1, 3) for at in range(100)]
    assert found.instances[0] == Instance(
        id="task1-0",
        task="task1_animal",
        instruction="Name the animal of kind 1.",
        given="word0 word1 word2 cat 0",
        references=("cat", "a cat"),
        examples=tuple((f"one {animal}", animal) for animal in ANIMALS),
        category="Naming",
    )
    assert {int(name.partition("-")[2]) for name in ids(drawn(superni, 7))} <= set(range(100))
    assert len(drawn(superni, 200).instances) == 400, "more than the official ones, where they are asked for"
    (superni / "splits/default/test_tasks.txt").unlink()
    assert {each.task for each in drawn(superni).instances} == {f"task{number}_animal" for number in (1, 2, 3)}


def test_tasks_are_those_of_a_folder_with_and_without_a_list(superni: Path) -> None:
    def names(path: Path) -> list[str]:
        return [each.task_id for each in find_suite(str(path)).tasks()]

    assert names(superni) == ["task1_animal", "task3_animal"]
    assert names(superni / "tasks") == ["task1_animal", "task2_animal", "task3_animal"]
    one = json.loads((superni / "tasks/task2_animal.json").read_text())
    one |= {"Source": ["zoo"], "Instances": [{"input": "c", "output": ["d", "e"]}]}
    (superni / "tasks/task2_animal.json").write_text(json.dumps(one))
    [found] = find_suite(str(superni / "tasks/task2_animal.json")).tasks()
    assert found.sources == ("zoo",) and found.definition == "Name the animal of kind 2."
    assert [*found.pairs()][-2:] == [("one emu", ("emu",)), ("c", ("d", "e"))]


def test_tasks_of_lines_need_no_instances_and_join_by_name(tmp_path: Path) -> None:
    shown = {"positive_example": {"input": "a", "output": "b"}, "source": "where@1"}
    path = lines(tmp_path / "a.jsonl", [{"task": "t", "definition": "Do.", **shown}, {"definition": "Say."}])
    first, second = find_suite(str(path)).tasks()
    assert (first.task_id, first.definition, [*first.pairs()], first.sources) == ("line 2", "Say.", [], ())
    assert (second.task_id, [*second.pairs()], second.sources) == ("t", [("a", ("b",))], ())
    records = [{"instruction": "Do.", "input": text, "output": 3} for text in "xy"]
    [task] = find_suite(str(lines(tmp_path / "b.jsonl", records))).tasks()
    assert [*task.pairs()] == [("x", ("3",)), ("y", ("3",))]
    (tmp_path / "c.jsonl").write_text("\n")
    with pytest.raises(DynosaurError, match="is empty"):
        find_suite(str(tmp_path / "c.jsonl")).tasks()


def test_superni_folder_that_lacks_a_test_task_is_refused(superni: Path) -> None:
    (superni / "tasks/task3_animal.json").unlink()
    with pytest.raises(DynosaurError, match="lists task3_animal and 0 more tasks that tasks/ has not"):
        drawn(superni)


def test_suite_superni_is_where_the_setting_says(superni: Path) -> None:
    settings = Settings(evaluation=Evaluation(superni=str(superni)))
    assert len(open_suite("superni", settings).draw(5, 0).instances) == 10
    with pytest.raises(DynosaurError, match="DYNOSAUR_EVALUATION__SUPERNI") as caught:
        open_suite("superni", Settings())
    assert caught.value.code is Code.BAD_SETTING


def test_superni_lines_in_lower_case_with_one_example(tmp_path: Path) -> None:
    one = {
        "task": "task5_x",
        "definition": "Do it.",
        "positive_example": {"input": "i", "output": "o", "explanation": "e"},
        "instances": [{"input": "a", "output": ["b", 31]}],
    }
    found = drawn(lines(tmp_path / "x.jsonl", [one, {**one, "task": "task6_x", "instances": []}]))
    assert found.instances == [Instance("task5_x-0", "task5_x", "Do it.", "a", ("b", "31"), (("i", "o"),))]
    assert found.left_out == {"tasks without instances": 1}


def test_draw_is_by_seed_and_fewer_are_a_part_of_more(suite: Path) -> None:
    few, more = ids(drawn(suite, 3, seed=1)), ids(drawn(suite, 6, seed=1))
    assert len(few) == 9 and set(few) < set(more) and few == ids(drawn(suite, 3, seed=1))
    assert few != ids(drawn(suite, 3, seed=2))
    assert more == sorted(more), "in the order of the suite"


def test_suite_digest_is_of_its_content(suite: Path, tmp_path: Path) -> None:
    same = tmp_path / "moved.jsonl"
    same.write_bytes(suite.read_bytes())
    before = open_suite(str(suite), Settings()).digest
    assert open_suite(str(same), Settings()).digest == before
    same.write_bytes(suite.read_bytes().replace(b"cat", b"rat"))
    assert open_suite(str(same), Settings()).digest != before


def test_records_of_a_release_are_those_of_its_manifest(grown: Settings) -> None:
    found = drawn(grown.release[0], 4)
    tasks = [text for version in VERSIONS for texts in version.values() for text in texts]
    one_each = {each.task: each.instruction for each in found.instances}
    assert sorted(one_each.values()) == sorted(tasks)
    assert len(found.instances) == 4 * len(tasks)
    left = Path(grown.release[0], "data/000009-00001.parquet")  # of a release that was cut off
    pq.write_table(pa.table({"instruction": ["x"], "input": ["y"], "output": ["z"]}), left)
    assert ids(drawn(grown.release[0], 4)) == ids(found)


def test_records_of_a_mixture_are_the_same_in_every_form(grown: Settings, tmp_path: Path) -> None:
    out = tmp_path / "mixture"
    replay(ReplayChoice(strategy="full", out=str(out)), grown, Store(grown.store))

    def shown(path: Path) -> list[tuple[Any, ...]]:
        return sorted((each.instruction, each.given, each.references) for each in drawn(path).instances)

    expected = shown(out)
    assert len(expected) == ROWS * 7 and shown(out / "data/train-00000.parquet") == expected
    for form in EXPORTS:
        assert shown(out / f"exports/{form}.jsonl") == expected, form
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress((out / "exports/alpaca.jsonl").read_bytes()))
    assert shown(packed) == expected


def test_records_with_references_count_each_of_them(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    rows = {"instruction": ["Do"] * 2, "input": ["a", "b"], "output": ["x", "y"], "references": [["x", "z"], None]}
    pq.write_table(pa.table(rows), path)
    assert [each.references for each in drawn(path).instances] == [("x", "z"), ("y",)]


def test_chats_of_more_turns_and_empty_references_are_left_out(tmp_path: Path) -> None:
    def chat(*turns: tuple[str, str]) -> dict[str, Any]:
        return {"messages": [{"role": role, "content": content} for role, content in turns]}

    one = chat(("user", "Name it.\n\nA dog.\n\nIt barks."), ("assistant", "dog"))
    more = chat(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    found = drawn(lines(tmp_path / "x.jsonl", [one, more, chat(("user", "a"), ("assistant", " "))]))
    assert [(each.instruction, each.given) for each in found.instances] == [("Name it.", "A dog.\n\nIt barks.")]
    assert found.left_out == {
        "chats that are not one question and one answer": 1,
        "instances without a reference": 1,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"instruction": "x", "output": "y"}\n{"instruction": ', "line 2 of .* cannot be read"),
        ('{"a": 1}\n', "line 1 of .* none of the forms alpaca or reference"),
        ('{"instruction": "x", "input": "y"}\n', "line 1 of .* an `instruction` and no `output`"),
        ("[1]\n", "line 1"),
        ('{"instruction": ["x"], "output": "y"}\n', "list in the place of a text"),
        ('{"definition": "x", "instances": [{"input": "x"}]}\n', "KeyError: 'output'"),
        ('{"messages": "x"}\n', "line 1"),
        ('{"definition": "x"}\n\n{"x": 1}\n', "line 3"),
        ("[" * 100_000, "line 1"),
        ("\n", "nothing of the suite .* it is empty"),
        ('{"instruction": "x", "output": ""}\n', "1 instances without a reference"),
    ],
)
def test_a_suite_that_cannot_be_read_is_refused_with_the_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(DynosaurError, match=words) as caught:
        drawn(path)
    assert caught.value.code is Code.BAD_SETTING


def test_a_place_that_is_no_suite_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.txt").write_text("x")
    (tmp_path / "x.parquet").write_text("x")
    (tmp_path / "x.jsonl.gz").write_text("x")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "y.parquet")
    pq.write_table(pa.table({"instruction": ["x"]}), tmp_path / "z.parquet")
    for name, words in {
        "none": "there is no suite",
        "empty": "is no suite: give",
        "x.txt": "is no suite: give",
        "x.parquet": "holds no records",
        "x.jsonl.gz": "cannot be read",
        "y.parquet": "holds no records: it has no `instruction`",
        "z.parquet": "holds no records: it has an `instruction` and no `output`",
        "nothing://x": "cannot be opened",
    }.items():
        with pytest.raises(DynosaurError, match=words):
            drawn(name if "://" in name else tmp_path / name)


@pytest.mark.corpus
def test_suite_of_real_test_tasks(corpus: Path) -> None:
    found = drawn(corpus / "superni/test_tasks.jsonl")
    assert len(found.instances) == 23 * 20 and found.left_out == {"tasks without instances": 96}
    assert {each.category for each in found.instances} >= {"Title Generation", "Question Rewriting"}
    assert all(each.examples for each in found.instances)
