"""What a route is given: the product, the open streams and the metrics of its server."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator

from devops_chatbot.access.principals import Principal
from devops_chatbot.api.continuing import Continuations
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
    continuations: Continuations


def _host(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


def _principal(request: Request) -> Principal:
    principal: Principal = request.app.state.principal_of(request)
    return principal


PrincipalDep = Annotated[Principal, Depends(_principal)]
HostDep = Annotated[Context, Depends(_host)]
"""With the records of everybody: for routes that speak of the instance, not of somebody's records."""


def _context(host: HostDep, principal: PrincipalDep) -> Context:
    return replace(host, product=host.product.of(principal))


ContextDep = Annotated[Context, Depends(_context)]
"""With the records that the one who asks may see."""


def _product(context: ContextDep) -> Product:
    return context.product


ProductDep = Annotated[Product, Depends(_product)]


def own_thread(thread_id: str, product: ProductDep) -> None:
    """Stands before every route below a conversation. Raises `NotFound` for one that is somebody else's."""
    product.threads.summary(thread_id)


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
