"""The sections of the settings. The docstring of a field is its meaning in `dynosaur settings`, forms and help."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from dynosaur_core.models import Mode
from dynosaur_core.setting_types import Count, Money, Seconds, Section, Some, Strings, Text, Wait, parts

Recipe = Literal["default", "reference"]
Layout = Literal["lines", "sentences", "json"]


class Sampling(Section):
    """What is read of a dataset. Part of the metadata stage's key."""

    rows_per_split: int = Field(default=100, ge=1)
    """Rows sampled of each training and validation split, spread over the split."""
    include_test: bool = False
    """Sample test splits too. Off: test rows never become training records."""
    seed: int = 0
    """Chooses the rows. The same seed and revision yield the same rows."""
    first_rows: bool = False
    """Take the first rows of each split instead of rows spread over it, as the 2023 system did."""
    max_row_bytes: Some = 1_000_000
    """Bytes in Arrow's memory. A larger row is left out."""
    max_bytes: Some = 32_000_000
    """Bytes of one subset's sample. Rows beyond this are left out."""
    max_columns: Some = 256
    """A config with more columns is refused."""
    max_subsets: Some = 400
    """A dataset with more configs fails as TooManySubsets."""
    deadline_s: Seconds = 300.0
    """Seconds for reading one dataset; then the process that reads it is ended."""


class Reading(Section):
    """The child processes in which the files of datasets are parsed. Part of no key."""

    processes: int = Field(default_factory=lambda: min((os.cpu_count() or 1) + 1, 8), ge=1)
    """Processes at work at once, at most; they are started as they are needed. By default one more than this machine
    has cores, and 8 at most: each may take max_memory_bytes."""
    max_memory_bytes: int = Field(default=2_000_000_000, ge=100_000_000)
    """Memory of one process beyond the interpreter's; a dataset that takes more fails as ReaderDied."""
    datasets_per_process: int = Field(default=200, ge=1)
    """Datasets after which a process is replaced, with all the memory that it may have lost."""


class Hub(Section):
    """Which part of the Hub is surveyed when the catalogue is `hub`."""

    since: datetime | None = None
    """List only datasets of the Hub that were modified at or after this moment."""
    search: str | None = None
    """List only datasets of the Hub with this word in their id."""
    author: str | None = None
    """List only datasets of the Hub that belong to this owner."""
    tags: Strings = ()
    """List only datasets of the Hub that have all of these tags, such as `language:en`."""
    census: str | None = None
    """Parquet file with the Hub's metadata (any fsspec URL), read instead of the listing."""
    verify_per_growth: Count = 500
    """How many released datasets that the listing did not show are looked up in each growth, with one request each. The
    Hub's listing never reports a deletion."""


class Policy(Section):
    """Which datasets may take part; the table of licences is policy/licenses.toml."""

    languages: Strings = ("en", "code")
    """Accepted language tags."""
    untagged_language: Literal["detect", "accept", "refuse"] = "detect"
    """What a dataset without a language tag means: detection by content, English, or refusal."""
    allow_licenses: Strings = ()
    """Accepted in addition to the policy table."""
    refuse_licenses: Strings = ()
    """Refused in addition to the policy table; stronger than allow_licenses."""
    non_commercial: bool = False
    """Accept licences for non-commercial use only."""
    blocklist: Strings = ()
    """Patterns (fnmatch) of repo ids that are never grown."""
    overrides: str | None = None
    """TOML file with a table per dataset: license, languages, refuse."""
    max_size_bytes: Count | None = None
    """Bytes. A dataset whose files are larger is refused, if the listing states their size."""
    max_per_owner: Count | None = None
    """Datasets of one owner that take part at once, at most. Decided when a dataset is new or changed."""
    max_per_source: Count | None = None
    """Datasets that say that they are drawn from the same source (`source_datasets` of their cards), at most."""


