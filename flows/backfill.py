"""Runs chosen datasets again: by hand, from the UI's form or the command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from prefect.client.schemas.objects import State
from prefect.logging import get_logger
from prefect.states import Completed

from dynosaur_core.anew import Anew, anew_name, anew_since
from dynosaur_core.clients import Clients, open_clients
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.ledger import Outcome
from dynosaur_core.ledger.near import near_id
from dynosaur_core.models import DatasetRef, GrowthPlan
from dynosaur_core.policy.judge import judge_ref
from dynosaur_core.results import Forecast
from flows.choice import Choice
from flows.dry_run import estimate_plan, looking
from flows.grow import begin, run_plan
from flows.options import Options
from flows.parameters import flow_with_options
from flows.run_names import backfill_name
from tasks.artifacts import publish_plan

_AGAIN = "To run it, submit again with dry run off (artifact backfill-plan has the fields)"


@flow_with_options("backfill", backfill_name)
def backfill(choice: Choice, dry_run: bool = False, options: Options = Options()) -> State[Any]:
    """Grows chosen datasets again, whatever the ledger says of them: quarantined, refused or unchanged.

    Args:
        choice: Which datasets, and from which stage.
        dry_run: Only say what would be done and what it would cost.
        options: What this growth does otherwise than the settings on the worker's machine say.
    """
    choice.check()
    if dry_run:
        found = chosen_forecast(choice, options)
        publish_plan(found, choice.stages, choice.given(), options.given(), choice.arguments())
        message = f"plan only, nothing done: {found.names()} ({', '.join(choice.stages)}); {found.sentence()}. {_AGAIN}"
        return Completed(message=message, data=found.as_json())
    clients = open_clients(options.settings())
    check_choice(clients, choice)
    with clients.ledger.growing(clients.settings.wait_for_growth_s):
        growth_id = begin(clients, options)
        plan = choose(clients, choice, options.limit)
        if choice.anew_from:
            ask_anew(clients, growth_id)
        return run_plan(clients, options, growth_id, plan, choice.fresh_from)


def chosen_forecast(choice: Choice, options: Options) -> Forecast:
    """The plan of a backfill and its estimated cost; nothing is spent. Their branches would refuse what the listing
    refuses: it is counted, and costs nothing."""
    with looking(options) as clients:
        chosen = choose(clients, choice, options.limit)
        why = {ref.repo_id: judge_ref(ref, clients.settings.policy) for ref in chosen.branches}
        refused = Counter(rejection.reason for rejection in why.values() if rejection)
        kinds = {"new": chosen.new, "retried": chosen.retried}
        accepted = {kind: tuple(ref for ref in refs if not why[ref.repo_id]) for kind, refs in kinds.items()}
        plan = chosen.model_copy(update={**accepted, "refused": dict(refused)})
        return estimate_plan(clients, plan, anew_from=choice.anew_from)


def check_choice(clients: Clients, choice: Choice) -> None:
    """Before a store is made: raises what `choose` would raise, or BadSetting where nothing is chosen."""
    choice.check()
    if not clients.is_new:
        return
    if choice.errors or choice.licenses:  # which the ledger would know
        clients.join()
    if next(_found(clients, choice), None) is None:
        message = f"the catalogue has no such dataset, and there is no store at {clients.store.url}"
        raise DynosaurError(Code.BAD_SETTING, message)


def ask_anew(clients: Clients, growth_id: str) -> None:
    """Sets aside the answers from before this growth, once: one that was cut off and goes on keeps what it has paid."""
    if not clients.settings.asks_model:
        return
    since = anew_since(clients.store, growth_id)
    if since is None:
        since = datetime.now(UTC)
        clients.store.write_model(anew_name(growth_id), Anew(since=since))
    clients.llm(growth_id).anew_since = since


def choose(clients: Clients, choice: Choice, limit: int | None = None) -> GrowthPlan:
    """The chosen datasets at their current revisions, the first `limit` of them by id: as new those that the ledger
    does not know, as retried all others. Raises NotFound for an id that the catalogue does not have, and BadSetting
    where nothing is chosen, or nothing is found."""
    choice.check()
    refs = {ref.repo_id: ref for ref in _found(clients, choice)}
    for pattern in filter(_is_pattern, choice.datasets):
        if not any(fnmatchcase(repo_id, pattern) for repo_id in refs):
            raise DynosaurError(Code.BAD_SETTING, f"no dataset is chosen by {pattern!r}{_but(clients, choice)}")
    if not refs:
        raise DynosaurError(Code.BAD_SETTING, f"no dataset is chosen by {choice.sentence()}{_but(clients, choice)}")
    known, here = clients.ledger.get_many(list(refs)), clients.catalog.name
    others = {e.repo_id: e.catalog for e in known.values() if e.catalog != here and e.outcome is not Outcome.WITHDRAWN}
    if named := others.keys() & set(choice.datasets):
        repo_id = min(named)
        message = f"{repo_id} is of the catalogue {others[repo_id]!r}: choose it with that one's --catalog"
        raise DynosaurError(Code.BAD_SETTING, message)
    chosen = [refs[repo_id] for repo_id in sorted(refs.keys() - others)[:limit]]
    new = tuple(ref for ref in chosen if ref.repo_id not in known)
    return GrowthPlan(surveyed=len(chosen), new=new, retried=tuple(ref for ref in chosen if ref.repo_id in known))


def _but(clients: Clients, choice: Choice) -> str:
    """What the ledger has instead of what was chosen."""
    if choice.errors:
        ends = sorted({code for (_, code), count in clients.ledger.counts().items() if code and count})
        near = "".join(near_id(clients.ledger, name) for name in choice.datasets[:1])
        return f"{near}; datasets ended with {', '.join(ends)}" if ends else "; no dataset has failed or was refused"
    patterns = [name for name in choice.datasets if _is_pattern(name)]
    return near_id(clients.ledger, patterns[0]) if patterns else ""


def _found(clients: Clients, choice: Choice) -> Iterator[DatasetRef]:
    exact = [name for name in choice.datasets if not _is_pattern(name)]
    patterns = [name for name in choice.datasets if _is_pattern(name)]
    by_ledger = bool(choice.errors or choice.licenses)
    if exact and not by_ledger:
        for repo_id in exact:
            ref = _ref(clients, repo_id)
            if _in_window(ref, choice):
                yield ref
    if by_ledger or not exact or patterns:
        for ref in _candidates(clients, choice) if by_ledger else clients.catalog.list():
            named = not choice.datasets or ref.repo_id in exact or any(fnmatchcase(ref.repo_id, p) for p in patterns)
            if named and _in_window(ref, choice):
                yield ref


def _ref(clients: Clients, repo_id: str) -> DatasetRef:
    """Raises NotFound for an id that the catalogue does not have, with one that the ledger knows and is like it."""
    try:
        return clients.catalog.ref(repo_id)
    except DynosaurError as error:
        near = near_id(clients.ledger, repo_id) if error.code is Code.NOT_FOUND and clients.has_ledger else ""
        raise DynosaurError(error.code, error.message + near, retry_after=error.retry_after) from error


def _candidates(clients: Clients, choice: Choice) -> Iterator[DatasetRef]:
    """Datasets that the ledger knows with these codes or licences, as they are in the catalogue now."""
    for entry in clients.ledger.entries(catalog=clients.catalog.name, codes=choice.errors):
        if choice.licenses and entry.license not in choice.licenses:
            continue
        try:
            yield clients.catalog.ref(entry.repo_id)
        except DynosaurError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            get_logger("dynosaur").warning("%s is not in the catalogue any more", entry.repo_id)


def _in_window(ref: DatasetRef, choice: Choice) -> bool:
    if choice.modified_since is None and choice.modified_until is None:
        return True
    if ref.last_modified is None:
        return False
    after = choice.modified_since is None or ref.last_modified >= _aware(choice.modified_since)
    return after and (choice.modified_until is None or ref.last_modified < _aware(choice.modified_until))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[")
