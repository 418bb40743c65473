"""Taking documents in: what is found before, between and after a change, and what is left of what went wrong."""

import hashlib
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ingest.library import Library, MemoryGraph, page, settle, write_files

from devops_chatbot.errors import NotFound
from knowledge import loaders
from knowledge.catalog import tables
from knowledge.graph import LINKS, DocumentGraph
from knowledge.ingest.ingest import IngestOptions
from knowledge.model import Scope


def test_a_document_is_in_every_store_and_in_the_catalogue(library: Library) -> None:
    base = library.new_base()
    run = library.upload(base, {"etcd.md": page("etcd"), "runbooks/disk.md": page("disk")})
    assert library.outcomes(run) == {"added": 2}
    documents = library.documents(base)
    assert set(documents) == {"etcd.md", "runbooks/disk.md"}
    etcd = documents["etcd.md"]
    assert (etcd.state, etcd.title, etcd.error) == ("ready", "etcd", None)
    assert etcd.chunks > 1
    assert etcd.bytes == len(page("etcd"))
    assert library.ingest.check(base) == []
    counted = library.catalog.get(base)
    assert (counted.documents, counted.chunks) == (2, sum(each.chunks for each in documents.values()))
    assert library.catalog.document_text(etcd.id) == page("etcd")
    assert library.ingest.original(base, etcd.id).read_text() == page("etcd")


def test_passages_carry_their_text_and_section(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"etcd.md": page("etcd", paragraphs=300)})
    document = library.documents(base)["etcd.md"]
    chunks = library.catalog.chunks(document.id)
    text = library.catalog.document_text(document.id)
    assert len(text) > 3 * tables.BLOCK  # passages of many blocks, and across their borders
    by_ref = library.catalog.chunks_by_ref([chunk.ref for chunk in chunks] + ["d0#0-0"])
    assert list(by_ref.values()) == chunks or set(by_ref) == {chunk.ref for chunk in chunks}
    for chunk in chunks:
        assert by_ref[chunk.ref] == chunk
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.text in chunk.context
        assert chunk.context == text[chunk.context_start : chunk.context_start + len(chunk.context)]
        assert (chunk.source_uri, chunk.title, chunk.collection) == ("etcd.md", "etcd", base)


def test_a_changed_loader_reads_its_documents_anew_and_only_those(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "b.md": page("b"), "c.txt": page("c")})
    settle(folder)
    library.sync(base, folder)
    embedded, before = library.embedder.texts, library.documents(base)
    found = loaders.loaders().found
    monkeypatch.setitem(found, "markdown", replace(found["markdown"], version=found["markdown"].version + 1))
    assert library.outcomes(library.sync(base, folder)) == {"changed": 2, "unchanged": 1}
    assert library.embedder.texts == embedded, "the words are the same"
    after = library.documents(base)
    assert before["docs/a.md"].version != after["docs/a.md"].version
    assert before["docs/c.txt"].version == after["docs/c.txt"].version
    assert library.ingest.check(base) == []
    assert library.outcomes(library.sync(base, folder)) == {"unchanged": 3}


def test_a_changed_document_embeds_only_what_changed(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"a.md": page("a", paragraphs=20)})
    embedded = library.embedder.texts
    changed = page("a", paragraphs=20).replace("word19x3", "otherword")
    assert library.outcomes(library.upload(base, {"a.md": changed})) == {"changed": 1}
    assert 0 < library.embedder.texts - embedded <= 2
    assert library.texts(base)["a.md"] == changed
    assert library.ingest.check(base) == []


def test_a_changed_document_that_repeats_itself_takes_its_vectors_over(tmp_path: Path) -> None:
    library = Library(tmp_path, real=True)
    base = library.new_base()
    repeated = "\n\n".join("The same boilerplate of many words again. " * 8 for _ in range(6))
    library.upload(base, {"a.md": f"# A\n\n{repeated}\n"})
    before = library.embedder.texts
    run = library.upload(base, {"a.md": f"# A\n\n{repeated}\n\nOne more line.\n"})
    assert library.outcomes(run) == {"changed": 1}
    assert library.embedder.texts - before <= 2
    assert library.ingest.check(base) == []
    library.close()


