"""Routes of the sandbox: sessions, runs, files and the self-test. The API and the sandbox server serve the same ones."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

import anyio
from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from devops_chatbot.api.sse import EventStream, Streams, frame
from devops_chatbot.errors import ChatbotError, TooLarge
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.sandboxes import NewRun, NewSandbox
from devops_chatbot.values import Page, to_json
from sandbox import languages
from sandbox.http import CALLER_HEADER
from sandbox.model import (
    UNNAMED,
    Artifact,
    AttackResult,
    Execution,
    FileEntry,
    Language,
    Limits,
    OutputChunk,
    Sandbox,
    SandboxReadiness,
    Session,
    SessionInfo,
    Watch,
)

RUNS_AT_ONCE = 64
EVENT_STREAM = "text/event-stream"
HELD_IN_MEMORY = 1 << 20

T = TypeVar("T")
S = TypeVar("S")

router = APIRouter(prefix=NATIVE + "/sandboxes", tags=["sandbox"])


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxContext:
    """What the routes work on: the app puts one under `app.state.sandbox`.

    `caller` is whom this request speaks for; None may see every session.
    """

    sandbox: Sandbox
    usual: Limits
    streams: Streams
    caller: Callable[[Request], str | None]


def _context(request: Request) -> SandboxContext:
    context: SandboxContext = request.app.state.sandbox
    return context


SandboxDep = Annotated[SandboxContext, Depends(_context)]


def _session(sandbox_id: str, request: Request, context: SandboxDep) -> Session:
    return context.sandbox.get(sandbox_id, caller=context.caller(request))


SessionDep = Annotated[Session, Depends(_session)]

_RUN: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Execution,
        "description": "How the run ended; with `Accept: text/event-stream`, first its `chunk` and `artifact` events "
        "as they come, and last `execution` or `failure`. Leaving stops the run.",
        "content": {
            EVENT_STREAM: {
                "example": 'event: chunk\ndata: {"stream": "stdout", "text": "42\\n"}\n\n'
                'event: execution\ndata: {"exit_code": 0, "stdout": "42\\n", "stderr": "", "seconds": 0.001}\n\n'
            }
        },
    }
}


@router.get("/readiness")
def readiness(context: SandboxDep) -> SandboxReadiness:
    """What the sandbox can do now; 503 with the reason when it can do nothing."""
    return context.sandbox.ready()


@router.get("/languages")
def list_languages() -> Page[Language]:
    """The languages that this product knows, with the other names that people use for them. Which of them can be run
    here now is said by `readiness`.
    """
    return Page.of(languages.known())


@router.post("/selftest", response_class=EventStream)
async def selftest(request: Request, context: SandboxDep) -> EventStream:
    """Try to break out on the sandbox's own host: a `result` event for each attack. Takes a minute."""
    return EventStream(_results(context.sandbox, limiter(request)), streams=context.streams, name="sandbox:selftest")


@router.post("", status_code=201)
def open_session(body: NewSandbox, request: Request, context: SandboxDep) -> SessionInfo:
    """Open a session: a container of its own, which goes when nobody uses it."""
    limits = body.limits.over(context.usual, network=body.network)
    return context.sandbox.open(limits, language=body.language, caller=context.caller(request) or UNNAMED).info()


@router.get("")
def list_sessions(request: Request, context: SandboxDep) -> Page[SessionInfo]:
    """Your sessions, oldest first."""
    return Page.of(context.sandbox.list(caller=context.caller(request)))


@router.get("/{sandbox_id}")
def get_session(session: SessionDep) -> SessionInfo:
    """What a session may use and what it does."""
    return session.info()


@router.delete("/{sandbox_id}", status_code=204)
def close_session(session: SessionDep) -> None:
    """End the session and everything in it."""
    session.close()


