"""Two people on one instance: neither sees what is the other's, on any route that the OpenAPI document names."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request
from whole_product import running

from devops_chatbot.access.principals import Principal
from devops_chatbot.api.app import create_app
from devops_chatbot.bootstrap import Product
from devops_chatbot.calls import Proposal, ToolCall
from devops_chatbot.chat import Answer
from devops_chatbot.client.client import Client
from devops_chatbot.schemas.threads import NewMessage

WHO = "X-Principal"
OF_THE_INSTANCE = {"name", "role"}
"""Parameters of paths that name no record of anybody: models, embeddings, checks."""
NOTHING_HAPPENS = {(204, "DELETE /api/v1/threads/{thread_id}")}
"""To delete what is not there is no error."""
FACT = b"# LionTimeout\n\nRestart the lion with `lionctl restart`.\n"


def by_header(request: Request) -> Principal:
    return Principal(id=request.headers[WHO], name=request.headers[WHO])


@pytest.fixture
def url(product: Product) -> Iterator[str]:
    with running(create_app(product, principal_of=by_header)) as address:
        yield address


def person(url: str, name: str) -> Client:
    client = Client(url)
    client.http.headers[WHO] = name
    return client


@pytest.fixture
def ann(url: str) -> Iterator[Client]:
    with person(url, "ann") as client:
        yield client


@pytest.fixture
def bob(url: str) -> Iterator[Client]:
    with person(url, "bob") as client:
        yield client


@pytest.fixture
def records(ann: Client, product: Product, allowed: Path) -> dict[str, str]:
    """What Ann has, by the parameter of a path or a query that names it."""
    (allowed / "note.md").write_bytes(FACT)
    base = ann.create_knowledge_base("Runbooks")
    list(ann.run_events(ann.upload(base.id, [("lion.md", FACT)]).id))
    run = ann.follow(base.id, str(allowed))
    list(ann.run_events(run.id))
    document = ann.documents(base.id).items[0]
    thread = ann.create_thread("Lions")
    (attached,) = ann.bench.attach(thread.id, [("lion.log", FACT)])
    *_, answer = ann.ask(thread.id, NewMessage(text="What should I do about LionTimeout?"))
    assert isinstance(answer, Answer)
    assert answer.message_id
    waits = Proposal(
        call=ToolCall(id="approvalofann", tool="silence_create", effect="write", arguments={"comment": "lions"})
    )
    product.approvals.suspend(thread.id, answer.message_id, "Silence the lions?", [waits], "{}")
    return {
        "kb": base.id,
        "document_id": document.id,
        "source_id": ann.sources(base.id)[0].id,
        "ref": ann.chunks(base.id, document.id)[0].ref,
        "run_id": run.id,
        "thread_id": thread.id,
        "attachment_id": attached.id,
        "approval_id": "approvalofann",
        "number": "0",
        "sandbox_id": "s1",
        "path": "file.txt",
    }


def requests(document: dict[str, Any], records: dict[str, str]) -> Iterator[tuple[str, set[str], httpx.Request]]:
    """A request to every route: its name, the records that its path names, and how it is called."""
    for template, methods in document["paths"].items():
        for method, operation in methods.items():
            named = set(re.findall(r"\{(\w+)\}", template))
            if not template.startswith("/api/v1/") or named & OF_THE_INSTANCE:
                continue
            assert named <= records.keys(), f"{template}: whose are {named - records.keys()}?"
            query = {
                each["name"]: records[each["name"]]
                for each in operation.get("parameters", ())
                if each["in"] == "query" and each["required"]
            }
            content = operation.get("requestBody", {}).get("content", {})
            body: dict[str, Any] = {}
            if "multipart/form-data" in content:
                body = {"files": [("files", ("a.md", b"# A"))]}
            elif "application/json" in content:
                body = {"json": content["application/json"]["example"]}
            address = "http://server" + template.format(**records)
            yield f"{method.upper()} {template}", named, httpx.Request(method.upper(), address, params=query, **body)


def send(client: Client, request: httpx.Request) -> httpx.Response:
    path = str(request.url).removeprefix("http://server")
    headers = {"Content-Type": request.headers["Content-Type"]} if "Content-Type" in request.headers else {}
    return client.http.request(request.method, path, content=request.read(), headers=headers, timeout=60)


def test_nobody_sees_what_is_somebody_elses(ann: Client, bob: Client, records: dict[str, str]) -> None:
    document = ann.http.get("/openapi.json", timeout=60).json()
    opened = listed = 0
    for name, named, request in requests(document, records):
        if named:
            status = send(bob, request).status_code
            assert status == 404 or (status, name) in NOTHING_HAPPENS or (status == 503 and "sandbox_id" in named), name
            opened += 1
        elif request.method == "GET" or "/search" in name:
            said = send(bob, request).text
            assert not [
                each
                for each in ("kb", "document_id", "run_id", "thread_id", "attachment_id", "approval_id")
                if records[each] in said
            ], name
            listed += 1
    assert opened > 35
    assert listed > 8

    for name, named, request in requests(document, records):
        if (
            request.method == "GET"
            and named
            and not named & {"sandbox_id", "number"}
            and "threads/{thread_id}/runs/" not in name
        ):
            assert send(ann, request).status_code == 200, f"{name} is Ann's own, and still there"


def test_what_is_somebody_elses_is_neither_found_nor_in_the_way(
    ann: Client, bob: Client, records: dict[str, str]
) -> None:
    for named in (["Runbooks"], [records["kb"]]):
        with pytest.raises(Exception, match="no knowledge base"):
            bob.search("LionTimeout", knowledge_bases=named)
    assert ann.search("LionTimeout").hits
    assert not bob.search("LionTimeout").hits
    thread = bob.create_thread()
    *_, answer = bob.ask(thread.id, NewMessage(text="What should I do about LionTimeout?", route="docs"))
    assert isinstance(answer, Answer)
    assert "lionctl" not in answer.text
    assert not answer.citations

    own = bob.create_knowledge_base("Runbooks")
    assert bob.knowledge_base("runbooks").id == own.id
    assert ann.knowledge_base("runbooks").id == records["kb"]
    assert [each.id for each in bob.threads().items] == [thread.id]
    assert {each.subject for each in bob.runs()} == set()
