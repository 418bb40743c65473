"""What a route is given: the product, the open streams and the metrics of its server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, BaseModel

from devops_chatbot.api.metrics import Metrics
from devops_chatbot.api.middleware import KEPT_SLASH
from devops_chatbot.api.sse import Streams
from devops_chatbot.bootstrap import Product
from devops_chatbot.errors import NotFound
from devops_chatbot.schemas.wire import Page, Problem

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One server's parts."""

    product: Product
    streams: Streams
    metrics: Metrics


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


def _product(request: Request) -> Product:
    return _context(request).product


In = Annotated[Context, Depends(_context)]
Of = Annotated[Product, Depends(_product)]

Named = Annotated[
    str,
    Path(description="The id or the name of a knowledge base.", examples=["Runbooks"]),
    AfterValidator(lambda name: name.replace(KEPT_SLASH, "/")),
]

Offset = Annotated[int, Query(ge=0, le=1_000_000_000, description="rows to pass over")]

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "What was asked for cannot be done as asked; `detail` says what to do"},
    "5XX": {"model": Problem, "description": "Something needed is not available now; `detail` says what to do"},
}


def given(kind: type[M], value: object) -> M:
    """A dataclass of ours as the model that crosses the wire."""
    return kind.model_validate(value, from_attributes=True)


def refuse_repositories(names: Sequence[str]) -> None:
    """Raises `NotFound` for a question or a search that names one: there are none."""
    if names:
        raise NotFound("repository.not_found", name=names[0])


def whole(values: Sequence[T]) -> Page[T]:
    """A list of values that cross HTTP as they are, all on one page."""
    return Page(items=tuple(values), total=len(values))


def page(kind: type[M], rows: Sequence[object], total: int | None = None) -> Page[M]:
    """Rows of ours as a page; `total` is their number unless there are more."""
    return Page(items=tuple(given(kind, row) for row in rows), total=len(rows) if total is None else total)
