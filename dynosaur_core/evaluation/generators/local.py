"""A model on this machine through transformers (the extra `train`): seq2seq or causal, a LoRA adapter or a whole one.

Greedy decoding in batches of prompts of like length. Prompts of a causal model are padded on the left, so that each
text goes on where its prompt ends. Code that comes with a model is never run.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from functools import cached_property
from typing import Any

from dynosaur_core.continual.encoders import needed
from dynosaur_core.digest import digest
from dynosaur_core.evaluation.choice import Dtype
from dynosaur_core.evaluation.generators import Generated
from dynosaur_core.models import Usage
from dynosaur_core.training.places import check_model, find_model

_EXTRA = "train"
Loaded = tuple[Any, Any]
"""Model and tokenizer."""


class LocalGenerator:
    """A model and its tokenizer, loaded when they are first needed."""

    def __init__(self, name: str, weights: str, load: Callable[[], Loaded], new_tokens: int, batch: int) -> None:
        """`weights` names the model's content. A batch holds `batch` prompts."""
        self.name = name
        self.digest = digest("local", weights, new_tokens)
        self._load, self._new_tokens, self._batch = load, new_tokens, batch

    @cached_property
    def _loaded(self) -> Loaded:
        model, tokenizer = self._load()
        if not model.config.is_encoder_decoder:
            tokenizer.padding_side = "left"
        return model.eval(), tokenizer

    def count(self, text: str) -> int:
        return len(self._loaded[1](text)["input_ids"])

    def usage(self) -> Usage | None:
        return None

    def generate(self, prompts: Sequence[str], done: Container[int] = ()) -> Iterator[Generated]:
        # the batches are those of all prompts, whatever is done: a sum in another order may turn a word
        lengths = [self.count(prompt) for prompt in prompts]
        order = sorted(range(len(prompts)), key=lambda place: (-lengths[place], place))  # the most memory comes first
        for at in range(0, len(order), self._batch):
            places = order[at : at + self._batch]
            if any(place not in done for place in places):
                texts = self._generate([prompts[place] for place in places])
                yield from (
                    Generated(place, text) for place, text in zip(places, texts, strict=True) if place not in done
                )

    def _generate(self, prompts: Sequence[str]) -> list[str]:
        torch, (model, tokenizer) = needed("torch", _EXTRA), self._loaded
        given = tokenizer(list(prompts), return_tensors="pt", padding=True).to(model.device)
        given.pop("token_type_ids", None)
        with torch.inference_mode():
            found = model.generate(**given, generation_config=self._config)
        if not model.config.is_encoder_decoder:
            found = found[:, given["input_ids"].shape[1] :]
        return [text.strip() for text in tokenizer.batch_decode(found, skip_special_tokens=True)]

    @cached_property
    def _config(self) -> Any:
        """Plain greedy decoding, whatever a model's own generation_config.json asks for."""
        model, tokenizer = self._loaded
        ends = model.generation_config.eos_token_id
        ends = {*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id} - {None}
        return needed("transformers", _EXTRA).GenerationConfig(
            max_new_tokens=self._new_tokens,
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            eos_token_id=sorted(ends),
            pad_token_id=tokenizer.pad_token_id,
        )


def open_local(name: str, new_tokens: int, batch: int, dtype: Dtype) -> LocalGenerator:
    """A model by its name, as `training.places` knows it. Raises BadSetting where it is none, before it is loaded."""
    check_model(name)
    needed("torch", _EXTRA), needed("transformers", _EXTRA)
    computed = _by_device() if dtype == "auto" else dtype
    weights = digest(find_model(name).digest, computed)
    return LocalGenerator(name, weights, lambda: load(name, computed), new_tokens, batch)


def load(name: str, dtype: str) -> Loaded:
    """The model, on the GPU where there is one, and its tokenizer. Raises BadSetting where they cannot be loaded."""
    from dynosaur_core.training.models import load_model, load_tokenizer

    gpu = needed("torch", _EXTRA).cuda.is_available()
    return load_model(name, dtype).to("cuda" if gpu else "cpu"), load_tokenizer(name)


def _by_device() -> str:
    cuda = needed("torch", _EXTRA).cuda
    return "bfloat16" if cuda.is_available() and cuda.is_bf16_supported() else "float32"
