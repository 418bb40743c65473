"""Calls of tools that are written as text: found where a model forgot its protocol, and the protocol of models that have none."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agents.dispatch import coerced
from devops_chatbot.errors import BadRequest
from devops_chatbot.tools import Tool

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage

_NAME = ("tool", "name", "function", "tool_name", "action")
_ARGUMENTS = ("arguments", "args", "parameters", "input", "action_input", "params")
_TAGGED = re.compile(r"<(?P<tag>tool_call|function_call|tool|function)>\s*(?P<body>[\s\S]*?)\s*(?:</(?P=tag)>|\Z)")
_FENCED = re.compile(r"```(?:json|tool_call|tool)?\s*\n?(?P<body>[\s\S]*?)```")
_BRACKETS = re.compile(r"\[(?P<body>[a-zA-Z_]\w*\([\s\S]*\))\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCalls:
    """What a text was found to be: calls that fit the tools, or, with `problem`, one that looks like a call and fits none."""

    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    answer: str | None = None
    problem: str = ""


@dataclass(slots=True)
class _Shaped:
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


def read_text(text: str, tools: Mapping[str, Tool]) -> TextCalls:
    """Calls in JSON, in an XML tag, or in brackets; an answer of the JSON protocol (`{"answer": …}`); else nothing."""
    shaped: list[_Shaped] = []
    for candidate in _candidates(text):
        value = _json(candidate)
        if isinstance(value, dict) and set(value) == {"answer"} and isinstance(value["answer"], str):
            return TextCalls(answer=value["answer"])
        shaped = _calls_of(value) if value is not None else _call_of_python(candidate)
        if shaped:
            break
    if not shaped:
        return TextCalls(problem="its JSON is broken" if _TAGGED.search(text) else "")
    found = []
    for each in shaped:
        if each.name not in tools:
            return TextCalls(problem=f"there is no tool {each.name!r}; there are: {', '.join(tools) or 'none'}")
        try:
            found.append((each.name, coerced(tools[each.name], each.arguments)))
        except BadRequest as error:
            return TextCalls(problem=str(error))
    return TextCalls(calls=tuple(found))


def _candidates(text: str) -> Sequence[str]:
    """The parts of a text that may be a call, the surest first."""
    whole = text.strip()
    parts = [found["body"] for found in _TAGGED.finditer(text)] + [found["body"] for found in _FENCED.finditer(text)]
    if whole[:1] in "{[":
        parts.append(whole)
    parts += [found["body"] for found in _BRACKETS.finditer(text)]
    start = whole.find('{"')
    if start > 0:  # words in front of it
        parts.append(whole[start:])
    return parts


def _json(text: str) -> Any:
    """The first JSON value of a text; None where it does not begin with one."""
    try:
        return json.JSONDecoder().raw_decode(text.strip())[0]
    except ValueError:
        return None


def _calls_of(value: Any) -> list[_Shaped]:
    values = value if isinstance(value, list) else value.get("tool_calls", [value]) if isinstance(value, dict) else []
    found = []
    for each in values:
        if isinstance(each, dict) and isinstance(each.get("function"), dict):
            each = each["function"]
        if not isinstance(each, dict):
            return []
        name = next((each[key] for key in _NAME if isinstance(each.get(key), str)), None)
        given = next((each[key] for key in _ARGUMENTS if key in each), None)
        given = _json(given) if isinstance(given, str) else given
        if name is None or not isinstance(given, dict):
            return []
        found.append(_Shaped(name, given))
    return found


def _call_of_python(text: str) -> list[_Shaped]:
    """`name(key="value")`; only literals are read, nothing is evaluated."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
            given = {each.arg: ast.literal_eval(each.value) for each in node.keywords if each.arg}
            return [_Shaped(node.func.id, given)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return []


def described(tools: Sequence[Tool]) -> str:
    """The tools for a model that knows none: a line of purpose and the schema of the arguments each."""
    return "\n\n".join(
        f"{tool.name}: {tool.tool.description}\narguments: {_small(tool.tool.get_input_jsonschema())}" for tool in tools
    )


def _small(schema: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in schema.items() if key in ("properties", "required", "$defs")}
    return json.dumps(kept, ensure_ascii=False)


def as_text(messages: "Sequence[BaseMessage]") -> "list[BaseMessage]":
    """A conversation with native calls as the JSON protocol writes it."""
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

    written: list[BaseMessage] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            if isinstance(written[-1], HumanMessage):
                written[-1] = HumanMessage(f"{written[-1].text}\n\n{message.text}")
            else:
                written.append(HumanMessage(str(message.text)))
        elif isinstance(message, AIMessage) and message.tool_calls:
            written.append(AIMessage("\n".join(_line(call["name"], call["args"]) for call in message.tool_calls)))
        else:
            written.append(message)
    return written


def _line(name: str, arguments: Mapping[str, Any]) -> str:
    return json.dumps({"tool": name, "arguments": arguments}, ensure_ascii=False)


def with_calls(message: "AIMessage", calls: Sequence[tuple[str, dict[str, Any]]], ids: Sequence[str]) -> "AIMessage":
    """The message with native calls in place of its text."""
    made = [
        {"name": name, "args": arguments, "id": each, "type": "tool_call"}
        for (name, arguments), each in zip(calls, ids, strict=True)
    ]
    return message.model_copy(update={"content": "", "tool_calls": made, "invalid_tool_calls": []})
