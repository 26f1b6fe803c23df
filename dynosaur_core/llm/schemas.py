"""JSON schemas in the strict form of OpenAI."""

from __future__ import annotations

from typing import Any


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    """An object that has all of these properties and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
