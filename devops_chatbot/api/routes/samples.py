"""Routes of the sample knowledge base: the product's own guide and a few real runbooks."""

import shutil

from fastapi import APIRouter

from devops_chatbot.api.context import ProductDep
from devops_chatbot.api.routes.runs import started
from devops_chatbot.bootstrap import Product
from devops_chatbot.errors import Conflict
from devops_chatbot.i18n import LANGUAGES
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.knowledge_bases import NewSamples
from devops_chatbot.work import StartedRun
from knowledge import samples
from knowledge.model import KnowledgeBase, Samples

router = APIRouter(prefix=NATIVE + "/samples", tags=["samples"])

FOLDERS = ("guide", "runbooks")


@router.get("")
def get_samples(product: ProductDep) -> Samples:
    """The sample knowledge base, when it is built."""
    built = _built(product)
    return Samples(knowledge_base=built.id if built else None)


@router.post("", status_code=202)
def build_samples(product: ProductDep, body: NewSamples | None = None) -> StartedRun:
    """Build the sample knowledge base; again: bring it up to date, which costs next to nothing."""
    base = _built(product)
    if base is None:
        language = body.language if body else "en"
        try:
            base = product.catalog.create(samples.NAME.text(language), embedding=product.embeddings.known(None))
        except Conflict:  # somebody else clicked at the same moment
            base = product.catalog.get(samples.NAME.text(language))
    staged = product.learning.new_upload()
    for folder in FOLDERS:
        for file in (samples.folder() / folder).rglob("*.md"):
            copy = staged / file.relative_to(samples.folder())
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    return started(product.learning.upload(base.id, staged))


def _built(product: Product) -> KnowledgeBase | None:
    names = {samples.NAME.text(language) for language in LANGUAGES}
    return next((base for base in product.catalog.list() if base.name in names), None)
