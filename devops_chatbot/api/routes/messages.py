"""Asking: a message into a conversation, its events out; and stopping."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from devops_chatbot.access.principals import Principal
from devops_chatbot.api.context import Context, ContextDep, PrincipalDep, own_thread, refuse_repositories
from devops_chatbot.api.problems import status_of_name
from devops_chatbot.api.sse import EventStream, encode
from devops_chatbot.bootstrap import Product
from devops_chatbot.calls import Waiting
from devops_chatbot.chat import Answer, Failure, Progress, Question
from devops_chatbot.i18n import Reason
from devops_chatbot.schemas import NATIVE
from devops_chatbot.schemas.threads import NewMessage

READING_POLL_S = 0.2

router = APIRouter(prefix=NATIVE + "/threads", tags=["conversations"])

_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The events `route`, `progress`, `evidence`, `tool`, `note`, `approval`, `thought`, `token`, and last "
        "`answer`, `waiting` (for an approval) or `failure`. A `thought` is what the model thinks before it answers, and no "
        "part of the answer; one with `recant` makes a thought of all tokens before. "
        "Closing the connection stops the work; what was said is kept.",
        "content": {
            "text/event-stream": {
                "example": 'event: route\ndata: {"scenario": "docs", "why": {"code": "…", "text": "…"}, "confidence": 0.9}\n\n'
                'event: token\ndata: {"text": "First check the logs [1]"}\n\n'
                'event: answer\ndata: {"text": "…", "citations": [{"number": 1, "ref": "…", "quote": "…"}]}\n\n'
            }
        },
    }
}


class Stopped(BaseModel):
    """Whether there was something to stop."""

    stopped: bool


@router.post("/{thread_id}/messages", response_class=EventStream, responses=_EVENTS)
async def ask(thread_id: str, body: NewMessage, context: ContextDep, principal: PrincipalDep) -> EventStream:
    """Ask a question and read the answer while it is written."""
    question = await run_in_threadpool(_question, context.product, principal, thread_id, body)
    return EventStream(_events(context, question), streams=context.streams, name=thread_id)


@router.get("/{thread_id}/events", response_class=EventStream, responses=_EVENTS, dependencies=[Depends(own_thread)])
async def follow(thread_id: str, context: ContextDep) -> EventStream:
    """Follow an answer that goes on after an approval, from where it went on."""
    events = (encode(event) async for event in context.continuations.follow(thread_id))
    return EventStream(events, streams=context.streams, name=f"follow {thread_id}")


@router.post("/{thread_id}/stop", dependencies=[Depends(own_thread)])
async def stop(thread_id: str, context: ContextDep) -> Stopped:
    """Stop what is being answered in this conversation, from anywhere, or what waits there for an approval; what was said is
    kept.
    """
    stopped = context.streams.stop(thread_id)
    return Stopped(stopped=await context.continuations.stop(thread_id) or stopped)


def _question(product: Product, principal: Principal, thread_id: str, body: NewMessage) -> Question:
    product.threads.summary(thread_id)
    refuse_repositories(body.repositories)
    attached = product.workbench.attachments.knowledge_base(thread_id)
    searched = product.ids_of(body.knowledge_bases)
    question = Question(
        text=body.text,
        principal=principal,
        thread_id=thread_id,
        knowledge_bases=(*searched, *filter(None, (attached,))),
        chosen=searched if body.knowledge_bases else (),
        scenario=body.route,
        model=body.model,
        mode=body.mode,
        limit=body.limit,
        score_threshold=body.score_threshold,
        history_turns=body.history_turns,
        regenerate=body.regenerate,
    )
    product.scheduler.check(question)
    return question


async def _read_attachments(product: Product, question: Question) -> AsyncGenerator[Progress]:
    """Returns once every attached file has been read; says which are waited for."""
    said: list[str] = []
    while question.thread_id is not None:
        files = await run_in_threadpool(product.workbench.attachments.list, question.thread_id)
        names = [each.name for each in files if each.state == "reading"]
        if not names:
            return
        if names != said:
            yield Progress(stage="attachments", what=Reason("progress.reading", names=names))
        said = names
        await asyncio.sleep(READING_POLL_S)


async def _events(context: Context, question: Question) -> AsyncGenerator[bytes]:
    begun, first, end = time.perf_counter(), True, "stopped"
    context.metrics.streams.inc()
    try:
        async for progress in _read_attachments(context.product, question):
            yield encode(progress)
        async with aclosing(context.product.scheduler.ask(question)) as events:
            async for event in events:
                if first:
                    context.metrics.first_event_seconds.observe(time.perf_counter() - begun)
                    first = False
                if isinstance(event, Failure):
                    end = "failed"
                    event = dataclasses.replace(event, status=status_of_name(event.error))
                elif isinstance(event, Answer):
                    end = "answered"
                elif isinstance(event, Waiting):
                    end = "waiting"
                yield encode(event)
    finally:
        context.metrics.streams.dec()
        context.metrics.questions.labels(end).inc()
