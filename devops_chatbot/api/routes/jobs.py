"""Routes of jobs: long work, its state and its events."""

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from devops_chatbot.api.context import ContextDep, ProductDep
from devops_chatbot.api.sse import EventStream, frame
from devops_chatbot.bootstrap import Product
from devops_chatbot.schemas import NATIVE
from devops_chatbot.values import Page, to_json
from devops_chatbot.work import Job, StartedJob

router = APIRouter(prefix=NATIVE + "/jobs", tags=["jobs"])

_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`job` events: the job now and after each change, until it has ended",
        "content": {
            "text/event-stream": {"example": 'event: job\ndata: {"id": "…", "state": "running", "done": 3}\n\n'}
        },
    }
}


def started(job: Job) -> StartedJob:
    """The answer to a request that began a job."""
    return StartedJob(job_id=job.id, job=job)


@router.get("")
def list_jobs(product: ProductDep, knowledge_base: str | None = None) -> Page[Job]:
    """Newest first; `knowledge_base` is an id or a name."""
    scope = product.catalogue.get(knowledge_base).id if knowledge_base else None
    return Page.of(product.jobs.list(scope))


@router.get("/{job_id}")
def get_job(job_id: str, product: ProductDep) -> Job:
    """A job as it stands now."""
    return product.jobs.get(job_id)


@router.delete("/{job_id}")
def cancel_job(job_id: str, product: ProductDep) -> Job:
    """Stops the work; documents that are in stay in. Cancelling a job that has ended changes nothing."""
    product.jobs.cancel(job_id)
    return product.jobs.get(job_id)


@router.get("/{job_id}/events", response_class=EventStream, responses=_EVENTS)
async def job_events(job_id: str, context: ContextDep) -> EventStream:
    """Follow a job; leaving does not stop it."""
    await run_in_threadpool(context.product.jobs.get, job_id)
    return EventStream(_events(context.product, job_id), streams=context.streams, name=f"job:{job_id}")


async def _events(product: Product, job_id: str) -> AsyncGenerator[bytes]:
    async for job in product.jobs.events(job_id):
        yield frame("job", to_json(job))
