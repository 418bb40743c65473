"""The words of one question on its way: what is asked, what is found, what is answered."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal, Protocol, TypeVar

from annotated_types import Interval

from devops_chatbot.access.principals import Principal
from devops_chatbot.calls import ApprovalNeeded, Proposal, ToolCall, Trust, Waiting, Work
from devops_chatbot.i18n import Reason
from devops_chatbot.team import Flow, Limits, Member

T = TypeVar("T")

Role = Literal["user", "assistant"]
SearchMode = Literal["hybrid", "vector", "lexical", "graph"]
IndexName = Literal["vector", "lexical", "graph"]
MessageState = Literal["complete", "cut", "waiting", "stopped", "failed"]
"""`cut`: the answer went on, but not beyond the limit of its model. `waiting`: it comes once a person has approved what an agent
wants to do.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBy:
    """Which index found a hit, at which rank (from 1), with that index's own score."""

    index: IndexName
    rank: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a passage stands in its file: lines (from 1, inclusive) or a page (from 1), whichever the format has."""

    line_start: int | None = None
    line_end: int | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One piece of what was found.

    `text` is the passage that matched; `context` is the section around it (it contains `text`). `ref` opens it again.
    `score` is in [0, 1], comparable within one search only.
    """

    ref: str
    title: str
    text: str
    context: str
    source_uri: str
    heading_path: tuple[str, ...] = ()
    location: Location = Location()
    collection: str | None = None
    score: float = 0.0
    trust: Trust = Trust.CURATED
    found_by: tuple[FoundBy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """`[number]` in an answer's text: the evidence `ref` and the words of it (`quote`) that carry the statement."""

    number: int
    ref: str
    quote: str
    title: str
    source_uri: str = ""
    heading_path: tuple[str, ...] = ()
    location: Location = Location()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message of a thread, as the models see it."""

    role: Role
    text: str
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, by whom, of which sources, within which limits.

    `knowledge_bases` holds ids; empty means every one the asker may see. `chosen` are those of them that the asker named.
    `scenario` overrules the router, `model` the answer role. `score_threshold` is in [0, 1]. `history_turns` bounds how many
    earlier messages are used. `regenerate` answers the thread's last question again (`text` may be empty) and replaces its
    answer.
    """

    text: str
    principal: Principal
    thread_id: str | None = None
    history: tuple[Turn, ...] = ()
    knowledge_bases: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    scenario: str | None = None
    model: str | None = None
    mode: SearchMode = "hybrid"
    limit: int = 8
    score_threshold: float = 0.0
    history_turns: int = 10
    regenerate: bool = False


Confidence = Annotated[float, Interval(ge=0, le=1)]
Need = Literal["model", "sources"]
SmallTalk = Literal["about", "thanks", "greeting"]
"""Kinds of small talk, the one that decides first: "hi, who are you?" is about the assistant."""
Signal = Literal["small-talk", "about-the-conversation", "names", "make"]
"""What the router's rules notice in a question: a greeting; a request about what was said before; names of machines, alerts
and metrics; something to be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A way that a question can take, as its YAML file says it. Nothing in the product asks which scenario it is.

    `title`, `purpose` and `prompt` (the writer's rules) are by language, English always among them. `agents` gather in the
    order of `flow`, each within `limits`. A `grounded` answer comes from the evidence alone and cites it. `signals` are those
    that send a question here, with the router's confidence in [0, 1]; `examples` are questions like those that belong here.
    `fallback` is its confidence where nothing else decides, None for a scenario that is never a fallback. `replies` are what
    is said without a language model, by kind of small talk and language; questions to try follow.
    """

    name: str
    title: Mapping[str, str]
    purpose: Mapping[str, str]
    prompt: Mapping[str, str]
    agents: tuple[Member, ...] = ()
    flow: Flow = field(default_factory=Flow)
    limits: Limits = field(default_factory=Limits)
    needs: tuple[Need, ...] = ()
    grounded: bool = False
    signals: Mapping[Signal, Confidence] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    fallback: Confidence | None = None
    replies: Mapping[SmallTalk, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioState:
    """A scenario that can be named, and whether it can be used now; `why` belongs to `state`."""

    name: str
    title: Mapping[str, str]
    purpose: Mapping[str, str]
    state: Literal["ready", "disabled", "failed"]
    why: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A scenario that the router weighed, with its share of confidence in [0, 1]."""

    scenario: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which scenario takes the question, over which sources (knowledge base ids), why, how sure."""

    scenario: str
    sources: tuple[str, ...] = ()
    why: Reason | None = None
    confidence: float = 1.0
    alternatives: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A sign of life while work goes on: `stage` is a stable word, `what` is for people."""

    stage: str
    what: Reason | None = None
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """The next piece of what the model thinks before it answers, which is no part of the answer.

    `recant`: what the tokens until here said was a thought, too; the answer begins after it.
    """

    text: str = ""
    recant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an answer cost: tokens in and out, money in the price's currency, seconds."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The whole answer, the last event of a question that went well.

    `text` is Markdown; it equals the tokens joined, except where checking removed a citation that does not exist, or where a
    `Thought` recanted them. `thought` is what the model thought before it. `cut` says that it ends at a limit. `given` are the
    passages that the model was given, where it cited none of them. `work` is what agents did for it, where they used tools.
    """

    text: str
    citations: tuple[Citation, ...]
    route: Route
    model: str
    usage: Usage = Usage()
    extractive: bool = False
    thought: str = ""
    cut: bool = False
    given: tuple[Citation, ...] = ()
    message_id: str | None = None
    work: Work | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The last event of a question that went wrong: the error's class name, what it says, and the HTTP status it maps to."""

    error: str
    reason: Reason
    status: int
    message_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What an agent concludes from what it found, for the writer and the agents after it; `limit` is what ended it early."""

    agent: str
    text: str
    limit: Reason | None = None


Event = Route | Progress | Evidence | ToolCall | Note | ApprovalNeeded | Thought | Token | Answer | Waiting | Failure
EVENTS: dict[str, type[Event]] = {
    "route": Route,
    "progress": Progress,
    "evidence": Evidence,
    "tool": ToolCall,
    "note": Note,
    "approval": ApprovalNeeded,
    "thought": Thought,
    "token": Token,
    "answer": Answer,
    "waiting": Waiting,
    "failure": Failure,
}
"""What events are called in a stream."""
STOPPED = "Stopped"
"""The `error` of the `failure` that ends a stream which somebody stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageContent:
    """What a message of a conversation says; `route`, `model`, `usage` and `work` belong to answers, as do `thought` and `given`
    (see `Answer`), `error` (what went wrong, for people) to failed ones, `knowledge_bases` (ids that were chosen; none: all) to
    questions.
    """

    role: Role
    text: str
    citations: tuple[Citation, ...] = ()
    route: Route | None = None
    model: str | None = None
    usage: Usage | None = None
    state: MessageState = "complete"
    error: Reason | None = None
    knowledge_bases: tuple[str, ...] = ()
    thought: str = ""
    given: tuple[Citation, ...] = ()
    work: Work | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(MessageContent):
    """A message as it is kept."""

    id: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadSummary:
    """A conversation as it stands in a list."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread(ThreadSummary):
    """A conversation with its messages, oldest first."""

    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """The last thing that an agent yields when it cannot go on before these calls are approved; `memory` is its own."""

    proposals: tuple[Proposal, ...]
    memory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What an agent that paused gets back: its `memory`, and what became of each of the calls."""

    memory: str
    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What an agent gets: the question, the query that stands on its own without the thread, the questions of it where it
    asks several, its place in the team, and what is known already. `resumed` belongs to a task that the agent paused in.
    """

    question: Question
    query: str
    route: Route
    member: Member
    limits: Limits = field(default_factory=Limits)
    parts: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[Note, ...] = ()
    resumed: Resumed | None = None


Found = Evidence | Progress | ToolCall | Note | Paused


class Agent(Protocol):
    """Finds evidence for a task; it never writes the answer and never calls another agent.

    Yields in the order in which things were found; yields nothing when nothing fits. Closing the iterator stops the
    work. Raises `Unavailable` when a source it needs cannot be reached. One instance serves many tasks at once.
    """

    @property
    def name(self) -> str: ...

    @property
    def purpose(self) -> str: ...

    def gather(self, task: Task) -> AsyncIterator[Found]: ...


def writable(value: T) -> T:
    """The same value. Raises `ValueError` when a text in it is no Unicode (half a surrogate pair, which JSON can spell):
    no store, no model and no answer can hold it.
    """
    left: list[object] = [value]
    while left:
        inner = left.pop()
        if isinstance(inner, Mapping):
            left += [*inner.keys(), *inner.values()]
        elif isinstance(inner, list | tuple):
            left += inner
        elif isinstance(inner, str):
            try:
                inner.encode()
            except UnicodeEncodeError as error:
                half = f"\\u{ord(inner[error.start]):04x}"
                raise ValueError(Reason("field.half_a_character", half=half)) from None
    return value
