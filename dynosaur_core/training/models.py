"""Models and tokenizers, loaded for training and evaluation; `places` says where they lie.

Nothing of them is run as code: no `trust_remote_code`, and files of weights are read as weights alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from dynosaur_core.continual.encoders import needed
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.training.places import find_model

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def load_tokenizer(name: str) -> Any:
    """The model's tokenizer, with a padding token. Raises BadSetting where it cannot be loaded."""
    place = find_model(name)
    if place.base is not None and not (Path(place.name) / "tokenizer_config.json").exists():
        return load_tokenizer(place.base)
    with _loading(name):
        tokenizer = transformers.AutoTokenizer.from_pretrained(place.name, **place.given)
    if tokenizer.eos_token is None:
        raise DynosaurError(Code.BAD_SETTING, f"model {name!r}: its tokenizer has no token that ends a text (eos)")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # attention masks and labels do not go by it
    return tokenizer


def load_model(name: str, dtype: str = "float32", *, adapter: bool = False) -> Any:
    """The model, for the task that its configuration says: sequence to sequence, or causal.

    An adapter is merged into its model, unless `adapter`: then it stays one, and can be trained further. `dtype` is
    float32 or bfloat16. Raises BadSetting where it cannot be loaded.
    """
    place = find_model(name)
    if place.base is not None:
        peft = needed("peft", "train")
        model = load_model(place.base, dtype)
        with _loading(name):
            tuned = peft.PeftModel.from_pretrained(model, place.name, is_trainable=adapter)
            return tuned if adapter else tuned.merge_and_unload()
    with _loading(name):
        config = transformers.AutoConfig.from_pretrained(place.name, **place.given)
        kind = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
        model = kind.from_pretrained(place.name, dtype=_DTYPES[dtype], **place.given)
    if place.gguf:
        model.hf_quantizer.remove_quantization_config(model)  # the weights are whole again: trained and saved so
    return model


def is_causal(name: str) -> bool:
    """Whether the model reads on where the prompt ends; else an encoder reads the prompt. Raises BadSetting."""
    place = find_model(name)
    if place.base is not None:
        return is_causal(place.base)
    with _loading(name):
        return not transformers.AutoConfig.from_pretrained(place.name, **place.given).is_encoder_decoder


def commit_of(name: str) -> str:
    """The commit of a model of the Hub. Raises BadSetting where it cannot be loaded."""
    with _loading(name):
        config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
    return f"{name}@{getattr(config, '_commit_hash', None)}"


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """What the libraries raise for a model that is not there, not whole or not known becomes a BadSetting."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", category=FutureWarning, module="transformers"
            )  # it warns of its own calls
            yield
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"model {name!r} cannot be loaded: {error}") from error
