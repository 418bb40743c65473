"""Who may come in, what they are told when they may not, and what every response carries."""

import errno
import inspect

import httpx
import pytest
from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from devops_chatbot import errors
from devops_chatbot.api.metrics import Metrics
from devops_chatbot.api.middleware import Door, Entry, entry
from devops_chatbot.api.problems import (
    STATUS,
    on_chatbot_error,
    on_http,
    on_invalid,
    status_of,
    status_of_name,
)
from devops_chatbot.errors import ChatbotError, ModelUnavailable, NotFound, Problem, StoreUnavailable
from devops_chatbot.values import from_json


class Body(BaseModel):
    number: int


def app_behind(who: Entry) -> FastAPI:
    app = FastAPI(
        exception_handlers={
            ChatbotError: on_chatbot_error,
            RequestValidationError: on_invalid,
            HTTPException: on_http,
        }
    )
    metrics = Metrics()

    @app.get("/api/v1/things")
    async def things() -> str:
        return "in"

    @app.get("/healthz")
    async def healthz() -> str:
        return "alive"

    @app.post("/api/v1/things")
    async def make(body: Body) -> int:
        return body.number

    @app.get("/api/v1/broken")
    async def broken() -> str:
        raise ValueError("secret-of-the-inside")

    @app.get("/api/v1/full")
    def full() -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    @app.get("/api/v1/model")
    def model() -> str:
        raise ModelUnavailable("The model does not answer.")

    @app.get("/numbers")
    def numbers() -> Response:
        return Response(metrics.text())

    app.add_middleware(Door, entry=who, metrics=metrics)
    return app


OPEN = entry(host="127.0.0.1", allowed_hosts=("docs.example.com",), key=None)
KEYED = entry(host="0.0.0.0", allowed_hosts=("Chat.example.com:8600",), key="long random text")


@pytest.fixture
def get(serve):
    with serve(app_behind(OPEN)) as url:
        yield lambda path="/api/v1/things", **headers: httpx.get(url + path, headers=headers)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8600", "localhost:1", "[::1]:8600", "LOCALHOST", "docs.example.com:443", "127.1.2.3"]
)
def test_known_hosts_come_in(get, host: str) -> None:
    assert get(Host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.5:8600", "0.0.0.0"]
)
def test_a_foreign_host_is_refused_with_the_setting_to_change(get, host: str) -> None:
    response = get(Host=host)
    assert response.status_code == 403
    assert "server.allowed_hosts" in response.json()["detail"]


def test_a_page_of_another_origin_is_refused(get) -> None:
    assert get(Origin="https://evil.example").status_code == 403
    assert get(Origin="null").status_code == 403
    assert get(Origin="http://localhost:8601").status_code == 200


def test_without_the_right_key_nobody_comes_in(serve) -> None:
    with serve(app_behind(KEYED)) as url:
        assert httpx.get(f"{url}/api/v1/things").status_code == 401
        assert httpx.get(f"{url}/api/v1/things", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert httpx.get(f"{url}/api/v1/things", headers={"Authorization": "Basic long random text"}).status_code == 401
        refused = httpx.get(f"{url}/api/v1/nothing")
        assert refused.status_code == 401, "what exists is nobody's business"
        assert refused.headers["www-authenticate"] == "Bearer"
        right = {"Authorization": "Bearer long random text"}
        assert httpx.get(f"{url}/api/v1/things", headers=right).status_code == 200
        assert httpx.get(f"{url}/api/v1/things", headers=right | {"Host": "chat.example.com"}).status_code == 200
        assert httpx.get(f"{url}/healthz").status_code == 200, "an orchestrator has no key"


def test_a_problem_has_the_shape_of_rfc_9457(get) -> None:
    response = get("/api/v1/nothing")
    assert response.headers["content-type"] == "application/problem+json"
    problem = from_json(Problem, response.content)
    assert (problem.status, problem.error, problem.type) == (404, "NotFound", "urn:devops-chatbot:not-found")
    assert problem.request_id == response.headers["x-request-id"]
    assert "/api/v1/nothing" in problem.detail


def test_a_wrong_body_is_named_field_by_field(serve) -> None:
    with serve(app_behind(OPEN)) as url:
        response = httpx.post(f"{url}/api/v1/things", json={"number": "x"})
    assert response.status_code == 422
    assert response.json()["fields"][0]["field"] == "body.number"


def test_a_body_that_is_no_json_is_told_where_or_why(serve) -> None:
    with serve(app_behind(OPEN)) as url:
        broken = httpx.post(f"{url}/api/v1/things", content='{"number": ', headers={"Content-Type": "application/json"})
        unnamed = httpx.post(f"{url}/api/v1/things", content='{"number": 1}', headers={"Content-Type": "text/plain"})
    assert broken.json()["detail"] == "body: is not valid JSON: Expecting value at character 11"
    assert unnamed.json()["detail"].startswith("body: the header Content-Type is 'text/plain'; expected")
    assert {broken.status_code, unnamed.status_code} == {422}


def test_a_wrong_method_is_told_the_right_ones(serve) -> None:
    with serve(app_behind(OPEN)) as url:
        response = httpx.delete(f"{url}/healthz")
    assert response.status_code == 405
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["allow"] == "GET"
    assert response.json()["detail"] == "DELETE is not possible at /healthz; possible: GET."


def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so(serve) -> None:
    with serve(app_behind(OPEN)) as url:
        big = b'{"number": 1, "x": "' + b"x" * 3_000_000 + b'"}'
        headers = {"Content-Type": "application/json"}
        assert httpx.post(f"{url}/api/v1/things", content=big, headers=headers).status_code == 413
        assert httpx.post(f"{url}/api/v1/things", content=iter([big]), headers=headers).status_code == 413


def test_an_unforeseen_error_does_not_show_its_inside(get) -> None:
    response = get("/api/v1/broken")
    assert response.status_code == 500
    assert "secret-of-the-inside" not in response.text
    assert response.json()["request_id"] == response.headers["x-request-id"]


def test_a_full_disk_says_so(get) -> None:
    response = get("/api/v1/full")
    assert response.status_code == 507
    assert response.json()["error"] == "StoreUnavailable"
    assert "Free some space" in response.json()["detail"]


def test_what_is_unavailable_says_when_to_try_again(get) -> None:
    response = get("/api/v1/model")
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0


def test_requests_are_counted_by_route_and_not_by_path(get) -> None:
    get("/api/v1/things")
    get("/api/v1/nothing-1")
    get("/api/v1/nothing-2")
    numbers = get("/numbers").text
    assert 'chatbot_http_requests_total{method="GET",route="/api/v1/things",status="200"} 1.0' in numbers
    assert 'route="unknown",status="404"} 2.0' in numbers


def test_every_error_class_has_a_status() -> None:
    classes = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ChatbotError)}
    assert classes == set(STATUS)
    for kind in classes:
        assert status_of(kind("x")) == status_of_name(kind.__name__) == STATUS[kind]


def test_a_full_disk_behind_a_store_error_is_found() -> None:
    error = StoreUnavailable("The index cannot be written.")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert status_of(error) == 507
    assert status_of(StoreUnavailable("locked")) == 503
    assert status_of(NotFound("x")) == 404
