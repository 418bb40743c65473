"""The words of a scenario's team: who works in it, in which order, and within which limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Le

FlowKind = Literal["sequence", "parallel", "loop", "choose", "plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One place in a team. `agent` is the kind of work (`docs`, `tools`), `name` is unique in the team.

    `task` says by language what this member is to do; `tools` names toolsets or single tools, and a member has no others.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    agent: str
    name: str
    task: Mapping[str, str] = field(default_factory=dict)
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The order of the members: one after the other, all at once, again and again until the checker agrees (at most `rounds`
    times), the one that the model chooses, or a plan of at most `rounds` steps, each done by the member that it names.

    `checker` (loop) and `planner` (plan) are members.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    kind: FlowKind = "sequence"
    checker: str | None = None
    planner: str | None = None
    rounds: Annotated[int, Ge(1), Le(20)] = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What each member may use for one question: calls of the model, seconds, and tokens in and out together."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    steps: Annotated[int, Ge(1), Le(200)] = 15
    seconds: Annotated[float, Ge(1), Le(86_400)] = 300.0
    tokens: Annotated[int, Ge(1_000)] = 200_000
