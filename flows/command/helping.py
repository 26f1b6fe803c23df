"""How `--help` of a command looks: names without Python's types, and examples to be copied."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperCommand

EXAMPLES: dict[str, tuple[str, ...]] = {
    "grow": (
        "grow --store ./store --release ./release --limit 50 --max-cost 0.50",
        "grow --catalog ./datasets --dry-run",
    ),
    "backfill": (
        "backfill nyu-mll/glue 'stanfordnlp/*' --dry-run",
        "backfill --error UnreadableFiles --since 2026-01-31",
        "backfill --license cc-by-sa-4.0 --from-stage publish",
    ),
    "release": ("release --store ./store --release ./release --verify",),
    "demo": ("demo ./my-demo",),
    "check": ("check tasks.jsonl --catalog hub --judge",),
    "explain": ("explain nyu-mll/glue:cola", "explain nyu-mll/glue --requests"),
    "export": ("export records.jsonl.gz --format messages", "export ./files-of-2023 --format reference"),
    "settings": ("settings cost",),
    "replay": ("replay --strategy instr-diverse --tasks 50 --rows 20 --out ./mixture",),
    "split": ("split ./release --stages 3 --out ./split",),
    "subset": ("subset ./release --suite suite.jsonl --tasks 50 --out ./subset",),
    "evaluate": (
        "evaluate --model ./model --suite mine.jsonl --out ./scores",
        "evaluate --model endpoint:NAME --suite ./release --out ./scores",
    ),
    "finetune": ("finetune --data ./mixture --out ./model",),
    "continual": ("continual --split ./split --strategies none,random --out ./runs",),
}
"""What people type, by command."""
_OF_AN_ARGUMENT = re.compile(r" <[^<>]*>$")


class HelpfulCommand(TyperCommand):
    """A command whose arguments bear their names alone, with examples below the options."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        parts: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                argument = parameter.param_type_name == "argument"
                name = _OF_AN_ARGUMENT.sub("", record[0]) if argument else record[0]
                parts["Arguments" if argument else "Options"].append((name, record[1]))
        for title, rows in parts.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        if examples := EXAMPLES.get(self.name or ""):
            with formatter.section("Examples"):
                for example in examples:
                    formatter.write(f"{'':>{formatter.current_indent}}dynosaur {example}\n")


def add_help(app: typer.Typer) -> None:
    """Lets all commands of `app` show their help so."""
    for command in app.registered_commands:
        command.cls = HelpfulCommand
