"""CSV and JSON files, opened as `datasets` opens them, with their values as they are written there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pandas as pd
import pyarrow as pa
from datasets import DownloadConfig, Features
from datasets.download.streaming_download_manager import StreamingDownloadManager
from datasets.utils.file_utils import xopen

from dynosaur_core.catalog.formats import parsing
from dynosaur_core.catalog.sampling import BATCH
from dynosaur_core.models import ROW_COLUMN
from dynosaur_core.reading.features import check_columns
from dynosaur_core.reading.written import csv_column, json_table, json_text, json_value, json_values, written_table

_LINE = "line"
_HEAD_CHARS, _HEAD_ROWS = 1_000_000, 10
"""Of a CSV file, where its columns are counted."""
_OTHER_SEPARATORS = (";", "\t", "|")
_DECODER = json.JSONDecoder(strict=False)


def csv_tables(builder: Any, split: str, most: int) -> Iterator[pa.Table]:
    """A split of CSV files in tables of texts; each cell is what stands in its file, an empty one is null.

    Raises TooManyColumns where a file has more than `most`, and ValueError where its cells have no one column.
    """
    options = builder.config.pd_read_csv_kwargs
    given = options["na_values"]
    missing = ["", *(given if isinstance(given, list | dict) else () if given is None else (given,))]
    options |= {"dtype": str, "keep_default_na": False, "na_values": missing, "chunksize": BATCH}
    if options["engine"] == "pyarrow":  # it reads no text in parts
        options["engine"] = None
    for file in _files(builder, split):
        with _named(file), xopen(file, "rb") as head:
            _check_width(head, options, most)
        for frame in _frames(file, options):
            check_columns(len(frame.columns), most)
            with _named(file):
                _check_frame(frame, options)
            with _named(file), parsing():
                table = pa.Table.from_pandas(frame)
                columns = [column.cast(pa.string()) for column in table.itercolumns()]
            yield pa.table(dict(zip(map(str, table.column_names), columns, strict=True)))


def _frames(file: str, options: dict[str, Any]) -> Iterator[pd.DataFrame]:
    empty = suppress(pd.errors.EmptyDataError)  # a file without a line has no rows, as of any other form
    with _named(file), parsing(), xopen(file, "rb") as opened, empty, pd.read_csv(opened, **options) as reader:
        yield from reader


def _check_width(opened: Any, options: dict[str, Any], most: int) -> None:
    """Raises TooManyColumns before pandas names every column, which takes minutes for a million of them."""
    separator, quote = options.get("delimiter") or options.get("sep"), options.get("quotechar")
    if not isinstance(separator, str) or not isinstance(quote, str) or len(separator) != 1 or len(quote) != 1:
        return
    with parsing():
        head = io.TextIOWrapper(opened, options.get("encoding") or "utf-8", "replace", "").read(_HEAD_CHARS)
    records = csv.reader(io.StringIO(head, ""), delimiter=separator, quotechar=quote)
    try:
        widest = max((len(cells) for cells, _ in zip(records, range(_HEAD_ROWS), strict=False)), default=0)
    except (csv.Error, ValueError):
        return  # pandas says what is wrong
    check_columns(widest, most)


def _check_frame(frame: pd.DataFrame, options: dict[str, Any]) -> None:
    if isinstance(frame.columns, pd.MultiIndex):
        raise ValueError("its card names several header lines (`header`), of which only one is read")
    if len(frame) and options.get("index_col") is None and not isinstance(frame.index, pd.RangeIndex):
        # pandas takes the first columns for an index, and shifts all others under wrong names
        surplus = frame.index.nlevels
        names = [str(name) for name in frame.columns]
        sign = next((sign for sign in _OTHER_SEPARATORS if len(names) == 1 and sign in names[0]), None)
        hint = f"; is {sign!r} what separates them, which its card does not say (`sep`)?" if sign else ""
        raise ValueError(f"its first line names {len(names)} columns, and its rows have {surplus} cells more{hint}")


def csv_typed(sample: pa.Table) -> pa.Table:
    """Rows of `csv_tables`, with numbers and truth values where their texts are written so."""
    names = [name for name in sample.column_names if name != ROW_COLUMN]
    columns = {name: csv_column(sample.column(name).to_pylist()) for name in names}
    return written_table(columns).append_column(ROW_COLUMN, sample.column(ROW_COLUMN))


def json_tables(builder: Any, split: str, names: dict[str, None], most: int) -> Iterator[pa.Table]:
    """A split of JSON files in tables of one column, the objects' texts; `names` gathers the members of all of them.

    Raises TooManyColumns where there are more than `most`.
    """
    batch: list[str] = []
    for file in _files(builder, split):
        with _named(file), _opened(file) as opened:
            for text, members in _objects(opened, builder.config):
                names.update(dict.fromkeys(members))
                check_columns(len(names), most)
                batch.append(text)
                if len(batch) == BATCH:
                    yield pa.table({_LINE: pa.array(batch, pa.large_string())})
                    batch = []
    yield pa.table({_LINE: pa.array(batch, pa.large_string())})


def json_typed(sample: pa.Table, names: Iterable[str], declared: Features | None) -> pa.Table:
    """Rows of `json_tables` with a column for each of `names`."""
    rows = [json_value(text) for text in sample.column(_LINE).to_pylist()]
    return json_table(rows, names, declared).append_column(ROW_COLUMN, sample.column(ROW_COLUMN))


@contextmanager
def _opened(file: str) -> Iterator[Any]:
    with parsing():
        opened = xopen(file, "rb")
    with opened:
        yield opened


@contextmanager
def _named(file: str) -> Iterator[None]:
    """What is wrong with a file, with its name."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{file.rsplit('/', 1)[-1]}: {error}") from None
    except (TypeError, KeyError) as error:  # their words are of Python, not of the card
        said = "an option of its config is not of the form that its parser takes"
        raise ValueError(f"{file.rsplit('/', 1)[-1]}: {said}: {error}") from None


