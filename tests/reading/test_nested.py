"""`reading.nested.member`: columns by their names, members of structs by dotted ones; evidence and records use it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from dynosaur_core.evidence import Evidence
from dynosaur_core.reading.nested import member
from dynosaur_core.rendering.columns import Columns

ROWS = pa.table(
    {
        "answers": [{"text": ["a", "b"], "at": {"start": 3}}, None, {"text": None, "at": None}],
        "a.b": [{"c.d": 1}, {"c.d": None}, None],
        "answers.at": ["x", "y", "z"],
    }
)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("answers.text", [["a", "b"], None, None]),
        ("answers.at.start", [3, None, None]),
        ("answers.at", ["x", "y", "z"]),
        ("a.b.c.d", [1, None, None]),
        ("answers.none", None),
        ("answers.text.more", None),
        ("none.text", None),
        ("", None),
        (".", None),
    ],
)
@pytest.mark.parametrize("parts", [1, 2])
def test_member_is_the_column_of_that_name_or_the_member_of_a_struct(name: str, values: Any, parts: int) -> None:
    found = member(pa.concat_tables([ROWS.slice(0, parts), ROWS.slice(parts)]), name)
    assert values == (found if found is None else found.to_pylist())


def test_member_of_no_rows_is_empty() -> None:
    assert member(ROWS.slice(0, 0), "answers.text").to_pylist() == []


def test_evidence_and_columns_know_members_by_their_names() -> None:
    rows = Evidence(ROWS)
    assert (rows.has("answers.text"), rows.has("answers.none")) == (True, False)
    assert rows.items("answers.text").tolist() == [2, -1, -1]
    assert rows.values("answers.at.start").to_pylist() == [3]
    with pytest.raises(KeyError):
        rows.column("answers.none")
    assert Columns(ROWS).values("answers.at.start").to_pylist() == [3, None, None]
    assert Columns(ROWS).values("answers.none").to_pylist() == [None, None, None]
