"""The exports of 2023: one JSON object a line per config, so that the crawl can be skipped.

`huggingface_metadata.jsonl` shows two rows of each config and `huggingface_data.jsonl` all that were sampled. Either
stands alone; of `..._metadata.jsonl`, the rows are taken from the `..._data.jsonl` beside it where there is one. Any
fsspec URL will do. The export of this project (`write_exports`) can be read back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import fsspec
import pyarrow as pa
import yaml

from dynosaur_core.catalog.jsonl_lines import MAX_LINE_BYTES, beginning_of, facts_of, lines_of, open_file, unpack
from dynosaur_core.catalog.sampling import spread
from dynosaur_core.digest import digest, digest_bytes
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import ROW_COLUMN, DatasetRef, Split
from dynosaur_core.plain_json import check_size, is_deep
from dynosaur_core.policy import languages, licenses
from dynosaur_core.protocols import Cursor, SourceSubset
from dynosaur_core.reading.features import check_columns
from dynosaur_core.reading.written import json_table, json_value
from dynosaur_core.settings import Sampling
from dynosaur_core.store import STORAGE_ERRORS, written_whole
from dynosaur_core.text import is_storable_id

KEYS = (
    "task_name",
    "selected_data",
    "multilinguality",
    "summary",
    "supported_task",
    "data_fields",
    "task_category",
    "task_ids",
    "license",
    "website",
)
"""Keys of one line, in the order of 2023. `selected_data` is a list of rows."""
_SPLIT = Split(name="train", role="train")
_MAX_WORDS, _MAX_WORD_CHARS, _MAX_TEXT_CHARS = 1_000, 1_000, 100_000
_MARKUP = re.compile(r"^ {0,3}(#{1,6}(?=\s|$)|(=+|-+)[ \t]*$|(`{3}|~{3}).*$)", re.MULTILINE)
"""What would begin or hide a section in a card: headings, underlines, fences."""


@dataclass(frozen=True)
class _Line:
    """Where a config's line is, and what names it."""

    config: str
    offset: int
    digest: str
    licenses: tuple[str, ...] = ()
    problem: DynosaurError | None = None
    """Why the line cannot be read, although its beginning shows the name."""


_Index = dict[str, list[_Line]]


class JsonlCatalog:
    """A `protocols.Catalog` over an export; memory holds an index of its lines, not their rows."""

    scope = ""

    def __init__(self, url: str) -> None:
        self.url = url
        self.place: str | None = _place(url)
        self.name = f"jsonl {url.rsplit('/', 1)[-1]}"
        self.rows_url = _beside(url)
        self._unpacked = unpack(self.rows_url)
        self._index: _Index | None = None
        self._nameless: list[str] = []
        """What is wrong with lines that do not even tell their dataset."""
        self._open().close()

    def list(self, cursor: Cursor | None = None) -> Iterator[DatasetRef]:
        """All datasets; then raises BadCatalog where there are lines that do not tell theirs."""
        for repo_id in self._lines():
            if is_storable_id(repo_id):
                yield self.ref(repo_id)
            elif cursor:
                cursor.skip(repo_id)
        if cursor:
            cursor.pages = 1 if self._index else 0
            cursor.malformed += len(self._nameless)
        if self._nameless:
            more = f" ({len(self._nameless) - 1} more such lines)" if len(self._nameless) > 1 else ""
            raise DynosaurError(Code.BAD_CATALOG, f"{self._nameless[0]}{more}")
        if cursor:
            cursor.finished = cursor.whole = True

    def ref(self, repo_id: str) -> DatasetRef:
        lines = self._lines().get(repo_id)
        if not lines:
            raise DynosaurError(Code.NOT_FOUND, f"{repo_id} is not in {self.name}")
        revision = digest(*(line.digest for line in lines))
        good = next((line for line in lines if not line.problem), None)
        if good is None:
            return DatasetRef(repo_id=repo_id, revision=revision, unreadable_card=True)
        first = self._read(good)
        return DatasetRef(
            repo_id=repo_id,
            revision=revision,
            licenses=_licenses(lines),
            languages=tuple(tag for tag in map(languages.normalise, _strings(first.get("languages"))) if tag),
            task_categories=_strings(first.get("task_category")),
            task_ids=_strings(first.get("task_ids")),
        )

    def open(self, ref: DatasetRef) -> JsonlSource:
        lines = self._lines().get(ref.repo_id)
        if not lines:
            raise DynosaurError(Code.NOT_FOUND, f"{ref.repo_id} is not in {self.name}")
        return JsonlSource(self, lines)

    def _lines(self) -> _Index:
        if self._index is None:
            index: _Index = {}
            self._nameless = []
            for number, offset, line, size in self._every_line():
                place = f"{self.rows_url}, line {number}"
                facts, problem = _facts_or_problem(line, size, place)
                if problem and not facts:
                    self._nameless.append(problem.message)
                    continue
                name = facts["task_name"].strip()[:_MAX_WORD_CHARS]
                repo_id = _repo_id(name, _text(facts.get("website")) or "")
                config = name[len(repo_id) + 1 :] if name.startswith(repo_id + "-") else "default"
                if not any(known.config == config for known in index.get(repo_id, [])):
                    stated = _strings(facts.get("license"))
                    known = digest_bytes(line) if size == len(line) else digest(digest_bytes(line), size)
                    index.setdefault(repo_id, []).append(_Line(config, offset, known, stated, problem))
            self._index = index
        return self._index

    def _every_line(self) -> Iterator[tuple[int, int, bytes, int]]:
        with self._open() as file:
            yield from lines_of(file)

    def _open(self) -> IO[bytes]:
        return open_file(self._unpacked.name if self._unpacked else self.rows_url)

    def _read(self, line: _Line) -> dict[str, Any]:
        if line.problem:
            raise line.problem
        with self._open() as file:
            file.seek(line.offset)
            data = file.readline(MAX_LINE_BYTES)
            check_size(data, MAX_LINE_BYTES)
            found: dict[str, Any] = json_value(data.decode("utf-8", "surrogatepass"))
            return found


