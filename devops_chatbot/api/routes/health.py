"""Routes of health: that the process lives, what is ready and why not, and Prometheus metrics."""

import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib.util import find_spec
from typing import get_args

from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from devops_chatbot.api.context import HostDep
from devops_chatbot.bootstrap import Product
from devops_chatbot.config.data_directory import free_bytes
from devops_chatbot.errors import ChatbotError, NotFound, StoreUnavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.schemas import NATIVE
from devops_chatbot.status import Check, Readiness, State, Trial
from devops_chatbot.work import RunState

router = APIRouter(prefix=NATIVE + "/checks", tags=["health"])
machines = APIRouter(tags=["health"])
"""Routes for machines, which stand beside the native API."""

LEAST_FREE_BYTES = 50 * 1024 * 1024
_ENGINES = {"runs": "dbos", "vector index": "chromadb", "word index": "tantivy", "graph": "ladybug"}


@machines.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@machines.get("/readyz", responses={503: {"model": Readiness, "description": "Something necessary has failed"}})
def readyz(host: HostDep, response: Response) -> Readiness:
    """Each thing the product needs: ready, disabled or failed and why. 503 when a necessary one has failed."""
    product = host.product
    necessary, others = tuple(_necessary(product)), tuple(_others(product))
    ready = all(check.state == "ready" for check in necessary)
    response.status_code = 200 if ready else 503
    return Readiness(ready=ready, version=product.version, checks=(*necessary, *others))


@router.post("/{name}/test")
def test_check(name: str, host: HostDep) -> Trial:
    """Really use a thing that `/readyz` names: write to the data directory, open a store and look into it.

    Models and embedding models have test routes of their own.
    """
    tests = _tests(host.product)
    if name not in tests:
        raise NotFound("check.not_found", name=name, known=list(tests))
    begun = time.perf_counter()
    try:
        ok, detail = True, tests[name]()
    except (ChatbotError, OSError, SQLAlchemyError) as error:
        ok, detail = False, _why(error)
    return Trial(ok=ok, seconds=time.perf_counter() - begun, detail=detail)


@machines.get("/metrics", response_class=Response)
def metrics(host: HostDep) -> Response:
    """Prometheus text."""
    numbers, product = host.metrics, host.product
    bases, runs = product.catalog.list(), product.runs.list()
    numbers.knowledge.labels("knowledge_bases").set(len(bases))
    for what in ("documents", "chunks", "bytes"):
        numbers.knowledge.labels(what).set(sum(getattr(base, what) for base in bases))
    for state in get_args(RunState):
        numbers.runs.labels(state).set(sum(run.state == state for run in runs))
    return Response(numbers.text(), media_type=numbers.content_type)


def _tests(product: Product) -> dict[str, Callable[[], Reason]]:
    stores = product.stores
    return {
        "data directory": lambda: _written(product),
        "records": lambda: _counted(product.catalog.list()),
        "runs": lambda: Reason("check.runs", count=len(product.runs.list())),
        "vector index": lambda: _held(product, stores.vectors.ids),
        "word index": lambda: _held(product, stores.lexical.ids),
        "graph": lambda: _held(product, stores.graph.versions),
        "sandbox": lambda: _sandbox(product),
    }


def _written(product: Product) -> Reason:
    said = _data_directory(product)
    with tempfile.NamedTemporaryFile(dir=product.data.path, prefix=".test-") as file:
        file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())
    return said


def _counted(bases: Sequence[object]) -> Reason:
    return Reason("check.knowledge_bases", count=len(bases))


def _held(product: Product, entries: Callable[[str], Collection[object]]) -> Reason:
    """How much a store holds. Raises `StoreUnavailable` when it holds nothing of a knowledge base with passages."""
    bases = product.catalog.list()
    held = {base.name: len(entries(base.id)) for base in bases}
    lost = [base.name for base in bases if base.chunks and not held[base.name]]
    if lost:
        raise StoreUnavailable("check.lost", names=lost)
    return Reason("check.opened", entries=sum(held.values()), bases=_counted(bases))


def _necessary(product: Product) -> Iterator[Check]:
    yield _tried("data directory", lambda: _data_directory(product))
    yield _tried("records", lambda: _counted(product.catalog.list()))
    for name, package in _ENGINES.items():
        missing = find_spec(package) is None
        why = Reason("check.no_package", package=package) if missing else Reason("check.opens_later", package=package)
        yield Check(name=name, state="failed" if missing else "ready", why=why)


def _others(product: Product) -> Iterator[Check]:
    for embedding in product.embeddings.infos():
        yield Check(name=f"embedding {embedding.name}", state=embedding.state, why=embedding.why)
    for known in product.registries:
        for name, error in known.failed.items():
            why = Reason("registry.failed", kind=known.noun, name=name, error=error)
            yield Check(name=f"{known.noun} {name}", state="failed", why=why)
    yield _tried("sandbox", lambda: _sandbox(product), otherwise="disabled")
    for model in product.models.names():
        yield Check(name=f"model {model.name}", state=model.state, why=model.why)


def _sandbox(product: Product) -> Reason:
    ready = product.sandbox.ready()
    well = Reason("check.sandbox", engine=ready.engine, version=ready.version, languages=ready.languages)
    return Reason("check.sandbox_partly", well=well, missing=ready.missing) if ready.missing else well


def _why(error: Exception) -> Reason:
    return error.reason if isinstance(error, ChatbotError) else Reason("check.failed", error=error)


def _tried(name: str, look: Callable[[], Reason], otherwise: State = "failed") -> Check:
    try:
        return Check(name=name, state="ready", why=look())
    except (ChatbotError, OSError) as error:
        return Check(name=name, state=otherwise, why=_why(error))


def _data_directory(product: Product) -> Reason:
    path = product.data.path
    if not os.access(path, os.W_OK):
        raise StoreUnavailable("check.not_writable", path=path)
    free = free_bytes(path)
    if free < LEAST_FREE_BYTES:
        raise StoreUnavailable("check.little_room", path=path, free_mb=free // 1024 // 1024)
    return Reason("check.room", path=path, free_gb=free / 1024**3)
