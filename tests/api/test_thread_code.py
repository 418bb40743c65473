"""A conversation's code and files over HTTP: attachments without an engine, runs with a real one."""

import io
import zipfile
from pathlib import Path

import pytest
from docker_engine import engine, image

from devops_chatbot.chat import Answer, Evidence, Progress
from devops_chatbot.client.client import Client
from devops_chatbot.code import Attachment, CodeRun
from devops_chatbot.errors import BadRequest, NotFound, SandboxUnavailable, TooLarge
from devops_chatbot.sandbox_bootstrap import owner
from devops_chatbot.schemas.threads import NewMessage
from sandbox.docker.engine import Engine
from sandbox.docker.image_build import Image
from sandbox.model import OutputChunk

__all__ = ["engine", "image"]

LOG = b"2026-11-20 ERROR ZebraTimeout: the gateway of node-7 waited 30 s for the bank\n"


def zipped() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.md"), "# A")
    return data.getvalue()


def answered(client: Client, thread: str, text: str = "What is ZebraTimeout?") -> str:
    """The id of an answer."""
    last = list(client.ask(thread, NewMessage(text=text)))[-1]
    assert isinstance(last, Answer), last
    assert last.message_id
    return last.message_id


def run(client: Client, thread: str, message: str, code: str, *, block: int = 0, language: str = "python") -> CodeRun:
    last = list(client.bench.run(thread, message=message, block=block, language=language, code=code))[-1]
    assert isinstance(last, CodeRun)
    return last


def states(attached: list[Attachment]) -> dict[str, str]:
    return {each.name: each.state for each in attached}


class TestAttachments:
    """No engine is needed for them."""

    @pytest.fixture(autouse=True)
    def _no_engine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CHATBOT_SANDBOX__ENGINE", "unix:///nonexistent.sock")

    def test_a_question_waits_for_its_files_and_finds_what_they_say(self, client: Client) -> None:
        thread = client.create_thread().id
        client.bench.attach(thread, [("gateway.log", LOG), ("dump.bin", bytes(range(256))), ("docs.zip", zipped())])
        events = list(client.ask(thread, NewMessage(text="What is ZebraTimeout?")))
        assert isinstance(events[0], Progress)
        assert "gateway.log" in str(events[0].what)
        assert [event.title for event in events if isinstance(event, Evidence)] == ["gateway.log"]
        assert isinstance(events[-1], Answer)
        assert [citation.title for citation in events[-1].citations] == ["gateway.log"]
        attached = client.bench.attachments(thread)
        assert states(attached) == {"gateway.log": "ready", "dump.bin": "code only", "docs.zip": "code only"}
        why = {each.name: str(each.why) for each in attached}
        assert "binary" in why["dump.bin"]
        assert "Archives" in why["docs.zip"]
        assert client.bench.attachment(thread, attached[0].id).data in (LOG, bytes(range(256)), zipped())

    def test_a_question_about_the_log_is_answered_from_the_attached_one(self, client: Client) -> None:
        base = client.create_knowledge_base("Runbooks")
        about = (
            b"# Logs\n\nWhy the log is full: the log of the gateway is full of errors when its timeout is too short.\n"
        )
        assert list(client.run_events(client.upload(base.id, [("logs.md", about)]).id))[-1].state == "done"
        thread = client.create_thread().id
        client.bench.attach(thread, [("gateway.log", LOG)])
        for question in ("What timeout does the log show?", "日志里有什么 timeout？"):
            events = list(client.ask(thread, NewMessage(text=question)))
            assert {event.title for event in events if isinstance(event, Evidence)} == {"gateway.log"}, question
        events = list(client.ask(thread, NewMessage(text="Which errors does the gateway report when it times out?")))
        assert "Logs" in {event.title for event in events if isinstance(event, Evidence)}

    def test_only_this_conversation_sees_them_and_no_list_shows_them(self, client: Client) -> None:
        thread, other = client.create_thread().id, client.create_thread().id
        client.bench.attach(thread, [("gateway.log", LOG)])
        answered(client, thread)
        base = client.run(client.runs()[0].id).subject
        assert client.knowledge_bases() == []
        assert client.search("ZebraTimeout").hits == ()
        with pytest.raises(NotFound):
            client.search("ZebraTimeout", knowledge_bases=[base])
        with pytest.raises(NotFound):
            list(client.ask(other, NewMessage(text="What is ZebraTimeout?", knowledge_bases=(base,))))
        events = list(client.ask(other, NewMessage(text="What is ZebraTimeout?")))
        assert not [event for event in events if isinstance(event, Evidence)]

    def test_a_file_of_the_same_name_replaces_the_earlier_one(self, client: Client) -> None:
        thread = client.create_thread().id
        client.bench.attach(thread, [("gateway.log", LOG)])
        client.bench.attach(thread, [("gateway.log", b"LionTimeout: nothing of that kind any more\n")])
        answered(client, thread, "What is LionTimeout?")
        (attached,) = client.bench.attachments(thread)
        assert attached.bytes == 43
        assert client.bench.attachment(thread, attached.id).data.startswith(b"Lion")
        events = list(client.ask(thread, NewMessage(text="What is ZebraTimeout?")))
        assert not [event for event in events if isinstance(event, Evidence) and "Zebra" in event.text]

    def test_removed_ones_are_found_no_more(self, client: Client) -> None:
        thread = client.create_thread().id
        (attached,) = client.bench.attach(thread, [("gateway.log", LOG)])
        answered(client, thread)
        client.bench.detach(thread, attached.id)
        assert client.bench.attachments(thread) == []
        assert not [e for e in client.ask(thread, NewMessage(text="What is ZebraTimeout?")) if isinstance(e, Evidence)]
        with pytest.raises(NotFound):
            client.bench.detach(thread, attached.id)

    def test_they_go_with_their_conversation(self, client: Client, tmp_path: Path) -> None:
        thread = client.create_thread().id
        client.bench.attach(thread, [("gateway.log", LOG)])
        answered(client, thread)
        base = client.runs()[0].subject
        assert client.knowledge_base(base).chunks == 1
        client.delete_thread(thread)
        assert list((tmp_path / "data" / "conversations").iterdir()) == []
        with pytest.raises(NotFound):
            client.knowledge_base(base)
        with pytest.raises(NotFound):
            client.bench.attachments(thread)

    @pytest.mark.parametrize("name", [".bashrc", "../..", "x" * 201 + ".md"])
    def test_names_that_could_do_harm_are_refused(self, client: Client, name: str) -> None:
        thread = client.create_thread().id
        with pytest.raises(BadRequest):
            client.bench.attach(thread, [(name, LOG)])
        assert client.bench.attachments(thread) == []

    def test_too_large_ones_are_refused_with_the_setting(self, client: Client) -> None:
        thread = client.create_thread().id
        with pytest.raises(TooLarge, match=r"conversations\.attachment_mb"):
            client.bench.attach(thread, [("large.log", b"x" * (33 << 20)), ("small.log", LOG)])
        assert client.bench.attachments(thread) == []

    def test_code_without_an_engine_says_why(self, client: Client) -> None:
        thread = client.create_thread().id
        client.bench.attach(thread, [("gateway.log", LOG)])
        with pytest.raises(SandboxUnavailable, match=r"nonexistent\.sock"):
            run(client, thread, answered(client, thread), "print(1)")
        assert client.bench.sandbox(thread).session is None
        assert {"python", "shell", "node", "java"} <= {language.name for language in client.bench.languages()}


