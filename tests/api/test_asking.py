"""Asking over a real connection with a scripted model behind it: leaving, stopping, breaking off, many at once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from patience import PATIENCE_S, wait_until
from scripted_model import Reply, ScriptedModel, nobody_there
from whole_product import running

from devops_chatbot.api.app import create_app
from devops_chatbot.bootstrap import build
from devops_chatbot.chat import Answer, Event, Failure, Route, Thought, Thread, Token
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import open_data_directory
from devops_chatbot.config.settings import load
from devops_chatbot.schemas.threads import NewMessage

HELLO = NewMessage(text="Hello, who are you?", route="chat")


@pytest.fixture
def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """`with asking(base_url) as client:` — a product whose only model is there."""

    @contextmanager
    def start(base_url: str, **settings: object) -> Iterator[Client]:
        lines = [f"{name} = {value!r}".replace("'", '"') for name, value in settings.items()]
        file = tmp_path / "chatbot.toml"
        file.write_text(
            '[models.scripted]\nprovider = "openai-compatible"\nmodel = "m"\napi_key = "k"\n'
            f'base_url = "{base_url}"\n' + "\n".join(lines) + '\n[roles]\nanswer = ["scripted"]\n'
        )
        monkeypatch.setenv("CHATBOT_CONFIG", str(file))
        chosen = load()
        data = open_data_directory(chosen.data_dir)
        with running(create_app(build(chosen, data))) as url, Client(url) as client:
            yield client
        data.close()

    return start


def kept(client: Client, thread: str) -> Thread:
    """The thread once its answer is kept."""
    wait_until(lambda: len(client.thread(thread).messages) == 2)
    return client.thread(thread)


def test_leaving_stops_the_model_and_keeps_what_was_said(asking: Callable) -> None:
    with ScriptedModel([Reply(text="word " * 2000, piece=5, pause_s=0.01)]) as model, asking(model.base_url) as client:
        thread = client.create_thread().id
        events = client.ask(thread, HELLO)
        for event in events:
            if isinstance(event, Token):
                break
        events.close()
        model.until_left()
        answer = kept(client, thread).messages[1]
        assert answer.state == "stopped"
        assert answer.text.startswith("word")


def test_stopping_from_elsewhere_keeps_what_was_said(asking: Callable) -> None:
    with ScriptedModel([Reply(text="word " * 2000, piece=5, pause_s=0.01)]) as model, asking(model.base_url) as client:
        thread = client.create_thread().id
        seen: list[Event] = []
        reader = threading.Thread(target=lambda: seen.extend(client.ask(thread, HELLO)))
        reader.start()
        wait_until(lambda: any(isinstance(event, Token) for event in seen))
        assert client.stop(thread) is True
        reader.join(PATIENCE_S)
        assert not reader.is_alive()
        last = seen[-1]
        assert isinstance(last, Failure)
        assert last.error == "Stopped"
        model.until_left()
        assert kept(client, thread).messages[1].state == "stopped"
        assert client.stop(thread) is False


def test_a_model_that_nobody_reaches_is_unavailable(asking: Callable) -> None:
    with asking(nobody_there()) as client:
        last = list(client.ask(client.create_thread().id, HELLO))[-1]
        assert isinstance(last, Failure)
        assert (last.error, last.status) == ("ModelUnavailable", 503)
        assert not client.test_model("scripted").ok
        assert next(model for model in client.models().models if model.name == "scripted").state == "failed"
        assert client.readiness().ready, "the product itself is well"


@pytest.mark.parametrize("reply", [Reply(status=500), Reply(status=429), Reply(garbage=True)])
def test_a_model_that_refuses_is_a_failure_with_its_reason(asking: Callable, reply: Reply) -> None:
    with ScriptedModel([reply]) as model, asking(model.base_url) as client:
        last = list(client.ask(client.create_thread().id, HELLO))[-1]
        assert isinstance(last, Failure)
        assert last.status == 503
        assert "scripted" in str(last.reason)


def test_a_stream_that_breaks_off_keeps_what_was_said(asking: Callable) -> None:
    with (
        ScriptedModel([Reply(text="one two three four", piece=4, breaks_after=2)]) as model,
        asking(model.base_url) as client,
    ):
        thread = client.create_thread().id
        events = list(client.ask(thread, HELLO))
        assert "".join(event.text for event in events if isinstance(event, Token)).startswith("one")
        assert isinstance(events[-1], Failure)
        answer = kept(client, thread).messages[1]
        assert (answer.state, answer.text[:3]) == ("failed", "one")
        assert answer.error == events[-1].reason
        assert "'scripted' broke off" in str(answer.error)


def test_an_answer_is_made_anew_in_the_place_of_the_old_one(asking: Callable) -> None:
    with ScriptedModel([Reply(text="First."), Reply(text="Second.")]) as model, asking(model.base_url) as client:
        thread = client.create_thread().id
        assert isinstance(list(client.ask(thread, HELLO))[-1], Answer)
        again = list(client.ask(thread, NewMessage(regenerate=True, route="chat")))[-1]
        assert isinstance(again, Answer)
        messages = client.thread(thread).messages
        assert [message.text for message in messages] == [HELLO.text, "Second."]


def test_a_hundred_streams_at_once(asking: Callable) -> None:
    with ScriptedModel([Reply(text="word " * 20, piece=10, pause_s=0.01)]) as model, asking(model.base_url) as client:
        threads = [client.create_thread().id for _ in range(100)]

        def ask(thread: str) -> tuple[Event, Event]:
            with Client(client.url) as own:
                events = list(own.ask(thread, HELLO))
                return events[0], events[-1]

        with ThreadPoolExecutor(100) as pool:
            ends = list(pool.map(ask, threads))
        assert all(isinstance(first, Route) for first, _ in ends)
        assert [last for _, last in ends if not isinstance(last, Answer)] == []
        assert len(model.requests) == 100


def test_a_model_may_be_called_as_hubs_call_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "org/model-7b:free"
    with ScriptedModel([Reply(text="ready")]) as model:
        file = tmp_path / "chatbot.toml"
        file.write_text(
            f'[models."{name}"]\nprovider = "openai-compatible"\nmodel = "m"\nbase_url = "{model.base_url}"\n'
            f'[embeddings."{name}"]\nprovider = "openai-compatible"\nmodel = "m"\nbase_url = "{nobody_there()}"\n'
        )
        monkeypatch.setenv("CHATBOT_CONFIG", str(file))
        settings = load()
        data = open_data_directory(settings.data_dir)
        with running(create_app(build(settings, data))) as url, Client(url) as client:
            assert client.test_model(name).ok
            assert not client.test_embedding(name).ok
            assert client.assign_role("answer", [name]).roles["answer"] == (name,)
            thread = client.create_thread().id
            answer = list(client.ask(thread, NewMessage(text="Hello?", route="chat", model=name)))[-1]
        data.close()
    assert isinstance(answer, Answer)
    assert answer.model == name


def test_thoughts_and_the_state_of_an_answer_cross_http(asking: Callable) -> None:
    reply = Reply(text="Hello there", thought="Who is it?", finish="length")
    with ScriptedModel([reply]) as model, asking(model.base_url) as client:
        thread = client.create_thread().id
        events = list(client.ask(thread, HELLO))
        message = kept(client, thread).messages[-1]
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert "".join(event.text for event in events if isinstance(event, Thought)) == "Who is it?"
    assert (answer.thought, answer.cut, message.thought, message.state) == ("Who is it?", True, "Who is it?", "cut")
