"""The dataset card of a release. Text of sources is untrusted: it is escaped for the place where it stands."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Features
from huggingface_hub import DatasetCard, DatasetCardData

from dynosaur_core.models import Contribution, Release
from dynosaur_core.publish.plan import PlannedSource
from dynosaur_core.publish.records import RECORDS, SCHEMA
from dynosaur_core.settings import ReleaseSettings
from dynosaur_core.store import Store

CARD = "README.md"
TOP_SOURCES = 25
SHOWN_CHANGES = 20
_TEMPLATE = Path(__file__).with_name("card_template.md")
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_LARGEST = "10M<n<100M"
_BAR = 24
_SHOWN_CHARS = 600


def stamp(release: Release) -> str:
    """Stands in the card, so that a card of another release, or none, is noticed."""
    store = f" {release.store}" if release.store else ""
    return f"<!-- dynosaur release {release.version} {release.digest}{store} -->"


def stamped(text: str) -> tuple[int, str | None]:
    """The version and the store that a card was made for; 0 and None where it does not say."""
    match = re.search(r"<!-- dynosaur release (\d{1,9}) \w* ?(\w+)? ?-->", text)
    return (int(match[1]), match[2]) if match else (0, None)


def card(
    release: Release, sources: Sequence[PlannedSource], removals: int, store: Store, settings: ReleaseSettings
) -> str:
    """README.md. Its YAML names the data files one by one: older ones may still lie beside them for their readers."""
    contributions = [source.contribution for source in sources]
    licenses = _by(contributions, lambda contribution: [contribution.license])
    languages = _by(contributions, lambda contribution: contribution.languages or ("not stated",))
    modes = Counter[str]()
    for contribution in contributions:
        for count in contribution.tasks:
            modes[count.task.mode] += count.recorded
    top = sorted(contributions, key=lambda contribution: (-contribution.shard.records, contribution.repo_id))
    data = DatasetCardData(
        pretty_name=settings.title,
        license=sorted({name if re.fullmatch(r"[a-z0-9.+-]+", name) else "other" for name in licenses}) or None,
        language=sorted(name for name in languages if re.fullmatch(r"[a-z]{2,3}|code", name)) or None,
        size_categories=next((size for limit, size in _SIZES if release.records < limit), _LARGEST),
        task_categories=["text-generation"],
        tags=["instruction-tuning", "dynosaur"],
        configs=[
            {
                "config_name": "default",
                # `datasets` caches a local folder by its name and by this: without the digest it would take one
                # release for another that lay in a folder of the same name
                "description": f"version {release.version}, {release.digest}",
                "data_files": [{"split": "train", "path": [file.path for file in release.files]}],
            }
        ],
        # files of earlier versions have fewer columns: readers take these from here
        dataset_info={"config_name": "default", "features": Features.from_arrow_schema(SCHEMA)._to_yaml_list()},
    )
    made = DatasetCard.from_template(
        data,
        template_path=str(_TEMPLATE),
        title=cell(settings.title),
        release=release,
        stamp=stamp(release),
        date=f"{release.created:%Y-%m-%d}",
        licenses=_table(licenses, release.records),
        languages=_table(languages, release.records),
        modes=[(mode.replace("_", " "), records) for mode, records in modes.most_common()],
        top=[_source(contribution) for contribution in top[:TOP_SOURCES]],
        more=max(0, len(top) - TOP_SOURCES),
        citations=[block(contribution.citation) for contribution in top[:TOP_SOURCES] if contribution.citation],
        example=_example(top, store),
        removals=removals,
        changes=release.changelog[:SHOWN_CHANGES],
    )
    return str(made)


def cell(text: str) -> str:
    """One line of plain text inside Markdown: no markup, link or table of its own."""
    flat = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_\[\]|~#!$])", r"\\\1", flat)


def block(text: str) -> str:
    """A code block around `text`, with a fence longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.strip()}\n{fence}"


def _by(contributions: Sequence[Contribution], names: Any) -> dict[str, tuple[int, int]]:
    """name -> (sources, records)."""
    result: dict[str, tuple[int, int]] = {}
    for contribution in contributions:
        for name in names(contribution):
            sources, records = result.get(name, (0, 0))
            result[name] = (sources + 1, records + contribution.shard.records)
    return result


def _table(counts: dict[str, tuple[int, int]], total: int) -> list[tuple[str, int, int, str]]:
    """Rows (name, sources, records, bar), most records first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1][1], item[0]))
    return [(cell(name), sources, records, _bar(records, total)) for name, (sources, records) in ordered]


def _bar(part: int, total: int) -> str:
    return "█" * max(1, round(_BAR * part / total)) if part else ""


def _source(contribution: Contribution) -> dict[str, Any]:
    website = contribution.website
    linked = re.fullmatch(r"https?://[^\s()<>\[\]|\"'`\\]+", website)
    title = cell(contribution.title)
    return {
        "title": f"[{title}]({website})" if linked else title,
        "repo_id": cell(contribution.repo_id),
        "license": cell(contribution.license),
        "tasks": len(contribution.tasks),
        "records": contribution.shard.records,
    }


def _example(contributions: Sequence[Contribution], store: Store) -> list[tuple[str, str]]:
    """The first record of the largest source, as (column, shown text); nothing for a release without records."""
    shown = next((contribution for contribution in contributions if contribution.shard.records), None)
    if shown is None:
        return []
    with store.open_table(RECORDS, shown.shard.digest, shown.repo_id) as file:
        record = next(file.iter_batches(batch_size=1)).to_pylist()[0]
    return [(name, _shown(str(value))) for name, value in record.items()]


def _shown(text: str) -> str:
    short = text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
    return cell(short)
