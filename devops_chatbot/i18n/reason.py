"""Why something is as it is, without a language: a code and its parameters."""

import json
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

from devops_chatbot.i18n.catalog import Catalog, Language

MESSAGES = Catalog(Path(__file__).parent)
current_language: ContextVar[Language] = ContextVar("current_language", default="en")
"""The language of the person who is served; a door sets it, and a `Reason` that becomes JSON takes its text in it."""

Param = Union[str, int, float, "Reason", tuple["Param", ...], Mapping[str, str]]


@dataclass(frozen=True, slots=True, init=False)
class Reason:
    """Something to tell a person: `Reason("document.too_large", megabytes=51, most=50)`.

    A parameter is a number, another reason or an error, a text by language, or a list of these; anything else becomes its
    `str`. `said` is the text that came with a reason from elsewhere, shown when its code is not known here (a newer server, an
    old record).
    """

    code: str
    params: Mapping[str, Param]
    said: str = field(compare=False)

    def __init__(self, code: str, /, **params: object) -> None:
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "params", {name: _param(value) for name, value in params.items()})
        object.__setattr__(self, "said", "")

    def __bool__(self) -> bool:
        """False for the empty text of an old record."""
        return bool(self.code or self.said)

    def __hash__(self) -> int:
        return hash(self.code)

    def text(self, language: Language) -> str:
        try:
            return MESSAGES.text(self.code, language, self.params)
        except KeyError:
            return self.said or self.code

    def __str__(self) -> str:
        return self.text("en")

    def to_dict(self) -> dict[str, object]:
        """For JSON, with the text in the current language beside it."""
        params = {name: _plain(value) for name, value in self.params.items()}
        return {"code": self.code, "params": params, "text": self.text(current_language.get())}

    @classmethod
    def parse(cls, value: object) -> "Reason":
        """Out of what `to_dict` gave; a mere text (of an old record) is taken as it stands. Raises `ValueError`."""
        if isinstance(value, Reason):
            return value
        if isinstance(value, str):
            value = {"code": "", "text": value}
        if not isinstance(value, dict) or not isinstance(params := value.get("params", {}), dict):
            raise ValueError("expected an object with code and params")
        reason = cls(str(value.get("code", "")), **{str(name): _told(param) for name, param in params.items()})
        object.__setattr__(reason, "said", str(value.get("text", "")))
        return reason

    def to_json(self) -> str:
        """For a column of a database."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_json(cls, stored: str) -> "Reason":
        """Out of a column; what is no JSON is the text of an older version."""
        return cls.parse(json.loads(stored) if stored.startswith("{") else stored)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(cls.to_dict)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, object]:
        return {
            "title": "Reason",
            "type": "object",
            "description": "a stable code with its parameters, and its text in the language of Accept-Language",
            "properties": {"code": {"type": "string"}, "params": {"type": "object"}, "text": {"type": "string"}},
            "required": ["code", "params", "text"],
        }


def _param(value: object) -> Param:
    if isinstance(value, str | int | float | Reason | Mapping):
        return value
    if isinstance(reason := getattr(value, "reason", None), Reason):
        return reason
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        return tuple(map(_param, value))
    return str(value)


def _plain(value: Param) -> object:
    if isinstance(value, Reason):
        return value.to_dict()
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _told(value: object) -> object:
    if isinstance(value, list):
        return tuple(map(_told, value))
    return Reason.parse(value) if isinstance(value, dict) and "code" in value else value
