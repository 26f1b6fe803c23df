"""The dataset card: counts that are right, YAML that parses, and text of sources that stays text."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import DatasetCard

from dynosaur_core.publish.card import block, cell
from dynosaur_core.publish.sinks.local import LocalSink
from dynosaur_core.settings import ReleaseSettings
from dynosaur_core.store import Store

from .conftest import NOW, contribute, make_release

HOSTILE = "x | y](javascript:alert(1)) <script>{{ 1 + 1 }}</script>\n---\n# Heading `code`"


def test_the_card_says_what_the_release_holds(tmp_path: Path, store: Store) -> None:
    wanted = [
        contribute(store, "a/one", ["a", "b", "c"], title="One", citation="@misc{one}", languages=("en", "code")),
        contribute(store, "b/two", ["d"], license="cc-by-4.0", title="Two"),
    ]
    make_release(wanted, LocalSink(str(tmp_path)), store, ReleaseSettings(title="Grown"), NOW)
    card = DatasetCard.load(tmp_path / "README.md")
    assert card.data.license == ["cc-by-4.0", "mit"]
    assert card.data.language == ["code", "en"]
    assert card.data.size_categories == "n<1K"
    assert card.data.configs[0]["data_files"] == [{"split": "train", "path": ["data/000001-00000.parquet"]}]
    assert card.data.pretty_name == "Grown"
    assert "**4 records · 2 tasks · 2 source datasets** — version 1, 2026-03-01" in card.text
    assert "| mit | 1 | 3 | " in card.text and "| cc-by-4.0 | 1 | 1 | " in card.text
    assert "| [One](https://huggingface.co/datasets/a/one) | a/one | mit | 1 | 3 |" in card.text
    assert "| `input` | a |" in card.text and "@misc{one}" in card.text


def test_text_of_sources_stays_text(tmp_path: Path, store: Store) -> None:
    hostile = {"title": HOSTILE, "website": "javascript:alert(1)", "citation": "```\n# out\n```", "license": HOSTILE}
    make_release(
        [contribute(store, "a/one", [HOSTILE], **hostile)], LocalSink(str(tmp_path)), store, ReleaseSettings(), NOW
    )
    card = DatasetCard.load(tmp_path / "README.md")
    body = card.text.replace(block(hostile["citation"]), "")
    assert card.data.license == ["other"]
    assert (
        "<script>" not in body
        and "](javascript" not in body.replace("\\]", "")
        and "\n# Heading" not in body
        and "{{ 1 + 1 }}" in body
    )
    rows = [line for line in body.splitlines() if "Heading" in line]
    assert rows and all(line.count("|") - line.count("\\|") in (3, 5, 6) for line in rows)
    assert "````\n```" in card.text


def test_cells_hold_one_line() -> None:
    assert cell("a | b\n*c* <d>") == "a \\| b \\*c\\* &lt;d&gt;"
