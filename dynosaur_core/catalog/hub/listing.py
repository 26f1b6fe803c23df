"""The Hub's listing: newest first, page by page, as far back as the caller needs.

`HfApi.list_datasets` asks the same address, but its generator ends at the first bad page and cannot be taken up again;
here a cursor can. Memory does not grow with the Hub: one page is held, and the ids of the last few pages.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from dynosaur_core.card import Card, listing_fields
from dynosaur_core.catalog.hub.http import API, HubHttp, Response, is_repo_id
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.logs import logger
from dynosaur_core.models import DatasetRef
from dynosaur_core.plain_json import read_json
from dynosaur_core.protocols import Cursor
from dynosaur_core.text import whole_number

EXPAND = (
    "sha",
    "lastModified",
    "createdAt",
    "tags",
    "cardData",
    "gated",
    "disabled",
    "private",
    "usedStorage",
    "description",
)
"""The fields that decide; all others are left out of the answers."""
OVERLAP = timedelta(hours=1)
"""Listed again before the watermark: entries appear in the listing some time after their commit."""
PAGE_SIZES = (1000, 100, 10)
"""Entries of a page; a page that fails is asked for again in smaller ones."""
_SMALLER = {Code.SERVER_ERROR, Code.TIMED_OUT, Code.UNEXPECTED}
"""Errors after which a smaller page may do; the last is a server that refuses such large ones."""
_REMEMBERED = 5_000
"""Ids kept to notice repeats: an entry that moves while pages are read comes again soon or not at all."""
_CENSUS_BATCH = 2_000
_LOG = logger("hub")


@dataclass(frozen=True)
class Query:
    """What to list. `since` is the watermark: what was modified earlier (less OVERLAP) ends the listing."""

    since: datetime | None = None
    search: str | None = None
    author: str | None = None
    tags: tuple[str, ...] = ()

    def params(self) -> list[tuple[str, str]]:
        pairs = [("sort", "lastModified"), ("limit", str(PAGE_SIZES[0]))]  # newest first
        pairs += [("expand", field) for field in EXPAND]
        pairs += [(name, value) for name, value in (("search", self.search), ("author", self.author)) if value]
        return pairs + [("filter", tag) for tag in self.tags]


def listing(http: HubHttp, query: Query, cursor: Cursor) -> Iterator[DatasetRef]:
    """Datasets from the newest to the page that reaches the watermark, each once. Of that page all are given: a Hub of
    one page is seen whole. Raises DynosaurError when a page cannot be had; the cursor then stands at that page."""
    since = max((moment for moment in (query.since, cursor.since) if moment), default=None)
    floor = since - OVERLAP if since else None
    from_the_start = cursor.url is None
    recent: OrderedDict[str, None] = OrderedDict()
    while not cursor.finished:
        entries, next_url = _page(http, query, cursor)
        older = False
        skipped: list[Any] = []
        for entry in entries:
            ref = entry_ref(entry)
            if ref is None:
                cursor.skip(entry)
                skipped.append(entry)
                continue
            older = older or (floor is not None and ref.last_modified is not None and ref.last_modified < floor)
            if ref.repo_id in recent or (query.since and ref.last_modified and ref.last_modified < query.since):
                continue
            recent[ref.repo_id] = None
            if len(recent) > _REMEMBERED:
                recent.popitem(last=False)
            yield ref
        if skipped:
            example = f"{skipped[0]!r:.200}"
            _LOG.warning("listing: %d of a page's %d entries skipped, such as %s", len(skipped), len(entries), example)
        cursor.pages += 1
        cursor.url, cursor.finished = next_url, older or next_url is None
        cursor.whole = from_the_start and next_url is None and not cursor.malformed


def _page(http: HubHttp, query: Query, cursor: Cursor) -> tuple[list[Any], str | None]:
    """One page and the address of the next. A page that fails after all attempts (see `retry`) is asked for in smaller
    pieces: half an hour at most, without the pauses that the Hub asks for."""
    url = cursor.url or f"{http.endpoint}/api/datasets"
    params = None if cursor.url else dict_of_lists(query.params())
    for n, size in enumerate(PAGE_SIZES):
        try:
            if n and params is None:
                url = re.sub(r"(?<=[?&]limit=)\d+", str(size), url)
            elif n and params is not None:
                params["limit"] = [str(size)]
            return http.get(url, API, _entries, params=params)
        except DynosaurError as error:
            if error.code not in _SMALLER or size == PAGE_SIZES[-1]:
                raise
    raise AssertionError("the smallest page returns or raises")


def _entries(response: Response) -> tuple[list[Any], str | None]:
    entries = response.json()
    if not isinstance(entries, list):
        raise ValueError("a page of the listing is no list")
    return entries, response.next_url


def dict_of_lists(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def entry_ref(entry: Any) -> DatasetRef | None:
    """A listing's entry as DatasetRef; None where it lacks what names a revision."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str) or not is_repo_id(entry["id"]):
        return None
    if not isinstance(entry.get("sha"), str) or not re.fullmatch(r"[0-9a-f]{40}", entry["sha"]):
        return None
    card = entry.get("cardData")
    tags = tuple(tag for tag in entry.get("tags") or () if isinstance(tag, str))
    fields = _merged(listing_fields(Card(data=card if isinstance(card, Mapping) else {})), tags)
    size = entry.get("usedStorage", entry.get("mainSize"))
    description = entry.get("description")
    return DatasetRef(
        repo_id=entry["id"],
        revision=entry["sha"],
        last_modified=_date(entry.get("lastModified")),
        gated=_flag(entry.get("gated")),
        private=_flag(entry.get("private")),
        disabled=_flag(entry.get("disabled")),
        size_bytes=whole_number(size),
        **{
            **fields,
            "description": fields["description"] or (str(description).strip() or None if description else None),
        },
    )


