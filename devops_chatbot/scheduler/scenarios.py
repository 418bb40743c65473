"""Reads scenarios from YAML files: the shipped ones, those of plugins, and a person's own."""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from importlib.metadata import entry_points
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from devops_chatbot.chat import Scenario, ScenarioState
from devops_chatbot.errors import ConfigError
from devops_chatbot.i18n import Reason

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


def load_scenarios(folders: Sequence[Path], *, agents: Collection[str]) -> Scenarios:
    """The scenarios of these folders. A file that cannot be used is named, with its line and what was expected, and left out."""
    usable: dict[str, Scenario] = {}
    broken: list[ScenarioState] = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.yaml"))):
        try:
            scenario = read_scenario(path, agents=agents)
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


def read_scenario(path: Path, *, agents: Collection[str]) -> Scenario:
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
        scenario = _ADAPTER.validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(path, tree, first["loc"], Reason("field.wrong", problem=first["msg"])) from error
    for number, agent in enumerate(scenario.agents):
        if agent not in agents:
            raise _wrong(
                path, tree, ("agents", number), Reason("scenario.unknown_agent", name=agent, known=list(agents))
            )
    for key in ("title", "purpose", "prompt"):
        if "en" not in getattr(scenario, key):
            raise _wrong(path, tree, (key,), Reason("scenario.no_english"))
    return scenario


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
