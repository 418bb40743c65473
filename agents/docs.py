"""Finds passages in the knowledge bases."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import zip_longest
from typing import Protocol

from devops_chatbot.chat import Evidence, Progress, Task
from devops_chatbot.i18n import Reason
from knowledge.model import ChunkInContext, Hit, Retriever, Scope

SHORT_DOCUMENT = 8000
"""Characters up to which a document is read whole when it is the first one found: a runbook's diagnosis and its mitigation
belong to what its first lines were found for.
"""


class Library(Protocol):
    """Where whole documents are."""

    def short_document(self, document_id: str, *, longest: int) -> Sequence[ChunkInContext]: ...


class DocsAgent:
    """Searches the route's knowledge bases with the question as it stands on its own."""

    name = "docs"
    purpose = "Finds passages in your documents."

    def __init__(self, retriever: Retriever, library: Library) -> None:
        self._retriever = retriever
        self._library = library

    def _found(self, task: Task) -> list[Evidence]:
        """The hits, best first; then what else stands in the first one's document, where that is short."""
        hits = self._search(task)
        whole = self._library.short_document(hits[0].document, longest=SHORT_DOCUMENT) if hits else ()
        beside = [
            chunk
            for chunk in whole
            if not any(hit.document == chunk.document and chunk.text in hit.context for hit in hits)
        ]
        return [*map(_evidence, hits), *map(_evidence, beside)]

    def _search(self, task: Task) -> list[Hit]:
        """The hits for each question of the query, in turns, each hit once."""
        by_part = [
            self._retriever.search(
                part,
                scope=Scope(principal=task.question.principal.id, collections=task.route.sources),
                limit=task.question.limit,
                mode=task.question.mode,
                score_threshold=task.question.score_threshold,
            )
            for part in task.parts or (task.query,)
        ]
        turns = (hit for turn in zip_longest(*by_part) for hit in turn if hit is not None)
        return list({hit.ref: hit for hit in turns}.values())[: task.question.limit]

    async def gather(self, task: Task) -> AsyncIterator[Evidence | Progress]:
        yield Progress(stage="search", what=Reason("progress.searching", query=task.query))
        for evidence in await asyncio.to_thread(self._found, task):
            yield evidence


def _evidence(found: Hit | ChunkInContext) -> Evidence:
    return Evidence(
        ref=found.ref,
        title=found.title,
        text=found.text,
        context=found.context,
        source_uri=found.source_uri,
        heading_path=found.heading_path,
        location=found.location,
        collection=found.collection,
        score=found.score if isinstance(found, Hit) else 0.0,
        found_by=found.found_by if isinstance(found, Hit) else (),
    )
