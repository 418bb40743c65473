"""The settings in force, each with its value, its origin and its description; and the secrets among them."""

import tomllib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pydantic import BaseModel, SecretStr

from devops_chatbot.config.settings import PREFIX, Settings, own_variables, settings_file, toml_text
from devops_chatbot.status import Origin, Setting


def in_force(settings: Settings, tools: Mapping[str, BaseModel] = MappingProxyType({})) -> list[Setting]:
    """Every leaf setting with its value and origin, in the order of declaration; `tools` is what the toolsets have read."""
    path = settings_file()
    from_file = set(_leaves(tomllib.loads(toml_text(path)))) if path else set()
    from_environment = {name.removeprefix(PREFIX).lower().replace("__", ".") for name in own_variables()}

    def origin(key: str) -> Origin:
        if any(key.lower() == name or key.lower().startswith(name + ".") for name in from_environment):
            return "environment"
        return "file" if any(key == name or key.startswith(name + ".") for name in from_file) else "default"

    return [
        Setting(key=key, value=value, origin=origin(key), description=description)
        for key, value, description in (
            *_flatten(settings),
            *(leaf for name, read in tools.items() for leaf in _flatten(read, f"tools.{name}.")),
        )
    ]


def secrets_of(model: BaseModel) -> Iterator[str]:
    """Every secret that is set in a section or below it."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,):
            if isinstance(each, SecretStr):
                yield each.get_secret_value()
            elif isinstance(each, BaseModel):
                yield from secrets_of(each)


def _leaves(table: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def _flatten(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, dict):
            for key, item in value.items():
                if isinstance(item, BaseModel):  # what the toolsets have not read yet may hold secrets
                    yield from _flatten(item, f"{prefix}{name}.{key}.")
        else:
            yield prefix + name, _shown(value), field.description or ""


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "(set, hidden)"
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    return str(value)
