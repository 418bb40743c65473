"""Request bodies of the routes of tools and approvals."""

from typing import Any

from pydantic import Field

from devops_chatbot.calls import Scope
from devops_chatbot.schemas.body import Body


class ToolTest(Body):
    arguments: dict[str, Any] = Field(default={}, examples=[{"query": "up"}])


class NewDecision(Body):
    """What a person says to a call that waits."""

    approve: bool
    scope: Scope = Field(default="once", description="`session`: this tool needs no more approval in this conversation")
    arguments: dict[str, Any] | None = Field(
        default=None, description="in the place of the proposed ones; none: as proposed"
    )
    note: str = Field(default="", max_length=2000, description="for the agent, such as why not")
