"""What one question can set for itself: history, passages, threshold, index, model; and searches without an answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_model import Reply, ScriptedModel
from whole_product import running

from devops_chatbot.api.app import create_app
from devops_chatbot.bootstrap import build
from devops_chatbot.chat import Answer, Evidence
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import open_data_directory
from devops_chatbot.config.settings import load
from devops_chatbot.schemas.threads import NewMessage

PAGES = tuple(
    (f"page{number}.md", f"# Disk page {number}\n\nThe disk of server {number} is full. {words}\n".encode())
    for number, words in enumerate(
        ("Delete old logs with journalctl.", "Buy a larger one.", "Move the database.", "Call the owner."), 1
    )
)
QUESTION = "What do I do when the disk of a server is full?"


def take_in(client: Client, kb: str, *files: tuple[str, bytes]) -> None:
    """Upload, and wait for the end of the work."""
    assert list(client.run_events(client.upload(kb, files).id))[-1].state == "done"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Client, ScriptedModel]]:
    with ScriptedModel([Reply(text="Look at the disk [1].")]) as model:
        file = tmp_path / "chatbot.toml"
        file.write_text(
            '[models.scripted]\nprovider = "openai-compatible"\nmodel = "m"\n'
            f'base_url = "{model.base_url}"\n[roles]\nanswer = ["scripted"]\n'
        )
        monkeypatch.setenv("CHATBOT_CONFIG", str(file))
        settings = load()
        data = open_data_directory(settings.data_dir)
        with running(create_app(build(settings, data))) as url, Client(url) as client:
            client.create_knowledge_base("Disks")
            take_in(client, "Disks", *PAGES)
            client.create_knowledge_base("Clocks")
            take_in(client, "Clocks", ("clock.md", b"# Clock\n\nThe clock of the server with the full disk is late.\n"))
            yield client, model
        data.close()


def found(client: Client, thread: str | None = None, **options: object) -> tuple[list[Evidence], Answer]:
    message = NewMessage.model_validate({"text": QUESTION, "route": "docs", **options})
    events = list(client.ask(thread or client.create_thread().id, message))
    answer = events[-1]
    assert isinstance(answer, Answer), answer
    return [event for event in events if isinstance(event, Evidence)], answer


def test_each_question_sets_its_own_search(asked: tuple[Client, ScriptedModel]) -> None:
    client, model = asked
    every, _ = found(client)
    assert len({one.source_uri for one in every}) == 5
    assert "\n[4] " in model.prompt()
    one, _ = found(client, limit=1)
    assert len({evidence.source_uri for evidence in one}) == 1
    assert "\n[2] " not in model.prompt()
    scores = sorted((evidence.score for evidence in every if evidence.found_by), reverse=True)
    middle = (scores[0] + scores[-1]) / 2
    some, _ = found(client, score_threshold=middle)
    kept = [evidence for evidence in some if evidence.found_by]
    assert 0 < len(kept) < len(scores)
    assert all(evidence.score >= middle for evidence in kept)
    for mode in ("vector", "lexical"):
        through, _ = found(client, mode=mode)
        assert {by.index for evidence in through for by in evidence.found_by} == {mode}
    clocks, _ = found(client, knowledge_bases=["Clocks"])
    assert {evidence.source_uri for evidence in clocks} == {"clock.md"}


def test_each_question_sets_its_own_model_and_history(asked: tuple[Client, ScriptedModel]) -> None:
    client, model = asked
    thread = client.create_thread().id
    found(client, thread)
    _, answer = found(client, thread, text="Which server was the full disk in?", model="extractive")
    assert (answer.model, answer.extractive) == ("extractive", True)
    _, answer = found(client, thread, text="Which owner do I call about the full disk?")
    assert answer.model == "scripted"
    assert QUESTION in model.prompt()
    found(client, thread, text="Which database do I move off the full disk?", history_turns=0)
    assert len(model.requests[-1]["messages"]) == 2, "the rules and the question"
    assert QUESTION not in model.prompt()


def test_a_search_without_an_answer_shows_scores_and_takes_filters(asked: tuple[Client, ScriptedModel]) -> None:
    client, model = asked
    hits = client.search(QUESTION).hits
    assert len(hits) == 5
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0 <= hit.score <= 1 and hit.found_by for hit in hits)
    assert len(client.search(QUESTION, limit=2).hits) == 2
    assert {hit.source_uri for hit in client.search(QUESTION, knowledge_bases=["Clocks"]).hits} == {"clock.md"}
    middle = (hits[0].score + hits[-1].score) / 2
    above = client.search(QUESTION, score_threshold=middle).hits
    assert 0 < len(above) < 5
    assert all(hit.score >= middle for hit in above)
    assert {by.index for hit in client.search(QUESTION, mode="lexical").hits for by in hit.found_by} == {"lexical"}
    assert not model.requests, "no model is asked"
