"""What was found of one part that a growth needs."""

from __future__ import annotations

from dynosaur_core.results import Result


class Finding(Result):
    """What was found of one part."""

    part: str
    ok: bool
    found: str
    what_to_do: str
