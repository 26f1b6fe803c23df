"""reading.features and reading.lists: what features hold, and lists of all kinds."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from datasets import ClassLabel, Json, LargeList, List, Value
from datasets.features.features import _FEATURE_TYPES

from dynosaur_core.metadata.features import field_spec
from dynosaur_core.models import FieldKind
from dynosaur_core.reading.features import has_label, is_media, item_of
from dynosaur_core.reading.together import together
from dynosaur_core.reading.valid import valid_texts

MEDIA = [kind for kind in _FEATURE_TYPES.values() if hasattr(kind, "decode_example") and kind is not Json]


@pytest.mark.parametrize("kind", MEDIA)
def test_is_media_knows_what_datasets_decodes(kind: type) -> None:
    assert all(map(is_media, (kind(), [kind()], List(kind()), {"a": [{"b": kind()}]})))
    found = together([pa.table({"x": [{"bytes": b"x", "path": "y"}], "y": ["z"]})], {"x": kind(), "y": Value("string")})
    assert field_spec("x", kind()).kind is FieldKind.MEDIA
    assert isinstance(found.features["x"], kind) and found.table.to_pylist() == [{"x": None, "y": "z"}]


@pytest.mark.parametrize("outer", [lambda part: part, lambda part: [part], List, LargeList, lambda part: {"a": part}])
def test_labels_and_media_are_found_inside(outer: Any) -> None:
    assert has_label(outer(ClassLabel(names=["a"]))) and not is_media(outer(ClassLabel(names=["a"])))
    assert is_media(outer(Value("large_binary"))) and not has_label(outer(Value("large_binary")))


def test_item_of_what_is_no_list_is_none() -> None:
    assert [item_of(feature) for feature in ([], {}, Value("string"), None)] == [None] * 4


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list, pa.list_view, pa.large_list_view])
def test_valid_texts_mends_lists_of_all_kinds(kind: Any) -> None:
    raw = pa.array([b"a", b"caf\xe9", b"b"])
    texts = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    wide = pa.int64() if "large" in str(kind(pa.string())) else pa.int32()
    if "view" in str(kind(pa.string())):
        view = pa.LargeListViewArray if wide == pa.int64() else pa.ListViewArray
        lists = view.from_arrays(pa.array([2, 0, 0], wide), pa.array([1, 2, 0], wide), texts)
        expected = [["b"], ["a", "caf\ufffd"], []]
    else:
        whole = pa.LargeListArray if wide == pa.int64() else pa.ListArray
        lists = whole.from_arrays(pa.array([0, 1, 3, 3], wide), texts)
        expected = [["a"], ["caf\ufffd", "b"], []]
    assert valid_texts(pa.table({"x": lists}))["x"].to_pylist() == expected
    assert valid_texts(pa.table({"x": lists.slice(1, 1)}))["x"].to_pylist() == expected[1:2]
