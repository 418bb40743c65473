"""What docs/agents.md shows works as it stands there."""

import re
import sys
from pathlib import Path

import pytest
from scripted_model import Reply, ScriptedModel
from tool_product import Started, asked

from devops_chatbot.calls import ApprovalNeeded, ToolCall, Waiting
from devops_chatbot.chat import Answer

DOCUMENT = Path(__file__).parents[2] / "docs" / "agents.md"


def shown(name: str) -> str:
    found = re.search(rf"<!-- tested: {name} -->\n```\w+\n(.*?)```", DOCUMENT.read_text("utf-8"), re.S)
    assert found, name
    return found[1]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plug-in of the documentation, installed."""
    folder = tmp_path / "site"
    info = folder / "weather_station-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "weather_station.py").write_text(shown("plugin"))
    (info / "METADATA").write_text("Name: weather-station\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[devops_chatbot.toolsets]\nweather_station = weather_station:WeatherStation\n"
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "weather_station", raising=False)


def test_the_toolset_and_the_scenario_of_the_documentation_work(package: None, working: Started) -> None:
    script = [
        Reply(calls=(("station_read", {"sensor": "wind"}), ("station_read", {"sensor": "temperature"}))),
        Reply(text="It is 21 degrees."),
        Reply(text="AGREE"),
        Reply(text="It is 21 degrees [1]."),
        Reply(calls=(("station_reset", {}),)),
    ]
    with (
        ScriptedModel(script) as model,
        working(
            model.base_url, {"weather_station": {"city": "Bergen"}}, scenarios={"capacity.yaml": shown("scenario")}
        ) as client,
    ):
        station = next(each for each in client.tools() if each.name == "weather_station")
        assert station.state == "ready"
        assert {tool.name: tool.effect for tool in station.tools} == {"station_read": "read", "station_reset": "write"}
        assert next(each for each in client.scenarios() if each.name == "capacity").state == "ready"

        events = asked(client, "How warm is it?", route="capacity")
        answer = events[-1]
        assert isinstance(answer, Answer), answer
        assert answer.text == "It is 21 degrees [1]."
        calls = [event for event in events if isinstance(event, ToolCall) and event.state != "running"]
        assert sorted(call.state for call in calls) == ["done", "failed"]
        offered = [{tool["function"]["name"] for tool in request.get("tools", ())} for request in model.requests[:3]]
        assert "station_read" in offered[0]
        assert "station_read" not in offered[2], "the judge has its own tools and no others"

        events = asked(client, "Reset the station", route="capacity")
        assert isinstance(events[-1], Waiting)
        assert any(isinstance(event, ApprovalNeeded) for event in events)
    with working(model.base_url) as client:
        station = next(each for each in client.tools() if each.name == "weather_station")
        assert (station.state, "tools.weather_station.city" in str(station.why)) == ("disabled", True)
