"""Reads scenarios from YAML files: the shipped ones, those of plugins, and a person's own."""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from devops_chatbot.chat import Scenario, ScenarioState
from devops_chatbot.errors import ConfigError
from devops_chatbot.i18n import LANGUAGES, Reason
from devops_chatbot.llm.prompts import prompt
from devops_chatbot.team import Flow, Limits, Member

PLUGINS = "devops_chatbot.scenarios"
"""The group of entry points whose objects are folders (`Path`) of scenario files."""

_ADAPTER = TypeAdapter(Scenario)
_KEYS = [field.name for field in fields(Scenario)]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenarios:
    """What was read: the scenarios in order, later files of a name before earlier ones; and the files that could not be used."""

    usable: tuple[Scenario, ...]
    broken: tuple[ScenarioState, ...] = ()


def load_scenarios(
    folders: Sequence[Path], *, agents: Collection[str], tools: Callable[[str], bool] = lambda _: True
) -> Scenarios:
    """The scenarios of these folders. A file that cannot be used is named, with its line and what was expected, and left out.

    `tools` says whether a toolset or tool of that name exists.
    """
    usable: dict[str, Scenario] = {}
    broken: list[ScenarioState] = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.yaml"))):
        try:
            scenario = read_scenario(path, agents=agents, tools=tools)
        except ConfigError as error:
            _log.warning("a scenario is left out: %s", error)
            title = {"en": path.stem}
            broken.append(
                ScenarioState(
                    name=path.stem,
                    title=title,
                    purpose=title,
                    state="failed",
                    why=error.reason,
                )
            )
        else:
            usable[scenario.name] = scenario
    return Scenarios(usable=tuple(usable.values()), broken=tuple(broken))


def read_scenario(path: Path, *, agents: Collection[str], tools: Callable[[str], bool] = lambda _: True) -> Scenario:
    """One scenario's file. Raises `ConfigError` with the line and what was expected."""
    try:
        text = path.read_text("utf-8")
        tree, values = yaml.compose(text), yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError("scenario.not_yaml", path=path, error=error) from error
    if not isinstance(values, dict) or tree is None:
        raise ConfigError("scenario.no_keys", path=path, example=path.stem)
    for key in values:
        if key not in _KEYS:
            raise _wrong(path, tree, (key,), Reason("scenario.unknown_key", known=_KEYS))
    try:
        scenario = _ADAPTER.validate_python(_written_out(values))
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "unexpected_keyword_argument":
            known = [
                each.name
                for each in fields(
                    Flow if first["loc"][0] == "flow" else Limits if first["loc"][0] == "limits" else Member
                )
            ]
            raise _wrong(path, tree, first["loc"], Reason("scenario.unknown_key", known=known)) from error
        raise _wrong(path, tree, first["loc"], Reason("field.wrong", problem=first["msg"])) from error
    names = [member.name for member in scenario.agents]
    for number, member in enumerate(scenario.agents):
        place = ("agents", number)
        if member.agent not in agents:
            expected = Reason("scenario.unknown_agent", name=member.agent, known=list(agents))
            raise _wrong(path, tree, (*place, "agent"), expected)
        if names.count(member.name) > 1:
            raise _wrong(path, tree, (*place, "name"), Reason("scenario.name_twice", name=member.name))
        for position, tool in enumerate(member.tools):
            if not tools(tool):
                raise _wrong(path, tree, (*place, "tools", position), Reason("scenario.unknown_tool", name=tool))
    for key, needed in (("checker", "loop"), ("planner", "plan")):
        named = getattr(scenario.flow, key)
        if scenario.flow.kind == needed and (named not in names or len(names) < 2):
            raise _wrong(path, tree, ("flow", key), Reason("scenario.no_member", kind=needed, known=names))
    for key in ("title", "purpose", "prompt"):
        if "en" not in getattr(scenario, key):
            raise _wrong(path, tree, (key,), Reason("scenario.no_english"))
    return scenario


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario's file, for editors."""
    schema = _ADAPTER.json_schema()
    member = schema["properties"]["agents"]["items"]
    schema["$defs"]["Member"]["required"] = ["agent"]
    schema["required"].remove("prompt")
    schema["properties"]["agents"]["items"] = {"anyOf": [{"type": "string"}, member]}
    schema["properties"]["flow"] = {"anyOf": [schema["$defs"]["Flow"]["properties"]["kind"], {"$ref": "#/$defs/Flow"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "additionalProperties": False}


def _written_out(values: dict[str, Any]) -> dict[str, Any]:
    """Without the short forms: an agent's name in the place of a member, a kind in the place of a flow, and where the writer's
    rules are left out, those of answers from what agents found.
    """
    long = {"prompt": {language: prompt("evidence", language) for language in LANGUAGES}, **values}
    if isinstance(values.get("agents"), list):
        long["agents"] = [
            {"agent": each, "name": each} if isinstance(each, str)
            else {"name": each.get("agent"), **each} if isinstance(each, dict) else each
            for each in values["agents"]
        ]  # fmt: skip
    if isinstance(values.get("flow"), str):
        long["flow"] = {"kind": values["flow"]}
    return long


def plugin_folders() -> Iterator[Path]:
    """The folders that installed packages name. One that raises is named in the log and left out."""
    for point in entry_points(group=PLUGINS):
        try:
            yield Path(point.load())
        except Exception as error:  # noqa: BLE001 the door of foreign code: the product starts without it
            _log.warning("the scenarios of the plugin %s are left out: %s: %s", point.name, type(error).__name__, error)


def _wrong(path: Path, tree: yaml.Node, place: Sequence[object], expected: Reason) -> ConfigError:
    node = tree
    for step in place:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if pair is None:
                break
            node = pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
    where = ".".join(map(str, place))
    line = node.start_mark.line + 1
    return ConfigError("scenario.wrong", path=path, line=line, where=where, expected=expected)
