"""Files and batches of the loopback endpoint."""

from __future__ import annotations

import email.message
import email.parser
import json
import re
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from dynosaur_core.digest import digest

if TYPE_CHECKING:
    from tests.support.llm.server import LlmServer

Answer = tuple[int, dict[str, Any] | bytes]


class Batches:
    """Batches finish when the test says so (`finish`), or at once with `immediate`."""

    def __init__(self, server: LlmServer) -> None:
        self.server = server
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.immediate = True
        self.calls: Counter[str] = Counter()
        self.max_requests = 50_000
        self.outcome = "completed"
        """How batches end: `completed`, `expired` (half done), `failed`, `cancelled`."""
        self.wrong_ids = 0
        """So many result lines get a custom_id that nobody sent."""
        self.lost: list[str] = []
        """What becomes of the next POSTs to /batches: the `request` is lost, or the `answer`, or the answer is and the
        batch appears `late` (see `appear`); "" for none of these."""
        self.hidden: dict[str, dict[str, Any]] = {}
        self.page = 100
        """The most batches of one page of the list."""
        self.known = True
        """Whether the endpoint has files and batches at all."""
        self.line_errors = 0
        """So many requests of a batch end with a 500."""

    def post(self, path: str, raw: bytes, headers: Any) -> Answer:
        self.calls[path.rsplit("/v1/", 1)[-1]] += 1
        if not self.known:
            return 404, {"error": {"message": f"no such path {path}"}}
        if path.endswith("/files"):
            name = f"file-{len(self.files)}"
            self.files[name] = _upload(raw, headers["Content-Type"])
            return 200, {"id": name, "object": "file", "purpose": "batch", "bytes": len(raw), "created_at": 0,
                         "filename": "requests.jsonl", "status": "processed"}  # fmt: skip
        if path.endswith("/batches"):
            asked = json.loads(raw)
            lines = self.files[asked["input_file_id"]].splitlines()
            if len(lines) > self.max_requests:
                return 400, {"error": {"message": "too many requests in the batch", "code": "too_many"}}
            name = f"batch-{len(self.batches) + len(self.hidden)}"
            self.batches[name] = {
                "id": name, "object": "batch", "endpoint": asked["endpoint"], "completion_window": "24h",
                "input_file_id": asked["input_file_id"], "status": "in_progress", "created_at": int(time.time()),
                "metadata": asked.get("metadata") or {},
            }  # fmt: skip
            if self.immediate:
                self.finish(name)
            return 200, self.batches[name]
        if found := re.search(r"/batches/([\w-]+)/cancel$", path):
            batch = self.batches[found[1]]
            if batch["status"] != "in_progress":
                return 409, {"error": {"message": f"a batch that is {batch['status']} cannot be cancelled"}}
            batch["status"] = "cancelled"
            return 200, batch
        return 404, {"error": {"message": f"no such path {path}"}}

    def get(self, path: str) -> Answer:
        parts = urlsplit(path)
        if parts.path.endswith("/batches"):
            return (200, self._page(parse_qs(parts.query))) if self.known else (404, {"error": {"message": "no"}})
        if found := re.search(r"/batches/([\w-]+)$", parts.path):
            batch = self.batches.get(found[1])
            return (200, batch) if batch else (404, {"error": {"message": "no such batch"}})
        if (found := re.search(r"/files/([\w-]+)/content$", parts.path)) and found[1] in self.files:
            return 200, self.files[found[1]]
        return 404, {"error": {"message": f"no such path {path}"}}

    def _page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """Batches, the newest first, from the one after `after` on."""
        names = list(self.batches)[::-1]
        start = names.index(query["after"][0]) + 1 if "after" in query else 0
        page = names[start : start + min(int(query.get("limit", ["20"])[0]), self.page)]
        more = bool(page) and page[-1] != names[-1]
        ids = {"first_id": page[0], "last_id": page[-1]} if page else {}
        return {"object": "list", "data": [self.batches[name] for name in page], "has_more": more, **ids}

    def hide(self) -> None:
        """The newest batch is in no list for now, nor found by its id."""
        name = list(self.batches)[-1]
        self.hidden[name] = self.batches.pop(name)

    def appear(self) -> None:
        """What was hidden is known."""
        self.batches = {**self.hidden, **self.batches}
        self.hidden = {}

    def finish(self, name: str) -> None:
        """Answers a batch's requests, in reverse order, as `outcome` says."""
        batch = self.batches[name]
        batch["status"] = self.outcome
        if self.outcome == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": "invalid", "message": "the file is not valid"}]}
            return
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        served = lines if self.outcome == "completed" else lines[: len(lines) // 2]
        api = "chat" if batch["endpoint"].endswith("completions") else "responses"
        good, bad = [], []
        for number, line in enumerate(reversed(served)):
            if number < self.line_errors:
                bad.append(_line(line["custom_id"], 500, {"error": {"message": "server error"}}))
                continue
            if refused := self.server.refusal(line["body"], api):
                bad.append(_line(line["custom_id"], refused[0], refused[1]))
                continue
            kind = self.server.behaviour.faults.choose(digest(line["body"]), 0, json.dumps(line["body"]))
            response = self.server.answer(line["body"], api, kind)
            self.server.seen.batched[digest(line["body"])] += 1
            wrong = number < self.line_errors + self.wrong_ids
            good.append(_line("nobody-" + line["custom_id"] if wrong else line["custom_id"], 200, response))
        expired = [_line(line["custom_id"], None, {}, "batch_expired") for line in lines[len(served) :]]
        for key, rows in (("output_file_id", good), ("error_file_id", bad + expired)):
            if rows:
                batch[key] = f"file-{len(self.files)}"
                self.files[batch[key]] = "\n".join(json.dumps(row) for row in rows).encode()


def _line(custom_id: str, status: int | None, body: Any, error: str | None = None) -> dict[str, Any]:
    response = None if status is None else {"status_code": status, "request_id": "r", "body": body}
    return {"id": "x", "custom_id": custom_id, "response": response, "error": {"code": error} if error else None}


def _upload(raw: bytes, content_type: str) -> bytes:
    parsed: email.message.Message = email.parser.BytesParser().parsebytes(
        f"Content-Type: {content_type}\r\n\r\n".encode() + raw
    )
    for part in parsed.get_payload():  # type: ignore[union-attr]
        if part.get_param("name", header="content-disposition") == "file":  # type: ignore[union-attr]
            return bytes(part.get_payload(decode=True))  # type: ignore[union-attr,arg-type]
    raise ValueError("no file in the upload")
