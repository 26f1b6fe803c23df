"""Settings say what they mean, what they are, and where that comes from; nothing secret among it."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from dynosaur_core.catalogs import CATALOG_FORMS
from dynosaur_core.digest import digest
from dynosaur_core.publish.sinks import SINK_FORMS
from dynosaur_core.setting_reference import Setting, meaning, reference
from dynosaur_core.settings import Settings
from flows.command.arguments import json_text
from flows.options import Options


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("DYNOSAUR_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _found(options: Options | None = None, word: str = "") -> dict[str, Setting]:
    options = options or Options()
    return {each.name: each for each in reference(options.settings(), options.overrides(), word)}


def test_reference_has_a_sentence_for_every_setting() -> None:
    for each in _found().values():
        assert re.fullmatch(r"\S.{10,}\.", each.meaning, re.DOTALL), each


def test_reference_says_where_each_value_comes_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "dynosaur.toml").write_text('model = "of-file"\nstore = "of-file"\n[llm]\nseed = 7\ntimeout_s = 5\n')
    monkeypatch.setenv("DYNOSAUR_STORE", "of-variable")
    monkeypatch.setenv("DYNOSAUR_LLM__TIMEOUT_S", "9")
    found = _found(Options(catalog="of-option", batch=True))
    shown = {name: (found[name].value, found[name].source) for name in ("catalog", "store", "model", "llm.batch")}
    assert shown == {
        "catalog": ("of-option", "option"),
        "store": ("of-variable", "environment"),
        "model": ("of-file", "dynosaur.toml"),
        "llm.batch": (True, "option"),
    }
    assert (found["llm.seed"].source, found["llm.timeout_s"].source) == ("dynosaur.toml", "environment")
    assert (found["llm.timeout_s"].value, found["llm.timeout_s"].default) == (9.0, 60.0)
    assert (found["filtering.min_rows"].value, found["filtering.min_rows"].source) == (8, "default")
    assert found["llm.timeout_s"].variable == "DYNOSAUR_LLM__TIMEOUT_S"


def test_reference_finds_a_word_in_name_variable_or_meaning() -> None:
    assert {"llm.batch", "llm.batch_wait_s", "llm.batch_poll_s"} <= set(_found(word="BATCH"))
    assert set(_found(word="DYNOSAUR_STORE")) == {"store"}
    assert "hub.since" in _found(word="modified at") and _found(word="no such word") == {}


@pytest.mark.parametrize(
    ("variable", "value", "shown"),
    [
        ("DYNOSAUR_LEDGER", "postgresql://me:hunter2hunter2@db/x", "postgresql://me:[secret]@db/x"),
        ("DYNOSAUR_LEDGER", "postgresql://me:a/b@c@db/x", "postgresql://me:[secret]@db/x"),
        ("DYNOSAUR_LEDGER", "postgresql://db/x?password=abc&sslmode=on", "postgresql://db/x?password=[secret]&sslmode=[secret]"),
        ("DYNOSAUR_VIEWER_URL", "https://t0ken@viewer/x", "https://[secret]@viewer/x"),
        ("DYNOSAUR_CATALOG", "https://h/x.jsonl?X-Amz-Signature=abcdef", "https://h/x.jsonl?X-Amz-Signature=[secret]"),
        ("DYNOSAUR_RELEASE", "s3://key:pass@b/x,out", ["s3://key:[secret]@b/x", "out"]),
        ("DYNOSAUR_STORE", "s3://bucket/a:b@c", "s3://bucket/a:b@c"),
    ],
)  # fmt: skip
def test_reference_shows_no_password(variable: str, value: str, shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    [found] = [each for each in _found().values() if each.variable == variable]
    assert found.value == shown


def test_reference_shows_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1234567890abcdef")
    monkeypatch.setenv("DYNOSAUR_MODEL", "sk-1234567890abcdef")  # pasted into the wrong place
    time.sleep(0.1)  # the environment is looked through for secrets 20 times a second at most
    assert "1234567890" not in json_text([each.as_json() for each in _found().values()])


def test_meaning_names_the_forms_of_an_address_and_the_choices() -> None:
    assert CATALOG_FORMS in meaning("catalog") and SINK_FORMS in meaning("release")
    assert meaning("llm.api").endswith("One of: chat, responses.")


def test_options_mean_what_their_settings_mean() -> None:
    for name, field in Options.model_fields.items():
        assert field.description, name
        if isinstance(extra := field.json_schema_extra, dict):
            assert field.description == meaning(str(extra["setting"]))


def test_digests_of_the_sections_are_those_of_stored_results() -> None:
    """Parts of the stages' keys: with another digest every dataset would grow anew."""
    found = Settings()
    sections = (found.sampling, found.policy, found.designing, found.filtering, found.publishing)
    assert [digest(section)[:8] for section in sections] == ["0e143ae7", "fd673373", "fc730b75", "12f56700", "67443b13"]


def test_publishing_follows_filtering(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "dynosaur.toml").write_text("[filtering]\nmax_labels = 4\n")
    monkeypatch.setenv("DYNOSAUR_PUBLISHING__MAX_LISTED_CHARS", "20")
    found = Options(recipe="reference").settings()
    assert (found.filtering.recipe, found.publishing.recipe) == ("reference", "reference")
    assert (found.filtering.max_labels, found.publishing.max_listed_chars) == (4, 20)
    assert "publishing.recipe" not in _found()
