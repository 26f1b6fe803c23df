"""Files of one dataset revision: their list, whole ones, and byte ranges of large ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from datasets.config import DATASETDICT_INFOS_FILENAME, REPOYAML_FILENAME

from dynosaur_core.card import MAX_CARD_BYTES, decode_card
from dynosaur_core.catalog.files import FolderSource
from dynosaur_core.catalog.formats import first_line, module_of
from dynosaur_core.catalog.hub.http import API, FILES, EntryMissingError, HubHttp, Response, repo_path
from dynosaur_core.catalog.reader import TEXT_FORMATS
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Split
from dynosaur_core.protocols import SourceSubset
from dynosaur_core.reading.features import is_media
from dynosaur_core.reading.together import Together
from dynosaur_core.settings import Sampling

_BLOW_UP = 16
"""Decoded, a row group may be this many times sampling.max_bytes."""
MAX_TREE_PAGES = 20
"""Of 1,000 entries each; what lies beyond is not seen."""


@dataclass(frozen=True)
class RemoteFile:
    path: str
    size: int
    checksum: str
    """SHA-1 of the git blob (40 hex digits), or SHA-256 of the content (64)."""

    def check(self, data: bytes) -> None:
        """Raises ValueError where `data` is not the file."""
        if len(data) != self.size or (self.checksum and checksum(data, len(self.checksum)) != self.checksum):
            raise ValueError(f"{self.path} did not arrive as it is in the repository")


def checksum(data: bytes, digits: int) -> str:
    return (
        hashlib.sha256(data).hexdigest() if digits == 64 else hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    )


class RemoteRepo:
    """One dataset at one revision. Counts its own requests."""

    def __init__(self, http: HubHttp, repo_id: str, revision: str) -> None:
        self.http, self.repo_id, self.revision = http, repo_id, revision
        self.deadline = float("inf")
        self.requests = 0
        name = repo_path(repo_id)
        self._tree = f"{http.endpoint}/api/datasets/{name}/tree/{revision}"
        self._resolve = f"{http.endpoint}/datasets/{name}/resolve/{revision}/"

    def card(self) -> str:
        """README.md as text; "" where there is none."""
        seen: list[bytes] = []

        def checked(response: Response) -> bytes:
            etag = response.headers.get("etag", "").removeprefix("W/").strip('"')
            wrong = re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", etag) and checksum(response.body, len(etag)) != etag
            if wrong and response.body not in seen:  # the same twice is what the server holds
                seen.append(response.body)
                raise ValueError("README.md did not arrive as it is in the repository")
            return response.body

        try:
            text: bytes = self.get(f"{self._resolve}README.md", FILES, checked)
            return decode_card(text)
        except EntryMissingError:
            return ""

    def files(self) -> list[RemoteFile]:
        """All files, in the order of their paths."""
        found: list[RemoteFile] = []
        url: str | None = f"{self._tree}?recursive=true&expand=false"
        for _ in range(MAX_TREE_PAGES):
            if url is None:
                break
            entries, url = self.get(url, API, _tree_page)
            found += entries
        return found

    def whole(self, file: RemoteFile) -> bytes:
        def checked(response: Response) -> bytes:
            file.check(response.body)
            return response.body

        data: bytes = self.get(self.url(file), FILES, checked, max_bytes=file.size + 1)
        return data

    def url(self, file: RemoteFile) -> str:
        return self._resolve + quote(file.path, safe="/")

    def get(self, url: str, resource: str, parse: Callable[[Response], Any], **options: Any) -> Any:
        """As HubHttp.get, within this dataset's deadline."""

        def counted(response: Response) -> Any:
            value = parse(response)
            self.requests += response.hops  # not of failed tries: the way of reading must not depend on them
            return value

        return self.http.get(url, resource, counted, **{"deadline": self.deadline, **options})


def _tree_page(response: Response) -> tuple[list[RemoteFile], str | None]:
    found = []
    for entry in response.json():
        if entry["type"] == "file":
            large = entry.get("lfs") or {}
            found.append(RemoteFile(entry["path"], int(entry["size"]), large.get("oid") or entry.get("oid") or ""))
    return found, response.next_url


