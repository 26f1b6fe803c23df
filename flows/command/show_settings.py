"""How `dynosaur settings` looks."""

from __future__ import annotations

from collections.abc import Sequence

from dynosaur_core.setting_reference import Setting
from flows.command.arguments import json_text
from flows.command.counting import counted
from flows.command.screen import Screen


def show_settings(found: Sequence[Setting], screen: Screen) -> None:
    for each in found:
        screen.line(f"{each.name} = {json_text(each.value)}  ({each.source})")
        screen.indented(each.meaning)
        screen.indented(f"{each.variable}; default {json_text(each.default)}")
    screen.line(counted(len(found), "setting"))
