"""The override file: what is mistyped in it ends a growth before anything is decided, and is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import DatasetRef
from dynosaur_core.policy.judge import forget_overrides, judge_ref, overrides
from dynosaur_core.settings import Policy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    forget_overrides()
    return tmp_path / "overrides.toml"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('"a/b" = "refuse"', "a/b: "),
        ('["a/b"]\nlicence = "mit"', "a/b.licence: "),
        ('["a/b"]\nlicense = ["mit"]', "a/b.license: "),
        ('["a/b"]\nlanguages = "en"', "a/b.languages: "),
        ('["a/b"]\nrefuse = 3', "a/b.refuse"),
        ('["a/b"', "cannot be read"),
    ],
)
def test_a_mistyped_override_is_named(text: str, named: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(DynosaurError) as caught:
        judge_ref(DatasetRef(repo_id="c/d", revision="r"), Policy(overrides=str(file)))
    assert caught.value.code is Code.BAD_SETTING and named in caught.value.message


def test_overrides_are_read_as_they_are_written(file: Path) -> None:
    file.write_text('["a/b"]\nlicense = "mit"\nlanguages = ["en"]\n["c/d"]\nrefuse = true\n[squad]\nrefuse = "asked"\n')
    known = {"a/b": {"license": "mit", "languages": ["en"]}, "c/d": {"refuse": True}, "squad": {"refuse": "asked"}}
    assert overrides(Policy(overrides=str(file))) == known