@router.post("/{sandbox_id}/runs", responses=_RUN, response_model=None)
async def run(
    sandbox_id: str,
    body: NewRun,
    request: Request,
    context: SandboxDep,
    session: SessionDep,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """Run code. A program that fails is a result like any other: look at `exit_code`."""
    if EVENT_STREAM in accept:
        return EventStream(
            _events(session, body, limiter(request)), streams=context.streams, name=f"sandbox:{sandbox_id}"
        )
    execution = await to_thread.run_sync(_run, session, body, limiter=limiter(request))
    return Response(to_json(execution), media_type="application/json")


@router.post("/{sandbox_id}/interrupt", status_code=204)
def interrupt(session: SessionDep) -> None:
    """Stop what runs; variables stay when the code lets itself be stopped."""
    session.interrupt()


@router.post("/{sandbox_id}/reset", status_code=204)
def reset(session: SessionDep) -> None:
    """Start again in a fresh container: no variables, no files."""
    session.reset()


@router.get("/{sandbox_id}/files")
def list_files(session: SessionDep) -> Page[FileEntry]:
    """The files of the session's folder, without hidden ones."""
    return Page.of(session.files.list())


@router.put("/{sandbox_id}/files/{path:path}")
async def put_file(path: str, request: Request, session: SessionDep) -> FileEntry:
    """Write a file; the body is its content, of type `application/octet-stream`."""
    most = (await run_in_threadpool(session.info)).limits.disk_mb << 20
    size = 0
    with tempfile.SpooledTemporaryFile(max_size=HELD_IN_MEMORY) as held:
        async for piece in request.stream():
            size += len(piece)
            if size > most:
                raise TooLarge("sandbox.file_too_large", path=path, mb=most >> 20)
            await run_in_threadpool(held.write, piece)
        held.seek(0)
        pieces: Iterator[bytes] = iter(lambda: held.read(1 << 18), b"")
        return await run_in_threadpool(session.files.put, path, pieces)


@router.get("/{sandbox_id}/files/{path:path}", response_class=Response)
def get_file(path: str, session: SessionDep) -> StreamingResponse:
    """The content of a file, never to be shown by a browser as a page of ours."""
    pieces = session.files.get(path)
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(pieces, media_type="application/octet-stream", headers=headers)


@router.delete("/{sandbox_id}/files/{path:path}", status_code=204)
def delete_file(path: str, session: SessionDep) -> None:
    """Remove a file, or a folder with everything in it."""
    session.files.delete(path)


def told_caller(request: Request) -> str | None:
    """Whom a trusted client says that it speaks for."""
    said = request.headers.get(CALLER_HEADER)
    return None if said is None else unquote(said)


def limiter(request: Request) -> anyio.CapacityLimiter:
    """Long runs must not take the threads that everything else needs."""
    state = request.app.state
    if not hasattr(state, "sandbox_runs"):
        state.sandbox_runs = anyio.CapacityLimiter(RUNS_AT_ONCE)
    held: anyio.CapacityLimiter = state.sandbox_runs
    return held


def _run(session: Session, body: NewRun, watch: Watch | None = None) -> Execution:
    return session.run(body.code, language=body.language, timeout_s=body.timeout_s, watch=watch)


async def _events(session: Session, body: NewRun, limiter: anyio.CapacityLimiter) -> AsyncGenerator[bytes]:
    """What a run says, while it says it; when the reader leaves, the run is stopped."""
    said: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def watch(piece: OutputChunk | Artifact) -> None:
        name = "chunk" if isinstance(piece, OutputChunk) else "artifact"
        loop.call_soon_threadsafe(said.put_nowait, frame(name, to_json(piece)))

    async for event in while_working(lambda: _run(session, body, watch), said, session.interrupt, limiter):
        yield event if isinstance(event, bytes) else frame("execution", to_json(event))


async def _results(sandbox: Sandbox, limiter: anyio.CapacityLimiter) -> AsyncGenerator[bytes]:
    said: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def say(result: AttackResult) -> None:
        loop.call_soon_threadsafe(said.put_nowait, frame("result", to_json(result)))

    async for event in while_working(lambda: sandbox.selftest(say), said, lambda: None, limiter):
        if isinstance(event, bytes):
            yield event


async def while_working(
    work: Callable[[], T], said: "asyncio.Queue[S]", give_up: Callable[[], None], limiter: anyio.CapacityLimiter
) -> AsyncGenerator[S | T]:
    """What is said while the work goes on in a thread of its own, and last its result."""
    working = asyncio.ensure_future(to_thread.run_sync(work, limiter=limiter))
    try:
        while not working.done() or not said.empty():
            waiting = asyncio.ensure_future(said.get())
            await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                yield waiting.result()
            else:
                waiting.cancel()
        yield working.result()
    finally:
        if not working.done():
            with contextlib.suppress(ChatbotError):
                await asyncio.shield(to_thread.run_sync(give_up))
            with contextlib.suppress(ChatbotError):
                await asyncio.shield(working)
