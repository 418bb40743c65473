"""What a careless program sends: each is the asker's mistake, told in plain words, and never an error of the server."""

from typing import Any

import httpx
import pytest

from devops_chatbot.client.client import Client
from devops_chatbot.errors import BadRequest

JSON = {"Content-Type": "application/json"}


def send(url: str, method: str, path: str, body: str | bytes | None = None) -> tuple[int, dict[str, Any]]:
    response = httpx.request(method, url + path, content=body, headers=JSON)
    return response.status_code, response.json()


def test_half_a_character_is_refused_before_any_store_sees_it(client: Client, url: str) -> None:
    thread = client.create_thread("A").id
    for path, body in (
        ("/api/v1/threads", '{"title": "\\ud800"}'),
        ("/api/v1/search", '{"query": "disk \\udc00"}'),
        (f"/api/v1/threads/{thread}/messages", '{"text": "disk", "knowledge_bases": ["\\ud800"]}'),
        (f"/api/v1/threads/{thread}/runs", '{"message": "m", "block": 0, "code": "\\ud800"}'),
        ("/api/v1/sandboxes", '{"language": "\\ud800"}'),
    ):
        status, problem = send(url, "POST", path, body)
        assert (status, problem["error"]) == (422, "BadRequest"), path
        assert "half of a character" in problem["detail"]
    with pytest.raises(BadRequest, match="half of a character"):
        client.search("disk \ud800")
    assert send(url, "POST", "/api/v1/search", '{"query": "\\ud83d\\ude92"}')[0] == 200, "a whole pair is one character"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"query": "\xff"}', "The body is not UTF-8 text"),
        (b"[" * 100_000, "The body is nested too deeply"),
        (b"[]", "body: expected an object"),
        (
            b'{"query": 5, "knowledge_bases": "Runbooks"}',
            "body.query: expected text in quotes; body.knowledge_bases: expected a list",
        ),
        (b'{"query": "x", "limit": "many"}', "body.limit: expected a whole number"),
        (b'{"query": "x", "limit": 1000}', "body.limit: expected a number less than or equal to 100"),
        (b'{"query": "x", "colour": 1}', "body.colour: is not a field of this request"),
        (b"{}", "body.query: is missing"),
    ],
)
def test_a_wrong_body_is_told_without_words_of_python(url: str, body: bytes, said: str) -> None:
    status, problem = send(url, "POST", "/api/v1/search", body)
    assert status in (400, 422)
    assert problem["detail"].startswith(said)


def test_a_page_beyond_every_list_is_refused(client: Client, url: str) -> None:
    client.create_knowledge_base("Runbooks")
    for path in ("/api/v1/threads", "/api/v1/knowledge-bases/Runbooks/documents"):
        assert send(url, "GET", f"{path}?offset=99999999999999999999")[0] == 422


def test_a_wrong_method_is_told_every_right_one(client: Client, url: str) -> None:
    thread = client.create_thread("A").id
    response = httpx.put(f"{url}/api/v1/threads/{thread}")
    assert (response.status_code, response.headers["allow"]) == (405, "DELETE, GET, PATCH")
    assert "possible: DELETE, GET, PATCH" in response.json()["detail"]


def test_repositories_may_be_left_empty_and_a_name_is_not_found(client: Client, url: str) -> None:
    thread = client.create_thread("A").id
    assert send(url, "POST", "/api/v1/search", '{"query": "x", "repositories": []}')[0] == 200
    for path, body in (
        ("/api/v1/search", '{"query": "x", "repositories": ["web"]}'),
        (f"/api/v1/threads/{thread}/messages", '{"text": "x", "repositories": ["web"]}'),
    ):
        status, problem = send(url, "POST", path, body)
        assert (status, problem["error"]) == (404, "NotFound")
        assert "'web'" in problem["detail"]
