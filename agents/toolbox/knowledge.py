"""Searching the knowledge bases from within an agent's loop."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from agents.toolbox.building import tool
from devops_chatbot.calls import Trust
from devops_chatbot.tools import READY, Surroundings, Tool, ToolsetState, caller
from knowledge.model import Scope


class KnowledgeToolSettings(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KnowledgeTools:
    """Searches what the asker may see."""

    Settings = KnowledgeToolSettings
    name = "knowledge"

    def __init__(self, settings: KnowledgeToolSettings, surroundings: Surroundings) -> None:  # noqa: ARG002
        self._retriever = surroundings.retriever

    async def state(self) -> ToolsetState:
        return READY

    def tools(self) -> Sequence[Tool]:
        return [tool(self.search_knowledge, trust=Trust.CURATED)]

    async def search_knowledge(
        self,
        query: Annotated[str, Field(description="a question, or the name of an alert", min_length=1)],
        limit: Annotated[int, Field(ge=1, le=20)] = 5,
    ) -> str:
        """Passages of runbooks and other documents about something."""
        who = caller.get()
        hits = await asyncio.to_thread(
            self._retriever.search,
            query,
            scope=Scope(principal=who.principal.id, collections=who.sources),
            limit=limit,
            mode="hybrid",
            score_threshold=0.0,
        )
        if not hits:
            return "Nothing was found: " + ("no document fits." if who.sources else "there is no knowledge base.")
        return "\n\n".join(
            f"## {' > '.join((hit.title, *hit.heading_path))} ({hit.source_uri})\n{hit.context}" for hit in hits
        )