def check_group(group: Any, sampling: Sampling) -> None:
    """Refuses a row group that says it is far larger decoded than a sample may be: a few bytes can hold a huge cell."""
    if group.total_byte_size > _BLOW_UP * sampling.max_bytes:
        raise DynosaurError(Code.TOO_LARGE, f"a row group of {group.num_rows} rows takes {group.total_byte_size} bytes")


def _check_groups(path: Path, sampling: Sampling) -> None:
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise DynosaurError(Code.UNREADABLE_FILES, f"{path.name} does not parse: {first_line(error)}") from error
    for n in range(metadata.num_row_groups):
        check_group(metadata.row_group(n), sampling)


class SkeletonSource(FolderSource):
    """A FolderSource over a folder that holds the dataset's files by name only, until their content is asked for: so
    that configs and splits are found by the same rules, and for one request."""

    def __init__(self, scratch: Path, repo: RemoteRepo, card: str, small: int) -> None:
        folder = scratch / "files"
        folder.mkdir(exist_ok=True)
        super().__init__(folder, repo.repo_id, scratch)
        self._repo, self._small = repo, small
        self._remote: dict[Path, RemoteFile] = {}
        for file in repo.files():
            if _is_plain(file.path) and file.path != DATASETDICT_INFOS_FILENAME:  # which is no longer needed
                path = folder / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                self._remote[path.resolve()] = file
        (folder / "README.md").write_text(card, encoding="utf-8")
        if config := self._remote.get((folder / REPOYAML_FILENAME).resolve()):
            if config.size > MAX_CARD_BYTES:
                raise DynosaurError(Code.UNREADABLE_CARD, f"{config.path} is larger than {MAX_CARD_BYTES:,} bytes")
            self._bring(folder / REPOYAML_FILENAME)

    def remote(self, config: str, split: str) -> list[RemoteFile]:
        """The split's files, in the order of its rows."""
        return [self._remote[Path(str(path)).resolve()] for path in self._builder(config).config.data_files[split]]

    def is_parquet(self, config: str) -> bool:
        return module_of(self._builder(config)) == "parquet"

    def text_format(self, config: str) -> str | None:
        """`csv` or `json`, whose values are texts that other readers than ours rewrite; None for all other formats."""
        module = module_of(self._builder(config))
        return module if module in TEXT_FORMATS else None

    def read_and_sample(self, subset: SourceSubset, split: Split, sampling: Sampling) -> pa.Table:
        """A sample of the split's files, which are brought here whole."""
        for name in self._builder(subset.config).config.data_files[split.name]:
            path = Path(str(name))
            self._bring(path)
            if self.is_parquet(subset.config):
                _check_groups(path, sampling)
        return self.sample(subset, split, sampling)

    def _checksum(self, path: Path) -> str | None:
        return self._remote[path.resolve()].checksum or None

    def _bring(self, path: Path) -> None:
        if path.stat().st_size == 0:
            path.write_bytes(self._repo.whole(self._remote[path.resolve()]))

    def _common(self, builder: Any) -> Together | None:
        """The features that the files have in common, where all are small, or of the first file alone where it holds
        media, for which the config will be refused. Else the sample itself will tell."""
        files = [Path(path) for path in self._decisive(builder)]
        sizes = [self._remote[path.resolve()].size for path in files]
        if sizes[0] > self._small:
            return None
        self._bring(files[0])
        first = self._features_of([str(files[0])])
        if len(files) == 1 or any(map(is_media, first.features.values())):
            return first
        if sum(sizes) > self._small:
            return None
        for path in files:
            self._bring(path)
        return self._features_of(list(map(str, files)))


def _is_plain(path: str) -> bool:
    """Whether a file may be stored under this name in our scratch folder: names come from strangers."""
    parts = path.split("/")
    return all(part not in ("", ".", "..") and len(part.encode()) <= 200 and part.isprintable() for part in parts)
