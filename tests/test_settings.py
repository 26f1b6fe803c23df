"""Settings: flags over variables over dynosaur.toml over defaults, and one clear sentence for a wrong one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Mode
from dynosaur_core.settings import Settings
from flows.options import Options, checked


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no variables of ours."""
    for name in [name for name in os.environ if name.startswith("DYNOSAUR_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(**options: object) -> str:
    with pytest.raises(DynosaurError) as raised:
        checked(Options, options).settings()
    assert raised.value.code is Code.BAD_SETTING
    assert "\n" not in raised.value.message
    return raised.value.message


def test_flags_then_variables_then_the_file_then_defaults(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default = Options().settings()
    (folder / "dynosaur.toml").write_text(
        'store = "of-file"\ncatalog = "of-file"\nmodel = "of-file"\nrelease = ["a", "b"]\n'
        "[llm]\nseed = 1\ntimeout_s = 5"
    )
    monkeypatch.setenv("DYNOSAUR_CATALOG", "of-variable")
    monkeypatch.setenv("DYNOSAUR_MODEL", "of-variable")
    monkeypatch.setenv("DYNOSAUR_LLM__TIMEOUT_S", "7")
    found = Options(model="of-flag").settings()
    assert (found.store, found.catalog, found.model) == ("of-file", "of-variable", "of-flag")
    assert found.release == ("a", "b")
    assert (found.llm.seed, found.llm.timeout_s) == (1, 7)
    assert found.llm.retry_s == default.llm.retry_s
    assert Options(release=["c"]).settings().release == ("c",)


@pytest.mark.parametrize("value", ["en,de", '["en", "de"]', " en , de ,"])
def test_a_list_in_a_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNOSAUR_POLICY__LANGUAGES", value)
    monkeypatch.setenv("DYNOSAUR_RELEASE", "s3://bucket/here")
    monkeypatch.setenv("DYNOSAUR_DESIGNING__DESIGNERS", "rules")
    found = Settings()
    assert found.policy.languages == ("en", "de")
    assert found.release == ("s3://bucket/here",)
    assert found.designing.designers == (Mode.RULES,)


@pytest.mark.parametrize(
    ("variable", "named"),
    [
        ("DYNOSAUR_LLM__TIMEOUT_S", "llm.timeout_s"),
        ("DYNOSAUR_LLM__TIMEOUT", "llm.timeout"),
        ("DYNOSAUR_LLM", "llm"),
        ("DYNOSAUR_CONCURRENCY", "concurrency"),
        ("DYNOSAUR_POLICY__UNTAGGED_LANGUAGE", "policy.untagged_language"),
        ("DYNOSAUR_DESIGNING__DESIGNERS", "designing.designers.0"),
    ],
)
def test_a_wrong_variable_is_named_without_its_value(
    variable: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "sk-secret")
    message = refused()
    assert message.startswith(f"{named}: ")
    assert "sk-secret" not in message


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("DYNOSAUR_SAMPLING__DEADLINE_S", "-1", "sampling.deadline_s: "),
        ("DYNOSAUR_SAMPLING__MAX_BYTES", "0", "sampling.max_bytes: "),
        ("DYNOSAUR_LLM__TIMEOUT_S", "nan", "llm.timeout_s: "),
        ("DYNOSAUR_LLM__TIMEOUT_S", "1e300", "llm.timeout_s: "),
        ("DYNOSAUR_LLM__RETRY_S", "inf", "llm.retry_s: "),
        ("DYNOSAUR_LLM__PRICE_INPUT", "-1", "llm.price_input: "),
        ("DYNOSAUR_STORE", "", "store: "),
        ("DYNOSAUR_STORE", " ", "store: "),
        ("DYNOSAUR_CATALOG", "", "catalog: "),
        ("DYNOSAUR_RELEASE", '["a"', "release: "),
        ("DYNOSAUR_POLICY__LANGUAGES", ' [ "a",', "policy.languages: "),
        ("DYNOSAUR_MAX_WITHDRAWN_RATIO", "nan", "max_withdrawn_ratio: "),
        ("DYNOSAUR_MAX_COST_USD", "nan", "max_cost_usd: "),
        ("DYNOSAUR_MAX_COST_USD_MONTH", "-1", "max_cost_usd_month: "),
        ("DYNOSAUR_RELEASING__SHARD_RECORDS", "0", "releasing.shard_records: "),
    ],
)
def test_a_value_out_of_bounds_is_named(variable: str, value: str, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    assert refused().startswith(named)


def test_a_pattern_in_brackets_is_no_broken_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNOSAUR_POLICY__BLOCKLIST", "[ab]*/x,y/*")
    assert Options().settings().policy.blocklist == ("[ab]*/x", "y/*")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"nope = 1", "nope: "),
        (b'key = "sk-secret"', "key: "),
        (b"[llm]\ntemprature = 1", "llm.temprature: "),
        (b"model = sk-secret", "dynosaur.toml cannot be read: "),
        (b"\xff\xfe", "dynosaur.toml cannot be read: "),
    ],
)
def test_a_wrong_file_is_one_sentence(folder: Path, text: bytes, words: str) -> None:
    (folder / "dynosaur.toml").write_bytes(text)
    message = refused()
    assert message.startswith(words)
    assert "sk-secret" not in message


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("DYNOSAUR_STOER", "DYNOSAUR_STORE"),
        ("DYNOSAUR_RELEASES", "DYNOSAUR_RELEASE"),
        ("dynosaur_catalogue", "DYNOSAUR_CATALOG"),
        ("DYNOSAUR_LLM_TIMEOUT_S", "DYNOSAUR_LLM__TIMEOUT_S"),
        ("DYNOSAUR_ROWS_PER_SPLIT", "DYNOSAUR_SAMPLING__ROWS_PER_SPLIT"),
        ("DYNOSAUR_POLICY_LANGUAGES", "DYNOSAUR_POLICY__LANGUAGES"),
        ("DYNOSAUR_STORE__URL", "DYNOSAUR_STORE"),
        ("DYNOSAUR_LLM__RETRY", "llm.retry_s"),
        ("DYNOSAUR_HUB__AUTHORS", "hub.author"),
        ("DYNOSAUR_ZZZZZZ", None),
    ],
)
def test_a_mistyped_variable_is_refused_and_says_which_was_meant(
    variable: str, meant: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "sk-secret")
    message = refused()
    assert message.endswith(f"; did you mean {meant}?") if meant else message == f"{variable} is no setting"
    assert "sk-secret" not in message


def test_a_mistyped_key_of_the_file_says_which_was_meant(folder: Path) -> None:
    (folder / "dynosaur.toml").write_text("[llm]\ntimeout = 1\n")
    assert refused() == "llm.timeout: there is no such setting; did you mean llm.timeout_s?"
    (folder / "dynosaur.toml").write_text("relaese = 'x'\n")
    assert refused() == "relaese: there is no such setting; did you mean release?"


@pytest.mark.parametrize(
    "variable",
    [
        "DYNOSAUR_CORPUS",
        "dynosaur_store",
        "DYNOSAUR_SERVICE_HOST",
        "DYNOSAUR_SERVICE_PORT_HTTP",
        "DYNOSAUR_PORT",
        "DYNOSAUR_UI_PORT_4200_TCP_ADDR",
        "DYNOSAURUS_NOT_OURS",
    ],
)
def test_variables_that_others_set_are_left_alone(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "x")
    Settings()


def test_the_reference_recipe_goes_through_all_its_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNOSAUR_SAMPLING__SEED", "4")
    found = Options(recipe="reference").settings()
    assert (found.filtering.recipe, found.publishing.recipe) == ("reference", "reference")
    assert found.sampling.first_rows and found.sampling.seed == 4
    assert "recipe" in refused(recipe="nope")
