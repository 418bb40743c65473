"""The seam to tools: what a toolset is, and who calls."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel

from devops_chatbot.access.principals import LOCAL, Principal
from devops_chatbot.calls import Effect, Trust
from devops_chatbot.i18n import Reason

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from devops_chatbot.url_guard import UrlGuard
    from knowledge.model import Retriever
    from sandbox.model import Sandbox

Condition = Literal["ready", "disabled", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsetState:
    """How a toolset is; `why` belongs to `disabled` and `failed`."""

    state: Condition
    why: Reason | None = None


READY = ToolsetState(state="ready")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """LangChain's tool (with a coroutine), and what its caller has to know.

    `output_chars` is how much of what it says goes to the model at once; the rest can be read by page. `trust` labels what it
    says. `happened` says of a write whether the call of this id has taken effect (None: that cannot be seen), and is asked
    after the server stopped in the middle of one.
    """

    tool: "BaseTool"
    effect: Effect = "read"
    timeout_s: float = 30.0
    output_chars: int = 12_000
    trust: Trust = Trust.LIVE
    happened: Callable[[str, Mapping[str, Any]], Awaitable[bool | None]] | None = None

    @property
    def name(self) -> str:
        return str(self.tool.name)


class Toolset(Protocol):
    """The tools of one system. One instance serves many calls at once; nothing is reached before the first use.

    A tool raises `Unavailable` when the system cannot be reached, and `BadRequest` with what is wrong where the model can mend
    its call; both go back to the model.
    """

    @property
    def name(self) -> str: ...

    async def state(self) -> ToolsetState:
        """Looks at the real system, for at most a few seconds; never raises."""

    def tools(self) -> Sequence[Tool]:
        """The same ones each time; their names are unique in the product and begin with the toolset's or say what they do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What of the product a toolset may use."""

    guard: "UrlGuard"
    retriever: "Retriever"
    sandbox: "Sandbox"


class ToolsetKind(Protocol):
    """What is registered under a name in the entry point group `devops_chatbot.toolsets`: a class whose instances are
    toolsets. `Settings` is the pydantic model of `[tools.NAME]`; unknown keys are forbidden there and secrets are `SecretStr`.
    """

    Settings: type[BaseModel]

    def __call__(self, settings: Any, surroundings: Surroundings) -> Toolset: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """For whom a tool works: what it may see, and in which conversation (None: in none)."""

    principal: Principal = LOCAL
    thread: str | None = None
    sources: tuple[str, ...] = ()
    call: str = ""


caller: ContextVar[Caller] = ContextVar("caller", default=Caller())  # noqa: B039 frozen
"""Set around every call of a tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolInfo:
    """A tool as it stands in a list; `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str
    effect: Effect
    timeout_s: float
    output_chars: int
    trust: Trust
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsetInfo:
    """A toolset and its tools; one that could not be opened has none."""

    name: str
    state: Condition
    why: Reason | None = None
    tools: tuple[ToolInfo, ...] = ()
