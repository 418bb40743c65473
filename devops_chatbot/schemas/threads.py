"""Request bodies of the routes of conversations."""

from pydantic import Field

from devops_chatbot.chat import SearchMode
from devops_chatbot.schemas.body import Body, Repositories


class NewThread(Body):
    title: str = ""


class ThreadChange(Body):
    title: str


class NewMessage(Body):
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


class RunRequest(Body):
    """Runs code in the conversation's session; the result takes the place of the block's earlier one."""

    message: str = Field(description="the id of the answer that the code stands in")
    block: int = Field(ge=0, description="which of its fenced code blocks, from 0")
    language: str = Field(examples=["python"])
    code: str = Field(examples=["print(6 * 7)"], description="as it stands there, or edited")
    timeout_s: float | None = Field(default=None, gt=0)


class ThreadSandboxChange(Body):
    auto_run: bool