def test_a_reader_never_sees_a_gap(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"a.md": page("needle")})
    stop, seen, empty = threading.Event(), set[str](), []

    def search() -> None:
        while not stop.is_set():
            matches = library.stores.lexical.search(
                "needle", scope=Scope(principal="test", collections=(base,)), limit=100
            )
            found = library.catalog.chunks_by_ref([match.chunk_id for match in matches])
            if not found:
                # Between the two calls a version may have gone; the next search must find the other one.
                again = library.stores.lexical.search(
                    "needle", scope=Scope(principal="test", collections=(base,)), limit=100
                )
                if not library.catalog.chunks_by_ref([match.chunk_id for match in again]):
                    empty.append(len(again))
            texts = {passage.text for passage in found.values()}
            for marker in ("first", "second", "third"):
                if any(marker in text for text in texts):
                    seen.add(marker)
            assert sum(any(m in text for text in texts) for m in ("first", "second", "third")) <= 1

    reader = threading.Thread(target=search)
    reader.start()
    for marker in ("first", "second", "third"):
        library.upload(base, {"a.md": page("needle") + f"\n## End\n\nneedle {marker}\n"})
        time.sleep(0.1)
    stop.set()
    reader.join()
    assert seen == {"first", "second", "third"}
    assert empty == []


def test_a_removed_document_leaves_nothing(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"a.md": page("a"), "b.md": page("b")})
    document = library.documents(base)["a.md"]
    refs = [chunk.ref for chunk in library.catalog.chunks(document.id)]
    library.ingest.remove_document(base, document.id)
    assert set(library.documents(base)) == {"b.md"}
    assert library.catalog.chunks_by_ref(refs) == {}
    assert library.catalog.document_text(document.id) == ""
    assert library.originals_kept() == 1
    assert library.ingest.check(base) == []
    with pytest.raises(NotFound, match="deleted"):
        library.catalog.open_chunk(refs[0])
    with pytest.raises(NotFound):
        library.ingest.remove_document(base, document.id)


def test_a_bad_file_is_one_failed_row(library: Library) -> None:
    base = library.new_base()
    run = library.upload(base, {"a.md": page("a"), "empty.md": b"", "noise.bin": bytes(range(256)) * 50})
    assert library.outcomes(run) == {"added": 1, "failed": 2}
    assert {error.what for error in library.ingest.progress(run).errors} == {"empty.md", "noise.bin"}
    documents = library.documents(base)
    assert {uri: document.state for uri, document in documents.items()} == {
        "a.md": "ready",
        "empty.md": "failed",
        "noise.bin": "failed",
    }
    assert documents["empty.md"].error
    assert library.ingest.check(base) == []


def test_a_new_version_that_fails_leaves_the_old_one_searchable(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"a.md": page("a")})
    assert library.outcomes(library.upload(base, {"a.md": b"\0\1\2" * 1000})) == {"failed": 1}
    document = library.documents(base)["a.md"]
    assert document.state == "failed"
    assert document.error
    assert library.texts(base)["a.md"] == page("a")
    assert len(library.catalog.chunks(document.id)) == document.chunks > 0
    assert library.outcomes(library.upload(base, {"a.md": page("a")})) == {"unchanged": 1}
    assert library.documents(base)["a.md"].state == "ready"
    assert library.documents(base)["a.md"].error is None


def test_a_file_over_the_limit_names_the_setting(tmp_path: Path) -> None:
    library = Library(tmp_path / "small", options=IngestOptions(max_file_mb=1))
    base = library.new_base()
    run = library.upload(base, {"large.txt": "word " * 300_000})
    assert library.outcomes(run) == {"failed": 1}
    assert "knowledge.max_file_mb" in str(library.ingest.progress(run).errors[0].reason)
    library.close()


def test_one_content_under_two_names_is_two_documents_and_one_original(library: Library) -> None:
    base = library.new_base()
    assert library.outcomes(library.upload(base, {"a.md": page("x"), "b.md": page("x")})) == {"added": 2}
    assert library.originals_kept() == 1
    library.ingest.remove_document(base, library.documents(base)["a.md"].id)
    assert library.originals_kept() == 1
    assert library.ingest.check(base) == []
    library.ingest.remove_document(base, library.documents(base)["b.md"].id)
    assert library.originals_kept() == 0


