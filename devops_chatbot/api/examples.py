"""Puts an example of every request and answer into the OpenAPI document; they are answers of a real server."""

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

PROBLEM = "application/problem+json"
JSON = "application/json"


def describe(app: FastAPI) -> None:
    """Let the app's OpenAPI document show the examples, and problems as what they are sent as."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            plain = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            app.openapi_schema = with_examples(plain)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def with_examples(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, changed in place."""
    known = json.loads((Path(__file__).parent / "examples.json").read_text("utf-8"))
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            shown = known["operations"].get(f"{method.upper()} {path}", {})
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in known["parameters"]:
                    parameter["example"] = known["parameters"][parameter["name"]]
            if "request" in shown:
                operation["requestBody"]["content"][JSON]["example"] = shown["request"]
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                kind = str(content.get(JSON, {}).get("schema", {}).get("$ref", ""))
                if status[0] in "45" and kind.endswith("/Problem"):
                    content[PROBLEM] = content.pop(JSON) | {"example": known["problem"]}
                elif status[0] == "2" and "response" in shown and JSON in content:
                    content[JSON]["example"] = shown["response"]
    return document
