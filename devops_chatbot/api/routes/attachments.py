"""Routes of the files attached to a conversation."""

import shutil

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from devops_chatbot.api.context import ContextDep, ProductDep, own_thread
from devops_chatbot.api.routes.documents import UPLOAD
from devops_chatbot.api.routes.thread_code import download
from devops_chatbot.api.uploads import receive_files
from devops_chatbot.code import Attachment
from devops_chatbot.schemas import NATIVE
from devops_chatbot.values import Page

router = APIRouter(
    prefix=NATIVE + "/threads/{thread_id}/attachments", tags=["conversations"], dependencies=[Depends(own_thread)]
)


@router.get("")
def list_attachments(thread_id: str, product: ProductDep) -> Page[Attachment]:
    """The files of the conversation, oldest first, and what can be done with each."""
    return Page.of(product.workbench.attachments.list(thread_id))


@router.post("", status_code=201, openapi_extra=UPLOAD)
async def attach_files(thread_id: str, request: Request, context: ContextDep) -> Page[Attachment]:
    """Send one or many files in the field `files`. Code in this conversation sees them in its folder, and questions in
    this conversation find what they say; a question waits until they have been read. A file that cannot be read as a
    document is attached for code only, and says so. A file of the same name replaces the earlier one.
    """
    product = context.product
    folder = await run_in_threadpool(product.learning.new_upload)
    try:
        await receive_files(
            request.stream(),
            request.headers.get("content-type", ""),
            folder,
            max_mb=product.settings.conversations.attachments_mb,
            setting="conversations.attachments_mb",
        )
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return Page.of(await run_in_threadpool(product.workbench.attach, thread_id, files))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@router.get("/{attachment_id}", response_class=FileResponse)
def download_attachment(thread_id: str, attachment_id: str, product: ProductDep) -> FileResponse:
    """The file as it was sent."""
    found, path = product.workbench.attachments.get(thread_id, attachment_id)
    return download(path, found.name)


@router.delete("/{attachment_id}", status_code=204)
def remove_attachment(thread_id: str, attachment_id: str, product: ProductDep) -> None:
    """Neither code nor questions see it any more."""
    product.workbench.detach(thread_id, attachment_id)
