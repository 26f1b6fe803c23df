"""The metadata stage on datasets in the Hub's layout: every way in which the crawl of 2023 broke is a case."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Features, Image, Value

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.metadata.stage import metadata_key, read_metadata
from dynosaur_core.models import ROW_COLUMN, SPLIT_COLUMN, DatasetMetadata, FieldKind
from dynosaur_core.settings import Policy, Sampling
from dynosaur_core.store import Store
from tests.support.datasets import REVIEW_FEATURES, reviews, write_dataset


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def read(root: Path, repo_id: str, store: Store, policy: Policy | None = None, **sampling: Any) -> DatasetMetadata:
    catalog = FolderCatalog(root)
    return read_metadata(catalog.ref(repo_id), catalog, store, Sampling(**sampling), policy or Policy())


def rows(metadata: DatasetMetadata, store: Store, number: int = 0) -> pa.Table:
    handle = metadata.subsets[number].rows
    assert handle is not None
    return store.read_table("rows", handle.digest)


def test_label_numbers_become_names_and_no_label_stays_none(tmp_path: Path, store: Store) -> None:
    data = [
        *reviews(20),
        {"text": "Nobody has judged this one yet.", "label": -1},
        {"text": "Nor this.", "label": None},
    ]
    write_dataset(tmp_path, "a/b", {"train": data}, features=REVIEW_FEATURES)
    metadata = read(tmp_path, "a/b", store)
    assert metadata.subsets[0].fields[1].label_names == ("negative", "positive")
    labels = rows(metadata, store)["label"].to_pylist()
    assert Counter(labels) == {"negative": 10, "positive": 10, None: 2}


def test_labels_inside_lists_and_structs_are_decoded(tmp_path: Path, store: Store) -> None:
    tag = {"class_label": {"names": {"0": "noun", "1": "verb"}}}
    features = [
        {"name": "id", "dtype": "string"},
        {"name": "tags", "sequence": tag},
        {"name": "best", "struct": [{"name": "tag", "dtype": tag}]},
    ]
    data = [
        {"id": "x", "tags": [0, 1, 1], "best": {"tag": 1}},
        {"id": "y", "tags": [], "best": None},
        {"id": "z", "tags": None, "best": {"tag": -1}},
        {"id": "w", "tags": [1], "best": {"tag": 0}},
    ]
    write_dataset(tmp_path, "a/b", {"train": data}, features=features)
    table = rows(read(tmp_path, "a/b", store), store)
    assert table["tags"].to_pylist()[0] == ["noun", "verb", "verb"]
    assert table["tags"].to_pylist()[3] == ["verb"]
    assert [best and best["tag"] for best in table["best"].to_pylist()] == ["verb", None, None, "noun"]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_sample_of_sorted_data_keeps_its_classes(tmp_path: Path, store: Store, form: str) -> None:
    folder = write_dataset(tmp_path, "a/b", {"train": reviews(4_000)}, features=REVIEW_FEATURES)
    if form == "parquet":
        (folder / "train.jsonl").unlink()
        pq.write_table(pa.Table.from_pylist(reviews(4_000)), folder / "train.parquet", row_group_size=500)
        card = (folder / "README.md").read_text().replace("train.jsonl", "train.parquet")
        (folder / "README.md").write_text(card)
    metadata = read(tmp_path, "a/b", store)
    table = rows(metadata, store)
    assert len(table) == 100
    counts = Counter(table["label"].to_pylist())
    assert min(counts["negative"], counts["positive"]) >= 35
    numbers = table[ROW_COLUMN].to_pylist()
    assert numbers == sorted(set(numbers)) and numbers[-1] > 3_500
    assert table["text"].to_pylist()[5] == reviews(4_000)[numbers[5]]["text"]
    again = read(tmp_path, "a/b", Store(str(tmp_path / "other")))
    assert again.subsets[0].rows == metadata.subsets[0].rows
    assert rows(read(tmp_path, "a/b", store, first_rows=True), store)[ROW_COLUMN].to_pylist() == list(range(100))
    assert rows(read(tmp_path, "a/b", store, seed=1), store)[ROW_COLUMN].to_pylist() != numbers


def test_splits_of_any_name_and_short_ones(tmp_path: Path, store: Store) -> None:
    splits = {"full": reviews(12), "dev_matched": reviews(6), "train_extra": reviews(150), "test": reviews(9)}
    write_dataset(tmp_path, "a/b", splits, features=REVIEW_FEATURES)
    metadata = read(tmp_path, "a/b", store)
    roles = {split.name: split.role for split in metadata.subsets[0].splits}
    assert roles == {"full": "train", "dev_matched": "validation", "train_extra": "train"}
    counts = Counter(rows(metadata, store)[SPLIT_COLUMN].to_pylist())
    assert counts == {"full": 12, "dev_matched": 6, "train_extra": 100}
    asked = read(tmp_path, "a/b", store, include_test=True)
    assert Counter(rows(asked, store)[SPLIT_COLUMN].to_pylist())["test"] == 9


def test_a_dataset_of_test_splits_only_is_refused(tmp_path: Path, store: Store) -> None:
    write_dataset(tmp_path, "a/b", {"test": reviews(20)})
    metadata = read(tmp_path, "a/b", store)
    assert metadata.subsets == ()
    assert [(item.level, item.reason) for item in metadata.rejections] == [("subset", "no_training_split")]


def test_media_is_told_by_type_and_not_by_name(tmp_path: Path, store: Store) -> None:
    named = [{"image_caption_text": f"A dog sits near the red house number {n}.", "audio": "barking"} for n in range(9)]
    write_dataset(tmp_path, "a/named", {"train": named})
    assert [field.kind for field in read(tmp_path, "a/named", store).subsets[0].fields] == [FieldKind.TEXT] * 2
    folder = write_dataset(tmp_path, "a/pictures", {})
    pictures = pa.table({"img": [{"bytes": b"\x89PNG", "path": None}] * 3, "caption": ["one", "two", "three"]})
    schema = Features({"img": Image(), "caption": Value("string")}).arrow_schema
    pq.write_table(pictures.cast(schema), folder / "train.parquet")
    refused = read(tmp_path, "a/pictures", store)
    assert [(item.reason, item.detail) for item in refused.rejections] == [("media", "field 'img' holds media")]


def test_bytes_never_become_text(tmp_path: Path, store: Store) -> None:
    folder = write_dataset(tmp_path, "a/b", {})
    table = pa.table({"q": ["What is it?"] * 9, "a": ["A thing."] * 9, "raw": [b"\x00\xff"] * 9})
    pq.write_table(table, folder / "train.parquet")
    metadata = read(tmp_path, "a/b", store)
    assert metadata.subsets[0].field_names == ("q", "a")
    assert rows(metadata, store).column_names == ["q", "a", SPLIT_COLUMN, ROW_COLUMN]


def test_a_field_without_a_plain_form_is_left_out_with_a_word(tmp_path: Path, store: Store) -> None:
    folder = write_dataset(tmp_path, "a/b", {})
    table = pa.table(
        {
            "q": ["What is it?"] * 9,
            "a": ["A thing."] * 9,
            "odd": pa.array([[("k", 1)]] * 9, pa.map_(pa.string(), pa.int8())),
        }
    )
    pq.write_table(table, folder / "train.parquet")
    metadata = read(tmp_path, "a/b", store)
    assert metadata.subsets[0].field_names == ("q", "a")
    [left] = metadata.rejections
    assert (left.level, left.reason) == ("field", "unreadable_field") and "'odd'" in left.detail


def test_splits_of_unlike_types_are_one_column(tmp_path: Path, store: Store) -> None:
    folder = write_dataset(tmp_path, "a/b", {})
    for split, labels in (("train", ["good", "bad"] * 5), ("validation", [0, 1] * 5)):
        pq.write_table(pa.table({"q": [f"{split} {n}" for n in range(10)], "a": labels}), folder / f"{split}.parquet")
    table = rows(read(tmp_path, "a/b", store), store)
    assert table["a"].to_pylist() == ["good", "bad"] * 5 + ["0", "1"] * 5


@pytest.mark.parametrize("first", [pa.nulls(5), pa.array([], pa.null())])
def test_the_first_file_does_not_decide(tmp_path: Path, store: Store, first: pa.Array) -> None:
    folder = write_dataset(tmp_path, "a/b", {})
    pq.write_table(pa.table({"q": [f"first {n}" for n in range(len(first))], "a": first}), folder / "train-0.parquet")
    pq.write_table(pa.table({"q": [f"{n}" for n in range(9)], "a": ["x"] * 9}), folder / "train-1.parquet")
    metadata = read(tmp_path, "a/b", store)
    assert metadata.subsets[0].fields[1].kind is FieldKind.TEXT
    assert rows(metadata, store)["a"].to_pylist() == [None] * len(first) + ["x"] * 9


def test_a_column_that_only_the_card_names_is_null(tmp_path: Path, store: Store) -> None:
    features = [{"name": name, "dtype": "string"} for name in ("q", "a", "source")]
    folder = write_dataset(tmp_path, "a/b", {}, features=features)
    pq.write_table(pa.table({"q": ["What is it?"] * 9, "a": ["A thing."] * 9}), folder / "train.parquet")
    assert rows(read(tmp_path, "a/b", store), store)["source"].to_pylist() == [None] * 9


@pytest.mark.parametrize(
    ("license", "text", "policy", "reason"),
    [
        ("", "", {}, "no_license"),
        ("cc-by-nd-4.0", "", {}, "refused_license"),
        (["mit", "cc-by-nc-nd-4.0"], "", {}, "refused_license"),
        ("other", "", {}, "refused_license"),
        ("nobody-knows-1.0", "", {}, "refused_license"),
        ("nobody-knows-1.0", "", {"allow_licenses": ("nobody-knows-1.0",)}, None),
        ("cc-by-nc-4.0", "", {}, "refused_license"),
        ("cc-by-nc-4.0", "", {"non_commercial": True}, None),
        ("mit", "The annotations may be used for research purposes only.", {}, "refused_license"),
        ("mit", "Released under CC BY-NC-SA 4.0 by the authors.", {}, "refused_license"),
        ("mit", "Free for commercial and non-commercial use.", {}, None),
        ("MIT", "", {}, None),
    ],
)
def test_licences(
    tmp_path: Path, store: Store, license: Any, text: str, policy: dict[str, Any], reason: str | None
) -> None:
    folder = write_dataset(tmp_path, "a/b", {"train": reviews(20)}, license=license)
    with (folder / "README.md").open("a") as card:
        card.write(f"\n### Licensing Information\n\n{text}\n")
    metadata = read(tmp_path, "a/b", store, Policy(**policy))
    assert [item.reason for item in metadata.rejections if item.level == "dataset"] == ([reason] if reason else [])
    assert bool(metadata.subsets) is (reason is None)


def test_a_collection_inherits_what_its_sources_forbid(tmp_path: Path, store: Store) -> None:
    write_dataset(tmp_path, "a/collection", {"train": reviews(20)}, source_datasets=["original", "extended|press/news"])
    overrides = tmp_path / "overrides.toml"
    overrides.write_text('["press/news"]\nlicense = "cc-by-nc-nd-4.0"\n')
    metadata = read(tmp_path, "a/collection", store, Policy(overrides=str(overrides)))
    assert [item.reason for item in metadata.rejections] == ["restricted_source"]


def test_no_language_tag_is_not_english(tmp_path: Path, store: Store) -> None:
    german = [
        {"frage": f"Welche Farbe hat das Haus mit der Nummer {n} in der langen Straße am Fluss?", "antwort": "grün"}
        for n in range(20)
    ]
    write_dataset(tmp_path, "a/german", {"train": german}, language=None)
    write_dataset(tmp_path, "a/english", {"train": reviews(20)}, language=None)
    assert [item.reason for item in read(tmp_path, "a/german", store).rejections] == ["not_english"]
    assert read(tmp_path, "a/english", store).subsets


def test_one_field_no_rows_no_files_and_a_broken_header(tmp_path: Path, store: Store) -> None:
    write_dataset(tmp_path, "a/one", {"train": [{"text": "alone"}] * 9})
    assert [item.reason for item in read(tmp_path, "a/one", store).rejections] == ["one_field"]
    write_dataset(tmp_path, "a/none", {})
    with pytest.raises(DynosaurError) as raised:
        read(tmp_path, "a/none", store)
    assert raised.value.code is Code.NO_DATA_FILES
    folder = write_dataset(tmp_path, "a/header", {"train": reviews(9)})
    (folder / "README.md").write_text("---\nlicense: [mit\nlanguage: en\n---\n")
    with pytest.raises(DynosaurError) as raised:
        read(tmp_path, "a/header", store)
    assert raised.value.code is Code.UNREADABLE_CARD


@pytest.mark.parametrize("path", ["/etc/passwd", "../../secret.jsonl", "https://example.org/x.jsonl", "s3://b/x.jsonl"])
def test_a_card_cannot_reach_outside_of_its_dataset(tmp_path: Path, store: Store, path: str) -> None:
    configs = [{"config_name": "default", "data_files": [{"split": "train", "path": path}]}]
    write_dataset(tmp_path, "a/b", {"train": reviews(9)}, configs=configs)
    (tmp_path / "secret.jsonl").write_text('{"x": 1, "y": 2}\n')
    with pytest.raises(DynosaurError) as raised:
        read(tmp_path, "a/b", store)
    assert raised.value.code is Code.UNREADABLE_FILES
    assert "outside" in raised.value.message


def test_limits_on_bytes_and_columns(tmp_path: Path, store: Store) -> None:
    data = [*reviews(20), {"text": "x" * 50_000, "label": 1}]
    write_dataset(tmp_path, "a/b", {"train": data}, features=REVIEW_FEATURES)
    metadata = read(tmp_path, "a/b", store, max_row_bytes=10_000)
    assert len(rows(metadata, store)) == 20
    assert [(item.level, item.reason, item.count) for item in metadata.rejections] == [("row", "row_too_large", 1)]
    with pytest.raises(DynosaurError) as raised:
        read(tmp_path, "a/b", store, max_columns=1)
    assert raised.value.code is Code.TOO_MANY_COLUMNS


def test_limits_on_the_whole_sample_and_on_configs(tmp_path: Path, store: Store) -> None:
    configs = [{"config_name": name, "data_files": "train.jsonl"} for name in ("one", "two")]
    write_dataset(tmp_path, "a/b", {"train": [{"text": "x" * 1_000, "label": n} for n in range(20)]}, configs=configs)
    metadata = read(tmp_path, "a/b", store, max_bytes=10_500)
    kept = len(rows(metadata, store))
    assert 5 <= kept <= 10
    left_out = [(item.level, item.reason, item.count) for item in metadata.rejections if item.config == "one"]
    assert left_out == [("row", "sample_budget", 20 - kept)]
    with pytest.raises(DynosaurError) as raised:
        read(tmp_path, "a/b", store, max_subsets=1)
    assert raised.value.code is Code.TOO_MANY_SUBSETS


def test_the_card_is_read_as_people_write_it(tmp_path: Path, store: Store) -> None:
    folder = write_dataset(tmp_path, "a/b", {"train": reviews(9)}, summary=None, pretty_name="Reviews\nof Things")
    with (folder / "README.md").open("a") as card:
        card.write(
            "## Dataset Summary\n<!-- say more -->\n[More Information Needed]\n\n"
            "## Supported Tasks\n```\n# not a heading\n```\nSentiment.\n\n"
            "## Citation Information\n```\n@inproceedings{x,\n title={A {B}}}\n```\n"
        )
    metadata = read(tmp_path, "a/b", store)
    assert metadata.summary is None
    assert metadata.title == "Reviews of Things"
    assert metadata.supported_tasks is not None and metadata.supported_tasks.endswith("Sentiment.")
    assert metadata.citation == "@inproceedings{x,\n title={A {B}}}"
    assert metadata.website == "https://huggingface.co/datasets/a/b"


def test_the_key_follows_the_revision_and_the_settings(tmp_path: Path) -> None:
    write_dataset(tmp_path, "a/b", {"train": reviews(9)})
    catalog = FolderCatalog(tmp_path)
    ref = catalog.ref("a/b")
    key = metadata_key(ref, Sampling(), Policy())
    assert metadata_key(catalog.ref("a/b"), Sampling(), Policy()) == key
    assert metadata_key(ref, Sampling(seed=1), Policy()) != key
    write_dataset(tmp_path, "a/b", {"train": reviews(10)})
    assert metadata_key(catalog.ref("a/b"), Sampling(), Policy()) != key


@pytest.mark.corpus
def test_every_config_of_the_corpus_is_read_or_refused(corpus: Path, store: Store) -> None:
    catalog = FolderCatalog(corpus / "hub")
    everything = Policy(non_commercial=True, languages=("en",), allow_licenses=("unknown", "other"))
    provenance = [json.loads(line) for line in (corpus / "provenance.jsonl").read_text().splitlines()]
    for known in provenance:
        metadata = read_metadata(catalog.ref(known["id"]), catalog, store, Sampling(include_test=True), everything)
        if any(item.level == "dataset" for item in metadata.rejections):
            assert metadata.rejections[0].reason in ("not_english", "no_license", "refused_license")
            continue
        refused = [item.config for item in metadata.rejections if item.level == "subset"]
        configs = [subset.config for subset in metadata.subsets]
        assert sorted([*configs, *refused]) == sorted(config["config"] for config in known["configs"])
