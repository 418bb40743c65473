"""Maps every error to an HTTP status and to problem details (RFC 9457)."""

import re
from collections.abc import Iterator
from typing import Any, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from devops_chatbot import errors
from devops_chatbot.config.data_directory import FULL
from devops_chatbot.errors import ChatbotError, NotAllowed, NotFound, Unavailable
from devops_chatbot.schemas.taken import problem_of
from devops_chatbot.schemas.wire import FieldProblem, Problem

STATUS: dict[type[ChatbotError], int] = {
    ChatbotError: 500,
    errors.ConfigError: 500,
    errors.Unavailable: 503,
    errors.ModelUnavailable: 503,
    errors.StoreUnavailable: 503,
    errors.SandboxUnavailable: 503,
    errors.BadRequest: 400,
    errors.BadQuestion: 400,
    errors.NotFound: 404,
    errors.NotAllowed: 403,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.UnsupportedFile: 415,
    errors.LimitReached: 429,
}
DISK_FULL = 507
MEDIA_TYPE = "application/problem+json"


def status_of(error: BaseException) -> int:
    """The status of an error; 507 when a full disk is behind it."""
    if not isinstance(error, ChatbotError):
        return DISK_FULL if disk_full(error) else 500
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return DISK_FULL if isinstance(error, errors.StoreUnavailable) and disk_full(error) else status


def status_of_name(name: str) -> int:
    """The status of an error class by its name; 500 when there is no such class."""
    return next((status for kind, status in STATUS.items() if kind.__name__ == name), 500)


def disk_full(error: BaseException) -> bool:
    """Whether a full disk is the error or stands behind it."""
    return any(
        (isinstance(cause, OSError) and cause.errno in FULL) or "database or disk is full" in str(cause)
        for cause in _causes(error)
    )


def problem(request: Request, error: BaseException) -> JSONResponse:
    """The response to an error of ours, or to one that nobody foresaw (which says nothing of its inside)."""
    if isinstance(error, ChatbotError):
        name, detail = type(error).__name__, str(error)
    elif disk_full(error):
        name, detail = "StoreUnavailable", "The disk of the data directory is full. Free some space and try again."
    else:
        name, detail = "ChatbotError", "Something went wrong inside the server. Its log has the details."
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, Unavailable) else {}
    return _response(request, name=name, status=status_of(error), detail=detail, headers=headers)


def unauthorised(request: Request) -> JSONResponse:
    """The response to a request without the right key."""
    return _response(
        request,
        name=NotAllowed.__name__,
        status=401,
        detail="A key is needed: send `Authorization: Bearer KEY` with the key of the setting server.key.",
        headers={"WWW-Authenticate": "Bearer"},
    )


async def on_chatbot_error(request: Request, error: Exception) -> JSONResponse:
    return problem(request, error)


async def on_invalid(request: Request, error: Exception) -> JSONResponse:
    """The body or a parameter is not as the route wants it."""
    fields = tuple(_field(row, request) for row in cast(RequestValidationError, error).errors())
    detail = "; ".join(f"{row.field}: {row.problem}" for row in fields)
    return _response(request, name="BadRequest", status=422, detail=detail, fields=fields)


def _field(row: dict[str, Any], request: Request) -> FieldProblem:
    if row["type"] == "json_invalid":
        why = f"is not valid JSON: {row['ctx']['error']} at character {row['loc'][-1]}"
        return FieldProblem(field="body", problem=why)
    kind = request.headers.get("content-type", "")
    if row["loc"] == ("body",) and row["type"] == "model_attributes_type" and "json" not in kind:
        shown = repr(kind) if kind else "missing"
        return FieldProblem(field="body", problem=f"the header Content-Type is {shown}; expected 'application/json'")
    return FieldProblem(field=".".join(str(part) for part in row["loc"]), problem=problem_of(row))


async def on_http(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses: an unknown path, a wrong method."""
    if isinstance(error.__cause__, ChatbotError):  # raised while the framework read the body
        return problem(request, error.__cause__)
    refused = cast(HTTPException, error)
    headers = dict(refused.headers or {})
    if refused.status_code == 404:
        name, detail = NotFound.__name__, f"There is nothing at {request.url.path}. The routes are listed at /docs."
    elif refused.status_code == 405:
        headers["Allow"] = _methods(request) or headers.get("Allow", "")
        possible = headers["Allow"] or "other methods"
        name, detail = "BadRequest", f"{request.method} is not possible at {request.url.path}; possible: {possible}."
    elif isinstance(error.__cause__, UnicodeDecodeError | RecursionError):
        why = "is no text in UTF-8" if isinstance(error.__cause__, UnicodeDecodeError) else "is nested too deeply"
        name, detail = "BadRequest", f"The body {why}; expected JSON."
    else:
        name, detail = "BadRequest", f"{refused.detail} ({request.method} {request.url.path})"
    return _response(request, name=name, status=refused.status_code, detail=detail, headers=headers)


def _methods(request: Request) -> str:
    """The methods of every route at this path; the framework itself names those of the first one only."""
    path = getattr(request.scope.get("route"), "path", "")
    return ", ".join(sorted(method.upper() for method in request.app.openapi()["paths"].get(path, ())))


def _response(
    request: Request,
    *,
    name: str,
    status: int,
    detail: str,
    headers: dict[str, str] | None = None,
    fields: tuple[FieldProblem, ...] = (),
) -> JSONResponse:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()
    body = Problem(
        type=f"urn:devops-chatbot:{words.lower().replace(' ', '-')}",
        title=words,
        status=status,
        detail=detail,
        error=name,
        request_id=request.scope.get("request_id", ""),
        fields=fields,
    )
    return JSONResponse(body.model_dump(), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__
