"""Licences: what an id means, which are accepted, and what a card's own words say about them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from dynosaur_core.models import LicenseEvidence
from dynosaur_core.reasons import Finding, Reason
from dynosaur_core.settings import Policy


@cache
def table() -> dict[str, Any]:
    """The policy table of licenses.toml."""
    return tomllib.loads(resources.files("dynosaur_core.policy").joinpath("licenses.toml").read_text())


@cache
def _ranks() -> dict[str, tuple[int, str]]:
    """Licence id -> (rank of its class, class)."""
    return {
        license_id: (rank, name)
        for rank, (name, entry) in enumerate(table()["classes"].items())
        for license_id in entry["ids"]
    }


def accepted_ids() -> tuple[str, ...]:
    """The licences that records may carry by the table; those for non-commercial use too, since a setting accepts
    these."""
    classes = table()["classes"].items()
    return tuple(
        each for name, entry in classes if entry["accept"] or name == "non_commercial" for each in entry["ids"]
    )


def normalise(license_id: object) -> str:
    """A licence as a card or listing writes it, as an id: `CC-BY-4.0` -> `cc-by-4.0`; "" for nothing."""
    return re.sub(r"[\s_]+", "-", str(license_id or "").strip().lower())


def refusal(license_id: str, policy: Policy) -> str | None:
    """Why one licence id is refused, or None when it is accepted. Ids that the table does not know are refused."""
    if license_id in policy.refuse_licenses:
        return f"{license_id} is in policy.refuse_licenses"
    if license_id in policy.allow_licenses:
        return None
    known = _ranks().get(license_id)
    if known is None:
        return f"{license_id} is not in the licence table; policy.allow_licenses can accept it"
    entry = table()["classes"][known[1]]
    if entry["accept"] or (known[1] == "non_commercial" and policy.non_commercial):
        return None
    return f"{license_id} {entry['reason']}"


def judge(license_ids: Iterable[str], policy: Policy) -> Finding | None:
    """Judges all licences that are stated together: each must be accepted, and one must be there.

    A dataset that states two licences usually holds parts under each, so the stricter one counts.
    """
    stated = [name for name in dict.fromkeys(license_ids) if name]
    if not stated:
        return Reason.NO_LICENSE, "neither the listing nor the card states a licence"
    for name in stated:
        why = refusal(name, policy)
        if why:
            return Reason.REFUSED_LICENSE, why
    return None


def strictest(license_ids: Iterable[str]) -> str:
    """The licence that labels the records: the one whose class has the highest rank, the first of equals."""
    stated = [name for name in dict.fromkeys(license_ids) if name]
    return max(stated, key=lambda name: _ranks().get(name, (-1, ""))[0], default="unknown")


def read_text(text: str) -> tuple[LicenseEvidence, ...]:
    """Restrictions that the words of a licence section state, as evidence."""
    found = []
    for entry in table()["text"]:
        match = re.search(entry["pattern"], text, re.IGNORECASE)
        if match:
            around = " ".join(text[max(0, match.start() - 40) : match.end() + 40].split())
            found.append(LicenseEvidence(license=entry["license"], source="card_text", text=around))
            break  # the table goes from the strictest to the least strict
    return tuple(found)
