"""The metadata stage: a dataset revision becomes what the prompt and the filter need to know of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
from datasets import Features

from dynosaur_core.card import Card, citation, heading, listing_fields, parse_card, prose, web_address
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.metadata.facts import field_facts
from dynosaur_core.metadata.features import field_specs
from dynosaur_core.metadata.rows import choose_shown, within_bytes
from dynosaur_core.models import (
    ROW_COLUMN,
    SPLIT_COLUMN,
    DatasetMetadata,
    DatasetRef,
    FieldKind,
    FieldSpec,
    Level,
    LicenseEvidence,
    Rejection,
    RowsHandle,
    Split,
    Subset,
    with_members,
)
from dynosaur_core.policy import judge as policy_judge
from dynosaur_core.policy import languages, licenses
from dynosaur_core.protocols import Catalog, Source, SourceSubset
from dynosaur_core.reading.features import check_columns
from dynosaur_core.reading.together import Together, together
from dynosaur_core.reasons import Finding, Reason
from dynosaur_core.settings import Policy, Sampling
from dynosaur_core.store import Store

METADATA_VERSION = 4
_DETECT_ROWS = 20
_OURS = (SPLIT_COLUMN, ROW_COLUMN)
Refuse = Callable[..., Rejection]


def metadata_key(ref: DatasetRef, sampling: Sampling, policy: Policy) -> str:
    """What a metadata result depends on: the revision, how it is sampled, what is accepted."""
    accepted = (policy_judge.policy_version(), policy, policy_judge.overrides(policy).get(ref.repo_id))
    return digest("metadata", METADATA_VERSION, ref.repo_id, ref.revision, sampling, *accepted)


def read_metadata(
    ref: DatasetRef, catalog: Catalog, store: Store, sampling: Sampling, policy: Policy
) -> DatasetMetadata:
    """Reads the card and samples the rows of every usable subset into the store.

    A dataset or subset that is refused stands in `rejections`; without a subset left it goes no further. Raises
    DynosaurError when the dataset cannot be read.
    """
    source = catalog.open(ref)
    card = parse_card(source.card())
    described = describe(ref, card, catalog, policy)
    refused = policy_judge.judge_metadata(described, policy)
    if refused:
        return described.model_copy(update={"rejections": (refused,)})
    detect = not described.languages and policy.untagged_language == "detect"
    subsets, rejections = read_subsets(ref, source, store, sampling, detect)
    return described.model_copy(update={"subsets": with_sections(subsets, card), "rejections": rejections})


def describe(ref: DatasetRef, card: Card, catalog: Catalog, policy: Policy) -> DatasetMetadata:
    """What listing and card say of a dataset; its subsets are still to be read."""
    listing = listing_fields(card)
    evidence = _license_evidence(ref, card, policy)
    summary = card.prose("dataset summary", "summary", "dataset description")
    tags = tuple(dict.fromkeys((*ref.languages, *listing["languages"])))
    return DatasetMetadata(
        ref=ref,
        title=_one_line(card.data.get("pretty_name")) or ref.repo_id,
        website=_website(card, catalog, ref),
        licenses=evidence,
        license=licenses.strictest(item.license for item in evidence),
        languages=tags,
        summary=summary or prose(ref.description or listing["description"]),
        supported_tasks=card.section("supported tasks and leaderboards", "supported tasks"),
        task_categories=ref.task_categories or listing["task_categories"],
        task_ids=ref.task_ids or listing["task_ids"],
        source_datasets=card.strings("source_datasets"),
        multilinguality=card.strings("multilinguality"),
        citation=citation(card),
    )


def with_sections(subsets: Sequence[Subset], card: Card) -> tuple[Subset, ...]:
    """Each with what the card says of its config in a section of its own."""
    return tuple(subset.model_copy(update={"about": card.prose(heading(subset.config))}) for subset in subsets)


def read_subsets(
    ref: DatasetRef, source: Source, store: Store, sampling: Sampling, detect: bool
) -> tuple[tuple[Subset, ...], tuple[Rejection, ...]]:
    found = source.subsets()
    if len(found) > sampling.max_subsets:
        raise DynosaurError(Code.TOO_MANY_SUBSETS, f"{len(found)} configs, at most {sampling.max_subsets} are read")
    subsets: list[Subset] = []
    rejections: list[Rejection] = []
    failures: list[DynosaurError] = []
    for candidate in found:
        try:
            subset, refused = _read_subset(ref, source, candidate, store, sampling, detect)
        except DynosaurError as error:
            if not error.policy.one_config:
                raise
            failures.append(error)
            subset, refused = None, (_refusal(ref, candidate)(Reason.UNREADABLE, str(error)),)
        rejections.extend(refused)
        if subset:
            subsets.append(subset)
    if failures and len(failures) == len(found):
        raise failures[0]
    return tuple(subsets), tuple(rejections)


def _read_subset(
    ref: DatasetRef, source: Source, candidate: SourceSubset, store: Store, sampling: Sampling, detect: bool
) -> tuple[Subset | None, tuple[Rejection, ...]]:
    """The subset, or None where it is refused, with what was left out. Raises DynosaurError."""
    if candidate.problem is not None:
        raise candidate.problem
    refuse = _refusal(ref, candidate)
    splits = candidate.sampled(sampling)
    notes = [
        refuse(Reason.UNKNOWN_SPLIT, f"split {split.name!r} is not sampled", "split")
        for split in candidate.splits
        if split.role == "unknown" and split not in splits
    ]
    if not splits:
        names = ", ".join(split.name for split in candidate.splits) or "none"
        return None, (*notes, refuse(Reason.NO_TRAINING_SPLIT, f"splits: {names}"))
    if candidate.features is not None:
        early = _refuse_features(candidate.features, sampling)
        if early:
            return None, (*notes, refuse(*early))
    found = _sample(source, candidate, splits, sampling)
    notes += [
        refuse(Reason.UNREADABLE_FIELD, f"field {name!r}: {why}", "field")
        for name, why in {**candidate.left_out, **found.left_out}.items()
    ]
    late = _refuse_features(found.features, sampling)
    if late:
        return None, (*notes, refuse(*late))
    if not len(found.table):
        return None, (*notes, refuse(Reason.EMPTY, "no rows in " + ", ".join(split.name for split in splits)))
    specs = tuple(spec for spec in field_specs(found.features) if spec.kind is not FieldKind.BINARY)
    table, cut = _within_bytes(found.table.select([*(spec.name for spec in specs), *_OURS]), sampling, refuse)
    notes += cut
    if not len(table):
        return None, (*notes, refuse(Reason.EMPTY, "every row is beyond the byte limit"))
    if detect:
        language = languages.detect(_texts(table, specs))
        if language not in (None, "en"):
            return None, (*notes, refuse(Reason.NOT_ENGLISH, f"no language tag, and its texts read as {language!r}"))
    name, size = store.write_table("rows", table)
    handle = RowsHandle(digest=name, rows=len(table), size_bytes=size)
    content = _content(candidate, splits, specs)
    facts = field_facts(tuple(with_members(specs).values()), table)
    subset = Subset(
        config=candidate.config,
        splits=splits,
        fields=specs,
        shown=choose_shown(table, facts),
        rows=handle,
        content=content,
        facts=facts,
    )
    return subset, tuple(notes)


def _content(candidate: SourceSubset, splits: tuple[Split, ...], specs: tuple[FieldSpec, ...]) -> str | None:
    names = [split.name for split in splits]
    if any(name not in candidate.content for name in names):
        return None
    return digest(specs, {name: candidate.content[name] for name in names})


def _refusal(ref: DatasetRef, candidate: SourceSubset) -> Refuse:
    def refuse(reason: Reason, detail: str, level: Level = "subset", count: int = 1) -> Rejection:
        return Rejection(
            repo_id=ref.repo_id,
            config=candidate.config,
            level=level,
            stage="metadata",
            reason=reason,
            detail=detail,
            count=count,
        )

    return refuse


def _within_bytes(table: pa.Table, sampling: Sampling, refuse: Refuse) -> tuple[pa.Table, list[Rejection]]:
    table, oversized, beyond = within_bytes(table, sampling.max_row_bytes, sampling.max_bytes)
    return table, [
        refuse(reason, f"limit {limit} bytes", "row", count)
        for reason, count, limit in (
            (Reason.ROW_TOO_LARGE, oversized, sampling.max_row_bytes),
            (Reason.SAMPLE_BUDGET, beyond, sampling.max_bytes),
        )
        if count
    ]


def _sample(source: Source, candidate: SourceSubset, splits: tuple[Split, ...], sampling: Sampling) -> Together:
    """Rows of all splits under one schema, and the features they have."""
    parts = []
    for split in splits:
        part = source.sample(candidate, split, sampling)
        if len(part):
            parts.append(part.append_column(SPLIT_COLUMN, pa.array([split.name] * len(part), pa.string())))
    return together(parts, candidate.features)


def _refuse_features(features: Features, sampling: Sampling) -> Finding | None:
    check_columns(len(features), sampling.max_columns)
    specs = field_specs(features)
    media = [spec.name for spec in specs if spec.kind is FieldKind.MEDIA]
    if media:
        return Reason.MEDIA, f"field {media[0]!r} holds media"
    usable = [spec for spec in specs if spec.kind is not FieldKind.BINARY]
    if features and len(usable) < 2:
        return Reason.ONE_FIELD, "usable fields: " + (", ".join(spec.name for spec in usable) or "none")
    return None


def _license_evidence(ref: DatasetRef, card: Card, policy: Policy) -> tuple[LicenseEvidence, ...]:
    """All that is said about the licence: an override alone, else listing, YAML header and the card's words."""
    override = policy_judge.overrides(policy).get(ref.repo_id, {}).get("license")
    if override:
        return (LicenseEvidence(license=licenses.normalise(override), source="override"),)
    yaml_ids = listing_fields(card)["licenses"]
    stated = [LicenseEvidence(license=name, source="card_yaml") for name in yaml_ids]
    stated += [LicenseEvidence(license=n, source="listing") for n in ref.licenses if n not in yaml_ids]
    words = card.section("licensing information", "license", "licence", "licensing", "licenses")
    return (*stated, *licenses.read_text(words or ""))


def _website(card: Card, catalog: Catalog, ref: DatasetRef) -> str:
    """The page of the dataset; catalogues other than the Hub name it in the card's `website`."""
    return web_address(card.data.get("website")) or f"https://huggingface.co/datasets/{ref.repo_id}"


def _texts(table: pa.Table, specs: tuple[FieldSpec, ...]) -> list[str]:
    """Per row, its text fields joined: what language detection reads."""
    names = [spec.name for spec in specs if spec.kind is FieldKind.TEXT]
    rows = table.select(names).slice(0, _DETECT_ROWS).to_pylist() if names else []
    return [" ".join(str(value)[:500] for value in row.values() if value) for row in rows]


def _one_line(value: object) -> str:
    return " ".join(str(value).split())[:200] if value is not None else ""
