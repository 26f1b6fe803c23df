"""A folder of files that appears whole or not at all, and stays as it is when it would be made the same again."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec

from dynosaur_core.digest import digest_bytes
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Stored
from dynosaur_core.scratch import scratch_folder
from dynosaur_core.store import STORAGE_ERRORS


class Made(Stored):
    """The manifest of such a folder, written last."""

    key: str
    """Digest of all that the files depend on."""
    files: dict[str, str]
    """path -> digest of its content."""
    summary: dict[str, Any]
    """What was printed about it."""


def made_before(url: str, manifest: str, key: str) -> Made | None:
    """The manifest that stands at `url`, if it is of this key and its files are there, undamaged.

    Raises BadSetting for a place that cannot be read, and for files that somebody else has put there.
    """
    fs, root = _open(url)
    try:
        if not fs.exists(root) or not fs.ls(root, detail=False):
            return None
        if not fs.exists(f"{root}/{manifest}"):
            message = f"{url} holds files and no {manifest}: give an empty place with --out, or remove them"
            raise DynosaurError(Code.BAD_SETTING, message)
        found = Made.model_validate_json(fs.cat_file(f"{root}/{manifest}"))
        whole = found.key == key and all(
            fs.exists(f"{root}/{name}") and digest_bytes(fs.cat_file(f"{root}/{name}")) == content
            for name, content in found.files.items()
        )
    except ValueError:  # a manifest that is cut: the folder is made anew
        return None
    except STORAGE_ERRORS as error:
        raise DynosaurError(Code.BAD_SETTING, f"{url} cannot be read: {error}") from error
    return found if whole else None


@contextmanager
def made_whole(url: str, manifest: str, key: str, summary: dict[str, Any]) -> Iterator[Path]:
    """A scratch folder whose files take the place of those at `url` when the block ends well.

    A local folder is put in place by renaming; elsewhere the files go up first and the manifest last, by which readers
    go. `summary` may be filled inside the block. Raises BadSetting where the place cannot be written.
    """
    fs, root = _open(url)
    local = isinstance(fs, fsspec.implementations.local.LocalFileSystem)
    try:
        beside = Path(root).parent if local else Path(scratch_folder())
        beside.mkdir(parents=True, exist_ok=True)
        folder = beside / f".{Path(root).name}.{uuid.uuid4().hex}.tmp"
        folder.mkdir()
        try:
            yield folder
            files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
            made = Made(
                key=key, files={name: digest_bytes(path.read_bytes()) for name, path in files.items()}, summary=summary
            )
            (folder / manifest).write_text(made.model_dump_json(indent=1), encoding="utf-8")
            if local:
                _replace(folder, Path(root))
            else:
                if fs.exists(f"{root}/{manifest}"):
                    fs.rm_file(f"{root}/{manifest}")
                for name in (*files, manifest):
                    fs.put_file(str(folder / name), f"{root}/{name}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except STORAGE_ERRORS as error:
        raise DynosaurError(Code.BAD_SETTING, f"{url} cannot be written: {error}") from error


def _replace(folder: Path, target: Path) -> None:
    """Between the two renames there is no folder at all, and what was made lies beside it."""
    if not target.exists():
        folder.rename(target)
        return
    old = target.with_name(f".{target.name}.{uuid.uuid4().hex}.old")
    target.rename(old)
    folder.rename(target)
    shutil.rmtree(old)


def _open(url: str) -> tuple[Any, str]:
    try:
        fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ValueError, ImportError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"{url!r} cannot be opened: {error}") from error
    return fs, str(root).rstrip("/")
