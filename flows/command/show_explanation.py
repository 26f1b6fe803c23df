"""How `dynosaur explain` looks to a person."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from dynosaur_core.models import Mode
from dynosaur_core.reasons import REASONS, Reason
from dynosaur_core.results import Asked
from flows.command.counting import counted
from flows.command.explanation import Design, Explanation, LeftOut, Source
from flows.command.screen import Screen

FIELDS, CONFIGS, DESIGNS = 12, 5, 30
"""Fields of a config, configs and designs that the screen shows; `--json` prints all."""
_MANY_CHARS = 300
"""Of an instruction or a summary."""


def show_explanation(found: Explanation, screen: Screen, store: str, *, requests: bool) -> None:
    """Outcome, why and what to do; what was read; tasks with verdicts; two records; what it took. `store` is for the
    command that is proposed."""
    for text in _outcome(found):
        screen.line(text)
    if found.source:
        _show_source(found.source, screen)
    _show_designs(found.designs, screen)
    for rows in found.rows_rejected:
        screen.line(f"{counted(rows.count, 'row')} rejected: {_why(rows.reason, rows.detail)}")
    if found.examples:
        screen.line("")
        screen.line(f"{counted(len(found.examples), 'record')} of {found.records:,}")
    for example in found.examples:
        screen.record(example.config, example.instruction, example.input, example.output)
    screen.line("")
    for text in _cost(found):
        screen.line(text)
    for asked in found.requests if requests else ():
        _show_request(asked, screen)
    if not requests and any(design.mode != Mode.RULES for design in found.designs):
        again = shlex.join(["dynosaur", "explain", found.dataset, "--store", store])
        screen.next_steps([f"{again} --requests    what was sent to the model, and what came back"])


def _outcome(found: Explanation) -> Iterator[str]:
    of = f", {counted(found.records, 'record')} under {found.license}" if found.records else ""
    code = f": {found.code}" if found.code else ""
    yield f"{found.dataset}: {found.outcome}{of}{code}{f' in {found.stage}' if code and found.stage else ''}"
    told = (found.message,) if found.message.startswith(found.meaning) else (found.meaning, found.message)
    if why := ": ".join(text for text in told if text):
        yield f"  why         {why}"
    if found.what_to_do:
        yield f"  what to do  {found.what_to_do}"
    if found.quarantined:
        again = f"quarantined after {counted(found.attempts, 'night')}; only a backfill tries it again"
    elif found.next_try:
        again = f"after {found.next_try:%Y-%m-%d %H:%M} UTC"
    else:
        again = "when it changes"
    if found.code:
        yield f"  next try    {again}"
    yield f"  revision    {found.revision}" + (f", growth {found.growth_id}" if found.growth_id else "")


def _show_source(source: Source, screen: Screen) -> None:
    screen.line("")
    screen.line(source.title or source.website)
    if source.summary:
        screen.indented(_short(source.summary), 2)
    if source.website:
        screen.indented(source.website, 2)
    licenses = ", ".join(
        f"{item.get('license')} (from {str(item.get('source')).replace('_', ' ')})" for item in source.licenses
    )
    screen.indented(f"licence: {licenses or 'none stated'}", 2)
    for config, facts in list(source.configs.items())[:CONFIGS]:
        read = f"{counted(facts.rows_sampled, 'row')} of {', '.join(facts.splits)}"
        screen.indented(f"config {config}: {read}", 2)
        width = max(map(len, list(facts.fields)[:FIELDS]), default=0)
        for name, kind in list(facts.fields.items())[:FIELDS]:
            screen.indented(f"{name:<{min(width, 24)}}  {kind}")
        _more(len(facts.fields) - FIELDS, "field", screen)
    _more(len(source.configs) - CONFIGS, "config", screen)
    for item in source.refused:
        screen.indented(f"left out: {_part(item)}: {_why(item.reason, item.detail)}", 2)


def _part(item: LeftOut) -> str:
    what = item.level if item.count == 1 else f"{item.count:,} x {item.level}"
    return f"{what} of {item.config}" if item.config else what


def _show_designs(designs: tuple[Design, ...], screen: Screen) -> None:
    if not designs:
        return
    good = sum(design.verdict == "accepted" for design in designs)
    screen.line("")
    screen.line(f"{counted(len(designs), 'task')} designed, {good} accepted")
    for design in sorted(designs, key=lambda each: each.verdict != "accepted")[:DESIGNS]:
        wiring = f"{', '.join(design.input_fields)} -> {', '.join(design.output_fields)}" * bool(design.instruction)
        made = f"; {design.rows_recorded:,} of {counted(design.rows_sampled, 'row')}" if design.rows_sampled else ""
        verdict = design.verdict if design.verdict in ("accepted", "not judged") else f"rejected: {design.verdict}"
        screen.indented(f"{verdict} ({design.config}, {design.mode}{made})", 2)
        for text in (wiring, _short(design.instruction), design.detail, design.mended and f"mended: {design.mended}"):
            if text:
                screen.indented(text)
    _more(len(designs) - DESIGNS, "task", screen)


def _cost(found: Explanation) -> Iterator[str]:
    usage = found.usage
    if usage.requests:
        dollars = "unknown cost" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
        tokens = f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"
        yield f"model: {counted(usage.requests, 'request')}, {tokens}, {dollars}"
    else:
        yield "model: not asked in the last branch"
    if found.seconds.total:
        yield f"seconds: {found.seconds.sentence() or 'none to speak of'}"


def _show_request(asked: Asked, screen: Screen) -> None:
    screen.line("")
    when = f" to {asked.model}, {asked.when:%Y-%m-%d %H:%M}" if asked.when else ", not sent yet"
    screen.line(f"request {asked.request}{when}")
    for message in asked.sent:
        screen.indented(f"[{message.get('role')}]", 2)
        for text in str(message.get("content")).splitlines():
            screen.indented(text)
    screen.indented("[came back]", 2)
    for text in (asked.came_back or asked.refusal or "nothing yet").splitlines():
        screen.indented(text)


def _why(reason: str, detail: str) -> str:
    meaning = REASONS[Reason(reason)] if reason in set(Reason) else ""
    return f"{reason}: {detail or meaning}"


def _more(count: int, noun: str, screen: Screen) -> None:
    if count > 0:
        screen.indented(f"and {counted(count, f'more {noun}')}; --json prints all")


def _short(text: str) -> str:
    return f"{text[:_MANY_CHARS]}…" if len(text) > _MANY_CHARS else text
