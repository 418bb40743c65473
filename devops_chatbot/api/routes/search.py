"""Search without an answer, and opening what a citation points to."""

import time

from fastapi import APIRouter

from devops_chatbot.api.context import Of, given, refuse_repositories
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.wire import Hit, OpenedPassage, SearchRequest, SearchResult
from knowledge.model import Scope

router = APIRouter(prefix=NATIVE, tags=["search"])


@router.post("/search")
def search(body: SearchRequest, product: Of) -> SearchResult:
    """Hits, best first; each says which index found it at which rank."""
    begun = time.perf_counter()
    refuse_repositories(body.repositories)
    hits = product.retriever.search(
        body.query,
        scope=Scope(knowledge_bases=product.ids_of(body.knowledge_bases)),
        limit=body.limit,
        mode=body.mode,
        score_threshold=body.score_threshold,
    )
    return SearchResult(hits=tuple(given(Hit, hit) for hit in hits), seconds=time.perf_counter() - begun)


@router.get("/passages")
def open_passage(ref: str, product: Of, quote: str = "") -> OpenedPassage:
    """The passage of a citation in its surroundings; `text[start:end]` is what to highlight."""
    return given(OpenedPassage, product.catalogue.open_passage(ref, quote))
