"""The grown dataset in the forms that others read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.export import FORMATS, records, write_records
from dynosaur_core.metadata.stage import read_metadata
from dynosaur_core.models import Contribution, InstructionTask, Mode
from dynosaur_core.publish.stage import publish
from dynosaur_core.settings import Policy, Publishing, Sampling
from dynosaur_core.store import Store
from tests.support.datasets import REVIEW_FEATURES, reviews, write_dataset


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def grown(tmp_path: Path, store: Store) -> list[Contribution]:
    """Contributions of two datasets, through the real stages."""
    found = []
    for name in ("shop/one", "shop/two"):
        write_dataset(tmp_path / "hub", name, {"train": reviews(), "dev": reviews(9, 70)}, features=REVIEW_FEATURES)
        catalog = FolderCatalog(tmp_path / "hub")
        metadata = read_metadata(catalog.ref(name), catalog, store, Sampling(), Policy())
        task = InstructionTask(
            repo_id=name,
            config="default",
            instruction="Wie klingt die Meinung – gut oder „schlecht“?",
            input_fields=("text",),
            output_field="label",
            mode=Mode.RULES,
            model="rules",
        )
        found.append(publish(metadata, [task], store, Publishing()))
    return found


def written(contributions: list[Contribution], store: Store, form: str, path: Path) -> list[dict[str, Any]]:
    count = write_records(contributions, store, form, str(path))
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == count == sum(contribution.shard.records for contribution in contributions) > 0
    return lines


def test_every_form_tells_the_same(grown: list[Contribution], store: Store, tmp_path: Path) -> None:
    known = list(records(grown, store))
    forms = {form: written(grown, store, form, tmp_path / f"{form}.jsonl") for form in FORMATS}
    for number, record in enumerate(known):
        alpaca, chat, tk = (forms[form][number] for form in ("alpaca", "messages", "tk-instruct"))
        assert list(alpaca) == ["instruction", "input", "output"]
        assert alpaca == {key: record[key] for key in alpaca}
        user, assistant = chat["messages"]
        assert user == {"role": "user", "content": f"{record['instruction']}\n\n{record['input']}"}
        assert assistant == {"role": "assistant", "content": record["output"]}
        assert tk["Definition"] == [record["instruction"]]
        assert (tk["Instance"]["input"], tk["Instance"]["output"]) == (record["input"], [record["output"]])
    instances = forms["tk-instruct"]
    assert len({line["Instance"]["id"] for line in instances}) == len(instances)
    assert len({line["Task"] for line in instances}) == 2
    assert "„schlecht“" in (tmp_path / "alpaca.jsonl").read_text(encoding="utf-8")


def test_a_compressed_file(grown: list[Contribution], store: Store, tmp_path: Path) -> None:
    plain = written(grown, store, "messages", tmp_path / "new" / "plain.jsonl")
    assert written(grown, store, "messages", tmp_path / "packed.jsonl.gz") == plain


def test_what_cannot_be_written(grown: list[Contribution], store: Store, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    for folder in (tmp_path / "folder", f"{tmp_path}/folder/", f"{tmp_path}/new/", ""):
        with pytest.raises(DynosaurError, match="folder; give a file in it") as raised:
            write_records(grown, store, "alpaca", str(folder))
        assert raised.value.code is Code.BAD_SETTING
    left = (tmp_path / "folder").stat()
    assert left.st_mode & 0o777 == 0o700 and list((tmp_path / "folder").iterdir()) == []
    assert not (tmp_path / "new").exists()
    (tmp_path / "taken").touch()
    with pytest.raises(DynosaurError) as raised:
        write_records(grown, store, "alpaca", str(tmp_path / "taken" / "x.jsonl"))
    assert raised.value.code is Code.BAD_SETTING
    lost = grown[1].model_copy(update={"shard": grown[1].shard.model_copy(update={"digest": "ab" * 16})})
    with pytest.raises(DynosaurError) as raised:
        write_records([grown[0], lost], store, "alpaca", str(tmp_path / "half.jsonl"))
    assert raised.value.code is Code.STORE_FAILED
    assert not (tmp_path / "half.jsonl").exists()
