"""The words of what an instance is made of: models, embeddings, checks and settings, and how each of them is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from devops_chatbot.i18n import Reason

State = Literal["ready", "disabled", "failed", "unknown"]
Origin = Literal["default", "file", "environment", "switched"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A language model; `roles` are those it is assigned to, `why` belongs to `state`."""

    name: str
    provider: str
    model: str
    context: int = 0
    roles: tuple[str, ...] = ()
    state: State = "unknown"
    why: Reason | None = None
    extractive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelList:
    """Every language model, and which do each role; `switched` are the roles not done as the settings say."""

    models: tuple[ModelInfo, ...]
    roles: Mapping[str, tuple[str, ...]]
    switched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingInfo:
    """An embedding model; `default` is what a new knowledge base gets."""

    name: str
    provider: str
    model: str = ""
    default: bool = False
    state: State = "unknown"
    why: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of really using something once."""

    ok: bool
    seconds: float
    detail: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that the product needs, and how it is."""

    name: str
    state: State
    why: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether everything necessary is ready, and each thing with its state."""

    ready: bool
    version: str
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value in force: its dotted key, the value as text (secrets hidden), and where it comes from."""

    key: str
    value: str
    origin: Origin
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsInForce:
    """`file` is the settings file that was read, when there is one. A role that was given to other models at run time
    stands here with them, and its origin is `switched`.
    """

    file: str | None = None
    settings: tuple[Setting, ...]
