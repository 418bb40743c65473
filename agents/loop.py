"""The loop of a model and its tools: LangChain's agent, with what it lacks as middleware.

Ours are the gate in front of what changes something, the budgets, the breaker of calls that lead nowhere, calls that come as
text, the fence around what tools say, and a second model when the first one fails.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, cast

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse, hook_config
from langchain.tools.tool_node import ToolCallRequest
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    messages_from_dict,
    messages_to_dict,
)
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.tools import StructuredTool
from pydantic import Field

from agents.dispatch import Dispatch, coerced, output_key
from agents.support import support
from agents.text_calls import as_text, described, read_text, with_calls
from agents.tool_output import fenced, page, search
from devops_chatbot.calls import CallState, Proposal, ToolCall
from devops_chatbot.chat import Evidence, Found, Note, Paused, Task
from devops_chatbot.errors import BadRequest, ChatbotError, ModelUnavailable, NotAllowed, NotFound
from devops_chatbot.i18n import Language, Reason
from devops_chatbot.llm import NamedModel
from devops_chatbot.llm.prompts import fill
from devops_chatbot.llm.thoughts import without_thoughts
from devops_chatbot.tools import Caller, Tool

WINDOW, SAME = 5, 3
"""A call that gave the same result so often among so many is stopped."""
MALFORMED = 2
"""How often a model is told that its call cannot be read before it is given up."""
CONTEXT_SHARE = 0.6
"""Of a model's context from which the oldest results are left out of what it is sent; they can be read again."""
RECURSION = 10_000
"""LangGraph's own limit of steps, out of the way: ours is `Limits`."""

Say = Callable[[Found], None]
Handler = Callable[[ModelRequest[None]], Awaitable[ModelResponse[Any]]]


@dataclass(slots=True)
class Progressed:
    """What a run of the loop has used and seen; the part of its memory beside the messages."""

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    waiting: dict[str, str] = field(default_factory=dict)
    """By the id of our call, the model's own id of it."""
    seen: list[str] = field(default_factory=list)
    """Calls with their results, as they are compared."""