class JsonlSource:
    """A `protocols.Source` over the lines of one dataset."""

    def __init__(self, catalog: JsonlCatalog, lines: list[_Line]) -> None:
        self.catalog, self.lines = catalog, {line.config: line for line in lines}

    def card(self) -> str:
        """The line's facts as a card, so that they are read as everywhere else."""
        known = list(self.lines.values())
        line = self.catalog._read(next((line for line in known if not line.problem), known[0]))
        header = {
            "license": list(_licenses(self.lines.values())),
            "language": list(_strings(line.get("languages"))),
            "multilinguality": list(_strings(line.get("multilinguality"))),
            "task_categories": list(_strings(line.get("task_category"))),
            "task_ids": list(_strings(line.get("task_ids"))),
            "website": _text(line.get("website")),
        }
        parts = ["---", yaml.safe_dump({key: value for key, value in header.items() if value}).strip(), "---"]
        for title, key in (("Dataset Summary", "summary"), ("Supported Tasks", "supported_task")):
            text = _text(line.get(key))
            if text:
                parts += [f"## {title}", "", _MARKUP.sub("", text), ""]
        return "\n".join(parts)

    def subsets(self) -> list[SourceSubset]:
        return [SourceSubset(config=config, splits=(_SPLIT,)) for config in self.lines]

    def sample(self, subset: SourceSubset, split: Split, sampling: Sampling) -> pa.Table:
        rows = self.catalog._read(self.lines[subset.config]).get("selected_data")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DynosaurError(Code.UNREADABLE_FILES, f"selected_data of {subset.config!r} is not a list of objects")
        chosen = spread(len(rows), sampling.rows_per_split, digest(subset.config, sampling.seed), sampling.first_rows)
        sampled = [rows[number] for number in chosen]
        if is_deep(sampled):
            raise DynosaurError(Code.UNREADABLE_FILES, f"rows of {subset.config!r} are nested too deeply")
        names = dict.fromkeys(name for row in sampled for name in row)
        check_columns(len(names), sampling.max_columns)
        return json_table(sampled, names).append_column(ROW_COLUMN, pa.array(chosen, pa.int64()))


def write_exports(
    lines: Iterable[tuple[dict[str, Any], list[dict[str, Any]]]], metadata_url: str, data_url: str
) -> int:
    """Writes both files from (facts of a config without its rows, all its rows); returns the number of configs."""
    count = 0
    with written_whole(metadata_url) as short, written_whole(data_url) as long:
        for facts, rows in lines:
            for file, shown in ((short, rows[:2]), (long, rows)):
                line = {key: shown if key == "selected_data" else facts.get(key) for key in KEYS}
                line["languages"] = facts.get("languages")
                file.write(json.dumps(line, ensure_ascii=False, default=str).encode() + b"\n")
            count += 1
    return count


def _place(url: str) -> str:
    """Where the export is, to be kept and shown: a resolved path, or the URL without the password that it may hold."""
    return re.sub(r"://[^/@]*@", "://", url) if "://" in url else str(Path(url).expanduser().resolve())


def _beside(url: str) -> str:
    """The data file that belongs to a metadata file, where there is one."""
    other = url.replace("_metadata.jsonl", "_data.jsonl")
    if other != url:
        try:
            fs, path = fsspec.core.url_to_fs(other)
            if fs.exists(path):
                return other
        except (*STORAGE_ERRORS, ValueError, ImportError) as error:
            raise DynosaurError(Code.BAD_CATALOG, f"{url} cannot be read: {error}") from error
    return url


def _facts_or_problem(line: bytes, size: int, place: str) -> tuple[dict[str, Any], DynosaurError | None]:
    try:
        return facts_of(line, size, place), None
    except DynosaurError as error:
        return beginning_of(line), error


def _licenses(lines: Iterable[_Line]) -> tuple[str, ...]:
    """What any of a dataset's lines states."""
    stated = (licenses.normalise(name) for line in lines for name in line.licenses)
    return tuple(dict.fromkeys(name for name in stated if name))


def _repo_id(task_name: str, website: str) -> str:
    """The website's end where the name begins with it: `glue-sst2` of .../datasets/glue belongs to `glue`."""
    repo_id = website.split("/datasets/")[-1].strip("/") if "/datasets/" in website else ""
    return repo_id if repo_id and (task_name == repo_id or task_name.startswith(repo_id + "-")) else task_name


def _strings(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    plain = (str(item)[:_MAX_WORD_CHARS].strip() for item in values[:_MAX_WORDS] if not isinstance(item, dict | list))
    return tuple(item for item in plain if item)


def _text(value: Any) -> str | None:
    return value[:_MAX_TEXT_CHARS].strip() or None if isinstance(value, str) else None
