"""The documentation of the routes: each with words, and with examples that fit what the route takes and gives."""

from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from devops_chatbot.api.examples import JSON, PROBLEM


@pytest.fixture
def document(url: str) -> dict[str, Any]:
    return dict(httpx.get(f"{url}/openapi.json", timeout=60).json())


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(found) > 50
    return found


def test_every_route_says_what_it_does_and_shows_what_it_takes_and_gives(document: dict[str, Any]) -> None:
    missing = []
    for name, operation in operations(document):
        if not operation.get("description"):
            missing.append(f"{name}: no words")
        bodies = {"request": operation.get("requestBody", {}).get("content", {})}
        bodies |= {status: answer.get("content", {}) for status, answer in operation["responses"].items()}
        for what, content in bodies.items():
            shown = {kind: body for kind, body in content.items() if kind in (JSON, PROBLEM, "text/event-stream")}
            missing += [
                f"{name}: {what} {kind}" for kind, body in shown.items() if "example" not in body and what != "503"
            ]
        missing += [
            f"{name}: parameter {parameter['name']}"
            for parameter in operation.get("parameters", ())
            if not {"example", "examples"} & (parameter.keys() | parameter["schema"].keys())
            and "default" not in parameter["schema"]
            and parameter["in"] != "header"
        ]
    assert not missing


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    checked, problems = 0, list[str]()
    for name, operation in operations(document):
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [answer.get("content", {}) for answer in operation["responses"].values()]
        for content in contents:
            for kind in (JSON, PROBLEM):
                if "example" in content.get(kind, {}):
                    schema = content[kind]["schema"] | {"components": document["components"]}
                    wrong = [
                        error.message for error in Draft202012Validator(schema).iter_errors(content[kind]["example"])
                    ]
                    problems += [f"{name}: {each}" for each in wrong]
                    checked += 1
    assert not problems
    assert checked > 150


def test_problems_are_described_as_they_are_sent(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status in ("4XX", "5XX"):
            assert list(operation["responses"][status]["content"]) == [PROBLEM], name
