"""What changes something waits for a person, and happens once."""

import threading
from pathlib import Path

import pytest
from monitoring import Monitoring
from patience import wait_until
from scripted_model import Reply, ScriptedModel
from tool_product import Started, asked

from devops_chatbot.calls import Approval, ApprovalNeeded, ToolCall, Waiting
from devops_chatbot.chat import Answer, Message
from devops_chatbot.client.client import Client
from devops_chatbot.errors import BadRequest, Conflict
from devops_chatbot.schemas.tools import NewDecision

YES, NO = NewDecision(approve=True), NewDecision(approve=False, note="It is a real problem.")


def silence(alert: str) -> Reply:
    matchers = [{"name": "alertname", "value": alert}]
    arguments = {"matchers": matchers, "duration": "2h", "comment": "Load test in progress"}
    return Reply(calls=(("alertmanager_create_silence", arguments),))


def script(alert: str) -> list[Reply]:
    return [
        Reply(calls=(("alertmanager_alerts", {}),)),
        silence(alert),
        Reply(text="That is settled."),
        Reply(text="It fires because of the load [1]; see what became of the silence [2]."),
    ]


def tools(monitoring: Monitoring) -> dict[str, object]:
    return {"alertmanager": {"url": monitoring.alertmanager}, "prometheus": {"url": monitoring.prometheus}}


def silences(monitoring: Monitoring, alert: str) -> list[dict[str, object]]:
    return [each for each in monitoring.silences() if each["matchers"][0]["value"] == alert]


def waits(client: Client, text: str) -> Approval:
    """Asks, and gives the approval that the question waits for."""
    events = asked(client, text)
    last, needed = events[-1], [event for event in events if isinstance(event, ApprovalNeeded)]
    assert isinstance(last, Waiting), last
    assert [each.approval.id for each in needed] == list(last.approvals)
    return needed[0].approval


def answered(client: Client, thread: str) -> Message:
    """The last message of a conversation once it waits for nobody."""
    return wait_until(lambda: next((m for m in client.thread(thread).messages[-1:] if m.state != "waiting"), None))


def test_a_silence_is_set_when_a_person_says_so(working: Started, monitoring: Monitoring) -> None:
    with (
        ScriptedModel(script("NodeLoadHigh")) as model,
        working(model.base_url, tools(monitoring)) as client,
    ):
        approval = waits(client, "Why does this alert fire? Silence it if that is harmless.")
        assert not silences(monitoring, "NodeLoadHigh")
        assert approval.call.effect == "write"
        assert approval.call.arguments["duration"] == "2h"
        assert [(each.title, each.trust.value) for each in approval.support] == [("alertmanager_alerts", "live")]
        waiting = client.thread(approval.thread).messages[-1]
        assert (waiting.id, waiting.state) == (approval.message, "waiting")
        assert [each.id for each in client.approvals(state="open")] == [approval.id]

        decided = client.decide(approval.id, YES)
        assert (decided.state, decided.decided_by) == ("approved", "Local user")
        events = list(client.thread_events(approval.thread))
        answer = events[-1]
        assert isinstance(answer, Answer), answer
        assert answer.message_id == approval.message
        assert any(isinstance(event, ToolCall) and event.state == "done" for event in events)
        (made,) = silences(monitoring, "NodeLoadHigh")
        assert approval.id in str(made["comment"])
        assert made["createdBy"] == "Local user"
        message = client.thread(approval.thread).messages[-1]
        assert (message.id, message.state, message.text) == (approval.message, "complete", answer.text)
        assert message.work is not None
        assert [(call.tool, call.state) for call in message.work.calls] == [
            ("alertmanager_alerts", "done"),
            ("alertmanager_create_silence", "done"),
        ]
        assert message.work.calls[1].approval == approval.id
        after = client.approval(approval.id)
        assert after.state == "done"
        assert after.outcome is not None
        assert "is set until" in after.outcome.text
        told = next(
            each["content"] for each in model.requests[2]["messages"] if "A person approved" in str(each["content"])
        )
        assert "is set until" in told


def test_what_is_denied_does_not_happen_and_the_agent_is_told_why(working: Started, monitoring: Monitoring) -> None:
    with ScriptedModel(script("DeniedAlert")) as model, working(model.base_url, tools(monitoring)) as client:
        approval = waits(client, "Silence DeniedAlert")
        client.decide(approval.id, NO)
        message = answered(client, approval.thread)
        assert message.state == "complete"
        assert not silences(monitoring, "DeniedAlert")
        assert "It is a real problem." in model.prompt(2)
        with pytest.raises(Conflict):
            client.decide(approval.id, YES)


