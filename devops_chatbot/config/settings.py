"""What the operator can set: one file `chatbot.toml` and the environment `CHATBOT_…` (nested with `__`)."""

import codecs
import os
import tomllib
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from devops_chatbot.config.errors import below_a_value, mistakes, not_json
from devops_chatbot.config.sandbox import Address, SandboxSettings
from devops_chatbot.errors import ConfigError
from devops_chatbot.i18n import Reason

APP = "devops-chatbot"
PREFIX = "CHATBOT_"
FILE_VARIABLE = "CHATBOT_CONFIG"
EXTRACTIVE = "extractive"
BUNDLED = "bundled"
FAST = "fast"
LEAST_TO_READ = 512
"""Tokens of a model's context that are left for our rules (about 300), a question and one passage."""

Provider = Literal["openai-compatible", "openai", "azure", "anthropic", "ollama"]


def _absolute(path: Path) -> Path:
    return path.expanduser().resolve()


def _named(path: object) -> object:
    if isinstance(path, str) and not path.strip():
        raise ValueError(Reason("settings.empty_path", value=path))
    return path


def _sendable(key: SecretStr) -> SecretStr:
    if not key.get_secret_value().strip():
        raise ValueError(Reason("settings.empty_key"))
    return _of_a_header(key)


def _of_a_header(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if text != text.strip() or not text.isascii() or not text.isprintable():
        raise ValueError(Reason("settings.bad_key"))
    return key


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError(Reason("settings.empty_text", value=text))
    return text


AbsolutePath = Annotated[Path, BeforeValidator(_named), AfterValidator(_absolute)]
HeaderKey = Annotated[SecretStr, AfterValidator(_sendable)]
ProviderKey = Annotated[SecretStr, AfterValidator(_of_a_header)]
"""Empty where a provider wants none."""
Text = Annotated[str, AfterValidator(_not_blank)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    """Where the API and the web UI listen."""

    host: Text = Field(
        default="127.0.0.1", description="where API and web pages listen; beyond loopback only with a key"
    )
    port: int = Field(default=8600, ge=0, le=65535, description="0 picks a free port")
    ui_port: int = Field(default=8601, ge=0, le=65535, description="0 picks a free port")
    key: HeaderKey | None = Field(
        default=None, description="required to listen beyond loopback; clients send it as a bearer token"
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="names accepted in the Host header besides loopback and `host`"
    )

    @model_validator(mode="after")
    def _two_ports(self) -> "ServerSettings":
        if self.port == self.ui_port != 0:
            raise ValueError(Reason("settings.same_port", port=self.port))
        return self


class ModelSettings(_Section):
    """One named language model."""

    provider: Provider = Field(description="the kind of server behind it")
    model: Text = Field(description="the provider's own name of the model (for azure: the deployment)")
    base_url: Address | None = Field(default=None, description="address of the server; empty: the provider's own")
    api_key: ProviderKey | None = Field(default=None, description="sent to the provider")
    ca_file: AbsolutePath | None = Field(
        default=None, description="certificates (PEM) that are trusted besides those of the system"
    )
    api_version: str | None = Field(default=None, description="azure only")
    context: int = Field(default=8192, ge=1024, description="tokens the model can read and write together")
    max_output: int = Field(default=1024, ge=16, description="tokens of one answer")
    temperature: float | None = Field(default=None, ge=0, le=2, description="0 to 2; empty: the provider's own")
    timeout_s: float = Field(
        default=60, gt=0, description="longest silence of the model before it counts as unavailable"
    )
    tool_calls: Literal["native", "json"] = Field(
        default="native", description="how it calls tools: by its own protocol, or by JSON that it writes as text"
    )
    price_input: float = Field(default=0, ge=0, description="money for a million input tokens")
    price_output: float = Field(default=0, ge=0, description="money for a million output tokens")

    @model_validator(mode="after")
    def _complete(self) -> "ModelSettings":
        if self.provider in ("openai-compatible", "azure") and not self.base_url:
            raise ValueError(Reason("settings.no_base_url", provider=self.provider))
        if self.provider == "azure" and not self.api_version:
            raise ValueError(Reason("settings.no_api_version"))
        if self.context - self.max_output < LEAST_TO_READ:
            raise ValueError(
                Reason(
                    "settings.output_over_context",
                    max_output=self.max_output,
                    context=self.context,
                    most=self.context - LEAST_TO_READ,
                    least=LEAST_TO_READ,
                )
            )
        return self


class RoleSettings(_Section):
    """Which models do which work: the first that is reachable is taken. Empty means: no language model."""

    answer: tuple[str, ...] = Field(
        default=(), description="models that write answers, tried in this order; empty: extracts"
    )
    route: tuple[str, ...] = Field(default=(), description="models that understand follow-up questions; empty: rules")
    tools: tuple[str, ...] = Field(
        default=(), description="models that work with tools, tried in this order; empty: those that answer"
    )
    graph: tuple[str, ...] = Field(default=(), description="kept for graph building")


class EmbeddingSettings(_Section):
    """One named embedding model."""

    provider: Literal["bundled", "fast", "sentence-transformers", "openai-compatible"] = Field(
        description="the kind of embedding model"
    )
    model: str = Field(
        default="", description="a folder or hub name (sentence-transformers), or the endpoint's name of the model"
    )
    base_url: Address | None = Field(default=None, description="address of the endpoint")
    api_key: ProviderKey | None = Field(default=None, description="sent to the endpoint")
    english: bool = Field(default=False, description="the model reads English only, so that words decide elsewhere")
    batch: int = Field(default=64, ge=1, le=2048, description="texts a call")
    timeout_s: float = Field(default=60, gt=0, description="longest silence before the endpoint counts as unavailable")

    @model_validator(mode="after")
    def _complete(self) -> "EmbeddingSettings":
        if self.provider not in (BUNDLED, FAST) and not self.model:
            raise ValueError(Reason("settings.no_model", provider=self.provider))
        if self.provider == "openai-compatible" and not self.base_url:
            raise ValueError(Reason("settings.no_base_url", provider=self.provider))
        return self


class KnowledgeSettings(_Section):
    """How files become searchable, and how large they may be."""

    embedding: str = Field(default=BUNDLED, description="the embedding model that a new knowledge base gets")
    chunk_tokens: int = Field(default=220, ge=32, le=2048, description="size of a passage")
    overlap_tokens: int = Field(default=30, ge=0, le=512, description="tokens that neighbouring passages share")
    folders: tuple[AbsolutePath, ...] = Field(default=(), description="folders below which a folder source may be read")
    resync_minutes: float = Field(
        default=0, ge=0, description="how often followed sources are synced by themselves; 0: never"
    )
    vector_store: str = Field(default="chroma", description="backend of the vectors; packages may bring others")
    lexical_store: str = Field(default="tantivy", description="backend of the words")
    graph_store: str = Field(default="ladybug", description="backend of the graph")
    max_file_mb: int = Field(default=64, ge=1, description="one file")
    max_upload_mb: int = Field(default=1024, ge=1, description="all files of one upload, and an archive unpacked")
    max_archive_files: int = Field(default=20_000, ge=1, description="files in one archive")
    max_archive_ratio: int = Field(
        default=200, ge=2, description="unpacked size over packed size; more is taken for a bomb"
    )
    parse_timeout_s: float = Field(default=60, gt=0, description="longest time for one file")
    parse_memory_mb: int = Field(default=1024, ge=128, description="most memory of the process that reads files")

    @model_validator(mode="after")
    def _overlap_below_chunk(self) -> "KnowledgeSettings":
        if self.overlap_tokens * 2 > self.chunk_tokens:
            raise ValueError(Reason("settings.overlap"))
        return self


class ConversationSettings(_Section):
    """What a conversation may hold besides words."""

    attachment_mb: int = Field(default=32, ge=1, description="one attached file")
    attachments_mb: int = Field(default=96, ge=1, description="all attached files of a conversation")
    run_mb: int = Field(default=32, ge=0, description="figures, tables and files that are kept of one run of code")
    runs_mb: int = Field(default=256, ge=0, description="the same of all runs of a conversation")
    approval_hours: float = Field(
        default=24, gt=0, description="how long a call that changes something waits for a person"
    )


class GuardSettings(_Section):
    """Addresses that somebody else than the operator names: in a question, a document, a model's call."""

    allowed: tuple[str, ...] = Field(
        default=(),
        description="hosts, addresses and networks inside this network that may be reached at such an address",
    )


class UiSettings(_Section):
    """The web pages."""

    language: Literal["auto", "en", "zh"] = Field(default="auto", description="of the web pages; auto: the browser's")


class Settings(BaseSettings):
    """Everything that can be set. Read with `load`, which turns mistakes into `ConfigError`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    data_dir: AbsolutePath = Field(
        default_factory=lambda: user_data_path(APP, appauthor=False), description="where the product keeps everything"
    )
    server: ServerSettings = ServerSettings()
    models: dict[str, ModelSettings] = {}
    roles: RoleSettings = RoleSettings()
    embeddings: dict[str, EmbeddingSettings] = {}
    knowledge: KnowledgeSettings = KnowledgeSettings()
    conversations: ConversationSettings = ConversationSettings()
    tools: dict[str, dict[str, Any]] = {}
    """By the name of a toolset, which reads and checks its own (`agents.toolbox`)."""
    guard: GuardSettings = GuardSettings()
    ui: UiSettings = UiSettings()
    sandbox: SandboxSettings = SandboxSettings()

    @model_validator(mode="after")
    def _names_exist(self) -> "Settings":
        for role in RoleSettings.model_fields:
            for name in getattr(self.roles, role):
                if name not in self.models and name != EXTRACTIVE:
                    known = [*self.models, EXTRACTIVE]
                    raise ValueError(Reason("settings.unknown_model", role=role, name=name, known=known))
        if EXTRACTIVE in self.models:
            raise ValueError(Reason("settings.kept_name", key=f"models.{EXTRACTIVE}"))
        for kept in (BUNDLED, FAST):
            if kept in self.embeddings and self.embeddings[kept].provider != kept:
                raise ValueError(Reason("settings.kept_name", key=f"embeddings.{kept}"))
        if self.knowledge.embedding not in (BUNDLED, FAST, *self.embeddings):
            known, name = [BUNDLED, FAST, *self.embeddings], self.knowledge.embedding
            raise ValueError(Reason("settings.unknown_embedding", name=name, known=known))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 the signature is pydantic-settings' own
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = settings_file()
        sources = (init_settings, env_settings)
        return (*sources, _File(settings_cls, path)) if path else sources


class _File(TomlConfigSettingsSource):
    """The settings file, in any of the encodings in which an editor on Windows saves TOML."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, object]:
        return tomllib.loads(toml_text(file_path))


def toml_text(path: Path | Traversable) -> str:
    data = path.read_bytes()
    return data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")


def settings_file() -> Path | None:
    """The file in force: `$CHATBOT_CONFIG`, else `chatbot.toml` in the working directory, else none."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        path = _absolute(Path(named))
        if not path.is_file():
            raise ConfigError("settings.no_file", variable=FILE_VARIABLE, path=named)
        return path
    path = Path("chatbot.toml").resolve()
    return path if path.is_file() else None


def load() -> Settings:
    """Read file and environment. Raises `ConfigError` naming each wrong key, its value and what was expected."""
    _refuse_unknown_variables()
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigError("settings.mistakes", mistakes=list(mistakes(error, Settings, PREFIX))) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("settings.not_toml", file=settings_file(), error=error) from None
    except SettingsError as error:  # a list or table in the environment that is not JSON
        problem = not_json(error, PREFIX, Settings)
        raise ConfigError(problem) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("settings.unreadable", file=settings_file(), error=error) from None


def own_variables() -> Iterator[str]:
    """The variables of the environment that set something."""
    return (name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() != FILE_VARIABLE)


def _refuse_unknown_variables() -> None:
    """Raises `ConfigError` for a variable that pydantic-settings would not look at."""
    known = set(Settings.model_fields)
    for name in own_variables():
        path = name.upper().removeprefix(PREFIX).lower().split("__")
        if path[0] not in known:
            raise ConfigError(
                "settings.unknown_variable", variable=name, known=[PREFIX + key.upper() for key in sorted(known)]
            )
        value = below_a_value(path, Settings)
        if value:
            raise ConfigError("settings.below_a_value", variable=name, key=value)
