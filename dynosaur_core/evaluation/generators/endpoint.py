"""Any OpenAI-compatible endpoint, through the client of the stages: its limits, retries, budget and stored answers."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice

from dynosaur_core.clients import open_clients
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.generators import Generated
from dynosaur_core.llm.client import LlmClient
from dynosaur_core.llm.prices import count_tokens
from dynosaur_core.llm.request import Request
from dynosaur_core.llm.thoughts import after_thoughts
from dynosaur_core.models import Usage
from dynosaur_core.settings import Settings

_OWNER = "evaluation"
_REFUSED = 3
"""So many refusals without an answer are the endpoint's or the model's, not the prompts' own."""


def open_endpoint(model: str, new_tokens: int, settings: Settings) -> EndpointGenerator:
    """The model at OPENAI_BASE_URL. What it may cost is capped by max_cost_usd for each model, over all runs, and by
    max_cost_usd_month.

    Raises ModelKeyRefused, PriceUnknown or BadSetting before any request.
    """
    own = settings.model_copy(update={"model": model, "llm": settings.llm.model_copy(update={"batch": False})})
    client = open_clients(own).llm(f"{_OWNER}-{digest(model)}")
    return EndpointGenerator(client, new_tokens)


class EndpointGenerator:
    """One model of one endpoint; `llm.max_in_flight` prompts at once."""

    def __init__(self, client: LlmClient, new_tokens: int) -> None:
        self._client, self._new_tokens = client, new_tokens
        adapter, settings = client.adapter, client.settings
        self.name = f"{settings.model} at {adapter.host}"
        self.digest = digest("endpoint", adapter.base_url, settings.llm.api, vars(self._request("")))

    def count(self, text: str) -> int:
        return count_tokens(text)

    def usage(self) -> Usage | None:
        return self._client.usage(_OWNER)

    def generate(self, prompts: Sequence[str], done: Container[int] = ()) -> Iterator[Generated]:
        most = self._client.settings.llm.max_in_flight
        places = (place for place in range(len(prompts)) if place not in done)
        answered = refused = 0
        pool = ThreadPoolExecutor(most, thread_name_prefix=_OWNER)
        try:
            asked: set[Future[Generated]] = set()
            while True:
                asked |= {pool.submit(self._ask, place, prompts[place]) for place in islice(places, most - len(asked))}
                if not asked:
                    return
                ended, asked = wait(asked, return_when=FIRST_COMPLETED)
                for future in ended:
                    found = future.result()
                    answered, refused = answered + (not found.error), refused + bool(found.error)
                    if refused >= _REFUSED and not answered:
                        message = f"{self.name} answers none of the first {refused} prompts"
                        raise DynosaurError(Code.MODEL_REQUEST_REFUSED, message)
                    yield found
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, place: int, prompt: str) -> Generated:
        """An answer; or none where the endpoint refuses this prompt for good."""
        try:
            answer = self._client.ask(self._request(prompt)).answer
        except DynosaurError as error:
            if error.code is not Code.MODEL_REQUEST_REFUSED:
                raise
            return Generated(place, "", str(error))
        return Generated(place, after_thoughts(answer.text).strip())

    def _request(self, prompt: str) -> Request:
        settings = self._client.settings
        return Request(
            owner=_OWNER,
            modes=(),
            model=settings.model,
            messages=({"role": "user", "content": prompt},),
            schema={},
            max_output_tokens=self._new_tokens,
            temperature=settings.llm.temperature,
            seed=settings.llm.seed,
            reasoning_effort=settings.llm.reasoning_effort,
            structured="text",
        )
