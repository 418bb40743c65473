"""Tools, scenarios and approvals in the terminal."""

import json
from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator
from monitoring import Monitoring
from scripted_model import Reply, ScriptedModel, nobody_there
from tool_product import Started

from devops_chatbot.cli.commands import run

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """`cli(url, "tools")` gives the exit code and what was printed."""

    def call(url: str, *arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["--url", url, *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_tools_and_scenarios(working: Started, cli: Cli) -> None:
    with working(nobody_there()) as client:
        code, out, _ = cli(client.url, "tools")
        assert code == 0
        assert "prometheus" in out
        assert "disabled" in out
        assert "alertmanager_create_silence" in out
        assert json.loads(cli(client.url, "tools", "list", "--json")[1])["total"] == 7
        assert cli(client.url, "tools", "test", "calculate", "expression=2+3")[:2] == (0, "2+3 = 5\n")
        code, out, _ = cli(client.url, "tools", "test", "calculate", "expression=two")
        assert code == 3
        assert "cannot be computed" in out
        code, _, err = cli(client.url, "tools", "test", "calculate", "2+3")
        assert code == 1
        assert "Write name=value" in err
        code, _, err = cli(client.url, "tools", "test", "alertmanager_create_silence")
        assert code == 1
        assert "only called after an approval" in err

        assert "alert-investigation" in cli(client.url, "scenarios")[1]
        schema = Draft202012Validator(json.loads(cli(client.url, "scenarios", "schema")[1]))
    good = {
        "name": "x",
        "title": {"en": "x"},
        "purpose": {"en": "x"},
        "prompt": {"en": "x"},
        "agents": ["docs", {"agent": "tools", "tools": ["clock"], "task": {"en": "Look."}}],
        "flow": "parallel",
        "limits": {"steps": 3},
    }
    assert schema.is_valid(good)
    assert schema.is_valid({**good, "flow": {"kind": "loop", "checker": "docs"}})
    for wrong in ({"agents": [{"tool": "x"}]}, {"flow": "circle"}, {"limits": {"steps": 0}}, {"colour": "red"}):
        assert not schema.is_valid({**good, **wrong}), wrong


def test_an_approval_from_the_question_to_the_answer(working: Started, cli: Cli, monitoring: Monitoring) -> None:
    matchers = [{"name": "alertname", "value": "TerminalAlert"}]
    script = [
        Reply(calls=(("alertmanager_create_silence", {"matchers": matchers, "duration": "1h", "comment": "A test"}),)),
        Reply(text="It is set."),
        Reply(text="The silence is set [1]."),
        Reply(calls=(("alertmanager_create_silence", {"matchers": matchers, "duration": "2h", "comment": "A test"}),)),
        Reply(text="It was denied."),
        Reply(text="Nothing was changed."),
    ]
    tools = {"alertmanager": {"url": monitoring.alertmanager}}
    with ScriptedModel(script) as model, working(model.base_url, tools) as client:
        code, out, err = cli(client.url, "ask", "Silence TerminalAlert", "--route", "tools")
        assert (code, out) == (0, "")
        assert "This call (write) waits for a person: alertmanager_create_silence" in err
        (approval,) = client.approvals(state="open")
        assert f"approvals approve {approval.id}" in err
        code, out, _ = cli(client.url, "approvals")
        assert approval.id in out
        assert "Silence TerminalAlert" in out
        changed = json.dumps({**approval.call.arguments, "duration": "5m"})
        code, out, err = cli(client.url, "approvals", "approve", approval.id, "--arguments", changed)
        assert code == 0
        assert "The silence is set [1]." in out
        assert "[1] alertmanager_create_silence" in out
        assert client.approval(approval.id).edited
        code, _, err = cli(client.url, "approvals", "deny", approval.id)
        assert code == 1
        assert "decided already: done" in err

        cli(client.url, "ask", "Silence TerminalAlert again", "--route", "tools")
        (second,) = client.approvals(state="open")
        code, out, _ = cli(client.url, "approvals", "deny", second.id, "--note", "Once is enough", "--json")
        assert code == 0
        assert "Nothing was changed." in out
        assert '"note": "Once is enough"' in out
        assert "denied" in cli(client.url, "approvals", "list", "--all")[1]
        assert sum(each["matchers"][0]["value"] == "TerminalAlert" for each in monitoring.silences()) == 1
