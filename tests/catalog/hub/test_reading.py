"""Reading datasets of the Hub: by each way, for few requests, at one revision."""

from __future__ import annotations

import gzip
import threading
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pyarrow as pa
import pytest
from datasets import ClassLabel, Features, Image, List, Value
from huggingface_hub.errors import HfHubHTTPError

from dynosaur_core.catalog.files import FolderSource
from dynosaur_core.catalog.formats import UnparsableError
from dynosaur_core.catalog.hub.catalog import HubCatalog
from dynosaur_core.catalog.hub.http import HubHttp
from dynosaur_core.catalog.hub.stream import problem_of, sample_streamed
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import ROW_COLUMN
from dynosaur_core.settings import Sampling, Settings
from tests.support.hub import Blob, Fault, Faults, LoopbackHub
from tests.support.hub.content import card, jsonl, parquet, reviews

SAMPLING = Sampling(rows_per_split=20)
REVIEWS = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})


def read(
    hub: LoopbackHub, repo_id: str = "me/x", sampling: Sampling = SAMPLING, attempts: int = 5, timeout_s: float = 5.0
) -> dict[str, pa.Table]:
    """Samples of all training and validation splits by `config/split`, as the metadata stage asks for them."""
    http = HubHttp(hub.url, hub.token, attempts=attempts, timeout_s=timeout_s, backoff_s=0.01)
    catalog = HubCatalog(Settings(sampling=sampling.model_dump()), http=http)
    source = catalog.open(catalog.ref(repo_id))
    source.card()
    return {
        f"{subset.config}/{split.name}": source.sample(subset, split, sampling)
        for subset in source.subsets()
        for split in subset.splits
        if split.role != "test"
    }


def refusal(hub: LoopbackHub, **options: Any) -> Code:
    with pytest.raises(DynosaurError) as caught:
        read(hub, **options)
    return caught.value.code


def rows(table: pa.Table) -> list[int]:
    return table[ROW_COLUMN].to_pylist()


def holds(table: pa.Table, columns: Mapping[str, list[Any]]) -> bool:
    """Whether every row of the sample is the data's row of that number."""
    return all(table[name].to_pylist() == [values[n] for n in rows(table)] for name, values in columns.items())


def both_classes(table: pa.Table) -> bool:
    return set(table["label"].to_pylist()) == {0, 1}


def test_a_small_parquet_dataset_costs_six_requests(hub: LoopbackHub) -> None:
    train, validation = reviews(1000), reviews(300)
    content = {"data/train.parquet": parquet(train, REVIEWS), "data/validation.parquet": parquet(validation, REVIEWS)}
    hub.add("me/x", {"README.md": card(), **content, "data/test.parquet": parquet(reviews(50), REVIEWS)})
    tables = read(hub)
    assert list(tables) == ["default/train", "default/validation"]
    for table, data in zip(tables.values(), (train, validation), strict=True):
        assert len(table) == 20 and holds(table, data) and both_classes(table)
    assert hub.requests.pop("dataset-info") == 1  # the listing tells it in a growth
    assert hub.requests == {"resolve": 3, "storage": 2, "tree": 1}
    assert sum(hub.bytes.values()) < 300_000


