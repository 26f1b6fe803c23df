"""Any model of sentence-transformers by its name on the Hub or its folder; its extra `embeddings-st` brings torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dynosaur_core.continual.encoders import CHUNK, Vectors, needed
from dynosaur_core.digest import digest
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.models import Usage


class SentenceTransformersEncoder:
    def __init__(self, model: str) -> None:
        """Raises BadSetting where the model cannot be loaded. Code that comes with a model is never run."""
        library = needed("sentence_transformers", "embeddings-st")
        try:
            self._model = library.SentenceTransformer(model, trust_remote_code=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise DynosaurError(Code.BAD_SETTING, f"embedding.model {model!r} cannot be loaded: {error}") from error
        self.name = f"sentence-transformers {model}"
        commit = getattr(getattr(self._model[0], "auto_model", None), "config", None)
        # of a folder nothing but its path is known
        self.digest = digest("sentence-transformers", model, getattr(commit, "_commit_hash", None))
        self.usage, self.chunk = Usage(), CHUNK

    def encode(self, texts: Sequence[str]) -> Vectors:
        found = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(found, dtype=np.float32)
