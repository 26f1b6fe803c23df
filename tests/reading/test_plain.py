"""Arrow columns of any type: plain ones with the same values, or left out with a reason."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Array2D, ClassLabel, Features, List, Value

from dynosaur_core.reading.plain import LeftOutError, plain, taken
from dynosaur_core.reading.together import together

UUID = bytes(range(16))


def extension(kind: pa.DataType, storage: pa.Array) -> pa.Array:
    return pa.ExtensionArray.from_storage(kind, storage)


@pytest.mark.parametrize(
    ("array", "values"),
    [
        (pa.array(["a", None], pa.string_view()), ["a", None]),
        (pa.array(["a", None], pa.large_string()), ["a", None]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["x", "y"])), ["x", "x", "y"]),
        (pa.array([["a"], None, []], pa.list_view(pa.string_view())), [["a"], None, []]),
        (pa.array([["a", "b"], None], pa.list_(pa.string(), 2)), [["a", "b"], None]),
        (pa.array([["a"], None], pa.large_list(pa.large_string())), [["a"], None]),
        (pa.array([Decimal("1.10"), None]), ["1.10", None]),
        (extension(pa.uuid(), pa.array([UUID, None], pa.binary(16))), ["00010203-0405-0607-0809-0a0b0c0d0e0f", None]),
        (extension(pa.bool8(), pa.array([1, 0, None], pa.int8())), [True, False, None]),
        (
            extension(pa.json_(), pa.array(['{"a": 1.10}', '"text"', "3", "null", None], pa.string())),
            ['{"a": 1.10}', "text", "3", None, None],
        ),
        (pa.array([{}, None], pa.struct([])), ["{}", None]),
        (pa.array([{"a": {}}], pa.struct([("a", pa.struct([]))])), [{"a": "{}"}]),
        (pa.array([3, None], pa.duration("s")), ["0:00:03", None]),
        (pa.array([10**18], pa.duration("s")), [f"{10**18} s"]),
        (pa.array([1_500_000_001], pa.duration("ns")), ["0:00:01.500000001"]),
        (pa.array([253_402_300_800, 0], pa.timestamp("s")), ["10000-01-01 00:00:00", "1970-01-01 00:00:00"]),
        (pa.array([-62_135_596_801], pa.timestamp("s")), ["0000-12-31 23:59:59"]),
        (pa.array([5_000_000, None], pa.date32()), ["15659-07-15", None]),
        (pa.array([-800_000 * 86_400_000], pa.date64()), ["-221-08-31"]),
        (pa.array([date(1950, 3, 1)]), [date(1950, 3, 1)]),
        (pa.array([1], pa.timestamp("ns")), ["1970-01-01 00:00:00.000000001"]),
        (pa.array([1_000], pa.timestamp("ns")), [datetime(1970, 1, 1, microsecond=1)]),
        (pa.array([5], pa.timestamp("s", "Nowhere/Land")), [datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC)]),
        (pa.array([5], pa.time64("ns")), ["00:00:00.000000005"]),
        (pa.array([0.1, None, 16_777_216.0, 1e20], pa.float32()), [0.1, None, 16_777_216.0, 1e20]),
        (pa.array([0.1, 2048.0, None], pa.float16()), [0.1, 2048.0, None]),
        (pa.array([0.1, 0.7], pa.float32()).dictionary_encode(), [0.1, 0.7]),
        (
            pa.array(
                [[{"x": 0.1, "y": [0.3]}], None], pa.list_(pa.struct({"x": pa.float16(), "y": pa.list_(pa.float32())}))
            ),
            [[{"x": 0.1, "y": [0.3]}], None],
        ),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_plain_types_have_the_same_values(array: pa.Array, values: list[Any]) -> None:
    made, feature = plain(array)
    if isinstance(values[0], str) and "-221" in values[0]:
        assert made.to_pylist()[0].startswith("-")
    else:
        assert made.to_pylist() == values
    json.dumps(made.to_pylist(), default=str)
    Features({"x": feature})
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"x": made}), sink)
    assert pq.read_table(sink.getvalue())["x"].to_pylist() == made.to_pylist()
    twice = taken(pa.table({"x": array}), pa.array([0]))
    assert plain(twice["x"].combine_chunks())[0].to_pylist() == made.to_pylist()[:1]


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])]), "dense_union"),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "map<string, int64>"),
        (pa.array([[[("k", 1)]]], pa.list_(pa.map_(pa.string(), pa.int64()))), "map<string, int64>"),
        (pa.array([None], pa.month_day_nano_interval()), "interval"),
    ],
)
def test_what_has_no_plain_form_is_left_out_alone(odd: pa.Array, said: str) -> None:
    with pytest.raises(LeftOutError, match=said):
        plain(odd)
    found = together([pa.table({"q": ["a"], "odd": odd, "a": ["b"]})], None)
    assert found.table.column_names == ["q", "a"] == list(found.features)
    assert list(found.left_out) == ["odd"] and said in found.left_out["odd"]


def test_what_nests_too_deeply_is_left_out() -> None:
    deep: Any = pa.array([1])
    for _ in range(40):
        deep = pa.ListArray.from_arrays(pa.array([0, len(deep)], pa.int32()), deep)
    assert "deep" in together([pa.table({"x": deep})], None).left_out["x"]


def test_arrays_of_datasets_are_lists() -> None:
    features = Features({"x": Array2D((2, 2), "int32")})
    table = pa.table({"x": features["x"]().wrap_array(pa.array([[[1, 2], [3, 4]]], pa.list_(pa.list_(pa.int32()))))})
    found = together([table], None)
    assert found.table["x"].to_pylist() == [[[1, 2], [3, 4]]]
    assert found.features["x"] == List(List(Value("int32")))


@pytest.mark.parametrize(
    ("first", "second", "values", "feature"),
    [
        (pa.array([1]), pa.array(["positive"]), ["1", "positive"], Value("string")),
        (pa.array([True]), pa.array(["x"]), ["True", "x"], Value("string")),
        (pa.array([1]), pa.array([2.5]), [1.0, 2.5], Value("float64")),
        (pa.array([2**60 + 1]), pa.array([2.5]), [str(2**60 + 1), "2.5"], Value("string")),
        (pa.array([1], pa.int8()), pa.array([2**40]), [1, 2**40], Value("int64")),
        (pa.array([1]), pa.array([2**64 - 1], pa.uint64()), ["1", str(2**64 - 1)], Value("string")),
        (pa.nulls(1), pa.array(["x"]), [None, "x"], Value("string")),
        (pa.array([["x"]]), pa.array([[None]]), [["x"], [None]], List(Value("string"))),
        (pa.array([{"a": 1}]), pa.array([{"b": "x"}]), [{"a": 1, "b": None}, {"a": None, "b": "x"}], None),
        (pa.array([date(2020, 1, 2)]), pa.array(["x"]), ["2020-01-02", "x"], Value("string")),
        (pa.array([timedelta(1)]), pa.array(["x"]), ["1 day, 0:00:00", "x"], Value("string")),
    ],
)
def test_files_of_unlike_types_meet(first: pa.Array, second: pa.Array, values: list[Any], feature: Any) -> None:
    found = together([pa.table({"x": first}), pa.table({"x": second})], None)
    assert found.table["x"].to_pylist() == values
    assert feature is None or found.features["x"] == feature
    assert not found.left_out


def test_files_that_cannot_meet_name_the_column() -> None:
    found = together([pa.table({"x": [[1]], "y": [1]}), pa.table({"x": ["text"], "y": [2]})], None)
    assert found.table.to_pydict() == {"y": [1, 2]}
    assert list(found.left_out) == ["x"] and "list" in found.left_out["x"]


def test_a_column_that_a_file_lacks_is_null_there() -> None:
    declared = Features(
        {"q": Value("string"), "n": Value("int32"), "l": ClassLabel(names=["no", "yes"]), "s": {"a": Value("string")}}
    )
    found = together([pa.table({"q": ["a"], "extra": [1]}), pa.table({"q": ["b"], "n": [3]})], declared)
    assert found.table.to_pylist() == [
        {"q": "a", "n": None, "l": None, "s": None},
        {"q": "b", "n": 3, "l": None, "s": None},
    ]
    assert found.features == declared
    undeclared = together([pa.table({"q": ["a"], "extra": [1]}), pa.table({"q": ["b"]})], None)
    assert undeclared.table["extra"].to_pylist() == [1, None]


def test_labels_of_files_that_number_them_otherwise() -> None:
    tables = [
        pa.table({"l": [0, 1]}, schema=Features({"l": ClassLabel(names=names)}).arrow_schema)
        for names in (["bad", "good"], ["good", "bad"])
    ]
    found = together(tables, None)
    assert found.table["l"].to_pylist() == ["bad", "good", "good", "bad"]
    assert found.features["l"].names == ["bad", "good"]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (pa.array([0, 1, -1, None, 7]), ["no", "yes", None, None, None]),
        (pa.array([0.0, 1.0, -1.0, float("nan")]), ["no", "yes", None, None]),
        (pa.array(["0", "1", "-1", "1.0", " yes "]), ["no", "yes", None, "yes", "yes"]),
        (pa.array(["no", "maybe", ""]), ["no", "maybe", ""]),
        (pa.array([False, True]), ["no", "yes"]),
        (pa.array(["9" * 5_000]), ["9" * 5_000]),
    ],
)
def test_labels_are_names(values: pa.Array, names: list[str | None]) -> None:
    declared = Features({"l": ClassLabel(names=["no", "yes"])})
    found = together([pa.table({"l": values})], declared)
    assert found.table["l"].to_pylist() == names
    assert found.features == declared


def test_declared_types_hold_where_the_values_fit() -> None:
    declared = Features({"n": Value("int32"), "x": Value("float32"), "t": Value("string"), "s": {"a": Value("int64")}})
    found = together([pa.table({"n": [1], "x": [1], "t": [5], "s": [{"a": 1.0}]})], declared)
    assert found.table.to_pylist() == [{"n": 1, "x": 1.0, "t": "5", "s": {"a": 1}}]
    assert found.features == declared
    tenths = together([pa.table({"n": [1], "x": [0.1], "t": [5], "s": [{"a": 1}]})], declared)
    assert (tenths.table["x"].to_pylist(), tenths.features) == ([0.1], declared)
    other = together([pa.table({"n": [2**40], "x": ["many"], "t": [5], "s": [{"a": "x"}]})], declared)
    assert other.table.to_pylist() == [{"n": 2**40, "x": "many", "t": "5", "s": {"a": "x"}}]
    assert other.features["x"] == Value("string")
    texts = together([pa.table({"x": [Decimal("1.10")]})], Features({"x": Value("decimal128(9, 2)")}))
    assert (texts.table["x"].to_pylist(), texts.features["x"].dtype) == (["1.10"], "decimal128(9, 2)")