class Llm(Section):
    """How the model is asked. The parts that change its answers are part of the request's digest."""

    api: Literal["chat", "responses"] = "chat"
    """Which of the endpoint's APIs is called: Chat Completions or Responses."""
    structured: Literal["auto", "schema", "json", "text"] = "auto"
    """How the form of answers is enforced. `auto` finds out once per endpoint and model."""
    temperature: Annotated[float, Field(ge=0)] | None = 0.0
    """Sent with each request, unless the endpoint refuses it."""
    seed: int | None = None
    """Sent with each request where it is set."""
    reasoning_effort: str | None = None
    """Sent with each request where it is set, such as `low`."""
    max_output_tokens: Some = 1_000
    """Tokens of one answer; one that is cut off there is asked for once more with more room."""
    timeout_s: Seconds = 60.0
    """Seconds for one request."""
    retry_s: Wait = 300.0
    """Seconds during which a request is retried after transient errors, before its dataset fails with the last one."""
    max_in_flight: int = Field(default=16, ge=1)
    """Requests at work at once."""
    requests_per_minute: Some | None = None
    """Limit of the account. The limits that the endpoint's headers state are kept too."""
    tokens_per_minute: Some | None = None
    """Limit of the account, prompt and completion tokens together."""
    price_input: Money | None = None
    """US dollars per million prompt tokens; overrides the price table, with price_output."""
    price_cached: Money | None = None
    """US dollars per million prompt tokens that the endpoint reads from its cache; default: price_input."""
    price_output: Money | None = None
    """US dollars per million completion tokens; overrides the price table, with price_input."""
    batch: bool = False
    """Ask by the Batch API: half the price, answers within 24 hours."""
    batch_wait_s: Wait = 3_600.0
    """Seconds that a growth waits for its batches. The next growth collects answers that arrive later."""
    batch_poll_s: Wait = 30.0
    """Seconds between two looks at a batch."""
    one_call: bool = True
    """Ask for both modes in one request."""


class Designing(Section):
    """Who designs tasks, and what they are shown."""

    designers: Annotated[tuple[Mode, ...], BeforeValidator(parts)] = (Mode.DESCRIPTION_AWARE, Mode.DESCRIPTION_UNAWARE)
    """Who designs tasks: `description_aware` and `description_unaware` are the model with and without the card's
    summary, `rules` is none."""
    max_tasks: int = Field(default=3, ge=1)
    """Tasks asked for in one answer."""
    zero_shot: bool = False
    """No in-context examples: for small local models, which copy them."""
    share_configs: bool = True
    """Configs of one dataset with the same features share one design."""
    max_value_chars: Some = 400
    """Characters of one shown value."""
    max_row_chars: Some = 2_000
    """Characters of one shown row."""

    @property
    def asks_model(self) -> bool:
        """Whether any designer is a model."""
        return any(mode is not Mode.RULES for mode in self.designers)


class Judging(Section):
    """Whether a model reads what the filter let pass, and says what is wrong with it."""

    judge: Literal["auto", "on", "off"] = "auto"
    """`auto` judges where a model designs through an API: not for zero-shot designers, which are small local models,
    nor for `rules` alone or the recipe of 2023."""
    model: str | None = None
    """The model that judges; default: the one that designs."""
    price_input: Money | None = None
    """US dollars per million prompt tokens of judging.model, as llm.price_input."""
    price_cached: Money | None = None
    """US dollars per million prompt tokens of judging.model that the endpoint reads from its cache."""
    price_output: Money | None = None
    """US dollars per million completion tokens of judging.model, as llm.price_output."""


class Filtering(Section):
    """What counts as a valid task. Part of the filter stage's key."""

    recipe: Recipe = "default"
    """The rules of this project, or those of 2023 for comparison; `--recipe` sets it for all stages."""
    max_tasks: Some = 3
    """At most this many tasks of one answer are accepted."""
    min_rows: Count = 8
    """A task needs at least this many rows that have its inputs and its output."""
    max_labels: Count = 10
    """An output with at most this many distinct values counts as a closed set (10 in the reference)."""


