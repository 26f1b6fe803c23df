"""What is learnt: rows of a mixture, of a release, or of a file in one of the forms that `dynosaur export` writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.continual.stages import SPLIT_MANIFEST
from dynosaur_core.digest import digest, digest_bytes
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Release, Stored
from dynosaur_core.plain_json import MAX_BYTES, read_json
from dynosaur_core.publish.sinks import MANIFEST as RELEASE
from dynosaur_core.store import STORAGE_ERRORS
from dynosaur_core.stored import from_stored

_MIXTURE = "replay.json"
_BATCH = 2_000
_ENDINGS = (".parquet", ".jsonl")


class Row(NamedTuple):
    instruction: str
    input: str
    output: str


class _Mixture(Stored):
    """What counts here of a mixture's manifest."""

    files: dict[str, str]


@dataclass(frozen=True)
class Data:
    """The files of one place, in their order."""

    url: str
    files: Mapping[str, str | None]
    """path -> the digest that a manifest says its content has."""

    def read(self, path: str) -> bytes:
        """Raises BadSetting where the file is gone, or is not what the manifest says."""
        fs, _ = _open(self.url)
        try:
            content = bytes(fs.cat_file(path))
        except STORAGE_ERRORS as error:
            raise _bad(f"{path} cannot be read: {error}") from error
        if self.files[path] not in (None, digest_bytes(content)):
            raise _bad(f"{path} is damaged: its content is not what the manifest beside it says")
        return content

    def digest(self) -> str:
        """Of the content, wherever it lies."""
        return digest([said or digest_bytes(self.read(path)) for path, said in self.files.items()])

    def rows(self) -> Iterator[Row]:
        """All rows; memory holds one file. Raises BadSetting with the file and the line of what is no row."""
        for path in self.files:
            content = self.read(path)
            yield from _parquet(path, content) if path.endswith(".parquet") else _lines(path, content)


def open_data(url: str) -> Data:
    """The data at a path or fsspec URL. Raises BadSetting where there is none."""
    fs, root = _open(url)
    try:
        if fs.isfile(root):
            if not root.endswith(_ENDINGS):
                raise _bad(f"data {url!r} is neither a folder nor a file that ends in {' or '.join(_ENDINGS)}")
            return Data(url, {root: None})
        for manifest, files in _MANIFESTS.items():
            if fs.isfile(f"{root}/{manifest}"):
                return Data(url, {f"{root}/{path}": said for path, said in files(fs.cat_file(f"{root}/{manifest}"))})
        if fs.isfile(f"{root}/{SPLIT_MANIFEST}"):
            raise _bad(f"data {url!r} is a split: give one of its stages, such as {url.rstrip('/')}/stage-1")
        found = fs.glob(f"{root}/data/*.parquet") or fs.glob(f"{root}/*.parquet") or fs.glob(f"{root}/*.jsonl")
    except STORAGE_ERRORS as error:
        raise _bad(f"data {url!r} cannot be read: {error}") from error
    if not found:
        there = "holds no parquet or jsonl file" if fs.exists(root) else "is not there"
        raise _bad(f"data {url!r} {there}: give the folder of a mixture or a release, or a file")
    return Data(url, dict.fromkeys(sorted(map(str, found))))


def _of_mixture(manifest: bytes) -> list[tuple[str, str]]:
    made = from_stored(manifest, _Mixture, _MIXTURE, "run `dynosaur replay` again")
    return sorted((path, said) for path, said in made.files.items() if path.startswith("data/") and ".." not in path)


def _of_release(manifest: bytes) -> list[tuple[str, str]]:
    release = from_stored(manifest, Release, RELEASE, "run `dynosaur release`")
    return [(file.path, file.digest) for file in release.files if ".." not in file.path]


_MANIFESTS: dict[str, Callable[[bytes], list[tuple[str, str]]]] = {_MIXTURE: _of_mixture, RELEASE: _of_release}


def _parquet(path: str, content: bytes) -> Iterator[Row]:
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        names = file.schema_arrow.names
        columns = next((list(needed) for needed in _FORMS if set(needed) <= set(names)), None)
        if columns is None:
            raise _bad(f"{path} has the columns {', '.join(names[:20])}: {_WANTED}")
        number = 0
        for batch in file.iter_batches(_BATCH, columns=columns):
            for record in batch.to_pylist():
                number += 1
                yield _row(record, f"{path}, row {number}")
    except (pa.ArrowException, OSError) as error:
        raise _bad(f"{path} is no parquet file, or a damaged one: {error}") from error


def _lines(path: str, content: bytes) -> Iterator[Row]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = read_json(line, MAX_BYTES)
        except ValueError as error:
            raise _bad(f"{where}: it is no JSON: {error}") from error
        yield _row(record, where)


def _row(record: Any, where: str) -> Row:
    if isinstance(record, dict):
        for needed, shape in _FORMS.items():
            if all(name in record for name in needed):
                try:
                    row = shape(record)
                except (KeyError, IndexError, TypeError, ValueError) as error:
                    raise _bad(f"{where}: its {' and '.join(needed)} are not of the form: {_WANTED}") from error
                if all(isinstance(text, str) for text in row):
                    return row
                raise _bad(f"{where}: its {' and '.join(needed)} are not all texts: {_WANTED}")
    raise _bad(f"{where}: {_WANTED}")


def _plain(record: dict[str, Any]) -> Row:
    return Row(record["instruction"], record["input"], record["output"])


def _messages(record: dict[str, Any]) -> Row:
    """A chat of two turns, as `dynosaur export` writes it: the input follows the first empty line of the question."""
    question, answer = record["messages"]
    if (question["role"], answer["role"]) != ("user", "assistant"):
        raise ValueError
    instruction, _, given = question["content"].partition("\n\n")
    return Row(instruction, given, answer["content"])


def _tk_instruct(record: dict[str, Any]) -> Row:
    """Of several outputs the first."""
    return Row(record["Definition"][0], record["Instance"]["input"], record["Instance"]["output"][0])


_FORMS: dict[tuple[str, ...], Callable[[dict[str, Any]], Row]] = {
    ("instruction", "input", "output"): _plain,
    ("messages",): _messages,
    ("Definition", "Instance"): _tk_instruct,
}
_WANTED = (
    "a row has instruction, input and output, or messages (a user's and an assistant's), or Definition and Instance"
)


def _open(url: str) -> tuple[Any, str]:
    try:
        fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ValueError, ImportError) as error:
        raise _bad(f"data {url!r} cannot be opened: {error}") from error
    return fs, str(root).rstrip("/")


def _bad(message: str) -> DynosaurError:
    return DynosaurError(Code.BAD_SETTING, message)
