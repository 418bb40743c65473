"""The base of every body that the API takes, and what is wrong in one, in words."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from devops_chatbot.chat import writable
from devops_chatbot.errors import BadRequest

M = TypeVar("M", bound=BaseModel)

_WORDS = {
    "extra_forbidden": "is no field of this request",
    "missing": "is missing",
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "dict_type": "expected an object",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
}


class Taken(BaseModel):
    """What the API takes; an unknown field is the asker's mistake and named as such."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _writable(cls, given: object) -> object:
        return writable(given)


def problem_of(mistake: Mapping[str, Any]) -> str:
    """One mistake that pydantic found, for somebody who does not know Python."""
    kind, limits = mistake["type"], mistake.get("ctx", {})
    if kind == "too_short":
        return f"expected a list of at least {limits['min_length']}"
    if kind == "too_long":
        return f"expected a list of at most {limits['max_length']}"
    message = str(mistake["msg"]).removeprefix("Value error, ")
    message = message.replace("Input should be less", "expected a number less").replace(
        "Input should be greater", "expected a number greater"
    )
    return _WORDS.get(kind) or message.replace("Input should be", "expected")


def body_of(kind: type[M], **values: object) -> M:
    """A body of these values. Raises `BadRequest` with every mistake in words."""
    try:
        return kind.model_validate(values)
    except ValidationError as wrong:
        raise BadRequest("; ".join(map(_located, wrong.errors()))) from None


def _located(mistake: Mapping[str, Any]) -> str:
    field = ".".join(map(str, mistake["loc"]))
    return f"{field}: {problem_of(mistake)}" if field else problem_of(mistake)
