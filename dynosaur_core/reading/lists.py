"""Arrow's lists of all kinds: fixed, large, views."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_KINDS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
)


def is_list(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in _KINDS)


def with_items(array: pa.Array, items: pa.Array) -> pa.Array:
    """The lists of `array` as plain ones, with other items in the place of `array.flatten()`."""
    # rebuilt from lengths: slices keep offsets into their parents, which flatten() has dropped
    lengths: Any = pc.fill_null(pc.list_value_length(array), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths.cast(pa.int32()))])
    return pa.ListArray.from_arrays(offsets, items, mask=array.is_null() if array.null_count else None)
