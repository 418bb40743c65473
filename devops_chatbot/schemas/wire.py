"""What crosses the wire: the bodies that the API takes and gives, shared by the API and its client.

Once released, names stay: add fields, with defaults, and do not rename. A reader ignores fields it does not know.
"""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from devops_chatbot.chat import (
    Answer,
    Citation,
    Event,
    Evidence,
    Failure,
    FoundBy,
    Location,
    MessageState,
    Progress,
    Role,
    Route,
    SearchMode,
    Token,
    Usage,
)
from devops_chatbot.i18n import Reason
from devops_chatbot.schemas.taken import Taken

JobState = Literal["queued", "running", "done", "cancelled", "failed"]
DocumentState = Literal["waiting", "indexing", "ready", "failed", "removing"]
State = Literal["ready", "disabled", "failed", "unknown"]

ENDED: frozenset[JobState] = frozenset({"done", "cancelled", "failed"})
EVENTS: dict[str, type[Event]] = {
    "route": Route,
    "progress": Progress,
    "evidence": Evidence,
    "token": Token,
    "answer": Answer,
    "failure": Failure,
}
STOPPED = "Stopped"
"""The `error` of the `failure` that ends a stream which somebody stopped."""

Repositories = Annotated[tuple[str, ...], Field(description="names of repositories; so far there are none to name")]

T = TypeVar("T")


class _Given(BaseModel):
    """What the API gives."""

    model_config = ConfigDict(frozen=True, from_attributes=True, extra="ignore")


class Page(_Given, Generic[T]):
    """A part of a list, and how long the list is in all."""

    items: tuple[T, ...]
    total: int


# --- knowledge


class KnowledgeBase(_Given):
    id: str
    name: str
    description: str = ""
    embedding: str
    created_at: datetime
    documents: int = 0
    chunks: int = 0
    bytes: int = 0


class NewKnowledgeBase(Taken):
    name: str = Field(examples=["Runbooks"])
    description: str = Field(default="", examples=["What to do when it burns"])
    embedding: str | None = Field(
        default=None, description="a name of `GET /api/v1/embeddings`; none: the default of the settings"
    )


class KnowledgeBaseChange(Taken):
    name: str | None = None
    description: str | None = None


class Document(_Given):
    """A row of the file table. `error` says why the newest version could not be read; the older one, when there is
    one, stays searchable.
    """

    id: str
    knowledge_base: str
    source_uri: str
    title: str = ""
    state: DocumentState
    loader: str = ""
    splitter: str = ""
    version: str = ""
    bytes: int = 0
    chunks: int = 0
    error: str | None = None
    updated_at: datetime


class Passage(_Given):
    """A chunk of a document; `start` and `end` count characters of the document's text."""

    ref: str
    document: str
    knowledge_base: str
    source_uri: str
    title: str
    heading_path: tuple[str, ...] = ()
    text: str
    location: Location = Location()
    start: int
    end: int


class OpenedPassage(_Given):
    """A citation opened: `text` is the passage's surroundings and `text[start:end]` what to highlight.

    `changed` says that the cited version is gone and the words were looked up in the document as it is now.
    """

    document: str
    title: str
    source_uri: str
    heading_path: tuple[str, ...] = ()
    location: Location = Location()
    text: str
    start: int
    end: int
    changed: bool = False


class Source(_Given):
    """A folder on the server that a knowledge base follows."""

    kind: Literal["folder"] = "folder"
    location: str


class NewSource(Taken):
    kind: Literal["folder"] = "folder"
    location: str = Field(
        examples=["/srv/docs"], description="absolute path below one of the folders in `knowledge.folders`"
    )


class Selection(Taken):
    """Several documents at once."""

    ids: tuple[str, ...] = Field(min_length=1, max_length=10_000)


# --- jobs


class JobError(_Given):
    """One document that could not be taken in, and why."""

    source_uri: str
    reason: str


class Job(_Given):
    """Long work: `done` of `total` documents, counted by what became of them."""

    id: str
    kind: str
    knowledge_base: str
    state: JobState
    done: int = 0
    total: int | None = None
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0
    error: str | None = None
    created_at: datetime
    finished_at: datetime | None = None
    errors: tuple[JobError, ...] = ()

    @property
    def ended(self) -> bool:
        return self.state in ENDED


class StartedJob(_Given):
    """The answer to a request for long work."""

    job_id: str
    job: Job


# --- search


class SearchRequest(Taken):
    query: str = Field(examples=["etcdHighFsyncDurations"])
    knowledge_bases: tuple[str, ...] = Field(
        default=(), description="ids or names; empty: every one", examples=[["Runbooks"]]
    )
    repositories: Repositories = ()
    mode: SearchMode = "hybrid"
    limit: int = Field(default=10, ge=1, le=100)
    score_threshold: float = Field(default=0.0, ge=0, le=1)


