"""Maps every error to an HTTP status and to problem details (RFC 9457)."""

from collections.abc import Iterator
from typing import Any, cast

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from devops_chatbot import errors
from devops_chatbot.config.data_directory import FULL
from devops_chatbot.errors import BadRequest, ChatbotError, FieldProblem, NotAllowed, NotFound, Problem, Unavailable
from devops_chatbot.i18n import Reason
from devops_chatbot.schemas.body import problem_of
from devops_chatbot.values import to_json
from knowledge.text.identifiers import humps

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


def named(error: BaseException) -> ChatbotError:
    """The error, when it is one of ours; else what can be said of one that nobody foresaw, which is nothing of its inside."""
    if isinstance(error, ChatbotError):
        return error
    return errors.StoreUnavailable("disk.full") if disk_full(error) else ChatbotError("server.failed")


def problem(request: Request, error: BaseException) -> Response:
    """The response to an error."""
    ours = named(error)
    headers = {"Retry-After": str(ours.retry_after_s)} if isinstance(ours, Unavailable) else {}
    return _response(request, ours, status=status_of(error), headers=headers)


def unauthorised(request: Request) -> Response:
    """The response to a request without the right key."""
    return _response(request, NotAllowed("request.no_key"), status=401, headers={"WWW-Authenticate": "Bearer"})


async def on_chatbot_error(request: Request, error: Exception) -> Response:
    return problem(request, error)


async def on_invalid(request: Request, error: Exception) -> Response:
    """The body or a parameter is not as the route wants it."""
    fields = tuple(_field(row, request) for row in cast(RequestValidationError, error).errors())
    problems = [Reason("request.field", field=each.field, problem=each.problem) for each in fields]
    return _response(request, BadRequest("request.invalid", problems=problems), status=422, fields=fields)


def _field(row: dict[str, Any], request: Request) -> FieldProblem:
    kind = request.headers.get("content-type", "")
    if row["type"] == "json_invalid":
        why = Reason("request.not_json", error=row["ctx"]["error"], position=row["loc"][-1])
    elif row["loc"] == ("body",) and row["type"] == "model_attributes_type" and "json" not in kind:
        why = Reason("request.content_type_not_json", kind=kind) if kind else Reason("request.no_content_type")
    else:
        return FieldProblem(field=".".join(str(part) for part in row["loc"]), problem=problem_of(row))
    return FieldProblem(field="body", problem=why)


async def on_http(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: an unknown path, a wrong method."""
    if isinstance(error.__cause__, ChatbotError):  # raised while the framework read the body
        return problem(request, error.__cause__)
    refused, path = cast(HTTPException, error), request.url.path
    headers = dict(refused.headers or {})
    ours: ChatbotError
    if refused.status_code == 404:
        ours = NotFound("request.unknown_path", path=path)
    elif refused.status_code == 405:
        headers["Allow"] = _methods(request) or headers.get("Allow", "")
        ours = BadRequest("request.method", method=request.method, path=path, possible=headers["Allow"])
    elif isinstance(error.__cause__, UnicodeDecodeError):
        ours = BadRequest("request.not_utf8")
    elif isinstance(error.__cause__, RecursionError):
        ours = BadRequest("request.too_deep")
    else:
        ours = BadRequest("request.refused", detail=refused.detail, method=request.method, path=path)
    return _response(request, ours, status=refused.status_code, headers=headers)


HANDLERS: dict[int | type[Exception], Any] = {
    ChatbotError: on_chatbot_error,
    RequestValidationError: on_invalid,
    HTTPException: on_http,
}
"""What an app of ours answers to what its routes raise."""


def _methods(request: Request) -> str:
    """The methods of every route at this path; the framework itself names those of the first one only."""
    path = getattr(request.scope.get("route"), "path", "")
    return ", ".join(sorted(method.upper() for method in request.app.openapi()["paths"].get(path, ())))


def _response(
    request: Request,
    error: ChatbotError,
    *,
    status: int,
    headers: dict[str, str] | None = None,
    fields: tuple[FieldProblem, ...] = (),
) -> Response:
    name, said = type(error).__name__, error.reason.to_dict()
    words = " ".join(humps(name)).capitalize()
    body = Problem(
        type=f"urn:devops-chatbot:{words.lower().replace(' ', '-')}",
        title=words,
        status=status,
        detail=str(said["text"]),
        error=name,
        code=error.reason.code,
        params=cast(dict[str, Any], said["params"]),
        request_id=request.scope.get("request_id", ""),
        fields=fields,
    )
    return Response(to_json(body), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__
