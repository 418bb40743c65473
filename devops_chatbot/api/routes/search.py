"""Search without an answer, and opening what a citation points to."""

import time
from typing import Annotated

from fastapi import APIRouter, Query

from devops_chatbot.api.context import PrincipalDep, ProductDep, refuse_repositories
from devops_chatbot.bootstrap import Product
from devops_chatbot.calls import CALL_REF
from devops_chatbot.chat import Location
from devops_chatbot.errors import NotFound
from devops_chatbot.i18n import Language
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.search import SearchRequest
from knowledge.model import OpenedChunk, Scope, SearchResult
from knowledge.suggestions import suggestions

LONGEST_OPENED = 200_000

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
def open_chunk(
    ref: str, product: ProductDep, quote: str = "", heading: Annotated[tuple[str, ...], Query()] = ()
) -> OpenedChunk:
    """The chunk of a citation in its surroundings, or what a tool said; `text[start:end]` is what to highlight. The citation's
    headings tell which of several equal quotes is meant.
    """
    if ref.startswith(CALL_REF):
        return _opened_call(ref, quote, product)
    return product.catalog.open_chunk(ref, quote, heading)


def _opened_call(ref: str, quote: str, product: Product) -> OpenedChunk:
    """The whole of what a tool said, of very long texts the part around the quote. Raises `NotFound`, also for a call in
    somebody else's conversation.
    """
    key = ref.removeprefix(CALL_REF)
    messages = product.threads.load(key.partition("/")[0]).messages
    call = next((each for one in messages if one.work for each in one.work.calls if each.ref == ref), None)
    if call is None:
        raise NotFound("tool.no_output", call=key.rpartition("/")[2])
    text = call.text if call.chars <= len(call.text) else product.dispatch.output.whole(key)
    start = max(text.find(quote), 0) if quote else 0
    begin = 0 if start + len(quote) <= LONGEST_OPENED else start - LONGEST_OPENED // 2
    shown = text[begin : begin + LONGEST_OPENED]
    given = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    return OpenedChunk(
        document=call.id,
        title=call.tool,
        source_uri=f"{call.tool}({given})",
        heading_path=(),
        location=Location(),
        text=shown,
        start=start - begin,
        end=start - begin + (len(quote) if quote and quote in text else 0),
    )
