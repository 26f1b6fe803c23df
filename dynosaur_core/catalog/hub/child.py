"""A dataset of the Hub that a child process parses. What the child needs of the network is asked for here, so that
quotas hold for all, and the token stays in this process."""

from __future__ import annotations

import tempfile
from http import HTTPStatus
from typing import Any

import httpx

from dynosaur_core.catalog.children import ChildSource, table_bytes
from dynosaur_core.catalog.hub.http import EntryMissingError, HubHttp, Request, as_error
from dynosaur_core.catalog.hub.stream import sample_streamed
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import DatasetRef
from dynosaur_core.reader.session import said_of
from dynosaur_core.reader.wire import Message
from dynosaur_core.scratch import scratch_folder
from dynosaur_core.settings import Reading, Sampling

_KEPT_BYTES = 4 << 20
"""At most so much of a dataset's answers is kept: cards and listings fit, its files need not."""


class HubChild(ChildSource):
    """A `protocols.Source` of the Hub. Use it from one thread; its temporary files go when it does."""

    def __init__(
        self, http: HubHttp, viewer: str, token: str | None, ref: DatasetRef, limits: Reading, deadline_s: float
    ) -> None:
        self._http, self._viewer, self._token, self._ref = http, viewer, token, ref
        self._folder = tempfile.TemporaryDirectory(dir=scratch_folder())
        self._led_to: set[str] = set()
        """Addresses that answers of the Hub redirected to."""
        self._kept: dict[str, Message] = {}
        """Small answers by what was asked, for another child: one that is needed by another dataset is lent to it, and
        this dataset is begun anew later."""
        self._room = _KEPT_BYTES
        opening = {
            "kind": "hub",
            "ref": ref.model_dump(mode="json"),
            "endpoint": http.endpoint,
            "viewer": viewer,
            "attempts": http.attempts,
            "backoff_s": http.backoff_s,
            "deadline_s": deadline_s,
            "folder": self._folder.name,
            "unreachable": dict(http.unreachable),
        }
        super().__init__(opening, limits, deadline_s)
        self._serve = self._answer

    def _answer(self, asked: dict[str, Any]) -> Message:
        """What the child asks for; an error goes back to it as such."""
        try:
            return _WANTS[asked["wants"]](self, asked)
        except DynosaurError as error:
            return {"error": said_of(error), "missing": isinstance(error, EntryMissingError)}, b""

    def _fetch(self, asked: dict[str, Any]) -> Message:
        request = Request(**asked["request"])
        url, key = request.url, asked["key"]
        if key in self._kept and not asked["again"]:
            return self._kept[key]
        name = self._ref.repo_id
        own = (f"{self._http.endpoint}/datasets/{name}/", f"{self._http.endpoint}/api/datasets/{name}/")
        viewer = url.startswith(f"{self._viewer}/") and "/" not in url.removeprefix(f"{self._viewer}/")
        if not (viewer or url.startswith(own) or url in self._led_to) or {".", ".."} & set(url.split("/")):
            raise DynosaurError(Code.UNREADABLE_FILES, "its files lead to an address outside of the dataset")
        try:
            response = self._http.once(request)
        except (ValueError, httpx.HTTPError, httpx.InvalidURL) as cause:
            raise as_error(cause, url) from cause
        self._led_to.add(response.url)
        facts = {"status": response.status, "url": response.url, "next_url": response.next_url, "hops": response.hops}
        answer = {**facts, "headers": response.headers.multi_items()}, response.body
        if response.status == HTTPStatus.OK and len(response.body) <= self._room:
            self._kept[key] = answer
            self._room -= len(response.body)
        return answer

    def _pause(self, asked: dict[str, Any]) -> Message:
        self._http.pause(asked["resource"], asked["seconds"])
        return {}, b""

    def _unreachable(self, asked: dict[str, Any]) -> Message:
        self._http.unreachable[asked["url"]] = asked["until"]
        return {}, b""

    def _stream(self, asked: dict[str, Any]) -> Message:
        pinned = {"repo_id": self._ref.repo_id, "revision": self._ref.revision}
        request = {**pinned, "config": asked["config"], "split": asked["split"]}
        sampling = Sampling.model_validate(asked["sampling"])
        return {}, table_bytes(sample_streamed(self._http.endpoint, self._token, request, sampling, asked["deadline"]))


_WANTS = {
    "fetch": HubChild._fetch,
    "pause": HubChild._pause,
    "unreachable": HubChild._unreachable,
    "stream": HubChild._stream,
}
