"""Routes of a conversation's code: run a block of an answer, what became of it, and the session that it runs in."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from devops_chatbot.api.context import ContextDep, ProductDep, own_thread
from devops_chatbot.api.routes.sandboxes import EVENT_STREAM, limiter, while_working
from devops_chatbot.api.sse import EventStream, frame
from devops_chatbot.bootstrap import Product
from devops_chatbot.code import CodeRun, ThreadSandbox
from devops_chatbot.conversations import write_archive
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.threads import RunRequest, ThreadSandboxChange
from devops_chatbot.values import Page, to_json
from sandbox.model import Artifact, OutputChunk

router = APIRouter(prefix=NATIVE + "/threads/{thread_id}", tags=["conversations"], dependencies=[Depends(own_thread)])

_RUN: dict[int | str, dict[str, Any]] = {
    200: {
        "model": CodeRun,
        "description": "How the run ended; with `Accept: text/event-stream`, first its `chunk` events as they come, and "
        "last `run` or `failure`. Leaving stops the run; what there is of it is kept.",
        "content": {
            EVENT_STREAM: {
                "example": 'event: chunk\ndata: {"stream": "stdout", "text": "42\\n"}\n\n'
                'event: run\ndata: {"id": "r1", "message": "m1", "block": 0, "exit_code": 0, "stdout": "42\\n"}\n\n'
            }
        },
    }
}


@router.get("/runs")
def list_runs(thread_id: str, product: ProductDep) -> Page[CodeRun]:
    """The newest run of each code block of the conversation's answers, oldest first."""
    return Page.of(product.workbench.runs.list(thread_id))


@router.post("/runs", responses=_RUN, response_model=None)
async def run_code(
    thread_id: str, body: RunRequest, request: Request, context: ContextDep, accept: Annotated[str, Header()] = ""
) -> Response:
    """Run code in the conversation's session, which keeps variables and files from run to run and sees the attachments."""
    events = _events(context.product, thread_id, body, request)
    if EVENT_STREAM in accept:
        return EventStream(_framed(events), streams=context.streams, name=f"run:{thread_id}")
    last = None
    async for event in events:
        last = event
    return Response(to_json(last), media_type="application/json")


@router.get("/runs/{run_id}")
def get_run(thread_id: str, run_id: str, product: ProductDep) -> CodeRun:
    """What a code block did when it was run last."""
    return product.workbench.runs.get(thread_id, run_id)


@router.delete("/runs/{run_id}", status_code=204)
def delete_run(thread_id: str, run_id: str, product: ProductDep) -> None:
    """Remove a run and what it made from the conversation."""
    product.workbench.runs.delete(thread_id, run_id)


@router.get("/runs/{run_id}/artifacts/{number}", response_class=FileResponse)
def get_artifact(thread_id: str, run_id: str, number: int, product: ProductDep) -> FileResponse:
    """A figure, a table or a file that a run made; always as a download, never shown as a page of this server."""
    artifact, path = product.workbench.runs.artifact(thread_id, run_id, number)
    return download(path, artifact.name.rpartition("/")[2])


@router.get("/export", response_class=FileResponse)
def export_thread(thread_id: str, product: ProductDep) -> FileResponse:
    """The conversation as a zip archive: its words, and what its code gave, as Markdown; figures, files, attachments."""
    thread = product.threads.load(thread_id)
    folder = product.learning.new_upload()
    try:
        write_archive(thread, product.workbench, folder / "archive")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    clear_up = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return download(folder / "archive", f"{thread.title or thread.id}.zip", background=clear_up)


@router.get("/sandbox")
def get_sandbox(thread_id: str, product: ProductDep) -> ThreadSandbox:
    """The conversation's session, when it has one, and the auto-run switch."""
    return product.workbench.state(thread_id)


@router.patch("/sandbox")
def change_sandbox(thread_id: str, body: ThreadSandboxChange, product: ProductDep) -> ThreadSandbox:
    """`auto_run`: whoever shows the conversation runs the code of new answers by itself. The web pages do."""
    product.workbench.set_auto_run(thread_id, body.auto_run)
    return product.workbench.state(thread_id)


@router.post("/sandbox/interrupt", status_code=204)
def interrupt_run(thread_id: str, product: ProductDep) -> None:
    """Stop what runs; variables stay when the code lets itself be stopped."""
    product.workbench.interrupt(thread_id)


@router.post("/sandbox/reset", status_code=204)
def reset_session(thread_id: str, product: ProductDep) -> None:
    """Start again in a fresh container: no variables, no files but the attached ones."""
    product.workbench.reset(thread_id)


@router.delete("/sandbox", status_code=204)
def close_session(thread_id: str, product: ProductDep) -> None:
    """End the session; the next run opens another."""
    product.workbench.close(thread_id)


def download(path: Path, name: str, *, background: BackgroundTask | None = None) -> FileResponse:
    """Bytes that a browser saves and never shows, whatever they are."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": f"attachment; filename*=utf-8''{quote(name, safe='')}",
    }
    return FileResponse(path, media_type="application/octet-stream", headers=headers, background=background)


async def _framed(events: "AsyncGenerator[OutputChunk | CodeRun]") -> AsyncGenerator[bytes]:
    try:
        async for event in events:
            yield frame("chunk" if isinstance(event, OutputChunk) else "run", to_json(event))
    finally:
        await events.aclose()


async def _events(
    product: Product, thread_id: str, body: RunRequest, request: Request
) -> "AsyncGenerator[OutputChunk | CodeRun]":
    """What the run says while it says it, and last what was kept of it."""
    said: asyncio.Queue[OutputChunk] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def watch(piece: OutputChunk | Artifact) -> None:
        if isinstance(piece, OutputChunk):
            loop.call_soon_threadsafe(said.put_nowait, piece)

    async for event in while_working(
        lambda: product.workbench.run(thread_id, body, watch=watch),
        said,
        lambda: product.workbench.interrupt(thread_id),
        limiter(request),
    ):
        yield event