def test_originals_are_on_disk_before_the_catalogue_says_ready(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = library.new_base()
    flushed: set[str] = set()
    missing: list[str] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        flushed.add(Path(f"/proc/self/fd/{handle}").readlink().name.split(".")[0])
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    stop = threading.Event()
    pages = {f"{number}.md": page(f"t{number}") for number in range(50)}
    names = {uri: hashlib.sha256(text.encode()).hexdigest() for uri, text in pages.items()}

    def watch() -> None:
        while not stop.is_set():
            ready = [names[uri] for uri, document in library.documents(base).items() if document.state == "ready"]
            missing.extend(part for name in ready for part in (name, name[:2]) if part not in flushed)

    watcher = threading.Thread(target=watch)
    watcher.start()
    library.upload(base, pages)
    stop.set()
    watcher.join()
    assert library.originals_kept() == 50
    assert missing == []
    assert {"files", *(path.name for path in (library.folder / "files").rglob("*"))} <= flushed


def test_reading_anew_gives_a_new_version_and_keeps_the_text(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"a.md": page("a")})
    before = library.documents(base)["a.md"]
    run = library.run(base, "reindex", f'["{before.id}"]')
    after = library.documents(base)["a.md"]
    assert library.outcomes(run) == {"changed": 1}
    assert after.version != before.version
    assert library.texts(base)["a.md"] == page("a")
    assert library.ingest.check(base) == []
    assert library.outcomes(library.upload(base, {"a.md": page("a")})) == {"unchanged": 1}


def test_an_upload_knows_archives(library: Library) -> None:
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("etcd/slow.md", page("etcd"))
        archive.writestr("logo.png", b"\x89PNG\r\n\x1a\n" + bytes(100))
        archive.writestr("../outside.md", page("outside"))
        archive.writestr("more.zip", b"PK\5\6" + bytes(18))
    base = library.new_base()
    run = library.upload(base, {"runbooks.zip": buffer.getvalue(), "broken.zip": b"PK\3\4nothing", "x.md": page("x")})
    assert library.outcomes(run) == {"added": 2, "failed": 3}
    documents = library.documents(base)
    assert {uri for uri, document in documents.items() if document.state == "ready"} == {
        "runbooks/etcd/slow.md",
        "x.md",
    }
    assert documents["broken.zip"].error
    assert "archive inside of an archive" in str(documents["runbooks/more.zip"].error)
    assert not (library.folder / "outside.md").exists()


def test_a_hidden_file_that_somebody_uploads_is_a_row_that_says_so(library: Library) -> None:
    base = library.new_base()
    run = library.upload(base, {"ci/.gitlab-ci.yml": "stages: [build]\n", "a.md": page("a"), ".git/config": "x"})
    assert library.outcomes(run) == {"added": 1, "failed": 1}
    assert "begins with a dot" in str(library.documents(base)["ci/.gitlab-ci.yml"].error)


def test_links_between_documents_lead_to_their_uris(library: Library) -> None:
    base = library.new_base()
    library.upload(
        base, {"guide/a.md": "# A\n\nSee [b](../b%20c.md#top), [site](https://example.org/x) and [self](a.md).\n"}
    )
    assert isinstance(library.stores.graph, MemoryGraph)
    (graph,) = library.stores.graph.stored.values()
    assert links_of(graph) == ["b c.md"]


def test_a_link_from_the_top_may_mean_the_folder_that_came(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"guide/sub/a.md": "# A\n\nSee [b](/etcd/b) and [c](../).\n"})
    assert isinstance(library.stores.graph, MemoryGraph)
    (graph,) = library.stores.graph.stored.values()
    assert links_of(graph) == ["etcd/b", "guide/etcd/b", "guide"]


def links_of(graph: DocumentGraph) -> list[object]:
    names = {node.id: node.properties.get("name") for node in graph.nodes}
    return [names[edge.target] for edge in graph.edges if edge.type == LINKS]
