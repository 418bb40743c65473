"""The words of what agents do with tools: a call and what became of it, and the approval that a call waits for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from devops_chatbot.i18n import Reason

Effect = Literal["read", "write", "dangerous"]
"""What a call changes: nothing, something, or something that cannot be undone. No prompt can change it."""
CallState = Literal["running", "waiting", "done", "failed", "refused", "denied"]
ApprovalState = Literal["open", "approved", "running", "done", "failed", "denied", "expired"]
Scope = Literal["once", "session"]
CALL_REF = "call:"
"""How the reference of a call's evidence begins."""


class Trust(StrEnum):
    """How far a piece of evidence may be believed; it is data whatever its label, never instructions."""

    CURATED = "curated"
    REPOSITORY = "repository"
    LIVE = "live"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool by an agent, as it is now.

    `text` is what the tool said, secrets removed, as the model was given it; `chars` is the length of the whole of it, which
    `ref` opens. `why` belongs to what failed, was refused or denied. `recovered`: the model wrote the call as text. `approval`
    is the id of the approval that let it run.
    """

    id: str
    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    effect: Effect = "read"
    agent: str = ""
    state: CallState = "running"
    text: str = ""
    chars: int = 0
    seconds: float = 0.0
    ref: str = ""
    why: Reason | None = None
    recovered: bool = False
    approval: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """A piece of evidence that names what a call is about."""

    ref: str
    title: str
    trust: Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A call that an agent wants to make and may not, with the evidence behind it."""

    call: ToolCall
    support: tuple[Support, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A call that waits, or waited, for a person.

    `call` carries the arguments as they will be, or were, used; `edited` says that a person changed them. `question` is what
    was asked, `support` the evidence behind the call. `scope`: the same tool may run without asking for the rest of the
    conversation. `unclear`: the server stopped while the call ran, so it may have happened already. `outcome` is the call
    after it ran.
    """

    id: str
    thread: str
    message: str
    question: str
    call: ToolCall
    support: tuple[Support, ...]
    state: ApprovalState
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
    scope: Scope = "once"
    edited: bool = False
    note: str = ""
    unclear: bool = False
    outcome: ToolCall | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalNeeded:
    """A call may not run before a person says so."""

    approval: Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person says to a call that waits: `arguments` take the place of the proposed ones, `note` goes to the agent."""

    approve: bool
    scope: Scope = "once"
    arguments: Mapping[str, Any] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The last event of a question that waits for people: the message that will hold its answer, and the approvals' ids."""

    message_id: str
    approvals: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What agents did for an answer: their calls in order, and what ended them before they were done."""

    calls: tuple[ToolCall, ...] = ()
    limit: Reason | None = None
