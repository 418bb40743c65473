"""Works with tools: a model asks, tools answer, within limits; what changes something waits for a person."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from agents.dispatch import Dispatch
from agents.toolbox import Toolbox
from agents.toolbox.clock import now
from devops_chatbot.chat import Found, Progress, Task
from devops_chatbot.errors import ModelUnavailable
from devops_chatbot.i18n import Language, Reason
from devops_chatbot.llm import Models, NamedModel
from devops_chatbot.llm.prompts import fill
from devops_chatbot.tools import Tool
from knowledge.text.language import language_of

if TYPE_CHECKING:
    from agents.loop import Loop

KNOWN_CHARS = 12_000
"""Of what others have found, for an agent that goes on from there."""


class ToolAgent:
    """Lets the models of the role `tools`, or those that answer, call the member's tools."""

    name = "tools"
    purpose = "Calls tools and reads what they say."

    def __init__(self, toolbox: Toolbox, dispatch: Dispatch, models: Models) -> None:
        self._toolbox = toolbox
        self._dispatch = dispatch
        self._models = models

    async def gather(self, task: Task) -> AsyncGenerator[Found]:
        """Each call and what became of it, its evidence, and last a `Note` of what the agent concludes, or `Paused`."""
        models = self._able(task.question.model)
        tools = await self._toolbox.usable(task.member.tools)
        language = language_of(task.question.text)
        yield Progress(stage="agent", what=Reason("progress.agent", name=task.member.name))
        heard: asyncio.Queue[Found | None] = asyncio.Queue()
        work = asyncio.create_task(self._work(task, models, tools, language, heard))
        work.add_done_callback(lambda _: heard.put_nowait(None))
        try:
            while (found := await heard.get()) is not None:
                yield found
            await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    def _able(self, named: str | None) -> Sequence[NamedModel]:
        """Raises `ModelUnavailable` when there is no language model."""
        chosen = self._models.for_role("answer", named=named) if named else self._models.for_role("tools")
        models = [model for model in chosen or self._models.for_role("answer") if not model.extractive]
        if not models:
            raise ModelUnavailable("agent.no_model")
        return models

    async def _work(
        self,
        task: Task,
        models: Sequence[NamedModel],
        tools: Sequence[Tool],
        language: Language,
        heard: "asyncio.Queue[Found | None]",
    ) -> None:
        loop_of = await asyncio.to_thread(_loop_class)
        loop = loop_of(
            task, models=models, tools=tools, dispatch=self._dispatch, say=heard.put_nowait, language=language
        )
        told = task.member.task.get(language, task.member.task.get("en", ""))
        await loop.run(fill("agent", language, task=told, now=now()), _asked(task, language))


def _loop_class() -> "type[Loop]":
    """LangChain's agents take a second to import, so they are imported when the first one works."""
    from agents.loop import Loop

    return Loop


def _asked(task: Task, language: Language) -> str:
    known = [f"{note.agent}: {note.text}" for note in task.notes if note.text]
    room = KNOWN_CHARS
    for each in task.evidence:
        piece = f"{each.title} ({each.trust.value}):\n{each.context}"
        if len(piece) > room:
            continue
        room -= len(piece)
        known.append(piece)
    if not known:
        return task.query
    mark = f"=== {secrets.token_hex(8)} ==="
    return fill("agent_known", language, question=task.query, known="\n\n".join(known), mark=mark)
