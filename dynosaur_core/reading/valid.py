"""Texts of a file whose bytes are no UTF-8: the one place where they become valid, before a table goes any further."""

from __future__ import annotations

import pyarrow as pa

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.reading.lists import is_list, with_items


def valid_texts(table: pa.Table) -> pa.Table:
    """The table, with U+FFFD for each byte of a text that is no UTF-8; all other texts stay as they are.

    Parquet and Arrow files say that their texts are UTF-8, and nothing checks it until they are read in Python.
    Columns without such a text keep their types. Raises UnreadableFiles naming a column that is broken otherwise.
    """
    for place, name in enumerate(table.column_names):
        column = table.column(place)
        if not _is_valid(column):
            try:
                mended = _mended(column.combine_chunks())
                mended.validate(full=True)
            except (pa.ArrowException, ValueError, TypeError) as error:
                message = f"its column {name!r} holds values that do not parse: {error}"
                raise DynosaurError(Code.UNREADABLE_FILES, message[:300]) from error
            field = table.schema.field(place)
            table = table.set_column(place, pa.field(name, mended.type, metadata=field.metadata), mended)
    return table


def _is_valid(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowException:
        return False
    return True


def _mended(array: pa.Array) -> pa.Array:
    """The array with valid texts at any depth; packed and extension types become plain ones on the way."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _mended(array.storage)
    if pa.types.is_dictionary(kind):
        return _mended(array.dictionary).take(array.indices)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        raw = array.cast(pa.binary()).to_pylist()
        return pa.array([None if text is None else text.decode("utf-8", "replace") for text in raw], pa.string())
    if pa.types.is_struct(kind):
        missing = array.is_null() if array.null_count else None
        parts = [_mended(array.field(n)) for n in range(kind.num_fields)]
        return pa.StructArray.from_arrays(parts, [field.name for field in kind], mask=missing)
    if is_list(kind):
        return with_items(array, _mended(array.flatten()))
    if pa.types.is_map(kind):
        keys, items = _mended(array.keys), _mended(array.items)
        return pa.MapArray.from_arrays(array.offsets, keys, items)
    return array
