"""Routes of the sources that a knowledge base follows: folders on the server's machine."""

from fastapi import APIRouter

from devops_chatbot.api.context import Named, ProductDep
from devops_chatbot.api.routes.runs import started
from devops_chatbot.errors import NotFound
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.knowledge_bases import NewSource
from devops_chatbot.values import Page
from devops_chatbot.work import StartedRun
from knowledge.model import Source
from knowledge.sources.folder import allowed_folder

router = APIRouter(prefix=NATIVE + "/knowledge-bases/{kb}/sources", tags=["sources"])


@router.get("")
def list_sources(kb: Named, product: ProductDep) -> Page[Source]:
    """The folders that the knowledge base follows."""
    return Page.of(product.catalog.sources(product.catalog.get(kb).id))


@router.post("", status_code=202)
def sync_source(kb: Named, body: NewSource, product: ProductDep) -> StartedRun:
    """Follow a folder, or sync it again: only what changed is read, and what is gone is removed.

    The folder has to be below one that the setting `knowledge.folders` names.
    """
    found = product.catalog.get(kb)
    folder = allowed_folder(body.location, product.settings.knowledge.folders)
    return started(product.learning.follow(found.id, folder))


@router.delete("", status_code=204)
def forget_source(kb: Named, location: str, product: ProductDep) -> None:
    """Follow a folder no longer; the documents that it gave stay."""
    found = product.catalog.get(kb)
    if location not in {source.location for source in product.catalog.sources(found.id)}:
        raise NotFound("source.not_followed", name=found.name, location=location)
    product.catalog.forget_source(found.id, location)
