"""Routes of knowledge bases."""

from fastapi import APIRouter

from devops_chatbot.api.context import Named, ProductDep
from devops_chatbot.api.routes.runs import started
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.knowledge_bases import KnowledgeBaseChange, NewEmbedding, NewKnowledgeBase
from devops_chatbot.values import Page
from devops_chatbot.work import StartedRun
from knowledge.model import KnowledgeBase

router = APIRouter(prefix=NATIVE + "/knowledge-bases", tags=["knowledge bases"])


@router.get("")
def list_knowledge_bases(product: ProductDep) -> Page[KnowledgeBase]:
    """Every knowledge base with its counts."""
    return Page.of(product.catalog.list())


@router.post("", status_code=201)
def create_knowledge_base(body: NewKnowledgeBase, product: ProductDep) -> KnowledgeBase:
    """Names are unique and may be in any language."""
    embedding = product.embeddings.known(body.embedding)
    return product.catalog.create(body.name, description=body.description, embedding=embedding)


@router.get("/{kb}")
def get_knowledge_base(kb: Named, product: ProductDep) -> KnowledgeBase:
    """`{kb}` is an id or a name."""
    return product.catalog.get(kb)


@router.patch("/{kb}")
def change_knowledge_base(kb: Named, body: KnowledgeBaseChange, product: ProductDep) -> KnowledgeBase:
    """Rename or describe it."""
    found = product.catalog.get(kb)
    return product.catalog.change(found.id, name=body.name, description=body.description)


@router.put("/{kb}/embedding", status_code=202)
def reembed_knowledge_base(kb: Named, body: NewEmbedding, product: ProductDep) -> StartedRun:
    """Give it another embedding model: a run reads every document anew from the originals that the server keeps. Until
    then a document is found by its words alone.
    """
    found = product.catalog.get(kb)
    name = product.embeddings.known(body.embedding)
    product.embeddings.of(name).embed_query(name)  # one that cannot be used changes nothing
    return started(product.learning.reembed(found.id, name))


@router.delete("/{kb}", status_code=204)
def delete_knowledge_base(kb: Named, product: ProductDep) -> None:
    """Removes it from every index; a run that works on it ends."""
    product.ingest.drop_knowledge_base(product.catalog.get(kb).id)