def test_it_reads_what_a_folder_with_the_same_files_gives(
    hub: LoopbackHub, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    configs = [{"config_name": name, "data_files": f"{name}/*.parquet"} for name in ("one", "two")]
    content = {
        "README.md": card(configs=configs).encode(),
        "one/a.parquet": parquet(reviews(200), REVIEWS),
        "two/a.parquet": parquet({"q": ["a", "b"], "choices": [["x", "y"], ["z"]]}),
    }
    for path, data in content.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    hub.add("me/x", content)
    folder = FolderSource(tmp_path, "me/x", tmp_path_factory.mktemp("scratch"))
    catalog = HubCatalog(Settings(), http=HubHttp(hub.url, hub.token))
    source = catalog.open(catalog.ref("me/x"))
    assert source.card() == folder.card()
    assert source.subsets() == folder.subsets()
    for subset in folder.subsets():
        [split] = subset.splits
        assert source.sample(subset, split, SAMPLING).equals(folder.sample(subset, split, SAMPLING))


def test_nothing_is_asked_for_twice_by_datasets_that_take_turns_with_a_process(hub: LoopbackHub) -> None:
    for name in ("me/x", "me/y"):
        hub.add(name, {"README.md": card(), "train.jsonl": jsonl([{"q": f"{name} {k}", "a": k} for k in range(30)])})
    catalog = HubCatalog(Settings(reading={"processes": 1}), http=HubHttp(hub.url, hub.token))
    sources = [catalog.open(catalog.ref(name)) for name in ("me/x", "me/y")]
    cards = [source.card() for source in sources]  # each takes the process from the other, and begins anew
    assert [len(source.subsets()) for source in sources] == [1, 1]
    assert [source.card() for source in sources] == cards and all(cards)
    for source in sources:
        [subset] = source.subsets()
        assert source.sample(subset, subset.splits[0], SAMPLING).num_rows == 20
    asked = Counter((method, target) for method, target, _, _ in hub.log)
    assert max(asked.values()) == 1 and sum("README.md" in target for _, target in asked) == 2


def large(hub: LoopbackHub, count: int = 6000, group: int = 1000, **changes: bytes | str) -> dict[str, list[Any]]:
    """A parquet dataset that is too large to be read whole."""
    data = reviews(count, words=12)
    content = {"README.md": card(), "data/train.parquet": parquet(data, REVIEWS, group), **changes}
    hub.add("me/x", content)
    return data


def test_of_a_large_one_the_viewer_gives_spread_rows(hub: LoopbackHub) -> None:
    data = large(hub)
    table = read(hub)["default/train"]
    assert len(table) == 20 and holds(table, data) and both_classes(table)
    assert Features.from_arrow_schema(table.schema)["label"].names == ["bad", "good"]
    assert hub.requests == {"dataset-info": 1, "resolve": 1, "tree": 1, "viewer:rows": 4}
    assert sum(hub.bytes.values()) < 30_000
    again = read(hub)["default/train"]
    assert again.equals(table)
    other = read(hub, sampling=SAMPLING.model_copy(update={"seed": 1}))["default/train"]
    assert rows(other) != rows(table)
    first = read(hub, sampling=SAMPLING.model_copy(update={"first_rows": True}))["default/train"]
    assert rows(first) == list(range(20))


def test_the_viewer_counts_at_the_same_revision_only(hub: LoopbackHub) -> None:
    large(hub)
    data = reviews(7000, words=11)
    hub.edit("me/x", {"data/train.parquet": parquet(data, REVIEWS)})
    hub["me/x"].viewer = "stale"
    assert holds(read(hub)["default/train"], data)
    assert hub.requests["viewer:rows"] == 1


@pytest.mark.parametrize("viewer", ["pending", "absent"])
def test_without_the_viewer_row_groups_are_read_by_ranges(hub: LoopbackHub, viewer: str) -> None:
    data = large(hub, count=36_000, group=2000)
    hub["me/x"].viewer = viewer
    table = read(hub)["default/train"]
    assert len(table) == 20 and holds(table, data) and both_classes(table)
    size = hub["me/x"].head.files["data/train.parquet"].size
    assert size > 2_000_000 and hub.bytes["storage"] < size / 4
    assert hub.requests["storage"] == 3 and hub.requests["resolve"] == 2  # card; footer and two groups, one redirect


def test_a_storage_that_breaks_between_two_ranges(hub: LoopbackHub) -> None:
    large(hub, count=36_000, group=2000)
    hub["me/x"].viewer = "absent"
    hub.faults.add(Fault("503", {"storage"}))
    assert refusal(hub, attempts=2) is Code.SERVER_ERROR


def test_cut_cells_are_read_in_full_from_the_files(hub: LoopbackHub) -> None:
    data = large(hub)
    hub.viewer.max_bytes = 500
    table = read(hub)["default/train"]
    assert hub.requests["viewer:rows"] and holds(table, data)


def test_media_columns_are_left_out(hub: LoopbackHub) -> None:
    features = Features({"image": Image(), "raw": Value("binary"), "caption": Value("string")})
    pixels = [{"bytes": bytes([n % 251]) * 900, "path": None} for n in range(400)]
    data = {"image": pixels, "raw": [b"x"] * 400, "caption": [f"picture {n}" for n in range(400)]}
    for viewer in ("ready", "absent"):
        for name, count in (("small", 100), ("large", 400)):
            content = parquet({key: values[:count] for key, values in data.items()}, features, 50)
            hub.add(f"me/{name}", {"README.md": card(), "train.parquet": content})
            hub[f"me/{name}"].viewer = viewer
            table = read(hub, f"me/{name}")["default/train"]
            assert table.column_names == ["caption", ROW_COLUMN]
            assert holds(table, {"caption": data["caption"]})


@pytest.mark.parametrize("size", [300, 9000])
@pytest.mark.parametrize("form", ["jsonl", "csv", "jsonl.gz"])
@pytest.mark.parametrize("viewer", ["ready", "absent"])
def test_other_formats(hub: LoopbackHub, form: str, size: int, viewer: str) -> None:
    data = reviews(size)
    lines = jsonl([dict(zip(data, values, strict=True)) for values in zip(*data.values(), strict=True)])
    if form == "csv":
        lines = b"text,label\n" + b"".join(b"%s,%d\n" % (t.encode(), n) for t, n in zip(*data.values(), strict=True))
    hub.add("me/x", {"README.md": card(), f"train.{form}": gzip.compress(lines) if form.endswith("gz") else lines})
    hub["me/x"].viewer = viewer
    table = read(hub)["default/train"]
    assert len(table) == 20 and holds(table, data) and both_classes(table)


ODD = {
    "q": [f"What is number {n}?" for n in range(3000)],
    "code": [f"{n:05d}" for n in range(3000)],
    "version": [f"{n}.{n % 10}0" for n in range(3000)],
    "class": [("NA", "None", "null", "nan", "x")[n % 5] for n in range(3000)],
    "stars": [str(n % 5) if n % 7 else None for n in range(3000)],
}


@pytest.mark.parametrize("way", ["ready", "absent", "streamed"])
@pytest.mark.parametrize("size", [40, 3000])
def test_cells_of_a_csv_stay_as_they_are_written(
    hub: LoopbackHub, size: int, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {name: values[:size] for name, values in ODD.items()}
    lines = [",".join(data), *(",".join(cell or "" for cell in row) for row in zip(*data.values(), strict=True))]
    repo = hub.add("me/x", {"README.md": card(), "train.csv": "\n".join(lines).encode()})
    if way == "streamed":
        monkeypatch.setenv("HF_HOME", str(tmp_path))
        request = {"repo_id": "me/x", "revision": repo.head.sha, "config": "default", "split": "train"}
        table = sample_streamed(hub.url, hub.token, request, SAMPLING, time.monotonic() + 100)
    else:
        repo.viewer = way
        table = read(hub)["default/train"]
    assert len(table) == 20
    shown = {name: [None if v is None else str(v) for v in table[name].to_pylist()] for name in data}
    assert shown == {name: [values[n] for n in rows(table)] for name, values in data.items()}


def test_one_config_that_cannot_be_read_harms_no_other(hub: LoopbackHub) -> None:
    configs = [{"config_name": name, "data_files": f"{name}.jsonl"} for name in ("good", "gone")]
    hub.add("me/x", {"README.md": card(configs=configs), "good.jsonl": jsonl([{"q": "a", "a": "b"}] * 9)})
    http = HubHttp(hub.url, hub.token)
    catalog = HubCatalog(Settings(), http=http)
    source = catalog.open(catalog.ref("me/x"))
    good, gone = source.subsets()
    assert len(source.sample(good, good.splits[0], SAMPLING)) == 9
    assert gone.problem is not None and gone.problem.code is Code.UNREADABLE_FILES and not gone.splits


def chain(error: Exception, cause: Exception) -> Exception:
    error.__context__ = cause
    return error


def answered(status: int) -> HfHubHTTPError:
    return HfHubHTTPError("x", response=httpx2.Response(status, request=httpx2.Request("GET", "http://hub/x")))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyError("description"), Code.UNREADABLE_FILES),
        (UnparsableError("a manuscript"), Code.UNREADABLE_FILES),
        (AttributeError("a bug"), Code.UNEXPECTED),
        (chain(UnparsableError("x"), RuntimeError("Dataset scripts are no longer supported")), Code.SCRIPT_DATASET),
        (chain(FileNotFoundError("no file"), answered(503)), Code.SERVER_ERROR),
        (chain(FileNotFoundError("no file"), answered(429)), Code.RATE_LIMITED),
        (chain(FileNotFoundError("no file"), answered(404)), Code.UNREADABLE_FILES),
        (chain(ValueError("cut"), httpx.ReadError("reset")), Code.CONNECTION_FAILED),
        (chain(ValueError("cut"), httpx2.ConnectTimeout("late")), Code.CONNECTION_FAILED),
        (chain(ValueError("cut"), MemoryError()), Code.TOO_LARGE),
        (RuntimeError("Dataset scripts are no longer supported, but found x.py"), Code.SCRIPT_DATASET),
        (MemoryError(), Code.TOO_LARGE),
    ],
)
def test_what_the_stream_says_of_an_error(error: Exception, code: Code) -> None:
    try:
        raise error
    except Exception as raised:  # noqa: BLE001, of any kind
        assert problem_of(raised).code is code


