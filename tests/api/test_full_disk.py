"""A disk that is really full: whoever works is told so where they are, nothing is lost, and it goes on once there is room."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from full_disk import BALLAST, fill, mounted
from whole_product import running

from devops_chatbot.api.app import create_app
from devops_chatbot.bootstrap import build
from devops_chatbot.chat import Answer, Event, Failure
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import open_data_directory
from devops_chatbot.config.settings import load
from devops_chatbot.errors import ChatbotError, StoreUnavailable
from devops_chatbot.schemas.threads import NewMessage
from devops_chatbot.work import Run

pytestmark = pytest.mark.service

MEGABYTE = 1 << 20
SAID = "(?i)full|free some space"
KEPT = [("kept.md", b"# Kept\n\nThe kept page says: restart the kelvin service.")]
PAGE = "# Page {0}\n\nPage {0} says what to do about disk number {0}.\n\n" + "More words about it. " * 60


@pytest.fixture
def disk(tmp_path: Path, embedding_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small disk of its own that holds the data directory."""
    with mounted(tmp_path / "disk", megabytes=48) as folder:
        monkeypatch.setenv("CHATBOT_DATA_DIR", str(folder / "data"))
        monkeypatch.setenv("CHATBOT_KNOWLEDGE__FOLDERS", f'["{tmp_path}"]')
        (folder / "data").mkdir()
        (folder / "data" / "embeddings").symlink_to(embedding_cache)
        yield folder


@contextlib.contextmanager
def product() -> Iterator[Client]:
    settings = load()
    data = open_data_directory(settings.data_dir)
    try:
        with running(create_app(build(settings, data))) as url, Client(url) as client:
            yield client
    finally:
        data.close()


def last(client: Client, run: Run) -> Run:
    return list(client.run_events(run.id))[-1]


def asked(client: Client, thread: str) -> Event:
    return list(client.ask(thread, NewMessage(text="Which service does the kept page say to restart?")))[-1]


def test_a_disk_that_is_full_is_said_everywhere_and_loses_nothing(disk: Path) -> None:
    with product() as client:
        client.create_knowledge_base("Runbooks")
        assert last(client, client.upload("Runbooks", KEPT)).progress.counts == {"added": 1}
        thread = client.create_thread().id
        assert isinstance(asked(client, thread), Answer)
        fill(disk)
        for attempt in (
            lambda: client.upload("Runbooks", [("more.md", b"# More\n\n" + b"words " * 100_000)]),
            lambda: client.upload("Runbooks", [("tiny.md", b"# Tiny")]),
            lambda: client.create_thread(),
            lambda: client.create_knowledge_base("Other"),
            lambda: client.delete_document("Runbooks", client.documents("Runbooks").items[0].id),
        ):
            with pytest.raises(ChatbotError, match=SAID):
                attempt()
        end = asked(client, thread)
        assert isinstance(end, Failure), end
        assert re.search(SAID, str(end.reason))
        assert client.search("kelvin").hits[0].source_uri == "kept.md"
        assert len(client.thread(thread).messages) == 2
    with product() as client, contextlib.suppress(StoreUnavailable):  # the server starts, or says why not
        assert client.documents("Runbooks").total == 1
    (disk / BALLAST).unlink()
    with product() as client:
        assert client.search("kelvin").hits[0].source_uri == "kept.md"
        assert isinstance(asked(client, thread), Answer)
        assert len(client.thread(thread).messages) == 4
        assert last(client, client.upload("Runbooks", [("more.md", b"# More\n\nMore words.")])).progress.counts == {
            "added": 1
        }


def test_a_disk_that_fills_while_a_run_works_fails_the_run_and_not_the_next_one(disk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(300):
        (folder / f"page{number}.md").write_text(PAGE.format(number))
    with product() as client:
        client.create_knowledge_base("Runbooks")
        assert last(client, client.upload("Runbooks", KEPT)).progress.counts == {"added": 1}
        fill(disk)
        with (disk / BALLAST).open("r+b") as ballast:
            ballast.truncate((disk / BALLAST).stat().st_size - 3 * MEGABYTE)
        failed = last(client, client.follow("Runbooks", str(folder)))
        assert failed.state == "failed"
        assert re.search(SAID, str(failed.error))
        assert failed.progress.done < 300
        (disk / BALLAST).unlink()
        again = last(client, client.follow("Runbooks", str(folder)))
        assert (again.state, again.progress.done) == ("done", 300)
        assert "failed" not in again.progress.counts
        assert client.documents("Runbooks", state="ready").total == 301
        assert client.search("kelvin").hits[0].source_uri == "kept.md"
    settings = load()
    data = open_data_directory(settings.data_dir)
    built = build(settings, data)
    try:
        assert [built.ingest.check(base.id) for base in built.catalog.list()] == [[]]
    finally:
        built.close()
        data.close()
