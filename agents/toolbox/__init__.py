"""Toolsets, a file each: the built-in ones and those of installed packages, opened with what the settings say of them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from devops_chatbot.errors import ConfigError, NotFound
from devops_chatbot.i18n import Reason, expectation
from devops_chatbot.tools import Surroundings, Tool, ToolInfo, Toolset, ToolsetInfo, ToolsetKind, ToolsetState
from knowledge.registry import Registry, registry

BUILT_IN = {
    "prometheus": "agents.toolbox.prometheus:Prometheus",
    "alertmanager": "agents.toolbox.alertmanager:Alertmanager",
    "sql": "agents.toolbox.sql:Sql",
    "probes": "agents.toolbox.probes:Probes",
    "knowledge": "agents.toolbox.knowledge:KnowledgeTools",
    "code": "agents.toolbox.code:Code",
    "clock": "agents.toolbox.clock:Clock",
}
STATE_S = 5.0
"""How long the state of a toolset may take to find out."""


def toolset_kinds() -> Registry[ToolsetKind]:
    """Every kind that is installed."""
    return registry("toolset", BUILT_IN, check=_checked)


def _checked(thing: Any) -> ToolsetKind:
    if not (isinstance(getattr(thing, "Settings", None), type) and issubclass(thing.Settings, BaseModel)):
        raise TypeError("a toolset is a class with a pydantic model `Settings`")
    kind: ToolsetKind = thing
    return kind


class Toolbox:
    """Every toolset, opened. Safe for concurrent use."""

    def __init__(
        self,
        kinds: Registry[ToolsetKind],
        settings: Mapping[str, Mapping[str, Any]],
        surroundings: Surroundings,
    ) -> None:
        """Raises `ConfigError` for settings of a toolset that are wrong, or of one that does not exist."""
        for name in settings:
            kinds.get(name)
        self.settings = {name: _read(name, kind, settings.get(name, {})) for name, kind in kinds.found.items()}
        self._failed = kinds.failed
        self._toolsets: dict[str, Toolset] = {
            name: kind(self.settings[name], surroundings) for name, kind in kinds.found.items()
        }
        self._tools: dict[str, dict[str, Tool]] = {}
        self._disabled: set[str] = set()  # for as long as this process has its settings

    def names(self) -> list[str]:
        """Of the toolsets."""
        return list(self._toolsets)

    def knows(self, name: str) -> bool:
        """Whether a member of a team can be given this: a toolset or a tool."""
        return name in self._toolsets or any(name in self._of(toolset) for toolset in self._toolsets)

    def tool(self, name: str) -> Tool:
        """Raises `NotFound`."""
        for toolset in self._toolsets:
            if name in (found := self._of(toolset)):
                return found[name]
        raise NotFound("tool.not_found", name=name)

    def chosen(self, names: Sequence[str]) -> list[Tool]:
        """The tools of these toolsets and single tools, each once. What does not exist is left out."""
        found: dict[str, Tool] = {}
        for name in names:
            if name in self._toolsets:
                found |= self._of(name)
            else:
                found |= {
                    each: tool for toolset in self._toolsets for each, tool in self._of(toolset).items() if each == name
                }
        return list(found.values())

    async def usable(self, names: Sequence[str]) -> list[Tool]:
        """Those of `chosen` whose toolset is not disabled; one that has failed is kept, because it says itself what is wrong."""
        wanted = self.chosen(names)
        concerned = [name for name in self._toolsets if any(tool.name in self._of(name) for tool in wanted)]
        states = await self._states([name for name in concerned if name not in self._disabled])
        self._disabled |= {name for name, state in states.items() if state.state == "disabled"}
        off = {name for toolset in self._disabled for name in self._of(toolset)}
        return [tool for tool in wanted if tool.name not in off]

    async def infos(self) -> list[ToolsetInfo]:
        """Every toolset with its state and its tools; those that could not be registered are failed."""
        states = await self._states(list(self._toolsets))
        known = [
            ToolsetInfo(
                name=name,
                state=state.state,
                why=state.why,
                tools=tuple(map(_info, self._of(name).values())),
            )
            for name, state in states.items()
        ]
        broken = [
            ToolsetInfo(name=name, state="failed", why=Reason("toolset.not_registered", error=error))
            for name, error in self._failed.items()
        ]
        return [*known, *broken]

    async def _states(self, names: Sequence[str]) -> dict[str, ToolsetState]:
        async def of(toolset: Toolset) -> ToolsetState:
            try:
                async with asyncio.timeout(STATE_S):
                    return await toolset.state()
            except TimeoutError:
                return ToolsetState(state="failed", why=Reason("toolset.silent", seconds=STATE_S))
            except Exception as error:  # noqa: BLE001 the door of foreign code
                return ToolsetState(
                    state="failed", why=Reason("toolset.raised", error=f"{type(error).__name__}: {error}")
                )

        found = await asyncio.gather(*(of(self._toolsets[name]) for name in names))
        return dict(zip(names, found, strict=True))

    def _of(self, toolset: str) -> dict[str, Tool]:
        if toolset not in self._tools:
            self._tools[toolset] = {each.name: each for each in self._toolsets[toolset].tools()}
        return self._tools[toolset]


def _info(tool: Tool) -> ToolInfo:
    return ToolInfo(
        name=tool.name,
        description=tool.tool.description,
        effect=tool.effect,
        timeout_s=tool.timeout_s,
        output_chars=tool.output_chars,
        trust=tool.trust,
        parameters=tool.tool.get_input_jsonschema(),
    )


def _read(name: str, kind: ToolsetKind, values: Mapping[str, Any]) -> BaseModel:
    try:
        return kind.Settings.model_validate(dict(values))
    except ValidationError as error:
        mistake = error.errors()[0]
        key = ".".join(map(str, ("tools", name, *mistake["loc"])))
        known = list(kind.Settings.model_fields)
        problem = (
            Reason("settings.unknown", known=known) if mistake["type"] == "extra_forbidden" else expectation(mistake)
        )
        raise ConfigError("settings.mistake", key=key, problem=problem) from None
