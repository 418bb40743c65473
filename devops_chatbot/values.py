"""How a frozen value of the vocabulary crosses HTTP: as it is, field by field. A reader ignores fields it does not know."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A part of a list, and how long the whole list is."""

    items: tuple[T, ...]
    total: int

    @classmethod
    def of(cls, items: Sequence[T]) -> "Page[T]":
        """A whole list on one page."""
        return cls(items=tuple(items), total=len(items))


def to_json(value: object, *, indent: int | None = None) -> bytes:
    """The value as JSON."""
    return _adapter(type(value)).dump_json(value, indent=indent)


def from_json(kind: type[T], text: str | bytes) -> T:
    """The value in this JSON. Raises ValueError (pydantic's) where there is none of that kind."""
    value: T = _adapter(kind).validate_json(text)
    return value


def from_page(kind: type[T], page: str | bytes) -> list[T]:
    """The values in the `items` of a page. Raises ValueError, KeyError or TypeError where it is no page of that kind."""
    return [from_object(kind, item) for item in json.loads(page)["items"]]


def from_object(kind: type[T], given: object) -> T:
    """The value in this dictionary or other object. Raises ValueError (pydantic's) where there is none of that kind."""
    value: T = _adapter(kind).validate_python(given)
    return value
