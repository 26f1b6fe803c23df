"""All reasons: what each means is its sentence in `REASONS`, what a person can do about it stands in reasons.toml."""

from __future__ import annotations

from docs.generator.groups import read_groups
from docs.generator.tables import table
from dynosaur_core.reasons import REASONS, Reason


def made() -> str:
    """A table for each group."""
    parts = []
    for group in read_groups("reasons"):
        rows = [(f"`{name}`", f"{_sentence(Reason(name))}.", todo) for name, todo in group.entries.items()]
        parts.append(f"## {group.title}\n\n{group.about}\n\n{table(('reason', 'it means', 'what to do'), rows)}\n")
    return "\n".join(parts)


def _sentence(reason: Reason) -> str:
    return REASONS[reason][:1].upper() + REASONS[reason][1:]
