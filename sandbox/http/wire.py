"""How the sandbox's words cross HTTP: the bodies that its routes take and give, and the way to and from our own values.

Once released, names stay: add fields, with defaults, and do not rename. A reader ignores fields it does not know.
"""

import base64
import dataclasses
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from devops_chatbot.chat import writable
from sandbox.model import (
    DEFAULT_LANGUAGE,
    Artifact,
    ArtifactKind,
    Chunk,
    Execution,
    FileEntry,
    Limits,
    Reached,
    Readiness,
    SessionInfo,
    SessionState,
    Stream,
)

CALLER_HEADER = "X-Sandbox-Caller"
"""Whom a client of a sandbox server speaks for."""


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True, extra="ignore")


class _Taken(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _writable(cls, given: object) -> object:
        return writable(given)


class LimitsBody(_Taken):
    """Limits by name; what is left out is as the server has it."""

    seconds: float | None = None
    memory_mb: int | None = None
    cpus: float | None = None
    processes: int | None = None
    disk_mb: int | None = None
    open_files: int | None = None
    output_bytes: int | None = None
    artifact_bytes: int | None = None

    def over(self, usual: Limits, *, network: tuple[str, ...]) -> Limits:
        """The limits with what is left out taken from `usual`."""
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        return dataclasses.replace(usual, **given, network=network)


class NewSandbox(_Taken):
    """Opens a session. `network` names hosts that its code may reach, as far as the operator allows them."""

    language: str = DEFAULT_LANGUAGE
    limits: LimitsBody = LimitsBody()
    network: tuple[str, ...] = Field((), max_length=64)


class NewRun(_Taken):
    """Runs code in a session."""

    code: str
    language: str | None = None
    timeout_s: float | None = Field(None, gt=0)


class ChunkBody(_Given):
    """A piece of output, as it comes."""

    stream: Stream
    text: str


class ArtifactBody(_Given):
    """A figure or a table with its data in base64, or the name of a file to fetch."""

    kind: ArtifactKind
    name: str
    mime: str
    size: int
    data: str = ""

    @classmethod
    def of(cls, artifact: Artifact) -> "ArtifactBody":
        data = base64.b64encode(artifact.data).decode("ascii")
        return cls(kind=artifact.kind, name=artifact.name, mime=artifact.mime, size=artifact.size, data=data)

    def value(self) -> Artifact:
        """As our own word. Raises ValueError for data that is no base64."""
        return Artifact(
            kind=self.kind,
            name=self.name,
            mime=self.mime,
            size=self.size,
            data=base64.b64decode(self.data, validate=True),
        )


class ExecutionBody(_Given):
    """How a run ended."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool = False
    interrupted: bool = False
    truncated: bool = False
    state_lost: bool = False
    why: str = ""
    artifacts: tuple[ArtifactBody, ...] = ()

    @classmethod
    def of(cls, execution: Execution) -> "ExecutionBody":
        fields = {name: getattr(execution, name) for name in cls.model_fields if name != "artifacts"}
        return cls(**fields, artifacts=tuple(map(ArtifactBody.of, execution.artifacts)))

    def value(self) -> Execution:
        """As our own word."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields if name != "artifacts"}
        return Execution(**fields, artifacts=tuple(artifact.value() for artifact in self.artifacts))


class FileBody(_Given):
    """A file in a session's folder."""

    path: str
    size: int

    def value(self) -> FileEntry:
        return FileEntry(path=self.path, size=self.size)


class ReachedBody(_Given):
    """What a session reached, or tried to."""

    host: str
    port: int
    allowed: bool
    why: str
    count: int
    bytes_out: int
    bytes_in: int
    credentials: bool = False


class FullLimits(_Given):
    """The limits in force."""

    seconds: float
    memory_mb: int
    cpus: float
    processes: int
    disk_mb: int
    open_files: int
    output_bytes: int
    artifact_bytes: int
    network: tuple[str, ...] = ()


class SessionBody(_Given):
    """A session; times are seconds since 1970."""

    id: str
    language: str
    languages: tuple[str, ...]
    caller: str
    state: SessionState
    limits: FullLimits
    created_at: float
    used_at: float
    expires_at: float
    runs: int
    engine: str
    reached: tuple[ReachedBody, ...] = ()

    def value(self, *, engine: str | None = None, caller: str | None = None) -> SessionInfo:
        """As our own word, with the engine as seen from here."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        fields |= {
            "limits": Limits(**self.limits.model_dump()),
            "reached": tuple(Reached(**row.model_dump()) for row in self.reached),
            "engine": engine or self.engine,
            "caller": self.caller if caller is None else caller,
        }
        return SessionInfo(**fields)


class ReadinessBody(_Given):
    """What the sandbox can do now."""

    engine: str
    image: str
    digest: str
    version: str
    runtime: str
    languages: tuple[str, ...]
    sessions: int
    warm: int
    capacity: int

    def value(self) -> Readiness:
        return Readiness(**self.model_dump())


class ResultBody(_Given):
    """What became of one attack of the self-test."""

    attack: str
    held: bool
    detail: str
    control: str
    seconds: float


def chunk_body(chunk: Chunk) -> ChunkBody:
    """A chunk as it crosses the wire."""
    return ChunkBody(stream=chunk.stream, text=chunk.text)
