"""Request bodies of the search."""

from pydantic import Field

from devops_chatbot.chat import SearchMode
from devops_chatbot.schemas.body import Body, Repositories


class SearchRequest(Body):
    query: str = Field(examples=["etcdHighFsyncDurations"])
    knowledge_bases: tuple[str, ...] = Field(
        default=(), description="ids or names; empty: every one", examples=[["Runbooks"]]
    )
    repositories: Repositories = ()
    mode: SearchMode = "hybrid"
    limit: int = Field(default=10, ge=1, le=100)
    score_threshold: float = Field(default=0.0, ge=0, le=1)
