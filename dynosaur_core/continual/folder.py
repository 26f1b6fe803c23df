"""A folder of files that appears whole or not at all, and stays as it is when it would be made the same again."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dynosaur_core.continual.places import Place, open_place
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
    place = open_place(url)
    try:
        if place.empty():
            return None
        data = place.read(manifest)
        if data is None:
            message = f"{url} holds files and no {manifest}: give an empty place with --out, or remove them"
            raise DynosaurError(Code.BAD_SETTING, message)
        found = Made.model_validate_json(data)
        return found if found.key == key and _is_whole(found, place) else None
    except ValueError:  # a manifest that is cut: the folder is made anew
        return None
    except STORAGE_ERRORS as error:
        raise DynosaurError(Code.BAD_SETTING, f"{url} cannot be read: {error}") from error


def _is_whole(made: Made, place: Place) -> bool:
    read = ((place.read(name), content) for name, content in made.files.items())
    return all(data is not None and digest_bytes(data) == content for data, content in read)


@contextmanager
def made_whole(url: str, manifest: str, key: str, summary: dict[str, Any]) -> Iterator[Path]:
    """A scratch folder whose files take the place of those at `url` when the block ends well.

    A local folder is put in place by renaming, on the Hub by one commit; elsewhere the files go up first and the
    manifest last, by which readers go. `summary` may be filled inside the block. Raises BadSetting where the place
    cannot be written, or what the Hub's sink raises.
    """
    place = open_place(url)
    try:
        beside = place.beside or Path(scratch_folder())
        beside.mkdir(parents=True, exist_ok=True)
        folder = beside / f".{url.rstrip('/').rpartition('/')[2]}.{uuid.uuid4().hex}.tmp"
        folder.mkdir()
        try:
            yield folder
            files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
            made = Made(
                key=key, files={name: digest_bytes(path.read_bytes()) for name, path in files.items()}, summary=summary
            )
            (folder / manifest).write_text(made.model_dump_json(indent=1), encoding="utf-8")
            place.put(folder, [*files, manifest])
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except STORAGE_ERRORS as error:
        raise DynosaurError(Code.BAD_SETTING, f"{url} cannot be written: {error}") from error
