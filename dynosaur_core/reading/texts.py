"""The cells of a column as texts, whatever the column holds, and which of them hold anything."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynosaur_core.reading.lists import is_list, with_items


def is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def held(array: pa.Array) -> pa.Array:
    """The texts of answers `{text: [...], answer_start: [...]}`; every other column as it is."""
    if pa.types.is_struct(array.type) and array.type.get_field_index("text") >= 0:
        return pc.struct_field(array, "text")
    return array


def joined(items: pa.Array) -> pa.Array:
    """Structs of scalars as their members' texts, joined by spaces; all else as it is."""
    kind = items.type
    if not pa.types.is_struct(kind) or not kind.num_fields:
        return items
    if any(pa.types.is_nested(field.type) or pa.types.is_binary(field.type) for field in kind):
        return items
    texts = [pc.fill_null(part.cast(pa.string()), "") for part in items.flatten()]
    return pc.binary_join_element_wise(*texts, " ")


def filled(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Cells that are neither null, empty nor blank."""
    if is_text(array.type):
        mask = pc.invert(pc.or_(pc.utf8_is_space(array), pc.equal(pc.binary_length(array), 0)))
    elif is_list(array.type):
        mask = pc.greater(pc.list_value_length(array), 0)
    elif pa.types.is_floating(array.type):
        mask = pc.invert(pc.is_nan(array))
    else:
        mask = pc.is_valid(array)
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=bool)


def texts(array: pa.Array) -> pa.Array:
    """Every cell as a text, null as "".

    A list of scalars, or of structs of these, is joined by spaces; `{text: ...}` stands for its text; other nested
    values are "".
    """
    array = held(array)
    if is_list(array.type) and not pa.types.is_nested((parts := joined(array.flatten())).type):
        # an item without a value would take that of the whole list away
        items = pc.fill_null(parts.cast(pa.string()), "")
        text = pc.binary_join(with_items(array, items), " ")
    elif pa.types.is_nested(array.type) or pa.types.is_binary(array.type) or pa.types.is_null(array.type):
        return pa.array([""] * len(array), pa.string())
    else:
        text = pc.cast(array, pa.string())
    return pc.fill_null(text, "")
