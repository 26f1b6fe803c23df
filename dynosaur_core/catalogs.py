"""Where datasets may come from: the one list of the forms of a catalogue, and what opens each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.identity import HUB
from dynosaur_core.secrets import remember
from dynosaur_core.settings import Settings

if TYPE_CHECKING:
    from dynosaur_core.protocols import Catalog

# Each brings libraries that take seconds to load (`datasets`, `huggingface_hub`): they are imported when it is opened.


@dataclass(frozen=True)
class CatalogForm:
    """One kind of catalogue."""

    form: str
    """How its address is written, for errors, help and forms."""
    takes: Callable[[str], bool]
    """Whether an address is of this kind."""
    open: Callable[[Settings], Catalog]


def _hub(settings: Settings) -> Catalog:
    from huggingface_hub import get_token

    from dynosaur_core.catalog.hub.catalog import HubCatalog

    if settings.catalog == HUB and Path(HUB).is_dir():  # growing from the wrong one of the two costs money
        message = f"a folder `hub` lies here: write ./hub for it, or {_HUB_URL} for the Hugging Face Hub"
        raise DynosaurError(Code.BAD_CATALOG, message)
    remember(get_token())  # it may come from a file
    return HubCatalog(settings)


def _jsonl(settings: Settings) -> Catalog:
    from dynosaur_core.catalog.jsonl import JsonlCatalog

    return JsonlCatalog(settings.catalog)


def _folder(settings: Settings) -> Catalog:
    from dynosaur_core.catalog.folder import FolderCatalog

    return FolderCatalog(Path(settings.catalog).expanduser(), settings.reading, settings.sampling.deadline_s)


_HUB_URL = "hf://datasets"
CATALOGS = (
    CatalogForm(f"{HUB} (or {_HUB_URL})", lambda where: where in (HUB, _HUB_URL), _hub),
    CatalogForm("a .jsonl export (a file or URL)", lambda where: where.endswith((".jsonl", ".jsonl.gz")), _jsonl),
    CatalogForm("a folder in the Hub's layout", lambda where: "://" not in where, _folder),
)
"""The first that takes an address opens it."""
CATALOG_FORMS = ", ".join(each.form for each in CATALOGS)


def open_catalog(settings: Settings) -> Catalog:
    """The catalogue of the settings; raises BadCatalog for an address of no form."""
    for each in CATALOGS:
        if each.takes(settings.catalog):
            return each.open(settings)
    raise DynosaurError(Code.BAD_CATALOG, f"{settings.catalog!r} is no catalogue: give one of {CATALOG_FORMS}")
