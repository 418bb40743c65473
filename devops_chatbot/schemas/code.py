"""Request bodies about a conversation's code."""

from pydantic import Field

from devops_chatbot.schemas.taken import Taken


class RunRequest(Taken):
    """Runs code in the conversation's session; the result takes the place of the block's earlier one."""

    message: str = Field(description="the id of the answer that the code stands in")
    block: int = Field(ge=0, description="which of its fenced code blocks, from 0")
    language: str = Field(examples=["python"])
    code: str = Field(examples=["print(6 * 7)"], description="as it stands there, or edited")
    timeout_s: float | None = Field(default=None, gt=0)


class ThreadSandboxChange(Taken):
    auto_run: bool
