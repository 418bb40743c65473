"""Makes a tool out of an async function: its docstring tells the model what it does, its annotations are the schema."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from devops_chatbot.calls import Effect, Trust
from devops_chatbot.tools import Tool


def tool(
    function: Callable[..., Awaitable[str]],
    *,
    effect: Effect = "read",
    timeout_s: float = 30.0,
    output_chars: int = 12_000,
    trust: Trust = Trust.LIVE,
    happened: Callable[[str, Mapping[str, Any]], Awaitable[bool | None]] | None = None,
) -> Tool:
    """The tool of the function's name. A parameter's meaning stands in `Annotated[int, Field(description=…)]`."""
    from langchain_core.tools import StructuredTool

    made = StructuredTool.from_function(
        coroutine=function, name=function.__name__.strip("_"), description=inspect.getdoc(function) or ""
    )
    return Tool(
        tool=made,
        effect=effect,
        timeout_s=timeout_s,
        output_chars=output_chars,
        trust=trust,
        happened=happened,
    )
