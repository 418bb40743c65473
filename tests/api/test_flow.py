"""The main path through the real routes on the real stores: documents in, ask, open a citation, change, remove."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from whole_product import running

from devops_chatbot.api.app import create_app
from devops_chatbot.bootstrap import Product
from devops_chatbot.chat import Answer, Evidence, Route, Token
from devops_chatbot.client.client import Client
from devops_chatbot.errors import BadRequest, Conflict, NotAllowed, NotFound
from devops_chatbot.schemas.threads import NewMessage
from devops_chatbot.work import Run

DISK = """# DiskFull

## Meaning

The alert DiskFull fires when a file system has less than five percent left.

## Mitigation

1. Find the largest folders with `du -xh / | sort -h | tail`.
2. Rotate the logs: `journalctl --vacuum-size=200M`.
3. Grow the volume when that is not enough.
"""
CLOCK = """# ClockSkew

The alert ClockSkew fires when the clock of a host is off by more than 50 ms. Restart chrony with
`systemctl restart chronyd` and watch `chronyc tracking`.
"""
CHINESE = """# 磁盘空间不足

## 处理步骤

先用 `du -sh /*` 找出最大的目录，然后清理日志。数据库主从延迟过高时，请检查从库的磁盘写入速度。
"""


def take_in(client: Client, kb: str, *files: tuple[str, bytes]) -> Run:
    run = client.upload(kb, list(files))
    return list(client.run_events(run.id))[-1]


@pytest.fixture
def runbooks(client: Client) -> Client:
    """A client of a server with the knowledge base `Runbooks` of three documents."""
    client.create_knowledge_base("Runbooks", description="What to do")
    run = take_in(
        client,
        "Runbooks",
        ("disk.md", DISK.encode()),
        ("time/clock.md", CLOCK.encode()),
        ("磁盘.md", CHINESE.encode()),
    )
    assert (run.state, run.progress.counts) == ("done", {"added": 3}), run
    return client


def test_from_a_file_to_an_opened_citation(runbooks: Client) -> None:
    thread = runbooks.create_thread()
    events = list(runbooks.ask(thread.id, NewMessage(text="What should I do when DiskFull fires?")))
    assert isinstance(events[0], Route)
    assert events[0].why
    assert any(isinstance(event, Evidence) for event in events)
    answer = events[-1]
    assert isinstance(answer, Answer), answer
    assert "".join(event.text for event in events if isinstance(event, Token)).strip() == answer.text.strip()
    assert answer.extractive
    citation = answer.citations[0]
    assert citation.source_uri == "disk.md"
    assert f"[{citation.number}]" in answer.text

    opened = runbooks.chunk(citation.ref, citation.quote)
    assert opened.title == citation.title
    assert not opened.changed
    assert " ".join(citation.quote.split()) in " ".join(opened.text[opened.start : opened.end].split())

    kept = runbooks.thread(thread.id)
    assert [message.role for message in kept.messages] == ["user", "assistant"]
    assert kept.messages[1].text == answer.text
    assert kept.messages[1].citations == answer.citations
    assert kept.title


def test_a_chinese_question_finds_the_chinese_document(runbooks: Client) -> None:
    hits = runbooks.search("主从延迟过高怎么办？", knowledge_bases=["Runbooks"]).hits
    assert hits[0].source_uri == "磁盘.md"
    events = list(runbooks.ask(runbooks.create_thread().id, NewMessage(text="磁盘空间不足怎么处理？")))
    assert isinstance(events[-1], Answer)
    assert events[-1].citations[0].source_uri == "磁盘.md"


def test_a_search_says_which_index_found_each_hit(runbooks: Client) -> None:
    found = runbooks.search("ClockSkew", knowledge_bases=["Runbooks"])
    assert found.hits[0].source_uri == "time/clock.md"
    assert {by.index for by in found.hits[0].found_by} >= {"vector", "lexical"}
    assert found.hits[0].location.line_start == 1
    lexical = runbooks.search("chronyc tracking", mode="lexical").hits
    assert {by.index for hit in lexical for by in hit.found_by} == {"lexical"}
    assert runbooks.search("ClockSkew", limit=1).hits[0].ref == found.hits[0].ref


def test_the_same_file_again_costs_nothing_and_a_changed_one_is_swapped(runbooks: Client) -> None:
    again = take_in(runbooks, "Runbooks", ("disk.md", DISK.encode()))
    assert again.progress.counts == {"unchanged": 1}
    ref = runbooks.search("journalctl", mode="lexical").hits[0].ref
    changed = take_in(runbooks, "Runbooks", ("disk.md", DISK.replace("journalctl", "logrotate").encode()))
    assert changed.progress.counts == {"changed": 1}
    assert not runbooks.search("journalctl", mode="lexical").hits
    assert runbooks.search("logrotate", mode="lexical").hits[0].source_uri == "disk.md"
    opened = runbooks.chunk(ref, "Find the largest folders")
    assert opened.changed
    assert "Find the largest folders" in opened.text[opened.start : opened.end]


def test_the_file_table_shows_a_broken_file_with_its_reason(runbooks: Client) -> None:
    run = take_in(runbooks, "Runbooks", ("good.md", b"# Good\n\nText of a good file."), ("bad.pdf", b"\x00\x01broken"))
    assert (run.state, run.progress.counts) == ("done", {"added": 1, "failed": 1})
    assert run.progress.errors[0].what == "bad.pdf"
    failed = runbooks.documents("Runbooks", state="failed")
    assert failed.total == 1
    assert str(failed.items[0].error) == str(run.progress.errors[0].reason)
    assert runbooks.documents("Runbooks", text="clock").items[0].source_uri == "time/clock.md"
    assert runbooks.documents("Runbooks", limit=2).total == 5


def test_a_document_can_be_read_downloaded_indexed_anew_and_removed(runbooks: Client) -> None:
    document = runbooks.documents("Runbooks", text="disk.md").items[0]
    chunks = runbooks.chunks("Runbooks", document.id)
    assert chunks
    assert chunks[0].text in DISK
    original = runbooks.download("Runbooks", document.id)
    assert (original.name, original.data.decode()) == ("disk.md", DISK)
    chinese = runbooks.documents("Runbooks", text="磁盘.md").items[0]
    assert runbooks.download("Runbooks", chinese.id).name == "磁盘.md"

    nested = runbooks.documents("Runbooks", text="clock").items[0]
    several = runbooks.download_many("Runbooks", [document.id, nested.id, chinese.id])
    assert several.name == "Runbooks.zip"
    with zipfile.ZipFile(io.BytesIO(several.data)) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == {
            "disk.md": DISK,
            "time/clock.md": CLOCK,
            "磁盘.md": CHINESE,
        }
    with pytest.raises(NotFound):
        runbooks.download_many("Runbooks", [document.id, "nothing"])

    anew = list(runbooks.run_events(runbooks.reindex("Runbooks", [document.id]).id))[-1]
    assert (anew.state, anew.progress.counts) == ("done", {"changed": 1})
    assert runbooks.search("DiskFull", mode="lexical").hits

    for model in ("fast", "bundled"):
        ended = list(runbooks.run_events(runbooks.reembed("Runbooks", model).id))[-1]
        assert (ended.kind, ended.state, ended.progress.counts) == ("reembed", "done", {"changed": 3})
        assert runbooks.knowledge_base("Runbooks").embedding == model
        assert runbooks.search("What to do when the disk is full?", mode="vector").hits[0].document == document.id
    with pytest.raises(NotFound, match="fast"):
        runbooks.reembed("Runbooks", "nothing")

    runbooks.delete_document("Runbooks", document.id)
    assert not runbooks.search("DiskFull", mode="lexical").hits
    with pytest.raises(NotFound):
        runbooks.document("Runbooks", document.id)
    with pytest.raises(NotFound):
        runbooks.delete_document("Runbooks", document.id)
    rest = [each.id for each in runbooks.documents("Runbooks").items]
    runbooks.delete_documents("Runbooks", rest)
    assert runbooks.documents("Runbooks").total == 0


def test_a_download_that_a_crash_left_behind_is_gone_after_the_next_start(product: Product) -> None:
    left = product.data.folder("transfers") / "left.zip"
    left.write_bytes(b"half")
    with running(create_app(product)):
        assert not left.exists()


def test_archives_are_unpacked_and_what_is_dangerous_in_them_is_refused(client: Client) -> None:
    client.create_knowledge_base("Archive")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("docs/disk.md", DISK)
        archive.writestr("../../outside.md", "# Outside")
    run = take_in(client, "Archive", ("docs.zip", packed.getvalue()))
    assert (run.state, run.progress.counts) == ("done", {"added": 1, "failed": 1}), run
    assert "outside.md" in run.progress.errors[0].what
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("clock.md")
        member.size = len(CLOCK.encode())
        archive.addfile(member, io.BytesIO(CLOCK.encode()))
    assert take_in(client, "Archive", ("docs.tar.gz", packed.getvalue())).progress.counts == {"added": 1}
    uris = {document.source_uri for document in client.documents("Archive").items if document.state == "ready"}
    assert any(uri.endswith("disk.md") for uri in uris)
    assert any(uri.endswith("clock.md") for uri in uris)


def test_a_folder_is_followed_below_the_allowed_ones_only(client: Client, allowed: Path) -> None:
    (allowed / "disk.md").write_text(DISK)
    (allowed / "clock.md").write_text(CLOCK)
    client.create_knowledge_base("Folder")
    first = list(client.run_events(client.follow("Folder", str(allowed)).id))[-1]
    assert (first.state, first.progress.counts) == ("done", {"added": 2})
    (source,) = client.sources("Folder")
    assert (source.kind, source.location, source.options) == ("folder", str(allowed), {})
    (allowed / "disk.md").unlink()
    second = list(client.run_events(client.sync("Folder", source.id).id))[-1]
    assert second.progress.counts == {"removed": 1, "unchanged": 1}
    assert not client.search("DiskFull", mode="lexical", knowledge_bases=["Folder"]).hits
    for wrong in ("/etc", str(allowed / ".."), "/proc/self"):
        with pytest.raises(NotAllowed, match=r"knowledge\.folders"):
            client.follow("Folder", wrong)
    with pytest.raises((NotFound, BadRequest)):
        client.follow("Folder", str(allowed / "missing"))
    with pytest.raises(BadRequest, match="Known: folder"):
        client.follow("Folder", str(allowed), kind="carrier pigeons")
    client.forget_source("Folder", source.id)
    assert not client.sources("Folder")
    assert client.documents("Folder").total == 1
    with pytest.raises(NotFound):
        client.forget_source("Folder", source.id)
    with pytest.raises(NotFound):
        client.sync("Folder", source.id)


def test_names_of_knowledge_bases(client: Client, url: str) -> None:
    made = client.create_knowledge_base("运行手册 / a+b & ?", description="中文")
    by_name = f"{url}/api/v1/knowledge-bases/{quote(made.name, safe='')}"
    assert httpx.get(by_name).json()["id"] == made.id
    assert httpx.get(f"{by_name}/documents").json() == {"items": [], "total": 0}
    assert httpx.get(f"{url}/api/v1/knowledge-bases/{made.name}").status_code == 404, "an open slash is a border"
    assert client.knowledge_base("运行手册 / a+b & ?") == client.knowledge_base(made.id) == made
    with pytest.raises(Conflict):
        client.create_knowledge_base("运行手册 / A+B & ?")
    changed = client.change_knowledge_base(made.id, name="手册", description="新")
    assert (changed.id, changed.name, changed.description) == (made.id, "手册", "新")
    for wrong in ("", "  ", "x" * 1000):
        with pytest.raises(BadRequest):
            client.create_knowledge_base(wrong)
    with pytest.raises(NotFound, match="bundled"):
        client.create_knowledge_base("Other", embedding="nothing")
    client.delete_knowledge_base("手册")
    with pytest.raises(NotFound):
        client.knowledge_base(made.id)
    assert client.knowledge_bases() == []


def test_conversations_are_kept_found_renamed_and_deleted(client: Client) -> None:
    first = client.create_thread("Disk questions")
    second = client.create_thread()
    assert client.rename_thread(second.id, "时钟").title == "时钟"
    assert client.threads().total == 2
    assert [thread.id for thread in client.threads(text="disk").items] == [first.id]
    client.delete_thread(first.id)
    with pytest.raises(NotFound):
        client.thread(first.id)
    with pytest.raises(NotFound):
        list(client.ask(first.id, NewMessage(text="x")))
    assert client.stop(second.id) is False


def test_a_question_that_cannot_be_asked_is_refused(runbooks: Client) -> None:
    thread = runbooks.create_thread().id
    for message, why in (
        (NewMessage(text="  "), "empty"),
        (NewMessage(text="x", model="nobody"), "Known: .*extractive"),
        (NewMessage(text="x", route="nowhere"), "Known: about, .*docs"),
        (NewMessage(text="x" * 30_000), "at most 20000"),
    ):
        with pytest.raises(BadRequest, match=why):
            list(runbooks.ask(thread, message))
    assert runbooks.thread(thread).messages == ()
    with pytest.raises(NotFound):
        list(runbooks.ask(thread, NewMessage(text="x", knowledge_bases=("nothing",))))
    with pytest.raises(BadRequest):
        runbooks.search("", knowledge_bases=["Runbooks"])
    with pytest.raises(BadRequest, match="limit"):
        runbooks.search("x", limit=0)


def test_only_the_named_knowledge_base_is_asked(runbooks: Client) -> None:
    runbooks.create_knowledge_base("Other")
    take_in(runbooks, "Other", ("other.md", b"# DiskFull\n\nIn the other house DiskFull is ignored."))
    hits = runbooks.search("DiskFull", knowledge_bases=["Other"]).hits
    assert {hit.source_uri for hit in hits} == {"other.md"}
    everywhere = {hit.source_uri for hit in runbooks.search("DiskFull").hits}
    assert {"disk.md", "other.md"} <= everywhere
    thread = runbooks.create_thread().id
    answer = list(runbooks.ask(thread, NewMessage(text="What about DiskFull?", knowledge_bases=("Other",))))[-1]
    assert isinstance(answer, Answer)
    assert {citation.source_uri for citation in answer.citations} == {"other.md"}


def test_the_samples_are_built_once_and_answer_their_questions(client: Client) -> None:
    assert client.samples().knowledge_base is None
    run = list(client.run_events(client.build_samples().id))[-1]
    assert run.state == "done"
    assert list(run.progress.counts) == ["added"]
    assert run.progress.counts["added"] >= 20
    again = list(client.run_events(client.build_samples("zh").id))[-1]
    assert again.progress.counts == {"unchanged": run.progress.counts["added"]}
    assert [base.id for base in client.knowledge_bases()] == [client.samples().knowledge_base]
    for question in (*client.suggestions(language="en"), *client.suggestions(language="zh")):
        answer = list(client.ask(client.create_thread().id, NewMessage(text=question)))[-1]
        assert isinstance(answer, Answer), question
        assert answer.citations, question


def test_runs_are_listed_newest_first(runbooks: Client) -> None:
    last = take_in(runbooks, "Runbooks", ("more.md", b"# More\n\nMore text."))
    runs = runbooks.runs(knowledge_base="Runbooks")
    assert runs[0].id == last.id
    assert len(runs) == 2
    assert runbooks.run(last.id).state == "done"
    assert runbooks.cancel_run(last.id).state == "done"
    with pytest.raises(NotFound):
        runbooks.run("nothing")
    with pytest.raises(NotFound):
        list(runbooks.run_events("nothing"))


def test_models_embeddings_scenarios_settings_and_health(client: Client) -> None:
    models = client.models()
    assert [model.name for model in models.models if model.extractive] == ["extractive"]
    assert set(models.roles) == {"answer", "route", "tools", "graph"}
    assert client.test_model("extractive").ok
    with pytest.raises(BadRequest):
        client.test_model("nothing")
    with pytest.raises(BadRequest):
        client.assign_role("answer", ["nothing"])
    with pytest.raises(NotFound):
        client.assign_role("cook", ["extractive"])
    assert client.assign_role("answer", ["extractive"]).roles["answer"] == ("extractive",)
    assert client.models().switched == ("answer",)
    in_force = {row.key: row for row in client.settings().settings}
    assert (in_force["roles.answer"].value, in_force["roles.answer"].origin) == ("extractive", "switched")
    assert client.reset_role("answer").roles["answer"] == ()
    assert {row.key: row for row in client.settings().settings}["roles.answer"].origin == "default"
    with pytest.raises(NotFound):
        client.reset_role("cook")
    assert [(model.name, model.default) for model in client.embeddings()] == [("bundled", True), ("fast", False)]
    tested = client.test_embedding("bundled")
    assert tested.ok
    assert "384" in str(tested.detail)
    assert {"docs"} <= {scenario.name for scenario in client.scenarios()}
    assert all(set(scenario.purpose) == {"en", "zh"} for scenario in client.scenarios())
    assert all(
        client.test_check(check.name).ok
        for check in client.readiness().checks
        if check.state == "ready" and not check.name.startswith(("model ", "embedding "))
    )
    with pytest.raises(NotFound, match="vector index"):
        client.test_check("coffee")
    settings = {row.key: row for row in client.settings().settings}
    assert settings["data_dir"].origin == "environment"
    assert settings["knowledge.chunk_tokens"].origin == "default"
    readiness = client.readiness()
    assert readiness.ready
    assert {"records", "vector index", "word index", "graph", "runs", "data directory"} <= {
        check.name for check in readiness.checks
    }
    assert client.alive()


def test_a_store_that_lost_what_it_held_fails_its_test(runbooks: Client, product: Product) -> None:
    assert str(runbooks.test_check("word index").detail) == "opened; 3 entries of 1 knowledge base"
    product.stores.lexical.drop(runbooks.knowledge_base("Runbooks").id)
    tested = runbooks.test_check("word index")
    assert not tested.ok
    assert str(tested.detail) == "It holds nothing of Runbooks. Index the documents there again."
    assert runbooks.test_check("vector index").ok


def test_metrics_and_documentation(client: Client, url: str) -> None:
    client.create_knowledge_base("Runbooks")
    numbers = httpx.get(f"{url}/metrics").text
    assert 'chatbot_knowledge{what="knowledge_bases"} 1.0' in numbers
    page = httpx.get(f"{url}/docs")
    assert page.status_code == 200
    assert "http://" not in page.text.replace(url, "")
    assert "https://" not in page.text
    for file in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert httpx.get(f"{url}/swagger/{file}").status_code == 200
    schema = httpx.get(f"{url}/openapi.json").json()
    assert "/api/v1/threads/{thread_id}/messages" in schema["paths"]
    assert "What should I check?" in json.dumps(schema)
    assert "multipart/form-data" in json.dumps(schema["paths"]["/api/v1/knowledge-bases/{kb}/documents"]["post"])
    assert schema["paths"]["/api/v1/search"]["post"]["responses"]["4XX"]
