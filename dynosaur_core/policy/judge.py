"""Whether a dataset may take part: from its listing before any task run, and from its card after it was read."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import Any

import fsspec
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import DatasetMetadata, DatasetRef, Rejection, StageOrSurvey
from dynosaur_core.policy import licenses
from dynosaur_core.reasons import Finding, Reason
from dynosaur_core.settings import Policy

POLICY_VERSION = 1
_MEDIA_TAGS = {"modality:image", "modality:audio", "modality:video", "modality:3d"}
_TEXT_TAG = "modality:text"
_OWN_TAG = "dynosaur"
"""On the card of every release: what was grown must not be grown from."""


@cache
def policy_version() -> str:
    """What decides beside the settings: the rules below, and the table of licences. Where it changes, every dataset is
    judged, and read, again."""
    return digest(POLICY_VERSION, json.dumps(licenses.table()))  # whose order counts


def judge_ref(ref: DatasetRef, policy: Policy) -> Rejection | None:
    """Judges what the listing states of a dataset. Returns why it is refused, or None: it gets a branch."""
    override = overrides(policy).get(ref.repo_id, {})
    why = _listing(ref, policy, override)
    return _rejection(ref.repo_id, "survey", why)


def judge_metadata(metadata: DatasetMetadata, policy: Policy) -> Rejection | None:
    """Judges what the card adds: licences in its words, its languages, the sources that it is drawn from."""
    repo_id = metadata.ref.repo_id
    override = overrides(policy).get(repo_id, {})
    why = licenses.judge((item.license for item in metadata.licenses), policy)
    if why and why[0] is Reason.REFUSED_LICENSE:
        word = next((i.text for i in metadata.licenses if i.source == "card_text" and i.license in why[1]), "")
        why = (why[0], f"{why[1]}; the card says: {word}") if word else why
    why = why or _language(override.get("languages", metadata.languages), policy) or _sources(metadata, policy)
    return _rejection(repo_id, "metadata", why)


def _listing(ref: DatasetRef, policy: Policy, override: dict[str, Any]) -> Finding | None:
    if override.get("refuse"):
        return Reason.BLOCKLISTED, f"policy.overrides: {override['refuse']}"
    if _OWN_TAG in ref.tags:
        return Reason.BLOCKLISTED, "it is itself grown by Dynosaur"
    for pattern in policy.blocklist:
        if fnmatchcase(ref.repo_id, pattern):
            return Reason.BLOCKLISTED, f"pattern {pattern!r}"
    for flag, reason in (
        (ref.disabled, Reason.IS_DISABLED),
        (ref.private, Reason.IS_PRIVATE),
        (ref.gated, Reason.IS_GATED),
    ):
        if flag:
            return reason, ""
    media = sorted(_MEDIA_TAGS & set(ref.tags))
    if media and _TEXT_TAG not in ref.tags:
        return Reason.MEDIA, media[0]
    if policy.max_size_bytes is not None and (ref.size_bytes or 0) > policy.max_size_bytes:
        return Reason.SIZE, f"{ref.size_bytes} bytes, at most {policy.max_size_bytes}"
    if ref.unreadable_card:
        return None  # its branch says why: that it states nothing would not be true
    named = [override["license"]] if override.get("license") else ref.licenses
    return licenses.judge(named, policy) or _language(override.get("languages", ref.languages), policy)


def _language(tags: Iterable[str], policy: Policy) -> Finding | None:
    tags = tuple(tags)
    other = [tag for tag in tags if tag not in policy.languages]
    if other:
        return Reason.NOT_ENGLISH, "languages: " + ", ".join(tags[:10])
    if not tags and policy.untagged_language == "refuse":
        return Reason.NOT_ENGLISH, "no language tag"
    return None


def _sources(metadata: DatasetMetadata, policy: Policy) -> Finding | None:
    """A collection inherits what its sources forbid, where the override file knows them: `extended|squad`."""
    for source in metadata.source_datasets:
        name = source.split("|")[-1].removeprefix("other-")
        known = overrides(policy).get(name, {})
        why = known.get("refuse") or (known.get("license") and licenses.refusal(known["license"], policy))
        if why:
            return Reason.RESTRICTED_SOURCE, f"drawn from {name}: {why}"
    return None


def _rejection(repo_id: str, stage: StageOrSurvey, why: Finding | None) -> Rejection | None:
    if why is None:
        return None
    return Rejection(repo_id=repo_id, level="dataset", stage=stage, reason=why[0], detail=why[1])


def overrides(policy: Policy) -> dict[str, dict[str, Any]]:
    """Tables of the override file by dataset id; raises BadSetting where it cannot be read."""
    return _read_overrides(policy.overrides) if policy.overrides else {}


def rules_for(repo_id: str, pipeline: str, policy: Policy) -> str:
    """The digest of the rules that hold for one dataset: the pipeline's, or with its override those two."""
    override = overrides(policy).get(repo_id)
    return digest(pipeline, override) if override else pipeline


class _Override(BaseModel):
    """What may stand in the table of one dataset, or of a source that is no dataset."""

    model_config = ConfigDict(extra="forbid", strict=True)

    license: str | None = None
    languages: list[str] | None = None
    refuse: str | bool | None = None


_OVERRIDES = TypeAdapter(dict[str, _Override])


@lru_cache(maxsize=8)
def _read_overrides(url: str) -> dict[str, dict[str, Any]]:
    try:
        with fsspec.open(url, "rb") as file:
            found = tomllib.load(file)
        _OVERRIDES.validate_python(found)
        return found
    except ValidationError as error:
        what = error.errors()[0]
        where = ".".join(map(str, what["loc"]))
        raise DynosaurError(Code.BAD_SETTING, f"policy.overrides {url!r}: {where}: {what['msg']}") from error
    except (OSError, tomllib.TOMLDecodeError, ValueError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"policy.overrides {url!r} cannot be read: {error}") from error


def forget_overrides() -> None:
    """The override file is read once by a process, and again after this."""
    _read_overrides.cache_clear()