def _files(builder: Any, split: str) -> Iterator[str]:
    """The split's files, those in archives too."""
    download = DownloadConfig(token=builder.token, storage_options=builder.storage_options, extract_on_the_fly=True)
    manager = StreamingDownloadManager(base_path=builder.base_path, download_config=download)
    yield from manager.iter_files(manager.download_and_extract(list(builder.config.data_files[split])))


def _objects(opened: Any, config: Any) -> Iterator[tuple[str, Iterable[str]]]:
    """(JSON text, names of its members) of each row: lines, a list, objects over several lines, or one `field`."""
    given = str(config.encoding)
    encoding = "utf-8-sig" if given.lower().replace("_", "-") == "utf-8" else given
    with parsing():
        text = io.TextIOWrapper(opened, encoding=encoding, errors=config.encoding_errors, newline="\n")
    if config.field is not None:
        whole = json_value(_rest(text))
        if not isinstance(whole, dict) or config.field not in whole:
            raise ValueError(f"a file has no field {config.field!r}")
        yield from _rows(whole[config.field])
        return
    begun = False
    for number, line in enumerate(_lines(text), start=1):
        if not line.strip():
            continue
        if not begun and line.lstrip().startswith("["):
            yield from _rows(json_value(line + _rest(text)))
            return
        try:
            value = _DECODER.decode(line)
        except ValueError as error:
            if begun:
                raise ValueError(f"line {number} is no JSON: {error}") from None
            yield from _several(line + _rest(text))
            return
        except RecursionError:
            raise ValueError(f"line {number} is nested too deeply") from None
        if not isinstance(value, dict):
            raise ValueError(f"line {number} is no object but begins with {line[:40]!r}")
        begun = True
        yield line, value


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    with parsing():
        yield from text


def _rest(text: io.TextIOWrapper) -> str:
    with parsing():
        return text.read()


def _several(text: str) -> Iterator[tuple[str, Iterable[str]]]:
    """Objects over several lines, one after the other; a single one of equally long lists has the columns in them."""
    values = json_values(text)
    yield from _rows(values[0] if len(values) == 1 and _is_columns(values[0]) else values)


def _rows(value: Any) -> Iterator[tuple[str, Iterable[str]]]:
    """The rows of a list of objects or texts, or of an object of columns."""
    if isinstance(value, dict) and _is_columns(value):
        value = [dict(zip(value, cells, strict=True)) for cells in zip(*map(_items, value.values()), strict=True)]
    if not isinstance(value, list):
        raise ValueError("a file holds neither a list of objects nor columns of equal lengths")
    for item in value:
        row = item if isinstance(item, dict) else {"text": item}
        yield json_text(row), row


def _is_columns(value: Any) -> bool:
    """Whether an object holds columns: `{"q": ["a", "b"], "a": ["c", "d"]}`, or the same with row numbers as keys."""
    if not isinstance(value, dict) or not all(isinstance(column, list | dict) for column in value.values()):
        return False
    return len({len(column) for column in value.values()}) == 1


def _items(column: list[Any] | dict[str, Any]) -> list[Any]:
    return list(column.values()) if isinstance(column, dict) else column
