"""The shipped scenarios of several members, from the question to the answer."""

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from scripted_model import Reply, ScriptedModel
from tool_product import Started, asked

from agents.scenarios import SCENARIOS
from devops_chatbot.calls import ToolCall
from devops_chatbot.chat import Answer, Note
from devops_chatbot.scheduler.scenarios import scenario_schema

ANSWER = Reply(text="It is 42 [1].")


def compute(expression: str) -> Reply:
    return Reply(calls=(("calculate", {"expression": expression}),))


@pytest.mark.parametrize(
    ("route", "script", "workers"),
    [
        (
            "plan-execute",
            [
                Reply(text='[{"member": "operator", "step": "Add"}, {"member": "programmer", "step": "Check"}]'),
                compute("40 + 2"),
                Reply(text="42"),
                Reply(text="It holds."),
            ],
            ["planner", "operator", "programmer"],
        ),
        ("group", [Reply(text="programmer"), compute("6 * 7"), Reply(text="42")], ["chooser", "programmer"]),
        ("tools-and-code", [compute("6 * 7"), Reply(text="42"), Reply(text="Yes, 42")], ["operator", "programmer"]),
        ("sql", [compute("6 * 7"), Reply(text="42")], ["analyst"]),
        ("code-run", [compute("6 * 7"), Reply(text="42")], ["programmer"]),
    ],
)
def test_every_member_has_its_part(working: Started, route: str, script: list[Reply], workers: list[str]) -> None:
    with ScriptedModel([*script, ANSWER]) as model, working(model.base_url) as client:
        events = asked(client, "How much is it?", route=route)
        answer = events[-1]
        assert isinstance(answer, Answer), answer
        assert answer.text == "It is 42 [1]."
        assert [event.agent for event in events if isinstance(event, Note)] == workers
        assert any(isinstance(event, ToolCall) and event.text.endswith("= 42") for event in events)
        written = str(model.requests[-1]["messages"])
        assert "What the agents that looked into it conclude" in written
        assert "Never say that something was done which no passage says" in written or route == "code-run"


def test_every_shipped_file_fits_the_published_schema() -> None:
    schema = Draft202012Validator(scenario_schema())
    files: dict[str, Any] = {path.name: yaml.safe_load(path.read_text("utf-8")) for path in SCENARIOS.glob("*.yaml")}
    assert len(files) >= 10
    assert {name: [error.message for error in schema.iter_errors(values)] for name, values in files.items()} == {
        name: [] for name in files
    }
