"""What crosses the wire about a conversation's code and files; see `devops_chatbot.schemas.wire`, whose rules hold here too."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from devops_chatbot.schemas.taken import Taken


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True, extra="ignore")


class Attachment(_Given):
    """A file of a conversation; code sees it as `name` in its folder. `state`: `reading` while it is made searchable,
    `ready` when questions find it, `code only` when they do not, for the reason `why`.
    """

    id: str
    name: str
    bytes: int
    state: Literal["reading", "ready", "code only"]
    why: str = ""
    created_at: datetime


class RunArtifact(_Given):
    """Something that a run made. `number` names its bytes; one that is not `kept` was too large."""

    number: int
    kind: Literal["figure", "table", "file"]
    name: str
    mime: str
    size: int
    kept: bool = True


class CodeRun(_Given):
    """The newest run of a code block: which one, what ran, how it ended, what it made."""

    id: str
    message: str
    block: int
    language: str
    code: str
    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool = False
    interrupted: bool = False
    truncated: bool = False
    state_lost: bool = False
    why: str = ""
    artifacts: tuple[RunArtifact, ...] = ()
    created_at: datetime


class NewCodeRun(Taken):
    """Runs code in the conversation's session; the result takes the place of the block's earlier one."""

    message: str = Field(description="the id of the answer that the code stands in")
    block: int = Field(ge=0, description="which of its fenced code blocks, from 0")
    language: str = Field(examples=["python"])
    code: str = Field(examples=["print(6 * 7)"], description="as it stands there, or edited")
    timeout_s: float | None = Field(default=None, gt=0)


class RunChunk(_Given):
    """A piece of output, as it comes."""

    stream: Literal["stdout", "stderr"]
    text: str


class RunSession(_Given):
    """The session in which a conversation's code runs; times are seconds since 1970."""

    id: str
    state: Literal["idle", "running", "closed"]
    languages: tuple[str, ...] = ()
    runs: int = 0
    created_at: float = 0.0
    expires_at: float = 0.0


class ThreadSandbox(_Given):
    """A conversation's session, when it has one, and whether the code of new answers is to be run by itself."""

    auto_run: bool = False
    session: RunSession | None = None


class ThreadSandboxChange(Taken):
    auto_run: bool


class Language(_Given):
    """A language that code may be in; `aliases` mean the same."""

    name: str
    title: str
    aliases: tuple[str, ...] = ()


class SandboxState(_Given):
    """What the sandbox can do now."""

    engine: str
    image: str
    digest: str
    version: str
    runtime: str
    languages: tuple[str, ...] = ()
    sessions: int = 0
    warm: int = 0
    capacity: int = 0


class AttackResult(_Given):
    """What became of one attack of the self-test. `control` says whether it succeeds where nothing holds it."""

    attack: str
    held: bool
    detail: str
    control: str
    seconds: float
