"""Taking documents in while somebody stops it, deletes what it is about, or a store fails."""

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from ingest.library import Library, MemoryGraph, MemoryVectors, MemoryWords, page, threads_alive, write_files
from patience import PATIENCE_S

from devops_chatbot.errors import NotFound, StoreUnavailable
from devops_chatbot.i18n import Reason
from knowledge.stores.graph.ladybug import FILE


def test_a_run_that_is_abandoned_leaves_what_another_is_writing_alone(library: Library) -> None:
    """As when the end of a run could not be written down on a full disk, and is while the next one runs already."""
    base = library.new_base()
    embedded = 0
    abandoning = threading.Thread(
        target=library.ingest.abandon, args=("another", base), kwargs={"reason": Reason("work.broke_off")}
    )

    def in_the_middle() -> None:
        nonlocal embedded
        embedded += 1
        if embedded == 6:  # what came before is in the stores
            time.sleep(1.5)
            abandoning.start()
            abandoning.join(timeout=1)

    library.embedder.before = in_the_middle
    run = library.upload(base, {"huge.md": page("huge", paragraphs=4000)})
    abandoning.join(PATIENCE_S)
    assert not abandoning.is_alive()
    assert embedded > 6
    assert library.outcomes(run) == {"added": 1}
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
    library.ingest.plan("run", base, kind="upload", argument=str(staged))
    stop = threading.Event()
    library.embedder.before = lambda: stop.set() if library.embedder.texts > 500 else None
    library.ingest.step("run", base, stop=stop.is_set)
    library.ingest.abandon("run", base, reason=None)
    states = [document.state for document in library.documents(base).values()]
    assert 0 < len(states) < 60
    assert set(states) == {"ready"}
    assert library.ingest.check(base) == []
    assert not list(threads_alive())


def test_stopping_does_not_wait_for_a_huge_document(library: Library) -> None:
    base = library.new_base()
    staged = library.folder / "staged" / "huge"
    write_files(staged, {"huge.log": "a line of a log that goes on and on\n" * 40_000})
    library.ingest.plan("run", base, kind="upload", argument=str(staged))
    stop, counted = threading.Event(), [0]
    count = library.embedder.count

    def counting(texts: Sequence[str]) -> list[int]:
        stop.set()
        counted[0] += sum(map(len, texts))
        return count(texts)

    library.embedder.count = counting  # type: ignore[method-assign]
    library.ingest.step("run", base, stop=stop.is_set)
    assert counted[0] < 400_000, "of 1,440,000 characters"
    assert library.embedder.texts == 0
    library.ingest.abandon("run", base, reason=None)
    assert library.documents(base) == {}
    assert library.ingest.check(base) == []


def test_small_files_do_not_wait_for_a_huge_one(library: Library) -> None:
    base = library.new_base()
    staged = library.folder / "staged" / "mixed"
    write_files(staged, {"a.log": "a line of a log\n" * 20_000, "b.md": page("b"), "c.md": page("c")})
    library.ingest.plan("run", base, kind="upload", argument=str(staged))
    stop = threading.Event()
    library.embedder.before = lambda: stop.set() if library.embedder.texts else None
    library.ingest.step("run", base, stop=stop.is_set)
    ready = [uri for uri, document in library.documents(base).items() if document.state == "ready"]
    assert ready == ["b.md", "c.md"]


@pytest.mark.parametrize("store", ["vectors", "lexical", "graph"])
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
        run_failed = False
    except StoreUnavailable:
        run_failed = True
    assert run_failed or writes == 2  # how many writes it takes depends on how the files fell into batches
    assert library.texts(base)["a.md"] in (page("a"), page("a") + "more")
    broken.writes_left = None
    library.ingest.repair()
    assert library.ingest.check(base) == []
    library.upload(base, changed)
    assert library.texts(base) == changed
    assert library.ingest.check(base) == []
    assert not list(threads_alive())


def test_a_knowledge_base_deleted_while_a_run_runs_ends_the_runb(library: Library) -> None:
    base, other = library.new_base(), library.new_base("Other")
    library.upload(other, {"a.md": page("a")})
    library.embedder.before = lambda: library.ingest.drop_knowledge_base(base) if library.catalog.exists(base) else None
    with pytest.raises(NotFound, match="deleted"):
        library.upload(base, {f"{number}.md": page(f"topic{number}") for number in range(5)})
    assert [each.id for each in library.catalog.list()] == [other]
    assert library.stores.contents(base).vectors == frozenset()
    assert library.stores.contents(base).graph == frozenset()
    assert library.originals_kept() == 1
    assert library.ingest.check(other) == []


def test_a_document_deleted_while_it_is_taken_in_stays_deleted(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"a.md": page("a")})
    document = library.documents(base)["a.md"].id
    library.embedder.before = lambda: library.ingest.remove_documents(base, [document]) and None
    run = library.upload(base, {"a.md": page("a") + "more", "b.md": page("b")})
    assert library.outcomes(run) == {"added": 1, "failed": 1}
    assert set(library.documents(base)) == {"b.md"}
    assert library.ingest.check(base) == []


def test_a_graph_of_an_older_release_has_every_document_read_anew(tmp_path: Path) -> None:
    library = Library(tmp_path, real=True)
    base = library.new_base()
    library.upload(base, {"a.md": page("a"), "b.md": page("b")})
    assert library.ingest.damaged() == {}
    library.close()
    (tmp_path / "graph" / FILE).rename(tmp_path / "graph" / "graph.lbug")
    again = Library(tmp_path, real=True)
    documents = [document.id for document in again.documents(base).values()]
    assert {name: sorted(found) for name, found in again.ingest.damaged().items()} == {base: sorted(documents)}
    again.ingest.repair()
    assert again.ingest.check(base) == ["the graph index lacks 2 of 2 entries"]
    again.run(base, "reindex", json.dumps(documents))
    assert again.ingest.check(base) == []
    assert again.ingest.damaged() == {}
    again.close()