@pytest.mark.service
class TestRuns:
    """On a real engine."""

    @pytest.fixture
    def thread(self, image: Image, client: Client) -> str:
        thread = client.create_thread().id
        client.bench.attach(thread, [("gateway.log", LOG), ("dump.bin", bytes(range(256)))])
        return thread

    @pytest.fixture
    def message(self, client: Client, thread: str) -> str:
        return answered(client, thread)

    def test_output_comes_as_it_is_said_and_what_was_made_is_kept(
        self, client: Client, thread: str, message: str
    ) -> None:
        code = (
            "print(open('gateway.log').read()[11:16])\nopen('sub.csv', 'w').write('a;b')\n"
            "import pandas; pandas.DataFrame({'n': [1]})"
        )
        events = list(client.bench.run(thread, message=message, block=0, language="python", code=code))
        assert isinstance(events[0], OutputChunk)
        assert events[0].text == "ERROR\n"
        kept = events[-1]
        assert isinstance(kept, CodeRun)
        assert client.bench.runs(thread) == [kept]
        assert {(each.kind, each.name) for each in kept.artifacts} == {("table", "table-1.json"), ("file", "sub.csv")}
        data = {each.name: client.bench.artifact(thread, kept.id, each.number).data for each in kept.artifacts}
        assert data["sub.csv"] == b"a;b"
        assert b'"columns": ["n"]' in data["table-1.json"]
        response = client.http.get(f"/api/v1/threads/{thread}/runs/{kept.id}/artifacts/0")
        assert response.headers["content-disposition"].startswith("attachment")
        assert response.headers["x-content-type-options"] == "nosniff"

    def test_variables_stay_and_a_new_run_takes_the_place_of_the_blocks_earlier_one(
        self, client: Client, thread: str, message: str
    ) -> None:
        first = run(client, thread, message, "x = 40")
        assert run(client, thread, message, "print(x + 2)", block=1).stdout == "42\n"
        assert run(client, thread, message, "echo $((6 * 7))", block=2, language="bash").stdout == "42\n"
        again = run(client, thread, message, "x = 1; 1/0")
        assert (again.exit_code, "ZeroDivisionError" in again.stderr) == (1, True)
        assert {each.id for each in client.bench.runs(thread)} >= {again.id}
        assert first.id not in {each.id for each in client.bench.runs(thread)}
        client.bench.reset(thread)
        assert "NameError" in run(client, thread, message, "print(x, open('gateway.log'))").stderr
        assert run(client, thread, message, "print(len(open('gateway.log').read()))").stdout == "78\n"
        client.bench.close_session(thread)
        assert client.bench.sandbox(thread).session is None

    def test_a_container_that_goes_is_told_and_the_fresh_one_has_the_attached_files(
        self, client: Client, thread: str, message: str, tmp_path: Path
    ) -> None:
        run(client, thread, message, "x = 5")
        engine = Engine()
        containers = engine.containers(owner((tmp_path / "data").resolve()))
        assert containers
        for container in containers:
            engine.remove(container)
        after = run(client, thread, message, "print('x' in globals(), len(open('gateway.log').read()))")
        assert after.stdout == "False 78\n"
        assert after.state_lost
        assert "fresh container" in str(after.why)

    def test_what_code_made_of_an_attached_file_stays_and_a_removed_one_is_gone(
        self, client: Client, thread: str, message: str
    ) -> None:
        run(client, thread, message, "open('gateway.log', 'w').write('mine')")
        assert run(client, thread, message, "print(open('gateway.log').read())").stdout == "mine\n"
        client.bench.attach(thread, [("late.txt", b"late")])
        assert run(client, thread, message, "print(open('late.txt').read())").stdout == "late\n"
        for each in client.bench.attachments(thread):
            client.bench.detach(thread, each.id)
        assert run(client, thread, message, "import os; print(os.listdir('.'))").stdout == "[]\n"

    def test_code_of_an_answer_that_is_made_anew_goes_with_it(
        self, client: Client, thread: str, message: str, tmp_path: Path
    ) -> None:
        run(client, thread, message, "open('made', 'w').write('x')")
        list(client.ask(thread, NewMessage(regenerate=True)))
        assert client.bench.runs(thread) == []
        with pytest.raises(NotFound):
            run(client, thread, message, "print(1)")
        run(client, thread, client.thread(thread).messages[-1].id, "print(1)")
        assert client.http.get("/api/v1/sandboxes").json()["total"] == 1
        client.delete_thread(thread)
        assert client.http.get("/api/v1/sandboxes").json()["total"] == 0
        assert list((tmp_path / "data" / "conversations").iterdir()) == []

    def test_more_conversations_than_sessions_take_turns(self, client: Client, image: Image) -> None:
        threads = [client.create_thread().id for _ in range(9)]
        messages = [answered(client, thread, "hello") for thread in threads]
        for thread, message in zip(threads, messages, strict=True):
            assert run(client, thread, message, "x = 5").exit_code == 0
        assert client.bench.sandbox(threads[0]).session is None
        again = run(client, threads[0], messages[0], "print(x)")
        assert again.state_lost
        assert "new session" in str(again.why)

    def test_files_over_the_limit_are_named_but_not_kept(self, client: Client, thread: str, message: str) -> None:
        kept = run(client, thread, message, "open('big', 'wb').write(b'x' * (40 << 20)); open('small', 'w').write('x')")
        assert {each.name: each.kept for each in kept.artifacts} == {"big": False, "small": True}
        with pytest.raises(NotFound):
            client.bench.artifact(thread, kept.id, next(e.number for e in kept.artifacts if e.name == "big"))

    def test_it_is_exported_with_what_its_code_gave(self, client: Client, thread: str, message: str) -> None:
        code = "print('``` said')\nimport matplotlib.pyplot as p; p.plot([1]); open('a b.txt', 'w').write('made'); None"
        run(client, thread, message, code, block=1)
        client.rename_thread(thread, "Gateway / 网关")
        exported = client.bench.export(thread)
        assert exported.name == "Gateway / 网关.zip"
        with zipfile.ZipFile(io.BytesIO(exported.data)) as archive:
            names = set(archive.namelist())
            assert names >= {"conversation.md", "runs/1/figure-1.png", "runs/1/a b.txt", "attachments/gateway.log"}
            assert archive.read("runs/1/a b.txt") == b"made"
            assert archive.read("attachments/gateway.log") == LOG
            page = archive.read("conversation.md").decode()
        assert "What is ZebraTimeout?" in page
        assert "### Run 1: code block 2 (python), exit code 0" in page
        assert "````text\n``` said\n````" in page
        assert "![figure-1.png](<runs/1/figure-1.png>)" in page

    def test_the_switch_is_the_conversations_own(self, client: Client, thread: str) -> None:
        assert not client.bench.sandbox(thread).auto_run
        assert client.bench.set_auto_run(thread, wanted=True).auto_run
        assert client.bench.sandbox(thread).auto_run
        assert not client.bench.sandbox(client.create_thread().id).auto_run
