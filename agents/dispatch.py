"""Runs one call of a tool: arguments by its schema, a time limit, its output bounded and kept, every error a value."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from agents.tool_output import ToolOutput
from agents.toolbox import Toolbox
from devops_chatbot.calls import CALL_REF, ToolCall
from devops_chatbot.errors import BadRequest, ChatbotError, NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.tools import Caller, Tool, caller

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_log = logging.getLogger(__name__)


class Dispatch:
    """Safe for concurrent use."""

    def __init__(self, output: ToolOutput) -> None:
        self.output = output

    async def run(self, tool: Tool, call: ToolCall, who: Caller) -> ToolCall:
        """The call after it ran: `done` with what the tool said, or `failed` with why. Never raises; a cancellation passes."""
        begun = time.perf_counter()
        token = caller.set(replace(who, call=call.id))
        try:
            arguments = coerced(tool, call.arguments)
            async with asyncio.timeout(tool.timeout_s):
                said = str(await tool.tool.ainvoke(arguments))
            key = output_key(who.thread, call.id)
            take = partial(self.output.take, said, key=key, call=call.id, most=tool.output_chars)
            kept = take() if len(said) <= tool.output_chars else await asyncio.to_thread(take)
        except TimeoutError:
            return self._failed(call, Reason("tool.too_slow", name=tool.name, seconds=tool.timeout_s), begun)
        except ChatbotError as error:
            return self._failed(call, error.reason, begun)
        except Exception as error:  # noqa: BLE001 the door of foreign code: what a tool raises goes back to the model
            return self._failed(
                call, Reason("tool.raised", name=tool.name, error=f"{type(error).__name__}: {error}"), begun
            )
        finally:
            caller.reset(token)
        return replace(
            call,
            state="done",
            text=kept.text,
            chars=kept.chars,
            ref=f"{CALL_REF}{key}",
            seconds=time.perf_counter() - begun,
        )

    def _failed(self, call: ToolCall, why: Reason, begun: float) -> ToolCall:
        text = self.output.redacted(str(why))
        return replace(call, state="failed", text=text, why=why, seconds=time.perf_counter() - begun)


class ApprovedCalls:
    """Makes the calls that a person has approved, through the same door as all others."""

    def __init__(self, toolbox: Toolbox, dispatch: Dispatch) -> None:
        self._toolbox = toolbox
        self._dispatch = dispatch

    def checked(self, call: ToolCall) -> ToolCall:
        """Its arguments as the tool wants them. Raises `BadRequest`."""
        return replace(call, arguments=coerced(self._toolbox.tool(call.tool), call.arguments))

    async def run(self, call: ToolCall, who: Caller) -> ToolCall:
        """Never raises; a tool that has gone since is a failure."""
        try:
            tool = await asyncio.to_thread(self._toolbox.tool, call.tool)
        except NotFound as error:
            return replace(call, state="failed", why=error.reason, text=str(error))
        return await self._dispatch.run(tool, call, who)

    async def happened(self, call: ToolCall) -> bool | None:
        """Whether it took effect; None where that cannot be seen."""
        try:
            tool = await asyncio.to_thread(self._toolbox.tool, call.tool)
            if tool.happened is None:
                return None
            async with asyncio.timeout(tool.timeout_s):
                return await tool.happened(call.id, call.arguments)
        except Exception as error:  # noqa: BLE001 the door of foreign code, and it may be away just now
            _log.warning("whether the call %s of %s happened cannot be seen: %s", call.id, call.tool, error)
            return None


def output_key(thread: str | None, call: str) -> str:
    """Where a call's whole output is kept."""
    return f"{thread or 'none'}/calls/{call}"


def coerced(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the schema wants them: `"30"` for 30, a list that was written as JSON text. Raises `BadRequest` with what
    the schema expects.
    """
    schema = cast(type[BaseModel], tool.tool.get_input_schema())
    unknown = sorted(set(arguments) - set(schema.model_fields))
    if unknown:
        raise BadRequest("tool.unknown_argument", name=unknown[0], known=list(schema.model_fields))
    try:
        return _valid(schema, arguments)
    except ValidationError as error:
        mended = _unpacked(arguments, error.errors())
        try:
            return _valid(schema, mended)
        except ValidationError as still:
            mistake = still.errors()[0]
            where = ".".join(map(str, mistake["loc"]))
            raise BadRequest("tool.bad_argument", name=where, problem=mistake["msg"]) from None


def _valid(schema: type[BaseModel], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Only those that were given, so that a tool's own defaults hold."""
    model = schema.model_validate(dict(arguments))
    return {name: _plain(getattr(model, name)) for name in arguments}


def _plain(value: Any) -> Any:
    """LangChain validates once more, and takes no models of ours for its own."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _unpacked(arguments: Mapping[str, Any], mistakes: "list[ErrorDetails]") -> dict[str, Any]:
    """Texts that stand where something else is expected, read as JSON; a single value where a list is expected."""
    mended = dict(arguments)
    for name in {str(mistake["loc"][0]) for mistake in mistakes if mistake["loc"]} & set(mended):
        value = mended[name]
        if isinstance(value, str):
            try:
                mended[name] = json.loads(value)
            except ValueError:
                mended[name] = [value]
        elif any(mistake["type"] == "list_type" for mistake in mistakes):
            mended[name] = [value]
    return mended
