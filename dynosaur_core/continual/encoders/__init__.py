"""Encoders: texts become vectors. `ENCODERS` lists the kinds by their name in `embedding.encoder`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Usage
from dynosaur_core.results import Result
from dynosaur_core.settings import Settings

CHUNK = 1_024
"""Texts between two writes for encoders on this machine."""
Vectors = npt.NDArray[np.float32]
"""[n, d], row by row of length one."""


class Encoder(Protocol):
    """Turns texts into vectors. A text's vector depends on that text alone, but for rounding."""

    name: str
    """For a person: the kind and the model."""
    digest: str
    """Names all that the vectors depend on: two encoders with the same one return the same vectors."""
    chunk: int
    """So many texts are encoded between two writes to the store: what is encoded since the last is lost with a kill."""

    @property
    def usage(self) -> Usage:
        """What the endpoint was asked for and billed so far; nothing for encoders on this machine."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """[n, d] float32, normalised; of `texts` in their order. Raises DynosaurError."""


def _minilm(settings: Settings) -> Encoder:
    from dynosaur_core.continual.encoders.minilm import open_minilm

    return open_minilm(settings.embedding.model)


def _packaged(settings: Settings) -> Encoder:
    from dynosaur_core.continual.encoders.minilm import open_packaged

    return open_packaged()


def _sentence_transformers(settings: Settings) -> Encoder:
    from dynosaur_core.continual.encoders.transformers import SentenceTransformersEncoder

    return SentenceTransformersEncoder(_model(settings))


def _endpoint(settings: Settings) -> Encoder:
    from dynosaur_core.continual.encoders.endpoint import EndpointEncoder

    return EndpointEncoder(_model(settings), settings)


def _hashing(settings: Settings) -> Encoder:
    from dynosaur_core.continual.encoders.hashing import HashingEncoder

    return HashingEncoder()


ENCODERS: dict[str, Callable[[Settings], Encoder]] = {
    "minilm": _minilm,
    "minilm-int8": _packaged,
    "sentence-transformers": _sentence_transformers,
    "endpoint": _endpoint,
    "hashing": _hashing,
}


class Billed(Result):
    """What embedding was billed: nothing on this machine."""

    requests: int = 0
    prompt_tokens: int = 0
    cost_usd: float | None = 0.0
    """US dollars; None where the model has no known price."""

    @classmethod
    def of(cls, encoder: Encoder | None) -> Billed:
        usage = encoder.usage if encoder else Usage()
        return cls(requests=usage.requests, prompt_tokens=usage.prompt_tokens, cost_usd=usage.cost_usd)

    def sentence(self) -> str:
        """What is added to a summary's sentence; empty where nothing was asked for."""
        if not self.requests:
            return ""
        dollars = "at an unknown price" if self.cost_usd is None else f"${self.cost_usd:.4f}"
        return f"; embeddings: {self.requests:,} requests, {self.prompt_tokens:,} tokens, {dollars}"


def open_encoder(settings: Settings) -> Encoder:
    """The encoder of the settings. Raises BadSetting where it lacks a model's name, a package or its weights."""
    return ENCODERS[settings.embedding.encoder](settings)


def _model(settings: Settings) -> str:
    if not settings.embedding.model:
        message = f"embedding.encoder is {settings.embedding.encoder}: name a model with embedding.model"
        raise DynosaurError(Code.BAD_SETTING, message)
    return settings.embedding.model


def needed(module: str, extra: str) -> Any:
    """The module of an extra; raises BadSetting with the command that installs it where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"{module.partition('.')[0]} is not installed: pip install 'dynosaur[{extra}]'"
        raise DynosaurError(Code.BAD_SETTING, message) from error


def normalised(vectors: npt.NDArray[Any]) -> Vectors:
    """Each row divided by its length, as sentence-transformers' Normalize does it; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
