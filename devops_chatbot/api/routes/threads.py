"""Routes of conversations."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool

from devops_chatbot.api.context import ContextDep, Offset, ProductDep
from devops_chatbot.chat import Thread, ThreadSummary
from devops_chatbot.errors import NotFound
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.threads import NewThread, ThreadChange
from devops_chatbot.values import Page

router = APIRouter(prefix=NATIVE + "/threads", tags=["conversations"])


@router.get("")
def list_threads(
    product: ProductDep,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    text: str | None = None,
) -> Page[ThreadSummary]:
    """Newest first; `text` is looked for in titles and messages."""
    return product.threads.list(offset=offset, limit=limit, text=text)


@router.post("", status_code=201)
def create_thread(body: NewThread, product: ProductDep) -> ThreadSummary:
    """An empty title is replaced by the first question's words."""
    return product.threads.create(title=body.title)


@router.get("/{thread_id}")
def get_thread(thread_id: str, product: ProductDep) -> Thread:
    """A conversation with all its messages."""
    return product.threads.load(thread_id)


@router.patch("/{thread_id}")
def rename_thread(thread_id: str, body: ThreadChange, product: ProductDep) -> ThreadSummary:
    """Give a conversation another title."""
    return product.threads.rename(thread_id, body.title)


@router.delete("/{thread_id}", status_code=204)
async def delete_thread(thread_id: str, context: ContextDep) -> None:
    """Stops what is being answered in it and what runs in it, and removes its runs and attached files, too."""
    try:
        await run_in_threadpool(context.product.threads.summary, thread_id)
    except NotFound:
        return
    context.streams.stop(thread_id)
    await run_in_threadpool(context.product.threads.delete, thread_id)
    await run_in_threadpool(context.product.workbench.forget, thread_id)
