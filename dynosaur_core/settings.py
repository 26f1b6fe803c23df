"""All settings: command flags, then DYNOSAUR_* variables, then dynosaur.toml, then the defaults here.

Nested ones are written `DYNOSAUR_SAMPLING__ROWS_PER_SPLIT=50`, or as a table `[sampling]` in dynosaur.toml; lists in
variables `a,b` or as JSON. Secrets are not settings: HF_TOKEN, OPENAI_API_KEY and AWS_* stay in the environment, where
their own clients read them.
"""

from __future__ import annotations

import json
import os
from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.setting_names import check_variables, section_of
from dynosaur_core.setting_sections import (
    SHARED,
    Designing,
    Embedding,
    Evaluation,
    Filtering,
    Hub,
    Judging,
    Llm,
    Metrics,
    Policy,
    Publishing,
    Reading,
    ReleaseSettings,
    Sampling,
    Waves,
)
from dynosaur_core.setting_types import Money, Strings, Text

__all__ = [
    "Designing",
    "Embedding",
    "Evaluation",
    "Filtering",
    "Hub",
    "Judging",
    "Llm",
    "Metrics",
    "Policy",
    "Publishing",
    "Reading",
    "ReleaseSettings",
    "Sampling",
    "Settings",
    "Waves",
]


class Settings(BaseSettings):
    """Everything that can be set. Sections have their own keys; see the fields of each."""

    model_config = SettingsConfigDict(
        env_prefix="DYNOSAUR_",
        env_nested_delimiter="__",
        toml_file="dynosaur.toml",
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    catalog: Text = "hub"
    """Where datasets come from."""
    catalog_name: Annotated[str | None, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")] = None
    """What a folder or export is known by, wherever it lies: for one that was moved, or a namesake."""
    store: Text = ".dynosaur"
    """Folder or fsspec URL of everything that is kept between growths."""
    release: Strings = ()
    """Where releases go."""
    ledger: str | None = None
    """SQLAlchemy URL; default: an SQLite file in the store."""
    model: Text = "gpt-5.6-luna"
    """The model that designs tasks, as its endpoint (OPENAI_BASE_URL) names it."""
    viewer_url: str | None = None
    """The dataset viewer's address; derived from HF_ENDPOINT when not set."""
    local_model: str | None = None
    """GGUF file for the embedded model: a path, or hf://owner/repo/file."""
    max_cost_usd: Money | None = None
    """Cap on what the model may cost in one growth, in US dollars."""
    max_cost_usd_month: Money | None = None
    """Cap of one calendar month in US dollars."""
    max_failure_ratio: float = Field(default=0.2, ge=0, le=1)
    """A growth with more failed branches than this share ends Failed."""
    failure_floor: int = Field(default=5, ge=0)
    """So many branches may fail whatever their share: of a night with three new datasets one is soon a third."""
    max_withdrawn_ratio: float = Field(default=0.2, ge=0, le=1)
    """A larger share of the released datasets is not withdrawn at once, unless `--withdraw-many` says so."""
    withdrawn_floor: int = Field(default=5, ge=0)
    """So many may be withdrawn at once whatever their share, as long as something stays."""
    wait_for_growth_s: float = Field(default=21_600, ge=0)
    """So many seconds a growth or backfill waits for another one on the same store to end."""
    concurrency: int = Field(default=8, ge=1)
    """Branches at work at once."""
    wave_size: int = Field(default=500, ge=1)
    """Datasets of one wave; a larger plan is cut into waves, each a flow run of its own."""

    waves: Waves = Waves()
    hub: Hub = Hub()
    sampling: Sampling = Sampling()
    reading: Reading = Reading()
    policy: Policy = Policy()
    llm: Llm = Llm()
    designing: Designing = Designing()
    filtering: Filtering = Filtering()
    judging: Judging = Judging()
    publishing: Publishing = Publishing()
    releasing: ReleaseSettings = ReleaseSettings()
    embedding: Embedding = Embedding()
    evaluation: Evaluation = Evaluation()
    metrics: Metrics = Metrics()

    @property
    def judges(self) -> bool:
        """Whether a model judges what the filter lets pass."""
        if self.judging.judge != "auto":
            return self.judging.judge == "on"
        return self.designing.asks_model and not self.designing.zero_shot and self.filtering.recipe == "default"

    @property
    def asks_model(self) -> bool:
        """Whether any stage asks a model."""
        return self.designing.asks_model or self.judges

    @model_validator(mode="before")
    @classmethod
    def _hand_on(cls, given: Any) -> Any:
        """What filter and publish share is set for the filter, and handed on."""
        sections = [given.get(name, {}) for name in ("filtering", "publishing")] if isinstance(given, dict) else []
        if not sections or not all(isinstance(section, dict) for section in sections):
            return given
        filtering, publishing = sections
        shared = {name: filtering[name] for name in SHARED if name in filtering}
        return {**given, "publishing": shared | publishing}

    @model_validator(mode="after")
    def _agree(self) -> Self:
        first, second = dict(self.filtering), dict(self.publishing)
        if different := [name for name in SHARED if first[name] != second[name]]:
            raise ValueError(f"publishing.{different[0]} follows filtering.{different[0]}: set that one alone")
        return self

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


def environment() -> dict[str, Any]:
    """What DYNOSAUR_* variables set, section by section."""
    return _Environment(Settings)()


class _Environment(EnvSettingsSource):
    """Variables as people write them: what is not JSON is text, and the field says whether text will do.

    One that is no setting raises BadSetting: a mistyped name would otherwise leave the default in its place.
    """

    def __call__(self) -> dict[str, Any]:
        check_variables(Settings, os.environ)
        found = super().__call__()
        for name, value in found.items():
            if section_of(Settings.model_fields[name]) and not isinstance(value, dict):
                # an option of the same section would hide it
                raise DynosaurError(Code.BAD_SETTING, f"{name}: a section is a JSON object")
        return found

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return json.loads(value)
        except ValueError:
            return value