class Hit(_Given):
    ref: str
    knowledge_base: str
    document: str
    source_uri: str
    title: str
    heading_path: tuple[str, ...] = ()
    text: str
    context: str = ""
    location: Location = Location()
    score: float
    found_by: tuple[FoundBy, ...] = ()


class SearchResult(_Given):
    hits: tuple[Hit, ...]
    seconds: float = 0.0


# --- conversations


class ThreadSummary(_Given):
    id: str
    title: str
    created_at: datetime
    updated_at: datetime


class Message(_Given):
    id: str
    role: Role
    text: str
    citations: tuple[Citation, ...] = ()
    route: Route | None = None
    model: str | None = None
    usage: Usage | None = None
    state: MessageState = "complete"
    error: str = Field(default="", description="of a failed answer: what went wrong, and what to do")
    created_at: datetime


class Thread(ThreadSummary):
    messages: tuple[Message, ...] = ()


class NewThread(Taken):
    title: str = ""


class ThreadChange(Taken):
    title: str


class NewMessage(Taken):
    """A question. Empty `knowledge_bases` means every one; `route` overrules the router, `model` the answer role."""

    text: str = Field(default="", examples=["A pod is in CrashLoopBackOff. What should I check?"])
    route: str | None = Field(
        default=None, description="a name of `GET /api/v1/scenarios`; none: the scheduler chooses"
    )
    knowledge_bases: tuple[str, ...] = Field(default=(), description="ids or names", examples=[["Runbooks"]])
    repositories: Repositories = ()
    model: str | None = Field(default=None, description="a name of `GET /api/v1/models`")
    mode: SearchMode = "hybrid"
    limit: int = Field(default=8, ge=1, le=50, description="passages given to the writer")
    score_threshold: float = Field(default=0.0, ge=0, le=1)
    history_turns: int = Field(default=10, ge=0, le=100)
    regenerate: bool = Field(
        default=False, description="answer the thread's last question again and replace its answer"
    )


# --- models, scenarios, settings, health


class ModelInfo(_Given):
    name: str
    provider: str
    model: str
    context: int = 0
    roles: tuple[str, ...] = ()
    state: State = "unknown"
    why: Reason | None = None
    extractive: bool = False


class Models(_Given):
    models: tuple[ModelInfo, ...]
    roles: dict[str, tuple[str, ...]]
    switched: Annotated[tuple[str, ...], Field(description="roles not done as the settings say")] = ()


class RoleChange(Taken):
    models: tuple[str, ...] = Field(examples=[["local", "hosted"]], description="tried in this order; may be empty")


class EmbeddingInfo(_Given):
    name: str
    provider: str
    model: str = ""
    default: bool = False
    state: State = "unknown"
    why: Reason | None = None


class Test(_Given):
    """What a test button found."""

    __test__ = False  # not a class of tests, whatever pytest thinks of its name

    ok: bool
    seconds: float
    detail: Reason | None = None


class Scenario(_Given):
    """A way that a question can take; `title` and `purpose` by language (`en`, `zh`)."""

    name: str
    title: dict[str, str]
    purpose: dict[str, str]
    state: State = "ready"
    why: Reason | None = None


class Setting(_Given):
    key: str
    value: str
    origin: Literal["default", "file", "environment", "switched"]
    description: str = ""


class SettingsInForce(_Given):
    """`file` is the settings file that was read, when there is one. A role that was given to other models at run time
    stands here with them, and its origin is `switched`.
    """

    file: str | None = None
    settings: tuple[Setting, ...]


class Samples(_Given):
    """The sample knowledge base: its id once it is built, and questions to try by language."""

    knowledge_base: str | None = None
    questions: dict[str, tuple[str, ...]]


class NewSamples(Taken):
    language: Literal["en", "zh"] = Field(default="en", description="of the knowledge base's name")


class Check(_Given):
    name: str
    state: State
    why: Reason | None = None


class Readiness(_Given):
    ready: bool
    version: str
    checks: tuple[Check, ...] = ()


class FieldProblem(_Given):
    field: str
    problem: Reason


class Problem(_Given):
    """An error as RFC 9457 wants it. `error` is our class name, `code` what happened, of which `params` are the particulars and
    `detail` the text in the language of Accept-Language; `request_id` stands in the server's log too.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    error: str
    code: str
    params: dict[str, Any] = {}
    request_id: str
    fields: Annotated[tuple[FieldProblem, ...], Field(description="what is wrong in the body, field by field")] = ()
