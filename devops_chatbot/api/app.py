"""Puts the HTTP door together over a product."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool

from devops_chatbot.access.principals import LOCAL, Principal
from devops_chatbot.api.context import PROBLEMS, Context
from devops_chatbot.api.continuing import Continuations
from devops_chatbot.api.examples import describe
from devops_chatbot.api.metrics import Metrics
from devops_chatbot.api.middleware import Door, entry
from devops_chatbot.api.problems import HANDLERS
from devops_chatbot.api.routes import (
    approvals,
    attachments,
    documents,
    health,
    knowledge_bases,
    messages,
    models,
    runs,
    samples,
    sandboxes,
    search,
    settings,
    sources,
    thread_code,
    threads,
    tools,
)
from devops_chatbot.api.sse import Streams
from devops_chatbot.bootstrap import Product
from devops_chatbot.sandbox_bootstrap import usual_limits

ABOUT = """Answers from your own runbooks, with citations that open the passage.

Long work answers 202 with a run. Errors are problem details (RFC 9457) with a `request_id`
that stands in the server's log.
"""
ROUTES = (
    knowledge_bases,
    documents,
    sources,
    search,
    runs,
    threads,
    messages,
    thread_code,
    attachments,
    models,
    tools,
    approvals,
    settings,
    samples,
    sandboxes,
    health,
)


def create_app(product: Product, *, principal_of: Callable[[Request], Principal] = lambda _: LOCAL) -> FastAPI:
    """The app that serves `product`; it starts the product's runs and closes the product when it ends.

    `principal_of` says who makes a request.
    """
    from fastapi_swagger import patch_fastapi  # type: ignore[import-untyped]  # has no annotations

    continuations = Continuations(product.scheduler, product.approvals)
    context = Context(product=product, streams=Streams(), metrics=Metrics(), continuations=continuations)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        try:
            await run_in_threadpool(product.start)
            await continuations.open()
            yield
        finally:
            await continuations.close()
            try:
                await product.models.close()
            finally:
                await run_in_threadpool(product.close)

    app = FastAPI(
        title="DevOps ChatBot",
        version=product.version,
        description=ABOUT,
        lifespan=life,
        responses=PROBLEMS,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        exception_handlers=HANDLERS,
    )
    app.state.context = context
    app.state.principal_of = principal_of
    app.state.sandbox = sandboxes.SandboxContext(
        sandbox=product.sandbox,
        usual=usual_limits(product.settings.sandbox),
        streams=context.streams,
        caller=lambda request: principal_of(request).id,
    )
    for module in ROUTES:
        app.include_router(module.router)
    app.include_router(health.machines)
    server = product.settings.server
    key = server.key.get_secret_value() if server.key else None
    app.add_middleware(
        Door, entry=entry(host=server.host, allowed_hosts=server.allowed_hosts, key=key), metrics=context.metrics
    )
    describe(app)
    patch_fastapi(app)
    return app
