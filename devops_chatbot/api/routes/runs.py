"""Routes of runs: long work, its state and its events."""

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from devops_chatbot.api.context import ContextDep, ProductDep
from devops_chatbot.api.sse import EventStream, frame
from devops_chatbot.schemas import NATIVE
from devops_chatbot.values import Page, to_json
from devops_chatbot.work import Run, StartedRun

router = APIRouter(prefix=NATIVE + "/runs", tags=["runs"])

_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "`run` events: the run now and after each change, until it has ended",
        "content": {
            "text/event-stream": {
                "example": 'event: run\ndata: {"id": "…", "state": "running", "progress": {"done": 3}}\n\n'
            }
        },
    }
}


def started(run: Run) -> StartedRun:
    """The answer to a request that began a run."""
    return StartedRun(run_id=run.id, run=run)


@router.get("")
def list_runs(product: ProductDep, knowledge_base: str | None = None) -> Page[Run]:
    """Newest first; `knowledge_base` is an id or a name."""
    return Page.of(product.runs.list(product.catalog.get(knowledge_base).id if knowledge_base else None))


@router.get("/{run_id}")
def get_run(run_id: str, product: ProductDep) -> Run:
    """A run as it stands now."""
    return product.runs.get(run_id)


@router.delete("/{run_id}")
def cancel_run(run_id: str, product: ProductDep) -> Run:
    """Stops the work; documents that are in stay in. Cancelling a run that has ended changes nothing."""
    return product.runs.cancel(run_id)


@router.get("/{run_id}/events", response_class=EventStream, responses=_EVENTS)
async def run_events(run_id: str, context: ContextDep) -> EventStream:
    """Follow a run; leaving does not stop it."""
    runs = context.product.runs
    await run_in_threadpool(runs.get, run_id)
    events = (frame("run", to_json(run)) async for run in runs.events(run_id))
    return EventStream(events, streams=context.streams, name=f"run:{run_id}")
