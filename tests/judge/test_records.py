"""The rows that a judge is shown: spread over the answers, without empty ones, and the same for all tasks."""

from __future__ import annotations

from dynosaur_core.judge.records import ROWS, show
from dynosaur_core.models import ListOutput
from dynosaur_core.settings import Publishing
from dynosaur_core.store import Store
from tests.instruction.data import text
from tests.judge.data import reviews, subset, task


def test_rows_are_spread_over_the_classes(store: Store) -> None:
    given = subset(store, reviews(40))  # two of them are bad
    shown = show(given, [task()], store.read_table("rows", given.rows.digest), Publishing())  # type: ignore[union-attr]
    assert len(shown.rows) == ROWS
    assert {row["label"] for row in shown.rows} == {"good", "bad"}
    assert shown.tasks[0].outputs == () and shown.tasks[0].inputs == {}


def test_rows_without_a_record_are_not_shown(store: Store) -> None:
    rows = [{"text": f"Text {n}", "title": f"Title {n}" if n % 9 == 0 else ""} for n in range(30)]
    given = subset(store, rows, fields=text("text", "title"))
    table = store.read_table("rows", given.rows.digest)  # type: ignore[union-attr]
    tasks = [task("Give it a title.", ("text",), "title"), task("Write the text.", ("title",), "text")]
    shown = show(given, tasks, table, Publishing())
    assert all(row["title"].startswith("Title") for row in shown.rows)


def test_a_task_shows_what_it_writes_otherwise_than_the_rows(store: Store) -> None:
    rows = [{"text": f"Text {n}", "tags": ["a", f"b{n}"], "more": n} for n in range(9)]
    given = subset(store, rows, fields=text("text", "tags", "more"))
    table = store.read_table("rows", given.rows.digest)  # type: ignore[union-attr]
    written = task("List the tags.", ("text",), "tags", list_output=ListOutput.ALL)
    read = task("Write a text with these tags.", ("tags",), "text")
    shown = show(given, [written, read], table, Publishing())
    assert shown.used == {"text", "tags"}
    assert [isinstance(row["more"], int) for row in shown.rows] == [True] * ROWS  # a field that no task uses
    assert shown.tasks[0].outputs[0] == shown.rows[0]["tags"].replace("'", "").replace(", ", "\n")
    assert shown.tasks[1].outputs == ()


def test_a_small_table_shows_what_it_has(store: Store) -> None:
    given = subset(store, reviews(2))
    table = store.read_table("rows", given.rows.digest)  # type: ignore[union-attr]
    assert len(show(given, [task()], table, Publishing()).rows) == 2
    assert show(given, [task(output="nothing")], table, Publishing()).rows == ()
