"""Models by name: roles, switching, tests, and what their errors say."""

import asyncio
import re

import pytest
from patience import PATIENCE_S
from scripted_model import Reply, ScriptedModel, nobody_there
from sqlalchemy import Engine

from devops_chatbot.config.settings import ModelSettings
from devops_chatbot.errors import BadQuestion, NotFound
from devops_chatbot.llm import Models, RoleAssignments


def models(engine: Engine, *, answer: tuple[str, ...] = (), **named: dict[str, object]) -> Models:
    settings = {name: ModelSettings.model_validate(values) for name, values in named.items()}
    roles = {"answer": answer, "route": (), "tools": (), "graph": ()}
    return Models(settings, roles, assignments=RoleAssignments(engine))


def compatible(url: str = "http://127.0.0.1:9/v1", **more: object) -> dict[str, object]:
    return {"provider": "openai-compatible", "model": "m", "base_url": url, **more}


def test_the_extractive_model_answers_where_none_is_connected(engine: Engine) -> None:
    found = models(engine)
    assert [(info.name, info.extractive, info.state) for info in found.names()] == [("extractive", True, "ready")]
    assert [model.name for model in found.for_role("answer")] == ["extractive"]
    assert found.for_role("route") == []
    assert asyncio.run(found.test("extractive")).ok


def test_roles_have_an_order_and_a_named_model_stands_alone(engine: Engine) -> None:
    found = models(engine, answer=("b", "a"), a=compatible(), b=compatible())
    assert [model.name for model in found.for_role("answer")] == ["b", "a"]
    assert [model.name for model in found.for_role("answer", named="a")] == ["a"]
    assert {info.name: info.roles for info in found.names()} == {"a": ("answer",), "b": ("answer",), "extractive": ()}
    with pytest.raises(BadQuestion, match="a, b, extractive"):
        found.for_role("answer", named="c")


def test_switching_a_role_survives_a_restart(engine: Engine) -> None:
    first = models(engine, answer=("a",), a=compatible(), b=compatible())
    first.assign("answer", ["b", "extractive", "b"])
    first.assign("route", ["a"])
    again = models(engine, answer=("a",), a=compatible(), b=compatible())
    assert again.assigned("answer") == ("b", "extractive")
    assert again.assigned("route") == ("a",)
    again.assign("answer", [])
    assert models(engine, answer=("a",), a=compatible()).assigned("answer") == ()
    with pytest.raises(NotFound):
        again.assign("cook", ["a"])
    with pytest.raises(BadQuestion):
        again.assign("answer", ["nobody"])


def test_a_switched_role_whose_models_are_gone_goes_by_the_settings(engine: Engine) -> None:
    models(engine, a=compatible(), b=compatible()).assign("answer", ["b"])
    assert models(engine, answer=("a",), a=compatible()).assigned("answer") == ("a",)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(status=401), r"models\.x\.api_key"),
        (Reply(status=404), r"models\.x\.model"),
        (Reply(status=429), "rate limit"),
        (Reply(status=500), "status 500"),
        (Reply(status=400), "refuses the request"),
        (Reply(garbage=True), "Check models.x.base_url and models.x.provider."),
        (Reply(text="x", first_s=60), "said nothing for|did not answer within"),
    ],
)
def test_a_test_says_what_is_wrong(engine: Engine, reply: Reply, says: str) -> None:
    with ScriptedModel([reply]) as server:
        found = models(
            engine, x=server.settings(timeout_s=0.5 if reply.first_s else PATIENCE_S, api_key="sk-very-secret")
        )
        result = asyncio.run(found.test("x"))
        info = found.names()[0]
    assert not result.ok
    assert re.search(says, str(result.detail)), result.detail
    assert "sk-very-secret" not in str(result.detail)
    assert (info.state, info.why) == ("failed", result.detail)


def test_a_test_of_a_model_that_answers(engine: Engine) -> None:
    with ScriptedModel([Reply(text="ready")]) as server:
        found = models(engine, x=server.settings(api_key="sk-very-secret"))
        assert found.names()[0].state == "unknown"
        result = asyncio.run(found.test("x"))
        assert server.keys == ["Bearer sk-very-secret"]
    assert (result.ok, str(result.detail)) == (True, "It said: ready")
    assert found.names()[0].state == "ready"
    with pytest.raises(NotFound):
        asyncio.run(found.test("nothing"))


def test_a_server_that_is_not_there(engine: Engine) -> None:
    url = nobody_there()
    result = asyncio.run(models(engine, x=compatible(url)).test("x"))
    assert not result.ok
    assert url in str(result.detail)


@pytest.mark.parametrize(
    "settings",
    [
        {"provider": "openai", "model": "m", "api_key": "k"},
        {
            "provider": "azure",
            "model": "m",
            "api_key": "k",
            "base_url": "https://x.example",
            "api_version": "2024-10-21",
        },
        {"provider": "anthropic", "model": "m", "api_key": "k", "temperature": 0.1},
        {"provider": "ollama", "model": "m"},
        compatible(),
    ],
)
def test_every_provider_opens_without_sending_anything(engine: Engine, settings: dict[str, object]) -> None:
    assert models(engine, x=settings).for_role("answer", named="x")[0].open()


def test_a_missing_key_is_named(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    result = asyncio.run(models(engine, x={"provider": "openai", "model": "m"}).test("x"))
    assert not result.ok
    assert "models.x.api_key" in str(result.detail)