def _merged(fields: dict[str, Any], tags: tuple[str, ...]) -> dict[str, Any]:
    """What the card's header says, completed by the Hub's tags: either may lack a licence that the other has."""
    tagged = dict_of_lists((tag.split(":", 1)[0], tag.split(":", 1)[1]) for tag in tags if ":" in tag)
    header = {
        "license": tagged.get("license"),
        "language": tagged.get("language"),
        "task_categories": tagged.get("task_categories"),
        "task_ids": tagged.get("task_ids"),
    }
    from_tags = listing_fields(Card(data={name: values for name, values in header.items() if values}))
    merged = {
        name: tuple(dict.fromkeys(fields[name] + from_tags[name]))
        for name in ("licenses", "languages", "task_categories", "task_ids")
    }
    return {**fields, **merged, "tags": tags or fields["tags"]}


def _date(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        date = datetime.fromisoformat(value)
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):  # the last: the year 1 or 9999, and another year in UTC
        return None


def _flag(value: Any) -> bool:
    """`gated` is false, "auto" or "manual"; in a census also the word "False"."""
    return bool(value) and str(value).lower() not in ("false", "0", "none")


def census(url: str, query: Query, cursor: Cursor) -> Iterator[DatasetRef]:
    """Datasets of a census file: parquet with the Hub's metadata, one row a dataset, columns named as in the API
    (`cardData` may be JSON text), at any fsspec URL. In the file's order; one batch is held in memory."""
    columns = ["id", *EXPAND, "mainSize"]
    since = max((moment for moment in (query.since, cursor.since) if moment), default=None)
    floor = since - OVERLAP if since else None
    skipped = 0
    try:
        with fsspec.open(url, "rb") as raw, pq.ParquetFile(raw) as file:
            present = [name for name in columns if name in file.schema_arrow.names]
            for batch in file.iter_batches(_CENSUS_BATCH, columns=present):
                for entry in batch.to_pylist():
                    ref = entry_ref(_parsed(entry))
                    skipped += ref is None
                    if ref is not None and _matches(ref, query, floor):
                        yield ref
    except (OSError, pa.ArrowException, ImportError) as error:
        raise DynosaurError(Code.BAD_CATALOG, f"the census {url!r} cannot be read: {error}") from error
    if skipped:
        _LOG.warning("census: %d entries without an id or revision skipped", skipped)
    cursor.pages, cursor.finished = 1, True  # it is older than the Hub: what it does not show may be new


def _parsed(entry: dict[str, Any]) -> dict[str, Any]:
    if isinstance(entry.get("cardData"), str):
        try:
            entry["cardData"] = read_json(entry["cardData"].encode("utf-8", "replace"))
        except ValueError:
            entry["cardData"] = None  # the tags tell most of it
    return entry


def _matches(ref: DatasetRef, query: Query, floor: datetime | None) -> bool:
    """What the Hub would have decided, for a file that holds everything."""
    return (
        (floor is None or ref.last_modified is None or ref.last_modified >= floor)
        and (query.search is None or query.search.lower() in ref.repo_id.lower())
        and (query.author is None or ref.repo_id.split("/")[0] == query.author)
        and set(query.tags) <= set(ref.tags)
    )
