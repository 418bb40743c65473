"""Search without an answer, and opening what a citation points to."""

import time
from typing import Annotated

from fastapi import APIRouter, Query

from devops_chatbot.api.context import PrincipalDep, ProductDep, refuse_repositories
from devops_chatbot.i18n import Language
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.search import SearchRequest
from knowledge.model import OpenedChunk, Scope, SearchResult
from knowledge.suggestions import suggestions

router = APIRouter(prefix=NATIVE, tags=["search"])


@router.post("/search")
def search(body: SearchRequest, product: ProductDep, principal: PrincipalDep) -> SearchResult:
    """Hits, best first; each says which index found it at which rank."""
    begun = time.perf_counter()
    refuse_repositories(body.repositories)
    hits = product.retriever.search(
        body.query,
        scope=Scope(principal=principal.id, collections=product.ids_of(body.knowledge_bases)),
        limit=body.limit,
        mode=body.mode,
        score_threshold=body.score_threshold,
    )
    return SearchResult(hits=tuple(hits), seconds=time.perf_counter() - begun)


@router.get("/suggestions")
def suggest(
    product: ProductDep, knowledge_bases: Annotated[tuple[str, ...], Query()] = (), language: Language = "en"
) -> tuple[str, ...]:
    """A few questions that can be asked of these knowledge bases (ids or names; none: of all), in this language."""
    return suggestions(product.catalog, product.ids_of(knowledge_bases), language)


@router.get("/chunks")
def open_chunk(ref: str, product: ProductDep, quote: str = "") -> OpenedChunk:
    """The chunk of a citation in its surroundings; `text[start:end]` is what to highlight."""
    return product.catalog.open_chunk(ref, quote)
