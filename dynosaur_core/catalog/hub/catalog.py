"""The Hugging Face Hub as a catalogue."""

from __future__ import annotations

from collections.abc import Iterator

from huggingface_hub import get_token

from dynosaur_core.catalog.hub.child import HubChild
from dynosaur_core.catalog.hub.http import API, HubHttp, repo_path, shared_http, viewer_address
from dynosaur_core.catalog.hub.listing import EXPAND, Query, census, entry_ref, listing
from dynosaur_core.catalog.hub.viewer import Viewer
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import DatasetRef
from dynosaur_core.protocols import Cursor
from dynosaur_core.settings import Settings


class HubCatalog:
    """A `protocols.Catalog` over a Hub. Safe to share between threads; its sources are for one thread each.

    `endpoint` and `token` are those of HF_ENDPOINT and HF_TOKEN unless given; `http` stands for both.
    """

    name = "hub"
    place: str | None = None

    def __init__(
        self,
        settings: Settings,
        *,
        endpoint: str | None = None,
        token: str | None = None,
        http: HubHttp | None = None,
    ) -> None:
        hub = settings.hub
        self.query = Query(hub.since, hub.search, hub.author, hub.tags)
        self.scope = "" if self.query == Query() else digest(str(self.query))[:12]
        self.census_url = hub.census
        self.reading, self.deadline_s = settings.reading, settings.sampling.deadline_s
        self.token = token or get_token()
        self.http = http or shared_http(endpoint, self.token)
        url = settings.viewer_url or viewer_address(self.http.endpoint)
        self.viewer = Viewer(url)

    def list(self, cursor: Cursor | None = None) -> Iterator[DatasetRef]:
        """Yields each dataset once, from the newest to the watermark of the cursor. The cursor records how far it came,
        also after an error, and a later listing goes on from there."""
        cursor = cursor or Cursor()
        if self.census_url is not None:
            return census(self.census_url, self.query, cursor)
        return listing(self.http, self.query, cursor)

    def ref(self, repo_id: str) -> DatasetRef:
        """One dataset as it is now, under its new name where it was renamed; raises NotFound, or NotAllowed where it is
        disabled. One request (two for a renamed one)."""
        url = f"{self.http.endpoint}/api/datasets/{repo_path(repo_id)}"
        ref = self.http.get(url, API, lambda response: entry_ref(response.json()), params={"expand": list(EXPAND)})
        if ref is None:
            raise DynosaurError(Code.NOT_FOUND, f"{repo_id} has no revision")
        return ref

    def open(self, ref: DatasetRef) -> HubChild:
        """Pinned to `ref.revision`. Nothing is read before it is asked for."""
        return HubChild(self.http, self.viewer.url, self.token, ref, self.reading, self.deadline_s)
