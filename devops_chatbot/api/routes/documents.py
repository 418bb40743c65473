"""Routes of the documents of a knowledge base: upload, file table, chunks, original, remove, read anew."""

import errno
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from devops_chatbot.api.context import ContextDep, Named, Offset, ProductDep
from devops_chatbot.api.routes.runs import started
from devops_chatbot.api.uploads import receive_files
from devops_chatbot.bootstrap import TRANSFERS, Product
from devops_chatbot.config.data_directory import free_bytes
from devops_chatbot.errors import StoreUnavailable
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.knowledge_bases import Selection
from devops_chatbot.values import Page
from devops_chatbot.work import StartedRun
from knowledge.model import Document, DocumentOrder, DocumentState, StoredChunk

router = APIRouter(prefix=NATIVE + "/knowledge-bases/{kb}/documents", tags=["documents"])

MEGABYTE = 1024 * 1024
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            }
        },
    }
}
_ZIP: dict[int | str, dict[str, Any]] = {200: {"description": "A zip", "content": {"application/zip": {}}}}


@router.post("", status_code=202, openapi_extra=UPLOAD)
async def upload_documents(kb: Named, request: Request, context: ContextDep) -> StartedRun:
    """Send one or many files in the field `files`; zip and tar archives are unpacked.

    A file name may be a relative path, which becomes the document's address. A file of the same address replaces the
    earlier one; an unchanged one costs nothing.
    """
    product = context.product
    found = await run_in_threadpool(product.catalog.get, kb)
    staged = await run_in_threadpool(_staged, product, int(request.headers.get("content-length") or 0))
    try:
        await receive_files(
            request.stream(),
            request.headers.get("content-type", ""),
            staged,
            max_mb=product.settings.knowledge.max_upload_mb,
        )
    except BaseException:  # the client may have left, which is a cancellation
        shutil.rmtree(staged, ignore_errors=True)
        raise
    return started(await run_in_threadpool(product.learning.upload, found.id, staged))


@router.get("")
def list_documents(
    kb: Named,
    product: ProductDep,
    state: DocumentState | None = None,
    text: str | None = None,
    sort: DocumentOrder = "source_uri",
    descending: bool = False,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[Document]:
    """The file table; `text` is looked for in addresses and titles."""
    return product.catalog.documents(
        product.catalog.get(kb).id,
        state=state,
        text=text,
        sort=sort,
        descending=descending,
        offset=offset,
        limit=limit,
    )


@router.post("/delete", status_code=204)
def delete_documents(kb: Named, body: Selection, product: ProductDep) -> None:
    """Remove many documents from every index."""
    product.ingest.remove_documents(product.catalog.get(kb).id, body.ids)


@router.post("/reindex", status_code=202)
def reindex_documents(kb: Named, body: Selection, product: ProductDep) -> StartedRun:
    """Read documents anew from the originals that the server keeps."""
    return started(product.learning.reindex(product.catalog.get(kb).id, body.ids))


@router.post("/download", response_class=FileResponse, responses=_ZIP)
def download_documents(kb: Named, body: Selection, product: ProductDep) -> FileResponse:
    """The originals of many documents in one zip, each below the folders of its address."""
    base = product.catalog.get(kb)
    documents = [product.catalog.document(base.id, each) for each in dict.fromkeys(body.ids)]
    handle, name = tempfile.mkstemp(suffix=".zip", dir=product.data.folder(TRANSFERS))
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for document in documents:
                parts = (part for part in document.source_uri.split("/") if part not in ("", ".", ".."))
                archive.write(product.ingest.original(base.id, document.id), "/".join(parts))
    except BaseException:
        path.unlink()
        raise
    return FileResponse(
        path,
        filename=f"{base.name.replace('/', '-')}.zip",
        media_type="application/zip",
        background=BackgroundTask(path.unlink),
    )


@router.get("/{document_id}")
def get_document(kb: Named, document_id: str, product: ProductDep) -> Document:
    """One row of the file table."""
    return product.catalog.document(product.catalog.get(kb).id, document_id)


@router.delete("/{document_id}", status_code=204)
def delete_document(kb: Named, document_id: str, product: ProductDep) -> None:
    """Remove a document from every index."""
    product.ingest.remove_document(product.catalog.get(kb).id, document_id)


@router.get("/{document_id}/chunks")
def list_chunks(kb: Named, document_id: str, product: ProductDep) -> Page[StoredChunk]:
    """The pieces that the document was split into, in reading order."""
    document = product.catalog.document(product.catalog.get(kb).id, document_id)
    return Page.of(product.catalog.chunks(document.id))


@router.get("/{document_id}/original", response_class=FileResponse)
def download_document(kb: Named, document_id: str, product: ProductDep) -> FileResponse:
    """The file as it was taken in; always as a download, never shown as a page of this server."""
    document = product.catalog.document(product.catalog.get(kb).id, document_id)
    return FileResponse(
        product.ingest.original(document.knowledge_base, document.id),
        filename=Path(document.source_uri).name,
        media_type="application/octet-stream",
        headers={"X-Content-Type-Options": "nosniff"},
    )


def _staged(product: Product, announced_bytes: int) -> Path:
    """A new folder for an upload. Raises `StoreUnavailable` when the disk cannot hold what was announced."""
    free = free_bytes(product.data.path)
    if announced_bytes > free:
        raise StoreUnavailable("upload.no_room", mb=announced_bytes // MEGABYTE, free_mb=free // MEGABYTE) from OSError(
            errno.ENOSPC, os.strerror(errno.ENOSPC)
        )
    return product.learning.new_upload()
