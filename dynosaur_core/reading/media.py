"""Which features hold no text: a config with one is refused, or the column never becomes one."""

from __future__ import annotations

from typing import Any

from datasets import Audio, Image, Pdf, Value, Video


def is_media(feature: Any) -> bool:
    """Whether a feature is, or holds, an image, sound, video, document or bytes."""
    if isinstance(feature, Image | Audio | Video | Pdf):
        return True
    if isinstance(feature, Value):
        return "binary" in feature.dtype
    if isinstance(feature, dict):
        return any(is_media(part) for part in feature.values())
    inner = feature[0] if isinstance(feature, list) and feature else getattr(feature, "feature", None)
    return inner is not None and is_media(inner)
