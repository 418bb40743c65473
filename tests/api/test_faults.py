"""What goes wrong while the product runs: each gives a clear error where the person is, and loses nothing."""

import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest
from patience import PATIENCE_S, wait_until

from devops_chatbot.client.client import Client
from devops_chatbot.errors import ChatbotError, NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.work import Run

PAGE = "# Page {0}\n\nPage {0} says what to do about disk number {0}.\n\n" + "More words about it. " * 60
MANY = 400


def pages(count: int, name: str = "page") -> list[tuple[str, bytes]]:
    return [(f"{name}{number}.md", PAGE.format(f"{name}{number}").encode()) for number in range(count)]


def until_running(client: Client, run: Run) -> Run:
    """The run once its files are listed and it works on them."""

    def now() -> Run | None:
        found = client.run(run.id)
        return found if found.ended or (found.state == "running" and found.progress.total) else None

    return wait_until(now)


def last(client: Client, run: Run) -> Run:
    return list(client.run_events(run.id))[-1]


def test_a_cancelled_job_keeps_what_it_took_in(client: Client) -> None:
    client.create_knowledge_base("Runbooks")
    run = client.upload("Runbooks", pages(MANY))
    until_running(client, run)
    client.cancel_run(run.id)
    ended = last(client, run)
    assert ended.state == "cancelled"
    ready = client.documents("Runbooks", state="ready").total
    assert ready < MANY
    assert client.documents("Runbooks").total == ready, "what was never read is not in the table"
    again = last(client, client.upload("Runbooks", pages(5)))
    assert (again.state, again.progress.done) == ("done", 5)


def test_a_knowledge_base_can_be_deleted_while_a_run_fills_it(client: Client) -> None:
    base = client.create_knowledge_base("Runbooks")
    run = client.upload("Runbooks", pages(MANY))
    until_running(client, run)
    client.delete_knowledge_base("Runbooks")
    ended = last(client, run)
    assert (ended.state, ended.error) == ("cancelled", Reason("knowledge_base.deleted"))
    with pytest.raises(NotFound):
        client.documents(base.id)
    assert not client.search("disk number", mode="lexical").hits
    client.create_knowledge_base("Runbooks")
    assert last(client, client.upload("Runbooks", pages(3))).progress.counts == {"added": 3}


def test_two_jobs_on_one_document_end_with_the_later_one(client: Client) -> None:
    client.create_knowledge_base("Runbooks")
    first = client.upload("Runbooks", [("a.md", b"# A\n\nThe earlier wording."), *pages(20)])
    second = client.upload("Runbooks", [("a.md", b"# A\n\nThe later wording.")])
    assert last(client, first).state == "done"
    assert last(client, second).state == "done"
    assert client.search("later wording", mode="lexical").hits[0].source_uri == "a.md"
    assert not [hit for hit in client.search("earlier", mode="lexical").hits if hit.source_uri == "a.md"]


def test_an_upload_that_the_disk_cannot_hold_is_refused_before_it_is_read(client: Client, url: str) -> None:
    client.create_knowledge_base("Runbooks")
    address = urlsplit(url)
    request = (
        "POST /api/v1/knowledge-bases/Runbooks/documents HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {10**16}\r\n\r\n"
    )
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=PATIENCE_S) as connection:
        connection.sendall(request.encode())
        answer = connection.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 507")
    assert "Free some space" in answer


def test_an_upload_that_breaks_off_leaves_nothing(client: Client, url: str) -> None:
    client.create_knowledge_base("Runbooks")
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.md"\r\n\r\n# A'

    def pieces():
        yield body
        raise ConnectionError("the person left")

    with pytest.raises(ConnectionError):
        httpx.post(
            f"{url}/api/v1/knowledge-bases/Runbooks/documents",
            content=pieces(),
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
    time.sleep(0.2)
    assert client.runs() == []
    assert client.documents("Runbooks").total == 0


def test_many_small_files_in_one_upload(client: Client) -> None:
    client.create_knowledge_base("Runbooks")
    files = [
        (f"deep/{number % 7}/note{number}.txt", f"Note {number} about host-{number}.".encode())
        for number in range(1500)
    ]
    run = client.upload("Runbooks", files)
    client.cancel_run(run.id)
    assert last(client, run).state in ("cancelled", "done")


def test_odd_files_are_rows_and_not_a_failed_run(client: Client) -> None:
    client.create_knowledge_base("Runbooks")
    run = last(
        client,
        client.upload(
            "Runbooks",
            [
                ("empty.md", b""),
                ("blank.txt", b" \n\n "),
                ("binary.md", bytes(range(256)) * 20),
                ("wrong.pdf", b"not a pdf at all"),
                ("broken.zip", b"PK\x03\x04 truncated"),
                ("good.md", b"# Good\n\nA good file."),
                ("latin.txt", "Schl\xfcssel f\xfcr den Schrank".encode("latin-1")),
                ("big5.md", "# 標題\n\n這是內容。".encode("gb18030")),
            ],
        ),
    )
    assert run.state == "done"
    failed = {error.what: error.reason for error in run.progress.errors}
    assert {"empty.md", "blank.txt", "wrong.pdf", "broken.zip"} <= set(failed)
    assert all(len(str(reason)) > 10 for reason in failed.values()), failed
    assert {"good.md", "latin.txt", "big5.md"}.isdisjoint(failed)
    table = client.documents("Runbooks", state="failed")
    assert {document.source_uri for document in table.items} == set(failed)


def test_errors_of_the_server_keep_their_class_and_words(client: Client) -> None:
    with pytest.raises(ChatbotError) as caught:
        client.chunk("nothing#0-0")
    assert isinstance(caught.value, NotFound)
    assert str(caught.value)
