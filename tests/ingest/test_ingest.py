"""Taking documents in: what is found before, between and after a change, and what is left of what went wrong."""

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from ingest.library import Library, MemoryGraph, MemoryVectors, MemoryWords, page, threads_alive, write_files
from powerless import without_root_powers

from devops_chatbot.errors import NotFound, StoreUnavailable
from knowledge import loaders, tables
from knowledge.ingest import IngestOptions
from knowledge.model import Scope

OLD = 1_000_000_000
"""A time of modification long ago (s)."""


def settle(folder: Path) -> None:
    """Make every file look as if it had not been touched for long."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (OLD, OLD))


def test_a_document_is_in_every_store_and_in_the_catalogue(library: Library) -> None:
    base = library.new_base()
    job = library.upload(base, {"etcd.md": page("etcd"), "runbooks/disk.md": page("disk")})
    assert library.outcomes(job) == {"added": 2}
    documents = library.documents(base)
    assert set(documents) == {"etcd.md", "runbooks/disk.md"}
    etcd = documents["etcd.md"]
    assert (etcd.state, etcd.title, etcd.error) == ("ready", "etcd", None)
    assert etcd.chunks > 1
    assert etcd.bytes == len(page("etcd"))
    assert library.ingest.check(base) == []
    counted = library.catalogue.get(base)
    assert (counted.documents, counted.chunks) == (2, sum(each.chunks for each in documents.values()))
    assert library.catalogue.document_text(etcd.id) == page("etcd")
    assert library.ingest.original(base, etcd.id).read_text() == page("etcd")


def test_passages_carry_their_text_and_section(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"etcd.md": page("etcd", paragraphs=300)})
    document = library.documents(base)["etcd.md"]
    chunks = library.catalogue.chunks(document.id)
    text = library.catalogue.document_text(document.id)
    assert len(text) > 3 * tables.BLOCK  # passages of many blocks, and across their borders
    by_ref = library.catalogue.passages([chunk.ref for chunk in chunks] + ["d0#0-0"])
    assert list(by_ref.values()) == chunks or set(by_ref) == {chunk.ref for chunk in chunks}
    for chunk in chunks:
        assert by_ref[chunk.ref] == chunk
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.text in chunk.context
        assert chunk.context == text[chunk.context_start : chunk.context_start + len(chunk.context)]
        assert (chunk.source_uri, chunk.title, chunk.knowledge_base) == ("etcd.md", "etcd", base)


def test_unchanged_files_of_a_folder_are_not_even_read(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "b.md": page("b")})
    settle(folder)
    library.sync(base, folder)
    embedded = library.embedder.texts
    (folder / "a.md").write_text(page("z"))  # same size and, below, same time: nobody looks inside
    settle(folder)
    assert library.outcomes(library.sync(base, folder)) == {"unchanged": 2}
    assert library.embedder.texts == embedded
    (folder / "a.md").touch()
    assert library.outcomes(library.sync(base, folder)) == {"unchanged": 1, "changed": 1}


def test_a_file_written_just_now_is_compared_by_content_next_time(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a")})
    library.sync(base, folder)
    before = (folder / "a.md").stat()
    (folder / "a.md").write_text(page("z"))
    os.utime(folder / "a.md", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert library.outcomes(library.sync(base, folder)) == {"changed": 1}
    assert library.texts(base)["docs/a.md"] == page("z")


def test_a_touched_file_with_the_same_content_costs_no_embedding(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a")})
    settle(folder)
    library.sync(base, folder)
    embedded = library.embedder.texts
    os.utime(folder / "a.md", (OLD + 5, OLD + 5))
    assert library.outcomes(library.sync(base, folder)) == {"unchanged": 1}
    assert library.embedder.texts == embedded


def test_a_changed_loader_reads_its_documents_anew_and_only_those(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "b.md": page("b"), "c.txt": page("c")})
    settle(folder)
    library.sync(base, folder)
    embedded, before = library.embedder.texts, library.documents(base)
    monkeypatch.setitem(loaders.VERSIONS, "markdown", loaders.VERSIONS["markdown"] + 1)
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
    job = library.upload(base, {"a.md": f"# A\n\n{repeated}\n\nOne more line.\n"})
    assert library.outcomes(job) == {"changed": 1}
    assert library.embedder.texts - before <= 2
    assert library.ingest.check(base) == []
    library.close()


def test_a_reader_never_sees_a_gap(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"a.md": page("needle")})
    stop, seen, empty = threading.Event(), set[str](), []

    def search() -> None:
        while not stop.is_set():
            matches = library.stores.words.search("needle", scope=Scope(knowledge_bases=(base,)), limit=100)
            found = library.catalogue.passages([match.chunk_id for match in matches])
            if not found:
                # Between the two calls a version may have gone; the next search must find the other one.
                again = library.stores.words.search("needle", scope=Scope(knowledge_bases=(base,)), limit=100)
                if not library.catalogue.passages([match.chunk_id for match in again]):
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
    refs = [chunk.ref for chunk in library.catalogue.chunks(document.id)]
    library.ingest.remove_document(base, document.id)
    assert set(library.documents(base)) == {"b.md"}
    assert library.catalogue.passages(refs) == {}
    assert library.catalogue.document_text(document.id) == ""
    assert library.originals_kept() == 1
    assert library.ingest.check(base) == []
    with pytest.raises(NotFound, match="deleted"):
        library.catalogue.open_passage(refs[0])
    with pytest.raises(NotFound):
        library.ingest.remove_document(base, document.id)


def test_files_gone_from_a_folder_leave_and_uploads_stay(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "b.md": page("b")})
    library.sync(base, folder)
    library.upload(base, {"mine.md": page("mine")})
    (folder / "a.md").unlink()
    assert library.outcomes(library.sync(base, folder)) == {"unchanged": 1, "removed": 1}
    assert set(library.documents(base)) == {"docs/b.md", "mine.md"}
    assert library.ingest.check(base) == []


def test_a_folder_that_is_not_there_removes_nothing(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a")})
    library.sync(base, folder)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(NotFound, match="Nothing was changed"):
        library.sync(base, folder)
    assert set(library.documents(base)) == {"docs/a.md"}


def test_a_folder_that_is_empty_all_at_once_removes_nothing(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a")})
    library.sync(base, folder)
    (folder / "a.md").unlink()
    with pytest.raises(NotFound, match="perhaps it is not mounted"):
        library.sync(base, folder)
    assert set(library.documents(base)) == {"docs/a.md"}


def test_what_cannot_be_read_for_a_while_is_not_taken_for_deleted(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "team/b.md": page("b"), "team/deep/c.md": page("c"), "teams.md": page("d")})
    library.sync(base, folder)
    (folder / "a.md").unlink()
    (folder / "team").chmod(0)
    try:
        with without_root_powers():
            job = library.sync(base, folder)
    finally:
        (folder / "team").chmod(0o755)
    assert library.outcomes(job) == {"unchanged": 1, "removed": 1, "failed": 1}
    ((uri, reason),) = library.ingest.progress(job).errors
    assert (uri, "Permission denied" in reason) == ("docs/team/", True)
    assert set(library.documents(base)) - {"docs/team/"} == {"docs/team/b.md", "docs/team/deep/c.md", "docs/teams.md"}
    library.sync(base, folder)
    assert set(library.documents(base)) == {"docs/team/b.md", "docs/team/deep/c.md", "docs/teams.md"}
    assert library.ingest.check(base) == []


def test_two_folders_of_one_name_do_not_mix(library: Library, tmp_path: Path) -> None:
    base = library.new_base()
    for parent in ("one", "two"):
        write_files(tmp_path / parent / "docs", {"a.md": page(parent)})
        library.sync(base, tmp_path / parent / "docs")
    assert library.texts(base) == {"docs/a.md": page("one"), "docs-2/a.md": page("two")}


def test_a_bad_file_is_one_failed_row(library: Library) -> None:
    base = library.new_base()
    job = library.upload(base, {"a.md": page("a"), "empty.md": b"", "noise.bin": bytes(range(256)) * 50})
    assert library.outcomes(job) == {"added": 1, "failed": 2}
    assert {uri for uri, _ in library.ingest.progress(job).errors} == {"empty.md", "noise.bin"}
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
    assert len(library.catalogue.chunks(document.id)) == document.chunks > 0
    assert library.outcomes(library.upload(base, {"a.md": page("a")})) == {"unchanged": 1}
    assert library.documents(base)["a.md"].state == "ready"
    assert library.documents(base)["a.md"].error is None


def test_a_file_deleted_between_listing_and_reading_fails_alone(library: Library, tmp_path: Path) -> None:
    base, folder = library.new_base(), tmp_path / "docs"
    write_files(folder, {"a.md": page("a"), "b.md": page("b")})
    library.ingest.plan("job", base, kind="folder", argument=str(folder))
    (folder / "a.md").unlink()
    assert not library.ingest.step("job", base)
    assert library.outcomes("job") == {"added": 1, "failed": 1}
    assert "deleted while" in library.ingest.progress("job").errors[0][1]
    assert library.outcomes(library.sync(base, folder)) == {"unchanged": 1, "removed": 1}


def test_a_file_over_the_limit_names_the_setting(tmp_path: Path) -> None:
    library = Library(tmp_path / "small", options=IngestOptions(max_file_mb=1))
    base = library.new_base()
    job = library.upload(base, {"large.txt": "word " * 300_000})
    assert library.outcomes(job) == {"failed": 1}
    assert "knowledge.max_file_mb" in library.ingest.progress(job).errors[0][1]
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

    def watch() -> None:
        while not stop.is_set():
            if any(document.state == "ready" for document in library.documents(base).values()):
                kept = [path for path in (library.folder / "files").rglob("*") if path.is_file()]
                missing.extend(name for path in kept for name in (path.name, path.parent.name) if name not in flushed)

    watcher = threading.Thread(target=watch)
    watcher.start()
    library.upload(base, {f"{number}.md": page(f"t{number}") for number in range(50)})
    stop.set()
    watcher.join()
    assert library.originals_kept() == 50
    assert missing == []
    assert {"files", *(path.name for path in (library.folder / "files").rglob("*"))} <= flushed


def test_reading_anew_gives_a_new_version_and_keeps_the_text(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"a.md": page("a")})
    before = library.documents(base)["a.md"]
    job = library.run(base, "reindex", f'["{before.id}"]')
    after = library.documents(base)["a.md"]
    assert library.outcomes(job) == {"changed": 1}
    assert after.version != before.version
    assert library.texts(base)["a.md"] == page("a")
    assert library.ingest.check(base) == []
    assert library.outcomes(library.upload(base, {"a.md": page("a")})) == {"unchanged": 1}


def test_a_job_that_is_abandoned_leaves_what_another_is_writing_alone(library: Library) -> None:
    """As when the end of a job could not be written down on a full disk, and is while the next one runs already."""
    base = library.new_base()
    embedded = 0
    abandoning = threading.Thread(
        target=library.ingest.abandon, args=("another", base), kwargs={"reason": "It broke off."}
    )

    def in_the_middle() -> None:
        nonlocal embedded
        embedded += 1
        if embedded == 6:  # what came before is in the stores
            time.sleep(1.5)
            abandoning.start()
            abandoning.join(timeout=1)

    library.embedder.before = in_the_middle
    job = library.upload(base, {"huge.md": page("huge", paragraphs=4000)})
    abandoning.join(timeout=10)
    assert not abandoning.is_alive()
    assert embedded > 6
    assert library.outcomes(job) == {"added": 1}
    assert library.ingest.check(base) == []


def test_a_huge_document_becomes_visible_only_when_it_is_complete(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"log.md": page("old")})
    seen: list[str] = []
    library.embedder.before = lambda: seen.append(library.texts(base)["log.md"])
    library.upload(base, {"log.md": page("new", paragraphs=1500)})
    assert len(seen) > 3
    assert set(seen) == {page("old")}
    assert library.texts(base)["log.md"] == page("new", paragraphs=1500)
    assert library.ingest.check(base) == []


def test_stopping_keeps_what_is_complete_and_leaves_the_rest(library: Library) -> None:
    base = library.new_base()
    staged = library.folder / "staged" / "many"
    write_files(staged, {f"{number:03}.md": page(f"topic{number}", paragraphs=40) for number in range(60)})
    library.ingest.plan("job", base, kind="upload", argument=str(staged))
    stop = threading.Event()
    library.embedder.before = lambda: stop.set() if library.embedder.texts > 500 else None
    library.ingest.step("job", base, stop=stop.is_set)
    library.ingest.abandon("job", base, reason=None)
    states = [document.state for document in library.documents(base).values()]
    assert 0 < len(states) < 60
    assert set(states) == {"ready"}
    assert library.ingest.check(base) == []
    assert not list(threads_alive())


def test_stopping_does_not_wait_for_a_huge_document(library: Library) -> None:
    base = library.new_base()
    staged = library.folder / "staged" / "huge"
    write_files(staged, {"huge.log": "a line of a log that goes on and on\n" * 40_000})
    library.ingest.plan("job", base, kind="upload", argument=str(staged))
    stop, counted = threading.Event(), [0]
    count = library.embedder.count

    def counting(texts: Sequence[str]) -> list[int]:
        stop.set()
        counted[0] += sum(map(len, texts))
        return count(texts)

    library.embedder.count = counting  # type: ignore[method-assign]
    library.ingest.step("job", base, stop=stop.is_set)
    assert counted[0] < 400_000, "of 1,440,000 characters"
    assert library.embedder.texts == 0
    library.ingest.abandon("job", base, reason=None)
    assert library.documents(base) == {}
    assert library.ingest.check(base) == []


def test_small_files_do_not_wait_for_a_huge_one(library: Library) -> None:
    base = library.new_base()
    staged = library.folder / "staged" / "mixed"
    write_files(staged, {"a.log": "a line of a log\n" * 20_000, "b.md": page("b"), "c.md": page("c")})
    library.ingest.plan("job", base, kind="upload", argument=str(staged))
    stop = threading.Event()
    library.embedder.before = lambda: stop.set() if library.embedder.texts else None
    library.ingest.step("job", base, stop=stop.is_set)
    ready = [uri for uri, document in library.documents(base).items() if document.state == "ready"]
    assert ready == ["b.md", "c.md"]


@pytest.mark.parametrize("store", ["vectors", "words", "graph"])
@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_store_that_fails_loses_nothing_and_is_repaired(library: Library, store: str, writes: int) -> None:
    base = library.new_base()
    library.upload(base, {"a.md": page("a"), "b.md": page("b")})
    broken = getattr(library.stores, store)
    assert isinstance(broken, MemoryVectors | MemoryWords | MemoryGraph)
    broken.writes_left = writes
    changed = {"a.md": page("a") + "more", "b.md": page("b"), "c.md": page("c")}
    try:
        library.upload(base, changed)
        job_failed = False
    except StoreUnavailable:
        job_failed = True
    assert job_failed == (writes < 2)
    assert library.texts(base)["a.md"] in (page("a"), page("a") + "more")
    broken.writes_left = None
    library.ingest.repair()
    assert library.ingest.check(base) == []
    library.upload(base, changed)
    assert library.texts(base) == changed
    assert library.ingest.check(base) == []
    assert not list(threads_alive())


def test_a_knowledge_base_deleted_while_a_job_runs_ends_the_job(library: Library) -> None:
    base, other = library.new_base(), library.new_base("Other")
    library.upload(other, {"a.md": page("a")})
    library.embedder.before = lambda: (
        library.ingest.drop_knowledge_base(base) if library.catalogue.exists(base) else None
    )
    with pytest.raises(NotFound, match="deleted"):
        library.upload(base, {f"{number}.md": page(f"topic{number}") for number in range(5)})
    assert [each.id for each in library.catalogue.list()] == [other]
    assert library.stores.contents(base).vectors == frozenset()
    assert library.stores.contents(base).graph == frozenset()
    assert library.originals_kept() == 1
    assert library.ingest.check(other) == []


def test_a_document_deleted_while_it_is_taken_in_stays_deleted(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"a.md": page("a")})
    document = library.documents(base)["a.md"].id
    library.embedder.before = lambda: library.ingest.remove_documents(base, [document]) and None
    job = library.upload(base, {"a.md": page("a") + "more", "b.md": page("b")})
    assert library.outcomes(job) == {"added": 1, "failed": 1}
    assert set(library.documents(base)) == {"b.md"}
    assert library.ingest.check(base) == []


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
    job = library.upload(base, {"runbooks.zip": buffer.getvalue(), "broken.zip": b"PK\3\4nothing", "x.md": page("x")})
    assert library.outcomes(job) == {"added": 2, "failed": 3}
    documents = library.documents(base)
    assert {uri for uri, document in documents.items() if document.state == "ready"} == {
        "runbooks/etcd/slow.md",
        "x.md",
    }
    assert documents["broken.zip"].error
    assert "archive inside of an archive" in (documents["runbooks/more.zip"].error or "")
    assert not (library.folder / "outside.md").exists()


def test_a_hidden_file_that_somebody_uploads_is_a_row_that_says_so(library: Library) -> None:
    base = library.new_base()
    job = library.upload(base, {"ci/.gitlab-ci.yml": "stages: [build]\n", "a.md": page("a"), ".git/config": "x"})
    assert library.outcomes(job) == {"added": 1, "failed": 1}
    assert "begins with a dot" in (library.documents(base)["ci/.gitlab-ci.yml"].error or "")


def test_links_between_documents_lead_to_their_uris(library: Library) -> None:
    base = library.new_base()
    library.upload(
        base, {"guide/a.md": "# A\n\nSee [b](../b%20c.md#top), [site](https://example.org/x) and [self](a.md).\n"}
    )
    assert isinstance(library.stores.graph, MemoryGraph)
    (graph,) = library.stores.graph.stored.values()
    assert graph.links == ("b c.md",)


def test_a_link_from_the_top_may_mean_the_folder_that_came(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"guide/sub/a.md": "# A\n\nSee [b](/etcd/b) and [c](../).\n"})
    assert isinstance(library.stores.graph, MemoryGraph)
    (graph,) = library.stores.graph.stored.values()
    assert graph.links == ("etcd/b", "guide/etcd/b", "guide")
