"""The base of every body that the API takes, and what is wrong in one, in words."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from devops_chatbot.chat import writable
from devops_chatbot.errors import BadRequest
from devops_chatbot.i18n import Reason

Repositories = Annotated[tuple[str, ...], Field(description="names of repositories; so far there are none to name")]

M = TypeVar("M", bound=BaseModel)

_EXPECTED = {
    "extra_forbidden": Reason("field.unknown"),
    "missing": Reason("field.missing"),
    "string_type": Reason("field.text"),
    "int_type": Reason("field.whole_number"),
    "int_parsing": Reason("field.whole_number"),
    "int_from_float": Reason("field.whole_number"),
    "float_type": Reason("field.number"),
    "float_parsing": Reason("field.number"),
    "bool_type": Reason("field.true_or_false"),
    "bool_parsing": Reason("field.true_or_false"),
    "tuple_type": Reason("field.list"),
    "list_type": Reason("field.list"),
    "dict_type": Reason("field.object"),
    "model_type": Reason("field.object"),
    "model_attributes_type": Reason("field.object"),
}


class Body(BaseModel):
    """What the API takes; an unknown field is the asker's mistake and named as such."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _writable(cls, given: object) -> object:
        return writable(given)


def problem_of(mistake: Mapping[str, Any]) -> Reason:
    """One mistake that pydantic found, for somebody who does not know Python."""
    expected = _EXPECTED.get(mistake["type"])
    if expected is not None:
        return expected
    match mistake:
        case {"type": "too_short", "ctx": {"min_length": least}}:
            return Reason("field.too_short", least=least)
        case {"type": "too_long", "ctx": {"max_length": most}}:
            return Reason("field.too_long", most=most)
        case {"type": "literal_error", "ctx": {"expected": words}}:
            return Reason("field.one_of", words=words)
        case {"type": "greater_than_equal", "ctx": {"ge": least}}:
            return Reason("field.at_least", least=least)
        case {"type": "greater_than", "ctx": {"gt": bound}}:
            return Reason("field.more_than", bound=bound)
        case {"type": "less_than_equal", "ctx": {"le": most}}:
            return Reason("field.at_most", most=most)
    return Reason("field.wrong", problem=str(mistake["msg"]).removeprefix("Value error, "))


def body_of(kind: type[M], **values: object) -> M:
    """A body of these values. Raises `BadRequest` with every mistake in words."""
    try:
        return kind.model_validate(values)
    except ValidationError as wrong:
        raise BadRequest("request.invalid", problems=[_located(each) for each in wrong.errors()]) from None


def _located(mistake: Mapping[str, Any]) -> Reason:
    field = ".".join(map(str, mistake["loc"]))
    return Reason("request.field", field=field, problem=problem_of(mistake)) if field else problem_of(mistake)
