"""Running code in the sandbox from within an agent's loop."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from agents.toolbox.building import tool
from devops_chatbot.errors import ChatbotError
from devops_chatbot.tools import READY, Surroundings, Tool, ToolsetState, caller
from sandbox.model import Execution, Sandbox

LONGEST_S = 120.0


class CodeSettings(BaseModel):
    """What code may use stands in `[sandbox]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Code:
    """Each call has a fresh session, without a network."""

    Settings = CodeSettings
    name = "code"

    def __init__(self, settings: CodeSettings, surroundings: Surroundings) -> None:  # noqa: ARG002
        self._sandbox = surroundings.sandbox

    async def state(self) -> ToolsetState:
        try:
            await asyncio.to_thread(self._sandbox.ready)
        except ChatbotError as error:
            return ToolsetState(state="failed", why=error.reason)
        return READY

    def tools(self) -> Sequence[Tool]:
        return [tool(self.run_code, timeout_s=LONGEST_S + 30)]

    async def run_code(
        self,
        code: Annotated[str, Field(description="a whole program; what it prints is the result")],
        language: Annotated[str, Field(description="python, bash, javascript …")] = "python",
    ) -> str:
        """Run a program in a closed container and read what it prints. It has no network, and forgets everything afterwards."""
        return await asyncio.to_thread(_run, self._sandbox, code, language, caller.get().principal.id)


def _run(sandbox: Sandbox, code: str, language: str, who: str) -> str:
    session = sandbox.open(language=language, caller=who)
    try:
        return _said(session.run(code, language=language, timeout_s=LONGEST_S))
    finally:
        session.close()


def _said(done: Execution) -> str:
    parts = [f"exit code {done.exit_code} after {done.seconds:.2f} s" + (f" ({done.why})" if done.why else "")]
    parts += [f"stdout:\n{done.stdout}"] if done.stdout else ["stdout: nothing"]
    parts += [f"stderr:\n{done.stderr}"] if done.stderr else []
    parts += ["There was more output than is kept."] if done.truncated else []
    return "\n".join(parts)
