"""Routes of the sources that a knowledge base follows, such as folders on the server's machine."""

from fastapi import APIRouter

from devops_chatbot.api.context import Named, ProductDep
from devops_chatbot.api.routes.runs import started
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.knowledge_bases import NewSource
from devops_chatbot.values import Page
from devops_chatbot.work import StartedRun
from knowledge.model import Source

router = APIRouter(prefix=NATIVE + "/knowledge-bases/{kb}/sources", tags=["sources"])


@router.get("")
def list_sources(kb: Named, product: ProductDep) -> Page[Source]:
    """The sources that the knowledge base follows."""
    return Page.of(product.catalog.sources(product.catalog.get(kb).id))


@router.post("", status_code=202)
def follow_source(kb: Named, body: NewSource, product: ProductDep) -> StartedRun:
    """Follow a source and sync it, with these options from now on; one that is followed already stays the same source.

    A folder has to be below one that the setting `knowledge.folders` names.
    """
    base = product.catalog.get(kb).id
    return started(product.learning.follow(base, body.location, kind=body.kind, options=body.options))


@router.post("/{source_id}/sync", status_code=202)
def sync_source(kb: Named, source_id: str, product: ProductDep) -> StartedRun:
    """Sync a source again: only what changed is read, and what is gone is removed."""
    return started(product.learning.sync(product.catalog.get(kb).id, source_id))


@router.delete("/{source_id}", status_code=204)
def forget_source(kb: Named, source_id: str, product: ProductDep) -> None:
    """Follow a source no longer; the documents that it gave stay."""
    base = product.catalog.get(kb).id
    product.catalog.forget_source(base, product.catalog.source(base, source_id).id)
