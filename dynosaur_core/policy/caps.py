"""Places: how many datasets of one owner, and how many drawn from one source, may take part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from dynosaur_core.models import DatasetRef, Rejection
from dynosaur_core.reasons import Reason
from dynosaur_core.settings import Policy

_SOURCE_TAG = "source_datasets:"
_NO_SOURCES = {"original", "extended", "other", ""}


class Places:
    """Who holds a place keeps it; the others get what is left, in the order in which they ask.

    `holders` returns the datasets that take part already; it is called once, and only if there is a cap.
    """

    def __init__(self, policy: Policy, holders: Callable[[], Iterable[DatasetRef]]) -> None:
        self._holders = holders
        self._caps = [
            (reason, cap, places)
            for reason, cap, places in (
                (Reason.OWNER_CAP, policy.max_per_owner, _owner),
                (Reason.SOURCE_CAP, policy.max_per_source, _sources),
            )
            if cap is not None
        ]

    def take(self, ref: DatasetRef) -> Rejection | None:
        """Takes the dataset's places; returns the reason if one of them is not free."""
        for reason, cap, places in self._caps:
            for place in places(ref):
                if self._taken[reason, place] >= cap:
                    detail = f"{place} has {cap}"
                    return Rejection(repo_id=ref.repo_id, level="dataset", stage="survey", reason=reason, detail=detail)
        if self._caps:
            self._taken.update(self._places(ref))
        return None

    @cached_property
    def _taken(self) -> Counter[tuple[Reason, str]]:
        return Counter(place for ref in self._holders() for place in self._places(ref))

    def _places(self, ref: DatasetRef) -> Iterator[tuple[Reason, str]]:
        return ((reason, place) for reason, _, places in self._caps for place in places(ref))


def _owner(ref: DatasetRef) -> set[str]:
    return {ref.repo_id.split("/")[0].lower()}


def _sources(ref: DatasetRef) -> set[str]:
    """What the dataset's tags say that it is drawn from: `source_datasets:extended|squad` is squad."""
    tagged = (tag.removeprefix(_SOURCE_TAG) for tag in ref.tags if tag.startswith(_SOURCE_TAG))
    return {tag.split("|")[-1].removeprefix("other-").lower() for tag in tagged} - _NO_SOURCES
