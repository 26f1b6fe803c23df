"""Nights on the Hub: only what is new, changed or withdrawn costs anything, and the release follows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.conftest import Grown
from tests.flows.hub_case import (
    GROWN,
    add_reviews,
    asked,
    release_commits,
    released,
)
from tests.support.hub import Faults, LoopbackHub
from tests.support.llm import Asked, Behaviour, LlmServer, Replay

Night = Callable[..., Grown]
NEW = Counter({"resolve README.md": 1, "tree": 1, "resolve train.jsonl": 1})
"""Requests for a new dataset of one small file."""
LOOK = Counter({"info": 1, "resolve manifest.json": 1, "resolve README.md": 1, "refs": 1})
"""Requests for a release that stands as it is."""
STAGES = ("metadata", "instruction", "filter", "judge", "publish")

LOAD = """
import json
from datasets import load_dataset
rows = load_dataset("me/grown", split="train")
print(json.dumps([len(rows), rows.column_names[:6], sorted(set(rows["repo_id"]))]))
"""


def load(hub: LoopbackHub, home: Path) -> list[object]:
    """What `datasets` makes of the release, in a process of its own: it reads its settings when it is imported."""
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], env={**environment, "HF_UPDATE_DOWNLOAD_COUNTS": "0"}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    found: list[object] = json.loads(done.stdout)
    return found


def test_only_what_changed_costs_anything(
    night: Night, endpoint: LlmServer, hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNOSAUR_RELEASING__PRIVATE", "false")
    stay = ("shop/still", "shop/prose", "shop/edited")
    leave = ("shop/relicensed", "shop/deleted", "shop/gated")
    for n, name in enumerate((*stay, *leave, "shop/old-name")):
        add_reviews(hub, name, start=n * 100)
    card = hub["shop/prose"].card_text + "\n## Curation Rationale\n\nShops have many customers.\n"
    hub.edit("shop/prose", {"README.md": card})
    add_reviews(hub, "press/stories", license="cc-by-nd-4.0")
    first = night()
    assert first.report.grown == 7 and first.report.refused == {"refused_license": 1}
    places = asked(hub)
    assert places[""] == {"list": 1} and "press/stories" not in places
    assert {name: places[name] for name in (*stay, *leave)} == dict.fromkeys((*stay, *leave), NEW)
    assert len(release_commits(hub)) == 1 and hub[GROWN].tags == {"v1": hub[GROWN].head.sha}
    before = released(hub)

    # the release is a dataset of the Hub too, and must not be grown from
    second = night()
    assert second.report.refused == {"blocklisted": 1}

    # nothing has changed
    hub.reset_counts()
    llm = sum(endpoint.seen.attempts.values())
    third = night()
    assert third.runs == []
    assert third.report.plan.counts() == {**dict.fromkeys(third.report.plan.counts(), 0), "unchanged": 9}
    assert asked(hub) == {"": Counter(list=1), GROWN: LOOK}
    assert sum(endpoint.seen.attempts.values()) == llm
    assert len(release_commits(hub)) == 1 and released(hub).manifest == before.manifest

    # one of each
    add_reviews(hub, "shop/added", start=900)
    hub.edit_prose("shop/prose")
    hub.edit_rows("shop/edited")
    hub.relicense("shop/relicensed", "cc-by-nd-4.0")
    hub.delete("shop/deleted")
    hub.gate("shop/gated")
    hub.rename("shop/old-name", "shop/new-name")
    hub.reset_counts()
    endpoint.seen.bodies.clear()
    endpoint.seen.attempts.clear()
    fourth = night()
    plan = fourth.report.plan
    assert [ref.repo_id for ref in plan.new] == ["shop/added", "shop/new-name"]
    assert sorted(ref.repo_id for ref in plan.changed) == ["shop/edited", "shop/prose"]
    assert sorted((gone.repo_id, gone.reason) for gone in plan.withdrawn) == [
        ("shop/deleted", "gone"),
        ("shop/gated", "gated"),
        ("shop/old-name", "gone"),
        ("shop/relicensed", "refused_license"),
    ]
    assert "renamed to shop/new-name" in {gone.detail for gone in plan.withdrawn}
    assert plan.unchanged == 3 and fourth.report.grown == 4  # still, stories, and the release
    places = asked(hub)
    assert places.pop("").keys() == {"list"}
    # whether it is gone, or has another name, is asked of each that the listing does not show any more
    assert {name: counts for name, counts in places.items() if name.startswith(("shop/", "press/"))} == {
        "shop/added": NEW,
        "shop/new-name": NEW + Counter(info=1),
        "shop/edited": NEW,
        "shop/prose": NEW,
        "shop/deleted": Counter(info=1),
        "shop/old-name": Counter(info=1),
    }
    cached = {run.name: run.state_name for run in fourth.runs}
    branches = ("shop/added", "shop/new-name", "shop/edited", "shop/prose")
    assert set(cached) == {f"{stage} {name}" for stage in STAGES for name in branches}
    # the row that was removed is none that a designer was shown, and one of those that the judge was
    assert {name for name, state in cached.items() if state == "Cached"} == {
        *(f"{stage} shop/prose" for stage in STAGES[1:]),
        "instruction shop/edited",
    }
    sent = [Asked(tuple(body["messages"]), None) for body in endpoint.seen.bodies.values()]
    assert {each.dataset[0] for each in sent if not each.tasks} == {"shop/added", "shop/new-name"}
    assert {each.dataset[0] for each in sent if each.tasks} == {"shop/added", "shop/new-name", "shop/edited"}

    after = released(hub)
    assert after.manifest.version == 2 and len(release_commits(hub)) == 2
    assert set(after.sources) == {*stay, "shop/added", "shop/new-name"}
    kept = [row for row in before.records if row["repo_id"] in ("shop/still", "shop/prose")]
    assert [row for row in after.records if row["repo_id"] in ("shop/still", "shop/prose")] == kept
    assert sorted(after.removals) == sorted((gone.repo_id, gone.reason) for gone in plan.withdrawn)
    assert f"{len(after.records):,}" in after.card and "4 withdrawn" in after.card
    assert load(hub, tmp_path / "home") == [
        len(after.records),
        ["instruction", "input", "output", "license", "website", "taskname"],
        sorted(after.sources),
    ]
    assert night().report.plan.counts()["withdrawn"] == 0
    assert len(release_commits(hub)) == 2 and released(hub).removals == after.removals


@pytest.mark.corpus
def test_nights_with_the_corpus_and_one_with_a_tenth_of_the_requests_failing(
    night: Night, endpoint: LlmServer, hub: LoopbackHub, corpus: Path, tmp_path: Path
) -> None:
    endpoint.behaviour = Behaviour(answerer=Replay(corpus / "gpt35.jsonl"))
    for readme in sorted((corpus / "hub").glob("*/*/README.md")):
        hub.add_folder(readme.parent)
    hub.faults = Faults(0.1, seed=3)
    disturbed, content = night(store=str(tmp_path / "disturbed")).report, released(hub).content
    hub.faults.clear()
    hub.delete("me/grown")
    endpoint.seen.attempts.clear()
    first = night().report
    assert released(hub).content == content
    assert (first.failed, first.refused) == (disturbed.failed, disturbed.refused)
    ends = first.grown + first.refused.total() + len(first.failures) + first.deferred.total()
    assert ends == first.plan.surveyed == 51 and "Unexpected" not in first.failed
    night()  # sees the release in the listing
    hub.reset_counts()
    endpoint.seen.attempts.clear()
    third = night()
    assert third.runs == [] and asked(hub) == {"": Counter(list=1), GROWN: LOOK}
    before = released(hub)
    prose, rows, relicensed, deleted, gated = sorted(before.sources)[:5]
    hub.edit_prose(prose)
    hub.edit_rows(rows)
    hub.relicense(relicensed, "cc-by-nc-nd-4.0")
    hub.delete(deleted)
    hub.gate(gated)
    add_reviews(hub, "shop/added")
    hub.reset_counts()
    fourth = night()
    assert {run.name.split()[1] for run in fourth.runs} == {prose, rows, "shop/added"}
    withdrawn = {gone.repo_id: gone.reason for gone in fourth.report.plan.withdrawn}
    assert withdrawn == {relicensed: "refused_license", deleted: "gone", gated: "gated"}
    assert dict(released(hub).removals) == withdrawn
    assert set(asked(hub)) - {"elsewhere"} == {"", GROWN, prose, rows, deleted, "shop/added"}
    kept = set(before.sources) - {prose, rows, relicensed, deleted, gated}
    assert {name: released(hub).sources[name] for name in kept} == {name: before.sources[name] for name in kept}
    assert "Unexpected" not in fourth.report.failed and len(release_commits(hub)) == 2