class Loop(AgentMiddleware[AgentState[Any], None, Any]):
    """One run of one member of a team."""

    def __init__(
        self,
        task: Task,
        *,
        models: Sequence[NamedModel],
        tools: Sequence[Tool],
        dispatch: Dispatch,
        say: Say,
        language: Language,
    ) -> None:
        super().__init__()
        self._task = task
        self._models = models
        self._by_name = {tool.name: tool for tool in tools}
        self._dispatch = dispatch
        self._say = say
        self._language = language
        self._who = Caller(
            principal=task.question.principal, thread=task.question.thread_id, sources=task.route.sources
        )
        self._evidence = list(task.evidence)
        self._used = Progressed()
        self._recovered: set[str] = set()
        self._pending: list[Proposal] = []
        self._limit: Reason | None = None
        if self._by_name:
            self._reading = self._readers()
        else:
            self._reading = []

    async def run(self, system: str, human: str) -> None:
        """Says everything that is found; last a `Note`, or `Paused`. Raises `ModelUnavailable` when no model answers."""
        messages: list[AnyMessage] = [HumanMessage(human)]
        if self._task.resumed is not None:
            messages = self._remembered(self._task.resumed.memory, self._task.resumed.calls)
        agent = create_agent(
            await asyncio.to_thread(self._models[0].open),
            [*(tool.tool for tool in self._by_name.values()), *self._reading],
            system_prompt=system,
            middleware=[self],
        )
        begun = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, self._task.limits.seconds - self._used.seconds)):
                ended = await agent.ainvoke(cast(Any, {"messages": messages}), {"recursion_limit": RECURSION})
                messages = ended["messages"]
        except TimeoutError:
            self._limit = Reason("limit.seconds", most=self._task.limits.seconds)
        self._used.seconds += time.monotonic() - begun
        if self._pending and self._limit is None:
            self._say(Paused(proposals=tuple(self._pending), memory=self._memory(messages)))
            return
        last = messages[-1]
        text = str(last.text).strip() if isinstance(last, AIMessage) and not last.tool_calls else ""
        if text or self._limit:
            self._say(Note(agent=self._task.member.name, text=text, limit=self._limit))

    # --- the hooks

    @hook_config(can_jump_to=["end"])
    async def abefore_model(self, state: AgentState[Any], runtime: Any) -> dict[str, Any] | None:  # noqa: ARG002
        limits, used = self._task.limits, self._used
        if self._limit is None and used.steps >= limits.steps:
            self._limit = Reason("limit.steps", most=limits.steps)
        if self._limit is None and used.tokens >= limits.tokens:
            self._limit = Reason("limit.tokens", most=limits.tokens)
        return {"jump_to": "end"} if self._limit or self._pending else None

    async def awrap_model_call(self, request: ModelRequest[None], handler: Handler) -> ModelResponse[Any]:
        """The first model that answers; a call that it wrote as text becomes a call."""
        self._used.steps += 1
        messages = list(request.messages)
        for _ in range(MALFORMED + 1):
            message = await self._answer(request.override(messages=messages), handler)
            self._count(messages, message)
            found = read_text(str(message.text), self._by_name) if not message.tool_calls else None
            if found is None or not (found.calls or found.problem or found.answer is not None):
                return ModelResponse(result=[message])
            if found.answer is not None:
                return ModelResponse(result=[message.model_copy(update={"content": found.answer})])
            if found.calls:
                ids = [f"text-{uuid.uuid4().hex[:12]}" for _ in found.calls]
                if not self._models[0].writes_calls_as_text:
                    self._recovered |= set(ids)
                return ModelResponse(result=[with_calls(message, found.calls, ids)])
            messages += [message, HumanMessage(fill("agent_malformed", self._language, problem=found.problem))]
        self._limit = Reason("limit.malformed", model=self._models[0].name)
        return ModelResponse(result=[AIMessage("")])

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> ToolMessage:
        name, given, their_id = request.tool_call["name"], request.tool_call["args"], str(request.tool_call["id"])
        if any(name == each.name for each in self._reading):
            message: ToolMessage = await handler(request)
            self._broken(name, given, str(message.text))
            return message
        tool = self._by_name.get(name)
        if tool is None:
            known = ", ".join(self._by_name) or "none"
            return self._told(their_id, f"There is no tool {name!r}. There are: {known}.", name, given)
        call = ToolCall(
            id=f"c{uuid.uuid4().hex[:16]}",
            tool=name,
            arguments=given,
            effect=tool.effect,
            agent=self._task.member.name,
            recovered=their_id in self._recovered,
        )
        if tool.effect != "read":
            return self._held(tool, call, their_id)
        self._say(call)
        done = await self._dispatch.run(tool, call, self._who)
        return self._heard(tool, done, their_id)

    # --- what the hooks are made of

    async def _answer(self, request: ModelRequest[None], handler: Handler) -> AIMessage:
        failed: list[Reason] = []
        for model in self._models:
            try:
                opened = request.model if model is self._models[0] else await asyncio.to_thread(model.open)
                asked = request.override(model=opened, messages=self._lightened(request.messages, model))
                with model.translated():
                    if model.writes_calls_as_text:
                        return await self._by_protocol(asked)
                    response = await handler(asked)
                message = next(each for each in response.result if isinstance(each, AIMessage))
                return _mended(message)
            except ChatbotError as error:
                failed.append(error.reason)
        first = failed[0]
        if len(failed) == 1:
            raise ModelUnavailable(first)
        raise ModelUnavailable("model.none_answers", reasons=failed)

    async def _by_protocol(self, request: ModelRequest[None]) -> AIMessage:
        """A model without native calls: the tools stand in its rules, and it answers with one JSON object."""
        rules = str(request.system_message.text) if request.system_message else ""
        tools = described(list(self._by_name.values()))
        protocol = fill("agent_json", self._language, tools=tools) if self._by_name else ""
        written = as_text(request.messages)
        return _mended(await request.model.ainvoke([SystemMessage(f"{rules}\n\n{protocol}".strip()), *written]))

    def _count(self, messages: Sequence[BaseMessage], message: AIMessage) -> None:
        usage = message.usage_metadata
        if usage:
            self._used.tokens += usage["input_tokens"] + usage["output_tokens"]
        else:
            self._used.tokens += count_tokens_approximately([*messages, message])

    def _lightened(self, messages: Sequence[AnyMessage], model: NamedModel) -> list[AnyMessage]:
        """Without the oldest results when there is more than the model can read; each says how it is read again."""
        room = int((model.context - model.max_output) * CONTEXT_SHARE)
        if sum(len(str(each.content)) for each in messages) < room:  # fewer characters than tokens fit
            return list(messages)
        sizes = [count_tokens_approximately([each]) for each in messages]
        left, kept = sum(sizes), list(messages)
        for position, message in enumerate(messages[:-1]):
            if left <= room:
                break
            if isinstance(message, ToolMessage) and message.artifact:
                again = f'[left out to save room; read_output(call="{message.artifact}", line=1) shows it again]'
                kept[position] = message.model_copy(update={"content": again})
                left -= sizes[position]
        return kept

    def _held(self, tool: Tool, call: ToolCall, their_id: str) -> ToolMessage:
        """A call that changes something waits, or is refused."""
        try:
            arguments = coerced(tool, call.arguments)
            behind = support(arguments, self._task.question.text, self._evidence)
        except BadRequest as error:
            state: CallState = "refused" if isinstance(error, NotAllowed) else "failed"
            self._say(replace(call, state=state, why=error.reason, text=str(error)))
            return self._told(their_id, str(error), call.tool, call.arguments)
        waiting = replace(call, arguments=arguments, state="waiting")
        self._say(waiting)
        self._pending.append(Proposal(call=waiting, support=behind))
        self._used.waiting[call.id] = their_id
        return ToolMessage("waiting for a person", tool_call_id=their_id, name=call.tool)

    def _heard(self, tool: Tool, done: ToolCall, their_id: str) -> ToolMessage:
        """What became of a call: told to who listens, kept as evidence, and given to the model behind a fence."""
        self._say(done)
        if done.state == "done":
            found = evidence_of(done, tool)
            self._evidence.append(found)
            self._say(found)
        text = fenced(done.text, tool=tool.name, call=done.id, trust=tool.trust)
        self._broken(tool.name, done.arguments, done.text)
        return ToolMessage(
            text, tool_call_id=their_id, name=tool.name, artifact=done.id,
            status="success" if done.state == "done" else "error",
        )  # fmt: skip

    def _told(self, their_id: str, words: str, name: str, given: Mapping[str, Any]) -> ToolMessage:
        self._broken(name, given, words)
        return ToolMessage(words, tool_call_id=their_id, name=name, status="error")

    def _broken(self, name: str, arguments: Mapping[str, Any], result: str) -> None:
        """Ends the loop when calls and results repeat: three the same among five, or two in turns."""
        seen = self._used.seen
        seen.append(json.dumps([name, arguments, result], sort_keys=True, default=str))
        in_turns = len(seen) >= 4 and seen[-1] == seen[-3] != seen[-2] == seen[-4]
        if seen[-WINDOW:].count(seen[-1]) >= SAME or in_turns:
            self._limit = Reason("limit.loop", tool=name)

    def _readers(self) -> list[StructuredTool]:
        """The tools that read what was too long to be shown at once; they belong to the conversation."""

        async def read_output(
            call: Annotated[str, Field(description="the call whose result it is")],
            line: Annotated[int, Field(ge=1)] = 1,
            count: Annotated[int, Field(ge=1, le=200)] = 100,
        ) -> str:
            """Read lines of a result that was too long to be shown whole."""
            return await self._read(call, lambda whole: page(whole, line, count))

        async def search_output(call: str, text: Annotated[str, Field(min_length=1)]) -> str:
            """Find the lines of a result that contain a text."""
            return await self._read(call, lambda whole: search(whole, text))

        return [StructuredTool.from_function(coroutine=each) for each in (read_output, search_output)]

    async def _read(self, call: str, read: Callable[[str], str]) -> str:
        known = {each.ref.rpartition("/")[2]: each for each in self._evidence if each.ref.startswith("call:")}
        if call not in known:
            return f"There is no call {call!r} in this run."
        found = known[call]
        try:
            whole = await asyncio.to_thread(self._dispatch.output.whole, output_key(self._who.thread, call))
        except NotFound:
            whole = found.text  # it was short enough to be shown whole
        return fenced(read(whole), tool=found.title, call=call, trust=found.trust)

    # --- pausing and going on

    def _memory(self, messages: Sequence[BaseMessage]) -> str:
        used = self._used
        progressed = {
            "steps": used.steps,
            "tokens": used.tokens,
            "seconds": used.seconds,
            "waiting": used.waiting,
            "seen": used.seen[-WINDOW:],
        }
        kept = messages_to_dict(list(messages))
        return json.dumps({"messages": kept, "progressed": progressed}, ensure_ascii=False)

    def _remembered(self, memory: str, outcomes: Sequence[ToolCall]) -> list[AnyMessage]:
        """The conversation as it was left, with what became of the calls in the place of those that waited."""
        kept = json.loads(memory)
        self._used = Progressed(**kept["progressed"])
        by_their_id = {self._used.waiting.pop(each.id): each for each in outcomes if each.id in self._used.waiting}
        messages: list[Any] = messages_from_dict(kept["messages"])
        for position, message in enumerate(messages):
            if isinstance(message, ToolMessage) and (done := by_their_id.get(message.tool_call_id)):
                messages[position] = self._outcome(done, message.tool_call_id)
        return messages

    def _outcome(self, done: ToolCall, their_id: str) -> ToolMessage:
        tool = self._by_name.get(done.tool)
        if done.state == "done" and tool:
            told = self._heard(tool, done, their_id)
            exact = json.dumps(dict(done.arguments), ensure_ascii=False, default=str)
            return told.model_copy(
                update={"content": f"A person approved this call; it ran with {exact}.\n{told.text}"}
            )
        self._say(done)
        return ToolMessage(done.text or str(done.why), tool_call_id=their_id, name=done.tool, status="error")


def evidence_of(call: ToolCall, tool: Tool) -> Evidence:
    """What a call found, as evidence that opens the call."""
    given = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False, default=str)}" for name, value in call.arguments.items()
    )
    return Evidence(
        ref=call.ref,
        title=call.tool,
        text=call.text,
        context=f"{call.tool}({given})\n{call.text}",
        source_uri=f"{call.tool}({given})",
        score=1.0,
        trust=tool.trust,
    )


def _mended(message: AIMessage) -> AIMessage:
    """Without thoughts; a call whose arguments were broken JSON is a text again, so that it can be read or refused as one."""
    if isinstance(message.content, str):
        message = message.model_copy(update={"content": without_thoughts(message.content)})
    if message.tool_calls or not message.invalid_tool_calls:
        return message
    broken = message.invalid_tool_calls[0]
    text = f'<tool_call>{{"name": {json.dumps(broken["name"])}, "arguments": {broken["args"]}}}</tool_call>'
    return message.model_copy(update={"content": text, "invalid_tool_calls": []})