def test_a_person_may_change_the_call(working: Started, monitoring: Monitoring) -> None:
    with ScriptedModel(script("EditedAlert")) as model, working(model.base_url, tools(monitoring)) as client:
        approval = waits(client, "Silence EditedAlert")
        changed = {**approval.call.arguments, "duration": "10m", "comment": "Only for a moment"}
        with pytest.raises(BadRequest, match="until"):
            client.decide(approval.id, NewDecision(approve=True, arguments={"until": "tomorrow"}))
        client.decide(approval.id, NewDecision(approve=True, arguments=changed))
        answered(client, approval.thread)
        (made,) = silences(monitoring, "EditedAlert")
        assert str(made["comment"]).startswith("Only for a moment")
        assert client.approval(approval.id).edited
        assert '"duration": "10m"' in model.prompt(2)


def test_of_two_people_who_answer_at_once_one_wins(working: Started, monitoring: Monitoring) -> None:
    with ScriptedModel(script("RacedAlert")) as model, working(model.base_url, tools(monitoring)) as client:
        approval = waits(client, "Silence RacedAlert")
        ready, ends = threading.Barrier(8), list[str]()

        def decide(number: int) -> None:
            with Client(client.url) as own:
                ready.wait()
                try:
                    own.decide(approval.id, YES if number % 2 else NO)
                    ends.append("won")
                except Conflict:
                    ends.append("told")

        people = [threading.Thread(target=decide, args=(number,)) for number in range(8)]
        for each in people:
            each.start()
        for each in people:
            each.join()
        answered(client, approval.thread)
        assert sorted(ends) == ["told"] * 7 + ["won"]
        happened = len(silences(monitoring, "RacedAlert"))
        assert happened == (1 if client.approval(approval.id).state == "done" else 0)


def test_once_for_the_conversation_is_enough_there_and_nowhere_else(working: Started, monitoring: Monitoring) -> None:
    twice = [silence("FirstAlert"), silence("SecondAlert"), Reply(text="Done."), Reply(text="Both are set [1][2].")]
    with ScriptedModel([*twice, silence("ThirdAlert")]) as model, working(model.base_url, tools(monitoring)) as client:
        approval = waits(client, "Silence FirstAlert and SecondAlert")
        client.decide(approval.id, NewDecision(approve=True, scope="session"))
        message = answered(client, approval.thread)
        assert message.state == "complete"
        assert silences(monitoring, "FirstAlert")
        assert silences(monitoring, "SecondAlert")
        assert message.work is not None
        assert all(call.approval for call in message.work.calls)
        waits(client, "Silence ThirdAlert")
        assert not silences(monitoring, "ThirdAlert")


def test_an_approval_and_its_question_outlive_the_server(working: Started, monitoring: Monitoring) -> None:
    with ScriptedModel(script("RestartedAlert")) as model:
        with working(model.base_url, tools(monitoring)) as client:
            approval = waits(client, "Silence RestartedAlert")
        with working(model.base_url, tools(monitoring)) as client:
            (again,) = client.approvals(state="open")
            assert again == approval
            client.decide(approval.id, YES)
            message = answered(client, approval.thread)
            assert (message.id, message.state) == (approval.message, "complete")
            assert len(silences(monitoring, "RestartedAlert")) == 1
            assert [citation.number for citation in message.citations] == [1, 2]


def test_what_nobody_decides_expires_and_the_question_is_answered(
    working: Started, monitoring: Monitoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devops_chatbot.api.continuing.LOOK_S", 0.2)
    monkeypatch.setenv("CHATBOT_CONVERSATIONS__APPROVAL_HOURS", "0.0002")
    with ScriptedModel(script("LateAlert")) as model, working(model.base_url, tools(monitoring)) as client:
        approval = waits(client, "Silence LateAlert")
        message = answered(client, approval.thread)
        assert message.state == "complete"
        assert client.approval(approval.id).state == "expired"
        assert not silences(monitoring, "LateAlert")
        with pytest.raises(Conflict):
            client.decide(approval.id, YES)


def test_stopping_gives_up_what_waits(working: Started, monitoring: Monitoring) -> None:
    with ScriptedModel(script("StoppedAlert")) as model, working(model.base_url, tools(monitoring)) as client:
        approval = waits(client, "Silence StoppedAlert")
        assert client.stop(approval.thread)
        assert client.thread(approval.thread).messages[-1].state == "stopped"
        with pytest.raises(Conflict):
            client.decide(approval.id, YES)


def test_deleting_the_conversation_takes_its_approvals_along(
    working: Started, monitoring: Monitoring, tmp_path: Path
) -> None:
    with ScriptedModel(script("GoneAlert")) as model, working(model.base_url, tools(monitoring)) as client:
        approval = waits(client, "Silence GoneAlert")
        client.delete_thread(approval.thread)
        assert not client.approvals()
        assert not list((tmp_path / "data" / "conversations").glob(f"{approval.thread}*"))
