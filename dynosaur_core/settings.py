"""All settings: command flags, then DYNOSAUR_* variables, then dynosaur.toml, then the defaults here.

Nested ones are written `DYNOSAUR_SAMPLING__ROWS_PER_SPLIT=50`, or as a table `[sampling]` in dynosaur.toml; lists in
variables `a,b` or as JSON. Secrets are not settings: HF_TOKEN, OPENAI_API_KEY and AWS_* stay in the environment, where
their own clients read them.
"""

from __future__ import annotations

import json
import os
import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from dynosaur_core.models import Mode
from dynosaur_core.setting_names import check_variables


def _said(value: str) -> str:
    # no constraint of pydantic's: those refuse a path whose bytes are no UTF-8
    if not value.strip():
        raise ValueError("it is empty")
    return value


def _parts(value: Any) -> Any:
    if isinstance(value, str) and re.match(r'\s*\[\s*"', value):
        raise ValueError('a JSON list that does not end; write a,b or ["a", "b"]')
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Strings = Annotated[tuple[str, ...], BeforeValidator(_parts)]
"""A list; in a variable it is written `a,b` or as a JSON list."""


Seconds = Annotated[float, Field(gt=0, le=10**7)]
Wait = Annotated[float, Field(ge=0, le=10**7)]
"""Seconds, or none."""
Text = Annotated[str, AfterValidator(_said)]
Some = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Money = Annotated[float, Field(ge=0)]
"""US dollars."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Sampling(Section):
    """What is read of a dataset. Part of the metadata stage's key."""

    rows_per_split: int = Field(default=100, ge=1)
    """Rows sampled of each training and validation split, spread over the split."""
    include_test: bool = False
    """Sample test splits too. Off: test rows never become training records."""
    seed: int = 0
    """Chooses which rows; the same seed and revision give the same rows."""
    first_rows: bool = False
    """Take the first rows of each split instead of rows spread over it, as the 2023 system did."""
    max_row_bytes: Some = 1_000_000
    """A row beyond this (Arrow size in bytes) is left out."""
    max_bytes: Some = 32_000_000
    """Bytes of one subset's sample; rows beyond are left out."""
    max_columns: Some = 256
    max_subsets: Some = 400
    """Configs of one dataset."""
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
    """Datasets that were modified earlier are not listed."""
    search: str | None = None
    """A word in the dataset's id."""
    author: str | None = None
    tags: Strings = ()
    """Tags that a dataset must have, such as `language:en`."""
    census: str | None = None
    """Parquet file with the Hub's metadata (any fsspec URL), read instead of the listing."""
    verify_per_growth: Count = 500
    """Released datasets that the listing did not show are looked up, one request each, so many in a growth: a deletion
    shows in no listing."""


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
    max_per_owner: Count | None = None
    """Datasets of one owner that take part at once, at most. Decided when a dataset is new or changed."""
    max_per_source: Count | None = None
    """Datasets that say that they are drawn from the same source (`source_datasets` of their cards), at most."""


class Llm(Section):
    """How the model is asked. The parts that change its answers are part of the request's digest."""

    api: Literal["chat", "responses"] = "chat"
    structured: Literal["auto", "schema", "json", "text"] = "auto"
    """How answers are kept in form; auto finds out once per endpoint and model."""
    temperature: Annotated[float, Field(ge=0)] | None = 0.0
    seed: int | None = None
    reasoning_effort: str | None = None
    max_output_tokens: Some = 1_000
    timeout_s: Seconds = 60.0
    retry_s: Wait = 300.0
    """Seconds in which a transient error is tried again before the dataset fails with its code."""
    max_in_flight: int = Field(default=16, ge=1)
    requests_per_minute: Some | None = None
    tokens_per_minute: Some | None = None
    price_input: Money | None = None
    """US dollars per million prompt tokens; overrides the price table, with price_output."""
    price_cached: Money | None = None
    price_output: Money | None = None
    batch: bool = False
    """Send requests through the Batch API: half the price, answers within 24 hours."""
    batch_wait_s: Wait = 3_600.0
    """Seconds that a growth waits for its batches; what comes later is collected by the next one."""
    batch_poll_s: Wait = 30.0
    """Seconds between two looks at a batch."""
    one_call: bool = True
    """Ask for both modes in one request."""


