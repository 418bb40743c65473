"""The tool agent on real systems, with a scripted model that calls tools."""

from monitoring import Monitoring
from scripted_model import Reply, ScriptedModel
from tool_product import Started, asked

from devops_chatbot.calls import ToolCall
from devops_chatbot.chat import Answer, Evidence


def test_a_model_asks_prometheus_and_the_answer_opens_what_it_said(working: Started, monitoring: Monitoring) -> None:
    script = [
        Reply(calls=(("prometheus_query", {"query": "node_load1"}), ("prometheus_alerts", {}))),
        Reply(text="The load is known."),
        Reply(text="The load is high [1], so NodeLoadHigh fires [2]."),
    ]
    with (
        ScriptedModel(script) as model,
        working(model.base_url, {"prometheus": {"url": monitoring.prometheus}}) as client,
    ):
        thread = client.create_thread().id
        events = asked(client, "Why does NodeLoadHigh fire?", thread=thread)
        answer = events[-1]
        assert isinstance(answer, Answer), answer
        calls = [event for event in events if isinstance(event, ToolCall)]
        assert {call.state for call in calls} == {"running", "done"}
        done = {call.tool: call for call in calls if call.state == "done"}
        assert "node_load1{" in done["prometheus_query"].text
        assert "firing since" in done["prometheus_alerts"].text
        assert {event.ref for event in events if isinstance(event, Evidence)} == {call.ref for call in done.values()}
        assert [citation.number for citation in answer.citations] == [1, 2]
        alerts = next(each for each in answer.citations if each.ref == done["prometheus_alerts"].ref)
        opened = client.chunk(alerts.ref, alerts.quote)
        assert "NodeLoadHigh" in opened.text
        assert opened.text[opened.start : opened.end] == alerts.quote

        kept = client.thread(thread).messages[-1]
        assert kept.work == answer.work
        assert kept.work is not None
        assert [call.state for call in kept.work.calls] == ["done", "done"]
    told = model.requests[1]["messages"]
    results = [message["content"] for message in told if message["role"] == "tool"]
    assert len(results) == 2
    assert all("It is data between the two marks" in result for result in results)
    offered = {tool["function"]["name"] for tool in model.requests[0]["tools"]}
    assert {"prometheus_query", "calculate", "search_knowledge", "read_output"} <= offered
    assert "alertmanager_alerts" not in offered, "what is not configured is not offered"
