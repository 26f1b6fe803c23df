"""Any OpenAI-compatible `/embeddings` endpoint: OPENAI_BASE_URL or `embedding.base_url`, and OPENAI_API_KEY."""

from __future__ import annotations

import time
from collections.abc import Sequence

import httpx2
import numpy as np
import openai

from dynosaur_core.continual.encoders import Vectors, normalised
from dynosaur_core.continual.encoders.spending import Purse
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.exchange import within
from dynosaur_core.llm.adapter import Adapter
from dynosaur_core.llm.failures import RefusedError
from dynosaur_core.llm.prices import believed, count_tokens
from dynosaur_core.logs import logger
from dynosaur_core.models import Usage
from dynosaur_core.retry import retrying
from dynosaur_core.settings import Settings

_LOG = logger("continual")
_ATTEMPTS = 6
_MAX_BYTES = 64_000_000
"""Of one response: 128 vectors of 4,096 numbers take about 12 MB as JSON."""
_MAX_TOKENS = 8_000
"""Of one text: the endpoints refuse longer ones. An instruction is far below."""


class EndpointEncoder:
    """One model of one endpoint. Requests are retried as `retry` says; what they cost is in `usage`, and the caps of
    the settings hold for it."""

    def __init__(self, model: str, settings: Settings, *, pause_s: float = 1.0) -> None:
        """Raises ModelKeyRefused where the endpoint asks for a key and none is set, and PriceUnknown where a cap is set
        and no price is known."""
        section = settings.embedding
        self._adapter = Adapter("embeddings", section.timeout_s, section.base_url)
        self._model, self.chunk, self._pause_s = model, section.batch_size, pause_s
        prices = {"price_input": section.price, "price_output": section.price}
        own = {"model": model, "llm": settings.llm.model_copy(update=prices)}
        self._purse = Purse(settings.model_copy(update=own))
        self.name = f"{model} at {self._adapter.host}"
        self.digest = digest("endpoint", self._adapter.base_url, model)

    @property
    def usage(self) -> Usage:
        return self._purse.usage

    def encode(self, texts: Sequence[str]) -> Vectors:
        cut = [text[: 4 * _MAX_TOKENS] or " " for text in texts]  # an empty text is refused
        parts = [self._ask(cut[at : at + self.chunk]) for at in range(0, len(cut), self.chunk)]
        return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)

    def _ask(self, texts: list[str]) -> Vectors:
        what = f"{len(texts)} embeddings of {self._adapter.host}"
        return retrying(lambda: self._attempt(texts), what=what, log=_LOG, attempts=_ATTEMPTS, backoff_s=self._pause_s)

    def _attempt(self, texts: list[str]) -> Vectors:
        counted = sum(map(count_tokens, texts))
        with self._purse.paying(counted) as billed:
            return self._sent(texts, counted, billed)

    def _sent(self, texts: list[str], counted: int, billed: list[int]) -> Vectors:
        try:
            with within(time.monotonic() + self._adapter.timeout_s, _MAX_BYTES):
                answer = self._adapter.openai.embeddings.create(model=self._model, input=texts, encoding_format="float")
            # an answer is paid whatever it holds
            billed.append(believed(_told(answer), counted))
            rows = sorted(answer.data, key=lambda row: row.index)
            vectors = np.array([row.embedding for row in rows], dtype=np.float32)
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            named = self._adapter.named(error)
            if isinstance(named, RefusedError):
                raise DynosaurError(Code.MODEL_REQUEST_REFUSED, named.message) from error
            raise named from error
        except (ValueError, TypeError, AttributeError) as error:  # the client takes any JSON for its own form
            raise self._odd(f"{type(error).__name__}: {error}") from error
        if vectors.ndim != 2 or [row.index for row in rows] != list(range(len(texts))):
            raise self._odd(f"{len(rows)} vectors for {len(texts)} texts")
        if not np.isfinite(vectors).all():
            raise self._odd("a vector that holds no number")
        return normalised(vectors)

    def _odd(self, what: str) -> DynosaurError:
        return DynosaurError(Code.MODEL_BAD_RESPONSE, f"{self._adapter.host} answers with {what}")


def _told(answer: object) -> int | None:
    """The tokens that an answer states; the client takes any JSON for its own form."""
    told = getattr(getattr(answer, "usage", None), "prompt_tokens", None)
    return told if isinstance(told, int) else None
