"""Finds passages in the knowledge bases."""

import asyncio
from collections.abc import AsyncIterator

from devops_chatbot.chat import Evidence, Progress, Task
from devops_chatbot.language import language_of
from knowledge.model import Hit, Retriever, Scope


class DocsAgent:
    """Searches the route's knowledge bases with the question as it stands on its own."""

    name = "docs"
    purpose = "Finds passages in your documents."

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever

    async def gather(self, task: Task) -> AsyncIterator[Evidence | Progress]:
        """Best first."""
        chinese = language_of(task.question.text) == "zh"
        yield Progress(stage="search", text=f"正在搜索：{task.query}" if chinese else f"Searching for: {task.query}")
        hits = await asyncio.to_thread(
            self._retriever.search,
            task.query,
            scope=Scope(knowledge_bases=task.route.sources),
            limit=task.question.limit,
            mode=task.question.mode,
            score_threshold=task.question.score_threshold,
        )
        for hit in hits:
            yield _evidence(hit)


def _evidence(hit: Hit) -> Evidence:
    return Evidence(
        ref=hit.ref,
        title=hit.title,
        text=hit.text,
        context=hit.context,
        source_uri=hit.source_uri,
        heading_path=hit.heading_path,
        location=hit.location,
        knowledge_base=hit.knowledge_base,
        score=hit.score,
        found_by=hit.found_by,
    )
