"""Pages of the UI: what they name when there is more than a person reads, and that nothing in them is raw."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dynosaur_core.errors import Code
from dynosaur_core.failing import FailedDataset, by_code
from dynosaur_core.ledger import Ledger, Outcome
from dynosaur_core.ledger.near import near_id
from dynosaur_core.models import GrowthPlan
from dynosaur_core.named import keep_names, named
from dynosaur_core.report import GrowthReport
from dynosaur_core.store import Store
from tasks.artifacts.failures import failed_markdown
from tasks.artifacts.growth import Told, growth_markdown
from tasks.artifacts.pages import NAMES, fenced, key_of, submit_again
from tests.ledger.test_ledger import entry

NIGHT = datetime(2026, 11, 26, 3, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield opened
    opened.engine.dispose()


def _failure(number: int, since: datetime, code: Code = Code.TIMED_OUT) -> FailedDataset:
    return FailedDataset(
        dataset=f"a/{number:04}",
        outcome=Outcome.FAILED,
        code=code,
        stage="metadata",
        message="no answer",
        attempts=2,
        next_try=NIGHT + timedelta(days=2),
        quarantined=False,
        what_to_do="wait",
        since=since,
        link=None,
    )


def test_failed_markdown_names_the_new_ones_first_and_counts_what_it_leaves_out() -> None:
    old = [_failure(number, NIGHT - timedelta(days=3)) for number in range(900)]
    new = [_failure(number, NIGHT + timedelta(minutes=1)) for number in range(900, 905)]
    codes = by_code([*old, *new], NAMES, NIGHT)
    page = failed_markdown(codes, NIGHT, {})
    assert page.startswith("# 905 datasets fail, 5 new tonight")
    named_ones = re.findall(r"^- (a/\d{4}) ", page, re.MULTILINE)
    assert len(named_ones) == NAMES and named_ones[:5] == [each.dataset for each in new]
    assert f"and {905 - NAMES:,} more: `dynosaur failed --json`" in page
    assert "(since 2026-11-23, in metadata, 2 nights, again after 2026-11-28 03:00" in page


def test_failed_markdown_shares_its_room_between_codes() -> None:
    many = [_failure(number, NIGHT) for number in range(NAMES - 1)]
    few = [_failure(9_000 + number, NIGHT, Code.TOO_LARGE) for number in range(3)]
    page = failed_markdown(by_code([*many, *few], NAMES, NIGHT), NIGHT, {})
    assert len(re.findall(r"^- a/\d{4} ", page, re.MULTILINE)) == NAMES
    assert "## TooLarge: 3 failed, 3 new tonight" in page and "and 2 more: " in page


def test_growth_markdown_names_so_many_and_the_file_with_the_rest_names_all(ledger: Ledger, tmp_path: Path) -> None:
    many = NAMES + 7
    ids = [f"a/{number:04}" for number in range(many)]
    refused = {"outcome": Outcome.REFUSED, "code": "media", "detail": "image", "growth_id": "g"}
    ledger.record(entry(repo_id).model_copy(update=refused) for repo_id in ids)
    ledger.record([entry("b/other").model_copy(update={"growth_id": "an earlier one"})])
    store = Store(str(tmp_path / "store"))
    rest = keep_names(ledger, store, "g")
    report = GrowthReport("g", GrowthPlan(refused={"media": many + 2}), NIGHT)
    told = Told(named(ledger, "g", NAMES), {}, took_s=3_725.0, next_night=NIGHT + timedelta(days=1), rest=rest)
    page = growth_markdown(report, told)
    assert f"## Refused: {many + 2} datasets" in page and "**`media`**: it holds images, audio or video" in page
    assert len(re.findall(r"^- \[a/\d{4}\]\(https://\S+/datasets/a/\d{4}\): image$", page, re.MULTILINE)) == NAMES
    assert f"and 7 more: `{rest}` names them" in page and "2 more are counted by reason alone" in page
    assert "- took 1 h 2 min" in page and "- next night 2026-11-27 03:00 UTC" in page and "b/other" not in page
    lines = [json.loads(line) for line in Path(rest).read_text().splitlines()]
    assert [line["repo_id"] for line in lines] == ids and lines[0]["code"] == "media"


@given(st.text(max_size=300))
def test_key_of_is_a_key_that_prefect_takes(repo_id: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", key_of(repo_id)) and len(key_of(repo_id)) < 255


def test_key_of_tells_apart_what_looks_the_same_as_a_key() -> None:
    assert key_of("a/b_c") != key_of("a/b-c") and key_of("A/b") != key_of("a/b")


@given(st.text("`~ab\n ", max_size=200))
def test_fenced_text_cannot_end_its_block(text: str) -> None:
    [block] = MarkdownIt().parse(fenced(text, 1_000))
    assert block.type == "fence"


def test_submit_again_is_a_command_of_the_shell_and_the_fields_of_the_form() -> None:
    shown = submit_again({"errors": ["TimedOut"]}, {"store": "a b", "release": ["x", "y"]}, ["--error", "TimedOut"])
    assert "dynosaur backfill --error TimedOut --store 'a b' --release x" in " ".join(shown.replace("\\\n", "").split())
    assert "Errors `TimedOut`" in shown and "Release `x, y`" in shown and "**dry_run off**" in shown


@pytest.mark.parametrize(
    ("typed", "meant"), [("shop/reveiws", "shop/reviews"), ("shap/reviews", "shop/reviews"), ("zzz/nothing", "")]
)
def test_near_id_finds_what_was_meant(ledger: Ledger, typed: str, meant: str) -> None:
    ledger.record([entry("shop/reviews"), entry("museum/questions")])
    assert near_id(ledger, typed) == (f"; did you mean {meant}?" if meant else "")
