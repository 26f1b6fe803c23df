"""A model on this machine through transformers (the extra `train`): seq2seq or causal, a LoRA adapter or a whole one.

Greedy decoding in batches of prompts of like length. Prompts of a causal model are padded on the left, so that each
text goes on where its prompt ends. Code that comes with a model is never run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from dynosaur_core.continual.encoders import needed
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.evaluation.generators import Generated
from dynosaur_core.models import Usage

_EXTRA = "train"
_ADAPTER = "adapter_config.json"
_CHUNK = 1 << 24
_BESIDE = (".", "README", "optimizer", "scheduler", "rng_state", "training", "trainer", "metrics")
"""How the files of a model's folder begin on which no text depends."""
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
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
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


def open_local(name: str, new_tokens: int, batch: int) -> LocalGenerator:
    """A model of the Hub by its name, or a folder. Raises BadSetting where it is neither, before anything is loaded."""
    weights = digest(_weights(name), str(_dtype()))
    return LocalGenerator(name, weights, lambda: load(name), new_tokens, batch)


def _dtype() -> Any:
    torch = needed("torch", _EXTRA)
    return torch.bfloat16 if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else torch.float32


def load(name: str) -> Loaded:
    """The model, on the GPU where there is one, and its tokenizer. Raises BadSetting where they cannot be loaded."""
    torch, library = needed("torch", _EXTRA), needed("transformers", _EXTRA)
    adapted, base = _base(name)
    library.utils.logging.disable_progress_bar()  # the bar of the predictions is enough
    try:
        has_tokenizer = not adapted or Path(name, "tokenizer_config.json").is_file()
        tokenizer = library.AutoTokenizer.from_pretrained(name if has_tokenizer else base)
        kind = library.AutoConfig.from_pretrained(base).is_encoder_decoder
        auto = library.AutoModelForSeq2SeqLM if kind else library.AutoModelForCausalLM
        model = auto.from_pretrained(base, dtype=_dtype())
        if adapted:
            model = needed("peft", _EXTRA).PeftModel.from_pretrained(model, name).merge_and_unload()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"the model {name!r} cannot be loaded: {error}") from error
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer


def _base(name: str) -> tuple[bool, str]:
    """Whether a folder holds an adapter, and the model that it is of; the model itself where it does not."""
    try:
        found = json.loads(Path(name, _ADAPTER).read_bytes())
        return True, str(found["base_model_name_or_path"])
    except (FileNotFoundError, NotADirectoryError):
        return False, name
    except (ValueError, KeyError, TypeError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"{_ADAPTER} of {name} does not say which model it is of") from error


def _weights(name: str) -> str:
    """A digest of a folder's files, with the model that an adapter is of; for a model of the Hub its commit."""
    if Path(name).is_dir():
        files = [path for path in sorted(Path(name).iterdir()) if path.is_file() and not path.name.startswith(_BESIDE)]
        adapted, base = _base(name)
        return digest([(path.name, _digest(path)) for path in files], _weights(base) if adapted else None)
    library = needed("transformers", _EXTRA)
    try:
        config = library.AutoConfig.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        message = f"--model {name!r} is no folder here, and no model of the Hub that can be had: {error}"
        raise DynosaurError(Code.BAD_SETTING, message) from error
    return f"{name}@{getattr(config, '_commit_hash', None)}"


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            found.update(data)
    return found.hexdigest()[:32]
