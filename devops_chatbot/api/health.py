"""Routes of health: that the process lives, what is ready and why not, and Prometheus metrics."""

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import get_args

from fastapi import APIRouter, Response

from devops_chatbot.api.context import In, Of
from devops_chatbot.bootstrap import Product
from devops_chatbot.datadir import free_bytes
from devops_chatbot.errors import ChatbotError
from devops_chatbot.wire import Check, JobState, Readiness, State

router = APIRouter(tags=["health"])

LEAST_FREE_BYTES = 50 * 1024 * 1024
_ENGINES = {"jobs": "dbos", "vector index": "chromadb", "word index": "tantivy", "graph": "ladybug"}


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Something necessary has failed"}})
def readyz(product: Of, response: Response) -> Readiness:
    """Each thing the product needs: ready, disabled or failed and why. 503 when a necessary one has failed."""
    necessary, others = tuple(_necessary(product)), tuple(_others(product))
    ready = all(check.state == "ready" for check in necessary)
    response.status_code = 200 if ready else 503
    return Readiness(ready=ready, version=product.version, checks=(*necessary, *others))


@router.get("/metrics", response_class=Response)
def metrics(context: In) -> Response:
    """Prometheus text."""
    numbers, product = context.metrics, context.product
    bases, jobs = product.catalogue.list(), product.jobs.list()
    numbers.knowledge.labels("knowledge_bases").set(len(bases))
    for what in ("documents", "chunks", "bytes"):
        numbers.knowledge.labels(what).set(sum(getattr(base, what) for base in bases))
    for state in get_args(JobState):
        numbers.jobs.labels(state).set(sum(job.state == state for job in jobs))
    return Response(numbers.text(), media_type=numbers.content_type)


def _necessary(product: Product) -> Iterator[Check]:
    yield _tried("data directory", lambda: _data_directory(product))
    yield _tried("records", lambda: f"{len(product.catalogue.list())} knowledge bases")
    for name, package in _ENGINES.items():
        missing = find_spec(package) is None
        why = f"the package {package} is not installed" if missing else f"{package}, opened on first use"
        yield Check(name=name, state="failed" if missing else "ready", why=why)


def _others(product: Product) -> Iterator[Check]:
    for embedding in product.embeddings.infos():
        yield Check(name=f"embedding {embedding.name}", state=embedding.state, why=embedding.why)
    yield _tried("sandbox", lambda: _sandbox(product), otherwise="disabled")
    for model in product.models.names():
        yield Check(name=f"model {model.name}", state=model.state, why=model.why)


def _sandbox(product: Product) -> str:
    ready = product.sandbox.ready()
    return f"{ready.engine}, image version {ready.version}, runs {', '.join(ready.languages)}"


def _tried(name: str, look: Callable[[], str], otherwise: State = "failed") -> Check:
    try:
        return Check(name=name, state="ready", why=look())
    except (ChatbotError, OSError) as error:
        return Check(name=name, state=otherwise, why=str(error))


def _data_directory(product: Product) -> str:
    path = product.data.path
    if not os.access(path, os.W_OK):
        raise OSError(f"{path} cannot be written")
    free = free_bytes(path)
    if free < LEAST_FREE_BYTES:
        raise OSError(f"only {free // 1024 // 1024} MB are left on the disk of {path}")
    return f"{path}, {free / 1024**3:.1f} GB free"
