"""The words of code in a conversation: runs of its blocks, attached files, its session. They cross HTTP as they are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from devops_chatbot.i18n import Reason
from sandbox.model import Artifact, Execution, SessionInfo

AttachmentState = Literal["reading", "ready", "code only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file of a conversation. Code sees it as `name` in its folder.

    `reading`: it is being made searchable; `ready`: questions find it; `code only`: they do not, and `why` says why.
    """

    id: str
    name: str
    bytes: int
    state: AttachmentState
    why: Reason | None = None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunArtifact(Artifact):
    """Something that a run made; `number` names its bytes, which are fetched by it. Not `kept`: it was too large, and
    only its name is left.
    """

    number: int
    kept: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRun(Execution):
    """The newest run of one code block: `message` and `block` (from 0) say which."""

    id: str
    message: str
    block: int
    language: str
    code: str
    artifacts: tuple[RunArtifact, ...] = ()
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadSandbox:
    """A conversation's session, when it has one, and whether the code of new answers is to be run by itself."""

    auto_run: bool = False
    session: SessionInfo | None = None
