"""What a route is given: the product, the open streams and the metrics of its server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator

from devops_chatbot.api.metrics import Metrics
from devops_chatbot.api.middleware import KEPT_SLASH
from devops_chatbot.api.sse import Streams
from devops_chatbot.bootstrap import Product
from devops_chatbot.errors import NotFound, Problem


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


ContextDep = Annotated[Context, Depends(_context)]
ProductDep = Annotated[Product, Depends(_product)]

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


def refuse_repositories(names: Sequence[str]) -> None:
    """Raises `NotFound` for a question or a search that names one: there are none."""
    if names:
        raise NotFound("repository.not_found", name=names[0])
