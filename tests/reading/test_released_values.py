"""For any table in any format: what was written in the file is what stands in the records."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.metadata.stage import read_metadata
from dynosaur_core.models import InstructionTask, Mode
from dynosaur_core.publish.records import RECORDS
from dynosaur_core.publish.stage import publish
from dynosaur_core.settings import Policy, Publishing, Sampling
from dynosaur_core.store import Store
from tests.support.datasets import write_dataset

ROWS = 12
Values = list[Any]
Table = dict[str, Values]
"""Values by column; the same number of each."""

texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=12)
odd_texts = st.sampled_from(
    [
        "3",
        "0.00",
        "1.10",
        "00012",
        "100000000000000007",
        "1e5",
        "1E5",
        "+1",
        ".5",
        "5.",
        "-0",
        "1_000",
        "None",
        "NA",
        "N/A",
        "null",
        "nan",
        "NaN",
        "inf",
        "True",
        "true",
        "FALSE",
        "yes",
        "#N/A",
        "-1.#IND",
        "1950-03-01",
        "1950-03-01T10:20:30Z",
        "12:30",
        "9999999-01-01",
        "{}",
        "[1]",
        '"x"',
        "a,b",
        "it's",
        "x\ny",
        "é",
    ]
)
whole = st.integers(-(2**63), 2**63 - 1)
real = st.floats(allow_nan=False, allow_infinity=False)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "texts": st.one_of(texts, odd_texts),
    "decimals": st.from_regex(r"-?(0|[1-9][0-9]{0,3})\.[0-9]{1,4}", fullmatch=True),
    "codes": st.from_regex(r"[0-9]{1,25}", fullmatch=True),
    "whole": whole,
    "whole_or_missing": st.one_of(st.none(), whole),
    "long": st.one_of(st.none(), st.integers(-(10**40), 10**40)),
    "real": st.one_of(st.none(), real),
    "numbers": st.one_of(st.none(), whole, real),
    "truth": st.one_of(st.none(), st.booleans()),
    "anything": st.one_of(st.none(), texts, odd_texts, whole, real, st.booleans()),
}
TYPED = ("texts", "decimals", "codes", "whole", "whole_or_missing", "real", "truth")
"""Kinds whose values have one type."""


def tables(kinds: tuple[str, ...]) -> st.SearchStrategy[Table]:
    return st.fixed_dictionaries({kind: st.lists(KINDS[kind], min_size=ROWS, max_size=ROWS) for kind in kinds})


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def rows_of(table: Table) -> list[dict[str, Any]]:
    return [
        {"question": f"What is number {n}?", **{name: values[n] for name, values in table.items()}} for n in range(ROWS)
    ]


def write_csv(path: Path, table: Table) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["question", *table], lineterminator="\n")
        writer.writeheader()
        for row in rows_of(table):
            writer.writerow({name: "" if value is None else as_text(value) for name, value in row.items()})


def write_jsonl(path: Path, table: Table) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows_of(table)))


def write_json(path: Path, table: Table) -> None:
    path.write_text(json.dumps(rows_of(table), indent=1))


def write_parquet(path: Path, table: Table) -> None:
    pq.write_table(pa.Table.from_pylist(rows_of(table)), path, row_group_size=5)


def released(root: Path, table: Table) -> dict[str, list[str | None]]:
    """Per column what the records of its rows say; None where a row has no record."""
    catalog, store = FolderCatalog(root), Store(str(root / ".store"))
    metadata = read_metadata(catalog.ref("a/b"), catalog, store, Sampling(), Policy())
    tasks = [
        InstructionTask(
            repo_id="a/b",
            config="default",
            instruction=f"Answer the question about {name}.",
            input_fields=("question",),
            output_field=name,
            mode=Mode.RULES,
            model="",
        )
        for name in table
    ]
    contribution = publish(metadata, tasks, store, Publishing())
    with store.open_table(RECORDS, contribution.shard.digest) as file:
        records = file.read().to_pylist()
    found = {(record["instruction"].split()[4].rstrip("."), record["row"]): record["output"] for record in records}
    return {name: [found.get((name, number)) for number in range(ROWS)] for name in table}


def written(table: Table, is_json: bool = False) -> dict[str, list[str | None]]:
    """The texts that the values have in a file. JSON's true and false are `True` and `False` alone, as everywhere."""
    texts: dict[str, list[str | None]] = {}
    for name, values in table.items():
        mixed = is_json and {type(value) for value in values if value is not None} != {bool}
        texts[name] = [
            None
            if value is None or not as_text(value).strip()
            else json.dumps(value)
            if mixed and isinstance(value, bool)
            else as_text(value)
            for value in values
        ]
    return texts


FORMATS: dict[str, tuple[Callable[[Path, Table], None], tuple[str, ...]]] = {
    "csv": (write_csv, tuple(KINDS)),
    "jsonl": (write_jsonl, tuple(KINDS)),
    "json": (write_json, tuple(KINDS)),
    "parquet": (write_parquet, TYPED),
}


@pytest.mark.parametrize("form", sorted(FORMATS))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_records_say_what_the_file_says(form: str, data: st.DataObject) -> None:
    write, kinds = FORMATS[form]
    table = data.draw(tables(kinds))
    with tempfile.TemporaryDirectory() as folder:
        write(write_dataset(Path(folder), "a/b", {}) / f"train.{form}", table)
        assert released(Path(folder), table) == written(table, form.startswith("json"))


DECLARED = {
    "texts": "string",
    "codes": "string",
    "whole": "int64",
    "real": "float64",
    "truth": "bool",
    "decimals": "float64",
}


@pytest.mark.parametrize("form", sorted(FORMATS))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_records_say_what_the_file_says_under_declared_features(form: str, data: st.DataObject) -> None:
    table = data.draw(tables(tuple(DECLARED)))
    features = [{"name": "question", "dtype": "string"}]
    features += [{"name": name, "dtype": dtype} for name, dtype in DECLARED.items()]
    with tempfile.TemporaryDirectory() as folder:
        path = write_dataset(Path(folder), "a/b", {}, features=features) / f"train.{form}"
        FORMATS[form][0](path, table)
        assert released(Path(folder), table) == written(table, form.startswith("json"))


@pytest.mark.parametrize("form", sorted(FORMATS))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_labels_are_their_names_however_they_are_written(form: str, data: st.DataObject) -> None:
    names = data.draw(st.lists(texts, min_size=2, max_size=5, unique_by=str.strip).filter(lambda n: not _digits(n)))
    numbers = data.draw(st.lists(st.integers(-1, len(names) - 1), min_size=ROWS, max_size=ROWS))
    table: Table = {
        "number": list(numbers),
        "real": [float(number) for number in numbers],
        "digits": [str(number) for number in numbers],
        "name": [names[number] if number >= 0 else None for number in numbers],
    }
    label = {"class_label": {"names": {str(n): name for n, name in enumerate(names)}}}
    features = [{"name": "question", "dtype": "string"}, *({"name": name, "dtype": label} for name in table)]
    with tempfile.TemporaryDirectory() as folder:
        path = write_dataset(Path(folder), "a/b", {}, features=features) / f"train.{form}"
        FORMATS[form][0](path, table)
        found = released(Path(folder), table)
    assert found == dict.fromkeys(table, table["name"])


def _digits(names: list[str]) -> bool:
    return any(name.strip().removeprefix("-").removesuffix(".0").isdigit() for name in names)
