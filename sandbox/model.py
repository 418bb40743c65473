"""The words of the sandbox: what may be used, what came out, and the seams behind which code runs.

The values cross HTTP as they are.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal, Protocol

from pydantic import ConfigDict, PlainSerializer

from devops_chatbot.i18n import Reason

Stream = Literal["stdout", "stderr"]
ArtifactKind = Literal["figure", "table", "file"]
SessionState = Literal["idle", "running", "closed"]
DEFAULT_LANGUAGE = "python"
UNNAMED = "unnamed"
"""The caller of a session that nobody said whom it is for."""
Base64 = Annotated[
    bytes, PlainSerializer(lambda data: b64encode(data).decode("ascii"), return_type=str, when_used="json")
]
TABLE_MIME = "application/vnd.devops-chatbot.table+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one session may use.

    `seconds` and `output_bytes` hold for one run, the rest for the session. `disk_mb` lies in memory and counts in
    `memory_mb`. `network` names the hosts that code may reach, as `host` or `host:port`; empty means none at all.
    """

    seconds: float = 30.0
    memory_mb: int = 512
    cpus: float = 1.0
    processes: int = 64
    disk_mb: int = 128
    open_files: int = 1024
    output_bytes: int = 1_000_000
    artifact_bytes: int = 8_000_000
    network: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputChunk:
    """A piece of output as it came. A character cut in two by the pipe is held back until it is whole."""

    stream: Stream
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Something that a run made besides text.

    A figure or a table carries its `data` (a table is JSON: columns, index, rows, total_rows, total_columns). A file
    lies in the session's folder under `name` and is fetched from there; its `data` is empty. In JSON it is base64.
    """

    __pydantic_config__: ClassVar = ConfigDict(val_json_bytes="base64")

    kind: ArtifactKind
    name: str
    mime: str
    size: int
    data: Base64 = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How one run ended.

    A program that fails, runs out of time or memory, or destroys its interpreter is a value, never an exception.
    `exit_code` follows the shell: 128 + n for a signal, 130 for an interrupt. `truncated`: there was more output than
    `output_bytes`. `state_lost`: variables of earlier runs are gone; files are not. `why` says what stopped it.
    """

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool = False
    interrupted: bool = False
    truncated: bool = False
    state_lost: bool = False
    why: Reason | None = None
    artifacts: tuple[Artifact, ...] = ()

    def with_news(self, news: Reason) -> "Execution":
        """The same, when it ran without what earlier runs had left."""
        why = Reason("run.reasons", reasons=(self.why, news)) if self.why else news
        return replace(self, state_lost=True, why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language that code may be in; `aliases` mean the same."""

    name: str
    title: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A file in a session's folder; `path` is relative to it, with `/` between names."""

    path: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """One attempt of a session to reach something: `count` requests to `host:port`, let through or refused, and why."""

    host: str
    port: int
    allowed: bool
    why: Reason | None
    count: int
    bytes_out: int
    bytes_in: int
    credentials: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """What is known about a session without asking its container. Times are seconds since 1970."""

    id: str
    language: str
    languages: tuple[str, ...]
    caller: str
    state: SessionState
    limits: Limits
    created_at: float
    used_at: float
    expires_at: float
    runs: int
    engine: str
    reached: tuple[Reached, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxReadiness:
    """What this sandbox can do now. `sessions` counts those in use, `warm` those that wait."""

    engine: str
    image: str
    digest: str
    version: str
    runtime: str
    languages: tuple[str, ...]
    sessions: int
    warm: int
    capacity: int
    missing: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackResult:
    """What became of one attack of the self-test. `control` says whether it succeeds where nothing holds it."""

    attack: Reason
    held: bool
    detail: Reason
    control: Reason
    seconds: float


Watch = Callable[[OutputChunk | Artifact], None]


class Files(Protocol):
    """The files of one session, confined to its folder and to the session's `disk_mb`.

    A path that leaves the folder, through `..` or through a link, or that holds control characters is `BadRequest`;
    what is not there is `NotFound`; what does not fit is `TooLarge`.
    """

    def put(self, path: str, data: Iterable[bytes]) -> FileEntry: ...

    def get(self, path: str) -> Iterator[bytes]: ...

    def list(self) -> list[FileEntry]: ...

    def delete(self, path: str) -> None: ...


class Session(Protocol):
    """One container, for one person, with everything in it that earlier runs left.

    One run at a time: a second one is `Conflict`. After `close`, or when the container has gone, every call raises
    `NotFound` with the reason. `interrupt` may be called from any thread and does nothing when nothing runs. `reset`
    gives the session a fresh container. All of it is plain blocking code.
    """

    @property
    def files(self) -> Files: ...

    def info(self) -> SessionInfo: ...

    def run(
        self, code: str, *, language: str | None = None, timeout_s: float | None = None, watch: Watch | None = None
    ) -> Execution: ...

    def interrupt(self) -> None: ...

    def reset(self) -> None: ...

    def close(self) -> None: ...


class Sandbox(Protocol):
    """Where sessions come from.

    `ready` raises `SandboxUnavailable` with the reason when nothing can run. `open` raises that too, `BadRequest` for
    limits over the operator's or a language that the image lacks, `NotAllowed` for a host that the operator does not
    allow, and `LimitReached` when the caller has too many sessions. `get` raises `NotFound` for an id that is not, or
    no longer, there; a `caller` sees its own sessions only, `None` sees all. `selftest` takes a minute.
    """

    def ready(self) -> SandboxReadiness: ...

    def open(
        self, limits: Limits | None = None, *, language: str = DEFAULT_LANGUAGE, caller: str = UNNAMED
    ) -> Session: ...

    def get(self, session_id: str, *, caller: str | None = None) -> Session: ...

    def selftest(self, say: Callable[[AttackResult], None] = ...) -> Sequence[AttackResult]: ...

    def list(self, *, caller: str | None = None) -> list[SessionInfo]: ...

    def close(self) -> None: ...
