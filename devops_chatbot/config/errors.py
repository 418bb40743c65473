"""Says what is wrong in the settings: the key, its value, what was expected, and the variable or file it comes from."""

import os
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from devops_chatbot.i18n import Reason, expectation

_SECRET_WORDS = ("key", "token", "secret", "password", "value")
HIDDEN = Reason("settings.hidden")
_TABLES = ("model_type", "dict_type", "model_attributes_type")


def mistakes(error: ValidationError, model: type[BaseModel], prefix: str) -> Iterator[Reason]:
    """Each mistake; `prefix` is that of the environment variables."""
    for mistake in error.errors():
        key = ".".join(str(part) for part in mistake["loc"])
        problem = _problem(mistake, model)
        if variable := _variable(key, prefix):
            yield Reason("settings.mistake_of", key=key, variable=variable, problem=problem)
        else:
            yield Reason("settings.mistake", key=key, problem=problem) if key else problem


def not_json(error: SettingsError, prefix: str, model: type[BaseModel]) -> Reason:
    """A list or a table in the environment that is not JSON."""
    for name, value in sorted(os.environ.items()):
        if not name.upper().startswith(prefix):
            continue
        path = name.upper().removeprefix(prefix).lower().split("__")
        kind = _annotation(path, model)
        if (get_origin(kind) in (tuple, dict) or _is_section(kind)) and not _is_json(value):
            example = '["one", "two"]' if get_origin(kind) is tuple else '{"key": "value"}'
            problem = Reason("settings.not_json", value=HIDDEN if _secret(path[-1]) else repr(value), example=example)
            return Reason("settings.mistake_of", key=".".join(path), variable=name, problem=problem)
    return Reason("settings.bad_environment", error=f"{error}: {error.__cause__}")


def below_a_value(path: Sequence[str], model: type[BaseModel]) -> str:
    """The key of the plain value that `path` leads below; empty when it does not."""
    for length in range(1, len(path)):
        kind = _annotation(path[:length], model)
        if kind is not None and get_origin(kind) is not dict and not _is_section(kind):
            return ".".join(path[:length])
    return ""


def _problem(mistake: ErrorDetails, model: type[BaseModel]) -> Reason:
    kind, location = mistake["type"], mistake["loc"]
    if kind == "extra_forbidden":
        parent = _annotation(location[:-1], model)
        return Reason("settings.unknown", known=list(parent.model_fields) if _is_section(parent) else [])
    if kind == "value_error":
        return expectation(mistake)
    if kind == "missing":
        return Reason("settings.missing", what=_words(_annotation(location, model)))
    table = Reason("kind.table", path=".".join(str(part) for part in location))
    value = HIDDEN if _hidden(location, model) else repr(mistake["input"])
    return Reason("settings.wrong", value=value, what=table if kind in _TABLES else expectation(mistake))


def _variable(key: str, prefix: str) -> str:
    """The variable that gave this key, if one did."""
    wanted = key.lower().split(".")
    for name in sorted(os.environ):
        if name.upper().startswith(prefix):
            given = name.upper().removeprefix(prefix).lower().split("__")
            if given == wanted[: len(given)]:
                return name
    return ""


def _hidden(location: Sequence[int | str], model: type[BaseModel]) -> bool:
    """Whether a value may be, or hold, a secret."""
    kind = _annotation(location, model)
    fields = kind.model_fields.values() if isinstance(kind, type) and issubclass(kind, BaseModel) else ()
    inside = any(_without_none(field.annotation) is SecretStr for field in fields)
    return inside or kind is SecretStr or _secret(str(location[-1]))


def _secret(name: str) -> bool:
    return any(word in name.lower().split("_") for word in _SECRET_WORDS)


def _words(kind: Any) -> Reason:
    """A type for people."""
    if get_origin(kind) is Literal:
        return Reason("kind.one_of", words=" or ".join(repr(value) for value in get_args(kind)))
    if get_origin(kind) is tuple:
        return Reason("kind.list")
    names = {
        str: Reason("kind.text"),
        int: Reason("kind.whole_number"),
        float: Reason("kind.number"),
        bool: Reason("kind.true_or_false"),
    }
    return names.get(kind, Reason("kind.any"))


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_json(value: str) -> bool:
    import json

    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _annotation(location: Sequence[int | str], model: type[BaseModel]) -> Any:
    """The declared type at a place in the settings; None when there is no such place."""
    kind: Any = model
    for part in location:
        if get_origin(kind) is dict or get_origin(kind) is Mapping:
            kind = get_args(kind)[1]
        elif get_origin(kind) is tuple:
            kind = get_args(kind)[0]
        elif isinstance(kind, type) and issubclass(kind, BaseModel) and str(part) in kind.model_fields:
            kind = _without_none(kind.model_fields[str(part)].annotation)
        else:
            return None
    return kind


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        kind = next(each for each in get_args(kind) if each is not type(None))
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind
