"""Routes of conversations."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool

from devops_chatbot.api.context import In, Of, Offset, given, page
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.wire import NewThread, Page, Thread, ThreadChange, ThreadSummary

router = APIRouter(prefix=NATIVE + "/threads", tags=["conversations"])


@router.get("")
def list_threads(
    product: Of,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    text: str | None = None,
) -> Page[ThreadSummary]:
    """Newest first; `text` is looked for in titles and messages."""
    found = product.threads.list(offset=offset, limit=limit, text=text)
    return page(ThreadSummary, found.items, found.total)


@router.post("", status_code=201)
def create_thread(body: NewThread, product: Of) -> ThreadSummary:
    """An empty title is replaced by the first question's words."""
    return given(ThreadSummary, product.threads.create(title=body.title))


@router.get("/{thread_id}")
def get_thread(thread_id: str, product: Of) -> Thread:
    """A conversation with all its messages."""
    return given(Thread, product.threads.load(thread_id))


@router.patch("/{thread_id}")
def rename_thread(thread_id: str, body: ThreadChange, product: Of) -> ThreadSummary:
    """Give a conversation another title."""
    product.threads.rename(thread_id, body.title)
    return given(ThreadSummary, product.threads.load(thread_id))


@router.delete("/{thread_id}", status_code=204)
async def delete_thread(thread_id: str, context: In) -> None:
    """Stops what is being answered in it and what runs in it, and removes its runs and attached files, too."""
    context.streams.stop(thread_id)
    await run_in_threadpool(context.product.threads.delete, thread_id)
    await run_in_threadpool(context.product.workbench.forget, thread_id)