class Designing(Section):
    """Who designs tasks, and what they are shown."""

    designers: Annotated[tuple[Mode, ...], BeforeValidator(_parts)] = (Mode.DESCRIPTION_AWARE, Mode.DESCRIPTION_UNAWARE)
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


class Filtering(Section):
    """What counts as a valid task. Part of the filter stage's key."""

    recipe: Literal["default", "reference"] = "default"
    max_tasks: Some = 3
    min_rows: Count = 8
    """Rows with inputs and output that a task must have."""
    max_labels: Count = 10
    """With at most this many distinct outputs an output is a closed set (10 in the reference)."""
    max_label_chars: Count = 15
    """Longest label that is listed in the instruction (15 in the reference)."""


class Publishing(Section):
    """How rows become records. Part of the publish stage's key."""

    recipe: Literal["default", "reference"] = "default"
    max_input_chars: Some = 2_000
    max_output_chars: Some = 2_000
    max_labels: Count = 10
    max_label_chars: Count = 15


class ReleaseSettings(Section):
    """How a release is laid out."""

    shard_records: Some = 200_000
    """Records of one file, at most."""
    title: str = "Dynosaur instruction data"
    private: bool = True
    """A Hub repository that is created by a release is private unless told otherwise."""


class Settings(BaseSettings):
    """Everything that can be set. Sections have their own keys; see the fields of each."""

    model_config = SettingsConfigDict(
        env_prefix="DYNOSAUR_",
        env_nested_delimiter="__",
        toml_file="dynosaur.toml",
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
    )

    catalog: Text = "hub"
    """`hub` (or `hf://datasets`), a folder in the Hub's layout, or a .jsonl export (local or any fsspec URL)."""
    catalog_name: Annotated[str | None, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")] = None
    """What a folder or export is known by in the ledger, wherever it lies; default: by its place."""
    store: Text = ".dynosaur"
    """Folder or fsspec URL of everything that is kept between growths."""
    release: Strings = ()
    """Where releases go: folders, s3://bucket/path, hf://datasets/<repo>."""
    ledger: str | None = None
    """SQLAlchemy URL; default: an SQLite file in the store."""
    model: Text = "gpt-5.6-luna"
    viewer_url: str | None = None
    """The dataset viewer's address; derived from HF_ENDPOINT when not set."""
    local_model: str | None = None
    """GGUF file for the embedded model: a path, or hf://owner/repo/file."""
    max_cost_usd: Money | None = None
    """Cap of one growth in US dollars."""
    max_cost_usd_month: Money | None = None
    max_failure_ratio: float = Field(default=0.2, ge=0, le=1)
    """A growth with more failed branches than this share ends Failed."""
    max_withdrawn_ratio: float = Field(default=0.2, ge=0, le=1)
    """A larger share of the released datasets is not withdrawn at once, unless `--withdraw-many` says so."""
    withdrawn_floor: int = Field(default=5, ge=0)
    """So many may be withdrawn at once whatever their share, as long as something stays."""
    concurrency: int = Field(default=8, ge=1)
    """Branches at work at once."""
    wave_size: int = Field(default=500, ge=1)
    """Datasets of one wave; a larger plan is cut into waves, each a flow run of its own."""

    hub: Hub = Hub()
    sampling: Sampling = Sampling()
    reading: Reading = Reading()
    policy: Policy = Policy()
    llm: Llm = Llm()
    designing: Designing = Designing()
    filtering: Filtering = Filtering()
    publishing: Publishing = Publishing()
    releasing: ReleaseSettings = ReleaseSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls), TomlConfigSettingsSource(settings_cls)


class _Environment(EnvSettingsSource):
    """Variables as people write them: what is not JSON is text, and the field says whether text will do.

    One that is no setting raises BadSetting: a mistyped name would otherwise leave the default in its place.
    """

    def __call__(self) -> dict[str, Any]:
        check_variables(Settings, os.environ)
        return super().__call__()

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return json.loads(value)
        except ValueError:
            return value
