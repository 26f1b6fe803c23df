"""docs/generator: every reason, code, setting, command and column is on its page."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from docs.generator import codes, columns, command, reasons, settings
from docs.generator.groups import read_groups
from docs.generator.site import INCLUDED, ROOT, page, write_site
from docs.generator.tables import table
from dynosaur_core.errors import ERRORS, Code
from dynosaur_core.reasons import REASONS, Reason
from dynosaur_core.setting_names import section_of, setting_names
from dynosaur_core.setting_sections import SHARED
from dynosaur_core.settings import Settings


@pytest.mark.parametrize(("name", "closed"), [("reasons", Reason), ("codes", Code)])
def test_groups_have_each_name_of_a_closed_list_once(name: str, closed: type[Reason | Code]) -> None:
    found = [each for group in read_groups(name) for each in group.entries]
    assert sorted(found) == sorted(closed)


def test_reasons_say_what_each_means_and_what_to_do() -> None:
    lines = reasons.made().splitlines()
    for reason in Reason:
        [line] = [line for line in lines if line.startswith(f"| `{reason}` |")]
        _, _, means, todo, _ = (cell.strip() for cell in line.split(" | ".strip()))
        assert means.lower().rstrip(".") == REASONS[reason].lower().rstrip(".") and todo.endswith(".")


def test_reasons_and_codes_name_settings_that_exist() -> None:
    known = set(setting_names(Settings))
    sections = {name.split(".")[0] for name in known if "." in name}
    for name in ("reasons", "codes"):
        for group in read_groups(name):
            words = " ".join([group.about, *group.entries.values()]).split("`")[1::2]
            assert {word for word in words if word.split(".")[0] in sections} <= known


def test_codes_say_what_to_do_and_what_is_done() -> None:
    entries = dict(entry.split("\n", 1) for entry in codes.made().split("### ")[1:])
    assert sorted(entries) == sorted(Code)
    for code, text in entries.items():
        policy = ERRORS[Code(code)]
        assert policy.advice in text and text.split("**What Dynosaur does.**")[1].strip()
        assert ("is deferred" in text) <= policy.deferred
        assert ("quarantined" in text.split("**What Dynosaur does.**")[1]) <= policy.transient


def test_settings_have_each_setting_with_its_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNOSAUR_MODEL", "one-of-this-machine")
    text = settings.made()
    followers = {f"publishing.{name}" for name in SHARED}
    sections = {name for name, field in Settings.model_fields.items() if section_of(field)}
    for name in set(setting_names(Settings)) - followers - sections:
        [line] = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        assert len(line.split(" | ")[2]) > 10
    assert "one-of-this-machine" not in text  # the page is the same wherever it is made


def test_command_has_the_help_of_every_command() -> None:
    text = command.made()
    assert "grow" in command.names()
    for name in command.names():
        assert f"## dynosaur {name}\n" in text and f"Usage: dynosaur {name} " in text


@pytest.mark.parametrize("name", columns.TABLES)
def test_columns_say_what_each_column_holds_and_none_besides(name: str) -> None:
    known = columns.TABLES[name]
    assert set(columns.meanings(name)) == set(known.names if isinstance(known, pa.Schema) else known)
    assert columns.made(name).count("\n") == 1 + len(columns.meanings(name))


def test_table_keeps_a_bar_and_a_line_end_within_a_cell() -> None:
    assert table(("a",), [("x | y\nz",)]) == "| a |\n| --- |\n| x \\| y z |"


def test_page_turns_links_into_those_of_the_site() -> None:
    text = "[a](../CONTRIBUTING.md#x) [b](night.md) [`pyproject.toml`](../pyproject.toml) [c](../gone.md) [d](https://e.org)"
    assert page(text, "docs") == (
        "[a](contributing.md#x) [b](night.md) `pyproject.toml` [c](../gone.md) [d](https://e.org)"
    )


def test_write_site_fills_every_page(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    (folder / "old").mkdir(parents=True)
    with pytest.raises(FileExistsError):  # it may hold something of a person's
        write_site(folder)
    (folder / "index.md").touch()
    write_site(folder)
    pages = {path.name for path in folder.glob("*.md")}
    assert pages >= {path.name for path in (ROOT / "docs").glob("*.md")} | set(INCLUDED.values())
    assert not any("<!-- made" in (folder / name).read_text() for name in pages)
    assert not (folder / "old").exists() and not (folder / "generator").exists()