def test_values_of_all_kinds_are_the_same_by_viewer_and_by_files(hub: LoopbackHub) -> None:
    features = Features(
        {
            "when": Value("timestamp[us]"),
            "zone": Value("timestamp[ns, tz=UTC]"),
            "day": Value("date32"),
            "price": Value("decimal128(10, 2)"),
            "small": Value("float32"),
            "yes": Value("bool"),
            "spans": List({"start": Value("int32"), "text": Value("string")}),
            "meta": {"a": Value("string"), "b": List(Value("int64"))},
            "label": ClassLabel(names=["bad", "good"]),
            "pad": Value("string"),
        }
    )
    moment = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)
    row = {"when": moment.replace(tzinfo=None), "zone": moment, "day": moment.date(), "price": "12.50", "small": 0.1,
           "yes": True, "spans": [{"start": 1, "text": "a"}, {"start": None, "text": None}],
           "meta": {"a": None, "b": [1, 2]}, "label": -1}  # fmt: skip
    schema = features.arrow_schema
    count = 2000
    columns = {name: pa.array([row.get(name)] * count) for name in row if name != "price"}
    columns["price"] = pa.array(["12.50", None] * (count // 2))
    columns["pad"] = pa.array(reviews(count, words=30)["text"])
    table = pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(table, sink)
    hub.add("me/x", {"README.md": card(), "train.parquet": sink.getvalue().to_pybytes()})
    by_viewer = read(hub)["default/train"]
    assert hub.requests["viewer:rows"] == 4
    expected = table.take(by_viewer[ROW_COLUMN])
    assert by_viewer.drop_columns([ROW_COLUMN]).combine_chunks().equals(expected.combine_chunks())


@pytest.mark.parametrize("cut", [False, True])
def test_of_a_script_dataset_the_conversion_is_read(hub: LoopbackHub, cut: bool) -> None:
    data = reviews(500, words=40)
    hub.add("me/x", {"README.md": card(), "x.py": "raise SystemExit"})
    hub["me/x"].converted = {f"plain/{split}/0000.parquet": Blob(parquet(data)) for split in ("train", "validation")}
    hub.viewer.max_bytes = 500 if cut else 10_000_000
    tables = read(hub)
    assert list(tables) == ["plain/train", "plain/validation"]
    assert all(len(table) == 20 and holds(table, data) for table in tables.values())
    assert hub.requests["storage"] == (4 if cut else 0)
    hub["me/x"].viewer = "absent"
    assert refusal(hub) is Code.SCRIPT_DATASET


def test_cut_cells_of_files_that_cannot_be_read_are_no_rows(hub: LoopbackHub) -> None:
    hub.add("me/x", {"README.md": card(), "x.py": "raise SystemExit"})
    hub["me/x"].converted = {"plain/train/0000.parquet": Blob(parquet(reviews(500, words=40)))}
    hub.viewer.max_bytes = 500
    assert refusal(hub, sampling=Sampling(rows_per_split=20, max_bytes=9_000)) is Code.TRUNCATED_CELLS


CASES: dict[str, tuple[dict[str, bytes | str], Code]] = {
    "garbage parquet": ({"train.parquet": b"PAR1" + b"\xff" * 3000 + b"PAR1"}, Code.UNREADABLE_FILES),
    "garbage jsonl": ({"train.jsonl": b"\x80\x81{not json" * 100}, Code.UNREADABLE_FILES),
    "script only": ({"x.py": "raise SystemExit"}, Code.SCRIPT_DATASET),
    "nothing": ({}, Code.NO_DATA_FILES),
    "many columns": (
        {"train.parquet": parquet({f"c{n}": [1] for n in range(10_000)})},
        Code.TOO_MANY_COLUMNS,
    ),
    "many columns in json": ({"train.jsonl": jsonl([{f"c{n}": n for n in range(1000)}] * 3)}, Code.TOO_MANY_COLUMNS),
    "zip": ({"train.zip": b"PK" + b"\0" * 500}, Code.NO_DATA_FILES),
    "huge cell": ({"train.parquet": parquet({"t": ["x" * 40_000_000, "y"]})}, Code.TOO_LARGE),
    "files elsewhere": (
        {"README.md": card(configs=[{"config_name": "default", "data_files": "../../../../etc/passwd"}])},
        Code.UNREADABLE_FILES,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_broken_dataset_has_its_code_and_harms_no_other(hub: LoopbackHub, name: str) -> None:
    content, code = CASES[name]
    hub.add("me/x", {"README.md": card(), **content})
    hub.add("me/fine", {"README.md": card(), "train.parquet": parquet(reviews(30))})
    hub["me/x"].viewer = "absent"
    assert refusal(hub, sampling=SAMPLING.model_copy(update={"max_bytes": 1_000_000})) is code
    assert len(read(hub, "me/fine")["default/train"]) == 20


def test_names_with_odd_characters(hub: LoopbackHub) -> None:
    paths = ["data/trés bon#1?.parquet", "data/%2e%2e.parquet", "data/a b+c&d.parquet", "data/日本.parquet"]
    hub.add("me/x", {"README.md": card(), **{path: parquet(reviews(30)) for path in paths}})
    [table] = read(hub).values()
    assert len(table) == 20 and max(rows(table)) >= 90  # all four files are one split
    outside = {"../outside.parquet": parquet(reviews(9)), "data/\n.parquet": b"x", "data/" + "n" * 250 + ".csv": b"x"}
    hub.edit("me/x", outside)
    assert read(hub)["default/train"].equals(table)


def test_a_dataset_that_hangs_is_given_up_at_its_deadline(hub: LoopbackHub) -> None:
    for name in ("me/x", "me/fine"):
        hub.add(name, {"README.md": card(), "train.parquet": parquet(reviews(30))})
    hub.faults.add(Fault("hang", {"resolve"}, "me/x"))
    results: dict[str, Any] = {}
    sampling = SAMPLING.model_copy(update={"deadline_s": 0.5})
    thread = threading.Thread(target=lambda: results.update(code=refusal(hub, sampling=sampling)))
    thread.start()
    assert len(read(hub, "me/fine")["default/train"]) == 20
    thread.join()
    assert results == {"code": Code.TIMED_OUT}


def test_a_viewer_that_hangs_is_left_alone(hub: LoopbackHub) -> None:
    data = large(hub)
    hub.faults.add(Fault("hang", {"viewer:rows"}))
    http = HubHttp(hub.url, hub.token, attempts=2, timeout_s=0.1, backoff_s=0.01)
    catalog = HubCatalog(Settings(), http=http)
    for _ in range(2):
        source = catalog.open(catalog.ref("me/x"))
        [subset] = source.subsets()
        assert holds(source.sample(subset, subset.splits[0], SAMPLING), data)
    assert hub.requests["viewer:rows"] == 2  # the first dataset's attempts


@pytest.mark.parametrize("kind", ["gated", "private", "deleted", "rewritten"])
def test_a_dataset_that_is_taken_away_between_listing_and_reading(hub: LoopbackHub, kind: str) -> None:
    large(hub)
    catalog = HubCatalog(Settings(), http=HubHttp(hub.url, None))
    ref = catalog.ref("me/x")
    source = catalog.open(ref)
    match kind:
        case "gated":
            hub.gate("me/x")
        case "private":
            hub.privatise("me/x")
        case "deleted":
            hub.delete("me/x")
        case "rewritten":
            ref = ref.model_copy(update={"revision": "0" * 40})
            source = catalog.open(ref)
    codes = {"gated": Code.GATED, "private": Code.NOT_FOUND, "deleted": Code.NOT_FOUND, "rewritten": Code.REVISION_GONE}
    with pytest.raises(DynosaurError) as caught:
        source.card()
    assert caught.value.code is codes[kind]


def test_an_edit_after_the_listing_does_not_show(hub: LoopbackHub) -> None:
    data = reviews(100)
    hub.add("me/x", {"README.md": card("before"), "train.parquet": parquet(data)})
    catalog = HubCatalog(Settings(), http=HubHttp(hub.url, hub.token))
    source = catalog.open(catalog.ref("me/x"))
    hub.edit("me/x", {"README.md": card("after"), "train.parquet": parquet(reviews(77)), "more.parquet": b"x"})
    assert source.card().endswith("before")
    [subset] = source.subsets()
    assert holds(source.sample(subset, subset.splits[0], SAMPLING), data)


def test_faults_change_no_row(hub: LoopbackHub) -> None:
    names = []
    for n in range(6):
        names += [f"me/small{n}", f"me/large{n}"]
        hub.add(names[-2], {"README.md": card(), "a.jsonl": jsonl([{"q": f"{n} {k}", "a": k} for k in range(60)])})
        hub.add(names[-1], {"README.md": card(), "train.parquet": parquet(reviews(5000 + n, 12), REVIEWS)})
    before = {name: read(hub, name) for name in names}
    hub.faults = Faults(0.2, seed=11)
    hub.reset_counts()
    assert {name: read(hub, name, attempts=8, timeout_s=0.5) for name in names} == before
    assert any(status >= 429 or status == 0 for _, _, status, _ in hub.log)


def test_streaming_in_a_process_of_its_own(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    data = reviews(400)
    repo = hub.add("me/x", {"README.md": card(), "train.parquet": parquet(data, REVIEWS)})
    request = {"repo_id": "me/x", "revision": repo.head.sha, "config": "default", "split": "train"}
    table = sample_streamed(hub.url, hub.token, request, SAMPLING, time.monotonic() + 100)
    assert len(table) == 20 and holds(table, data)
    for kind, seconds, code in (("reset", 100, Code.CONNECTION_FAILED), ("hang", 2, Code.TIMED_OUT)):
        hub.faults.clear()
        hub.faults.add(Fault(kind, {"resolve", "storage"}))
        with pytest.raises(DynosaurError) as caught:
            sample_streamed(hub.url, hub.token, request, SAMPLING, time.monotonic() + seconds)
        assert caught.value.code is code


@pytest.mark.corpus
def test_all_real_datasets_are_read(hub: LoopbackHub, corpus: Path) -> None:
    for readme in sorted((corpus / "hub").glob("*/*/README.md")):
        hub.add_folder(readme.parent)
    catalog = HubCatalog(Settings(), http=HubHttp(hub.url, hub.token))
    refs = list(catalog.list())
    assert len(refs) == 51
    for ref in refs:
        hub.reset_counts()
        source = catalog.open(ref)
        assert source.card()
        subsets = source.subsets()
        sampled = [
            source.sample(subset, split, Sampling())
            for subset in subsets
            for split in subset.splits
            if split.role != "test"
        ]
        assert all(len(table) > 0 for table in sampled)
        if len(subsets) == 1 and len(sampled) <= 2:
            assert (ref.repo_id, sum(hub.requests.values()) <= 6) == (ref.repo_id, True)
