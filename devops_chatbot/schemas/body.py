"""The base of every body that the API takes, and what is wrong in one, in words."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from devops_chatbot.chat import writable
from devops_chatbot.errors import BadRequest
from devops_chatbot.i18n import Reason, expectation

Repositories = Annotated[tuple[str, ...], Field(description="names of repositories; so far there are none to name")]

M = TypeVar("M", bound=BaseModel)


class Body(BaseModel):
    """What the API takes; an unknown field is the asker's mistake and named as such."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _writable(cls, given: object) -> object:
        return writable(given)


def problem_of(mistake: Mapping[str, Any]) -> Reason:
    """One mistake that pydantic found, for somebody who does not know Python."""
    match mistake["type"]:
        case "extra_forbidden":
            return Reason("field.unknown")
        case "missing":
            return Reason("field.missing")
        case "value_error":
            return expectation(mistake)
    return Reason("field.expected", what=expectation(mistake))


def body_of(kind: type[M], /, **values: object) -> M:
    """A body of these values. Raises `BadRequest` with every mistake in words."""
    try:
        return kind.model_validate(values)
    except ValidationError as wrong:
        raise BadRequest("request.invalid", problems=[_located(each) for each in wrong.errors()]) from None


def _located(mistake: Mapping[str, Any]) -> Reason:
    field = ".".join(map(str, mistake["loc"]))
    return Reason("request.field", field=field, problem=problem_of(mistake)) if field else problem_of(mistake)
