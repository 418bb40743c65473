"""The sandbox server: the one process that may use the container engine, behind the sandbox's routes and its own token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from devops_chatbot.api.context import PROBLEMS
from devops_chatbot.api.metrics import Metrics
from devops_chatbot.api.middleware import Door, Entry
from devops_chatbot.api.problems import HANDLERS
from devops_chatbot.api.routes import sandboxes
from devops_chatbot.api.sse import Streams
from sandbox.model import Limits, Sandbox


def create_sandbox_app(sandbox: Sandbox, *, usual: Limits, entry: Entry, version: str) -> FastAPI:
    """The app that serves `sandbox` to clients that know the token of `entry`; it closes the sandbox when it ends.

    Clients are trusted to name the caller that they speak for: each has sessions and a quota of its own.
    """
    streams = Streams()

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await run_in_threadpool(sandbox.close)

    app = FastAPI(
        title="DevOps ChatBot sandbox",
        version=version,
        lifespan=life,
        responses=PROBLEMS,
        docs_url=None,
        redoc_url=None,
        exception_handlers=HANDLERS,
    )
    app.state.streams = streams
    app.state.sandbox = sandboxes.SandboxContext(
        sandbox=sandbox, usual=usual, streams=streams, caller=sandboxes.told_caller
    )
    app.include_router(sandboxes.router)
    app.add_api_route("/healthz", _alive, tags=["health"])
    app.add_middleware(Door, entry=entry, metrics=Metrics())
    return app


async def _alive() -> dict[str, str]:
    return {"status": "ok"}