class Publishing(Section):
    """How rows become records. Part of the publish stage's key."""

    recipe: Recipe = "default"
    """As filtering.recipe, which is the setting of both: it stands here because it is part of this stage's key."""
    max_input_chars: Some = 2_000
    """Characters of a record's input; a longer one is shortened, or its row rejected."""
    max_output_chars: Some = 2_000
    """Characters of a record's output; a row with a longer one is rejected."""
    layout: Layout = "lines"
    """How several inputs of a record stand together: `lines` (`Question: ...`, each on a line of its own, long texts
    last), `sentences` (`question is '...'. `, as in 2023) or `json` (an object)."""
    max_listed_chars: Count = 1_000
    """All labels of a closed set are listed in the instruction if the list has at most this many characters. Otherwise
    options are drawn for each row."""
    row_options: int = Field(default=10, ge=2)
    """How many options are drawn for a row, the right one among them."""


SHARED = ("recipe",)
"""Fields that `Publishing` takes over from `Filtering`. Each is a part of both stages' keys: a section of its own
would give every stored result another name, and make every dataset grow anew."""


class Waves(Section):
    """Who does the work of a growth. Part of no stage's key."""

    deployment: Text | None = None
    """The deployment that runs the waves of a large plan, such as `wave/wave`: all workers of its pool share a growth.
    Without it the growth's own process runs them."""
    at_once: Some = 10
    """Waves that are handed to the workers at once."""
    silence_s: Seconds = 120.0
    """A wave whose process has not been heard of for so long goes to another one."""
    wait_s: Wait = 600.0
    """Seconds after which a wave that no worker has taken is run by the growth's own process."""
    engine: Literal["threads", "dask", "ray"] = "threads"
    """What runs the tasks of a growth or a wave: threads of its process, or a cluster (extras `dask` and `ray`)."""
    address: Text | None = None
    """The cluster's address, such as tcp://scheduler:8786 or ray://head:10001. Without it one is started here, with
    `concurrency` processes."""


class Embedding(Section):
    """How instructions become vectors, by which `dynosaur replay` compares tasks. Part of no stage's key."""

    encoder: Literal["minilm", "minilm-int8", "sentence-transformers", "endpoint", "hashing"] = "minilm"
    """What embeds: `minilm` is all-MiniLM-L6-v2 from the Hub, or its int8 weights (`minilm-int8`, see `make minilm`)
    where the Hub cannot be reached; `sentence-transformers` and `endpoint` need a model; `hashing` compares words."""
    model: Text | None = None
    """The model's name for sentence-transformers (on the Hub, or a folder) or at the endpoint; for `minilm` a folder
    with model.onnx and tokenizer.json."""
    base_url: str | None = None
    """The endpoint's address where it is not OPENAI_BASE_URL. Its key is OPENAI_API_KEY."""
    batch_size: int = Field(default=128, ge=1, le=2_048)
    """Texts of one request to the endpoint."""
    timeout_s: Seconds = 60.0
    """Seconds for one request to the endpoint."""
    price: Money | None = None
    """US dollars per million tokens at the endpoint; overrides the price table."""


class Evaluation(Section):
    """Where suites lie. Part of no stage's key."""

    superni: Text | None = None
    """What `dynosaur evaluate --suite superni` reads: a copy of github.com/allenai/natural-instructions, or a file with
    its tasks as JSON lines."""


class Metrics(Section):
    """Where a growth's figures go, for Prometheus. Part of no stage's key."""

    textfile_folder: Text | None = None
    """Folder of the node exporter's textfile collector. A growth writes a file of its figures there."""
    pushgateway: Annotated[str, Field(pattern=r"^https?://[^/@\s]+(/[^@\s]*)?$")] | None = None
    """Address of a Pushgateway, to which a growth pushes its figures."""
    job: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")] = "dynosaur"
    """What the figures are known by: another name for each store that grows on its own."""


class ReleaseSettings(Section):
    """How a release is laid out."""

    shard_records: Some = 200_000
    """At most this many records stand in one file."""
    title: str = "Dynosaur instruction data"
    """Heading of the dataset card."""
    private: bool = True
    """Whether a Hub repository that a release creates is private."""
