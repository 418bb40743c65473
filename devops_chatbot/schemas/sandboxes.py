"""Request bodies of the sandbox's routes."""

import dataclasses

from pydantic import Field

from devops_chatbot.schemas.body import Body
from sandbox.model import DEFAULT_LANGUAGE, Limits


class LimitsBody(Body):
    """Limits by name; what is left out is as the server has it."""

    seconds: float | None = None
    memory_mb: int | None = None
    cpus: float | None = None
    processes: int | None = None
    disk_mb: int | None = None
    open_files: int | None = None
    output_bytes: int | None = None
    artifact_bytes: int | None = None

    def over(self, usual: Limits, *, network: tuple[str, ...]) -> Limits:
        """The limits with what is left out taken from `usual`."""
        return dataclasses.replace(usual, **self.model_dump(exclude_none=True), network=network)


class NewSandbox(Body):
    """Opens a session. `network` names hosts that its code may reach, as far as the operator allows them."""

    language: str = DEFAULT_LANGUAGE
    limits: LimitsBody = LimitsBody()
    network: tuple[str, ...] = Field((), max_length=64)


class NewRun(Body):
    """Runs code in a session."""

    code: str
    language: str | None = None
    timeout_s: float | None = Field(None, gt=0)
