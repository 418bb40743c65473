"""What an agent's loop costs beside LangChain's bare one, with the same scripted model in the same process; and many at once.

The model answers at once, so that what is measured is the loop: for ours with its gate, budgets, breaker, redaction and fence.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

from langchain.agents import create_agent
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable

from agents.dispatch import Dispatch
from agents.tool_output import BlobOutputs, ToolOutput
from agents.toolbox import Toolbox, toolset_kinds
from agents.tools import ToolAgent
from benchmarks.table import Cell, report
from devops_chatbot.access.principals import LOCAL
from devops_chatbot.chat import Note, Question, Route, Task
from devops_chatbot.db.blobs import FolderBlobs
from devops_chatbot.errors import ChatbotError
from devops_chatbot.llm import Models, NamedModel
from devops_chatbot.redaction import Redactor
from devops_chatbot.team import Limits, Member
from devops_chatbot.tools import Surroundings
from devops_chatbot.url_guard import UrlGuard

RUNS = 15
STEPS = 20
AT_ONCE = 200
STEPS_AT_ONCE = 5


class Scripted(BaseChatModel):
    """Calls `calculate` so many times, each time with other numbers, and then says that it is done."""

    steps: int

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Runnable[Any, AIMessage]:  # noqa: ARG002 LangChain's own
        return cast("Runnable[Any, AIMessage]", self)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **_: Any,
    ) -> ChatResult:
        done = sum(isinstance(message, ToolMessage) for message in messages)
        if done < self.steps:
            call = {
                "name": "calculate",
                "args": {"expression": f"{done} + 1"},
                "id": f"call-{done}",
                "type": "tool_call",
            }
            message = AIMessage("", tool_calls=[call])
        else:
            message = AIMessage("Done.")
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **options: Any,
    ) -> ChatResult:
        return self._generate(messages, **options)


class Opened:
    """The connection to the scripted model."""

    def __init__(self, steps: int) -> None:
        self._model = Scripted(steps=steps)

    def open(self) -> BaseChatModel:
        return self._model

    def tokenizer(self) -> None:
        """There is none to ask."""

    def foreign(self) -> tuple[type[Exception], ...]:
        return (OSError,)

    def translate(self, error: Exception, *, begun: bool) -> ChatbotError:  # noqa: ARG002
        raise error


class OneModel:
    """The models of a product that has this one."""

    def __init__(self, steps: int) -> None:
        self._named = NamedModel(
            "scripted",
            connection=cast("Any", Opened(steps)),
            provider="scripted",
            model="scripted",
            context=1_000_000,
            max_output=1000,
        )

    def for_role(self, role: str, *, named: str | None = None) -> list[NamedModel]:  # noqa: ARG002
        return [self._named]


def ours(folder: Path, steps: int) -> Callable[[], Awaitable[int]]:
    """A run of our agent; gives how many calls it made."""
    surroundings = Surroundings(guard=UrlGuard(), retriever=cast("Any", None), sandbox=cast("Any", None))
    toolbox = Toolbox(toolset_kinds(), {}, surroundings)
    dispatch = Dispatch(ToolOutput(Redactor(), BlobOutputs(FolderBlobs(folder))))
    agent = ToolAgent(toolbox, dispatch, cast("Models", OneModel(steps)))
    task = Task(
        question=Question(text="Count", principal=LOCAL, thread_id="t"),
        query="Count",
        route=Route(scenario="tools"),
        member=Member(agent="tools", name="worker", tools=("clock",)),
        limits=Limits(steps=200, tokens=100_000_000),
    )

    async def run() -> int:
        found = [each async for each in agent.gather(task)]
        assert isinstance(found[-1], Note)
        assert found[-1].limit is None
        return sum(getattr(each, "state", "") == "done" for each in found)

    return run


def bare(steps: int) -> Callable[[], Awaitable[int]]:
    """A run of LangChain's agent with the same tools."""
    surroundings = Surroundings(guard=UrlGuard(), retriever=cast("Any", None), sandbox=cast("Any", None))
    tools = [tool.tool for tool in Toolbox(toolset_kinds(), {}, surroundings).chosen(("clock",))]

    async def run() -> int:
        agent = create_agent(Scripted(steps=steps), tools, system_prompt="Count.")
        ended = await agent.ainvoke(cast("Any", {"messages": [("user", "Count")]}), {"recursion_limit": 10_000})
        return sum(isinstance(message, ToolMessage) for message in ended["messages"])

    return run


async def seconds(run: Callable[[], Awaitable[int]], expected: int) -> float:
    begun = time.perf_counter()
    assert await run() == expected
    return time.perf_counter() - begun


async def measure(folder: Path) -> list[dict[str, Cell]]:
    rows: list[dict[str, Cell]] = []
    times: dict[tuple[str, int], float] = {}
    for steps in (1, STEPS):
        runs = {"ours": ours(folder, steps), "bare create_agent": bare(steps)}
        for run in runs.values():
            await run()
        taken: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(RUNS):  # in turns, so that a busy machine is busy for both
            for name, run in runs.items():
                taken[name].append(await seconds(run, steps))
        times |= {(name, steps): statistics.median(each) for name, each in taken.items()}
    for name in ("ours", "bare create_agent"):
        whole, one = times[name, STEPS], times[name, 1]
        rows.append(
            {
                "loop": name,
                "run of 1 call, ms": one * 1000,
                f"run of {STEPS} calls, ms": whole * 1000,
                "a further call, ms": (whole - one) / (STEPS - 1) * 1000,
            }
        )
    rows.append(
        {
            "loop": "difference",
            **{key: cast(float, rows[0][key]) - cast(float, rows[1][key]) for key in rows[0] if key != "loop"},
        }
    )
    return rows


async def crowd(folder: Path) -> list[dict[str, Cell]]:
    rows: list[dict[str, Cell]] = []
    for name, run in (("ours", ours(folder, STEPS_AT_ONCE)), ("bare create_agent", bare(STEPS_AT_ONCE))):
        await run()
        begun = time.perf_counter()
        ended = await asyncio.gather(*(run() for _ in range(AT_ONCE)), return_exceptions=True)
        took = time.perf_counter() - begun
        good = sum(each == STEPS_AT_ONCE for each in ended)
        rows.append(
            {"loop": name, "runs at once": AT_ONCE, "calls each": STEPS_AT_ONCE, "whole": good, "seconds": took}
        )
    return rows


def main() -> int:
    argparse.ArgumentParser(prog="python -m benchmarks.agents", description=__doc__).parse_args()
    command = "python -m benchmarks.agents"
    with tempfile.TemporaryDirectory(prefix="agents-") as name:
        folder = Path(name)
        rows = asyncio.run(measure(folder))
        report("agents", f"What a loop costs, median of {RUNS} runs in turns", rows, command=command)
        report("agents_at_once", f"{AT_ONCE} runs at once", asyncio.run(crowd(folder)), command=command)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
