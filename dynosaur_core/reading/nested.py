"""Members of structs by dotted names: `answers.text` is the member `text` of the column `answers`."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc


def member(table: pa.Table, name: str) -> pa.Array | None:
    """The column of that very name, else the struct's member, as one array; None where there is neither.

    A member is null where its struct is.
    """
    names = table.column_names
    if name in names:
        return _one(table[name])
    # names of columns and of members may hold dots themselves
    for outer, inner in _splits(name):
        if outer in names and (found := _inside(_one(table[outer]), inner)) is not None:
            return found
    return None


def _inside(array: pa.Array, name: str) -> pa.Array | None:
    if not pa.types.is_struct(array.type):
        return None
    if (index := array.type.get_field_index(name)) >= 0:
        return pc.struct_field(array, [index])
    for outer, inner in _splits(name):
        if (index := array.type.get_field_index(outer)) >= 0:
            found = _inside(pc.struct_field(array, [index]), inner)
            if found is not None:
                return found
    return None


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """`a.b.c` as `a`, `b.c` and as `a.b`, `c`."""
    parts = name.split(".")
    for count in range(1, len(parts)):
        yield ".".join(parts[:count]), ".".join(parts[count:])


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
