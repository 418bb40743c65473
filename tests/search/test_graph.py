"""LadybugDB keeps the contract of a graph store, and its data across a restart; and what the graph adds to a search."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.graph_contract import ALERT, COLLECTION, HERE, METRIC, SCHEMA, GraphStoreContract, graph, stored

from knowledge import loaders
from knowledge.chunking.splitter import Splitter
from knowledge.graph import DOCUMENTS, DocumentGraph, EdgeType, GraphSchema, NodeLabel
from knowledge.ingest.document_graph import document_graph
from knowledge.model import Version
from knowledge.retrieval import graph_expansion
from knowledge.stores.graph.ladybug import LadybugGraph


@pytest.fixture
def graph_store(tmp_path: Path) -> Iterator[LadybugGraph]:
    store = LadybugGraph(tmp_path / "graph", schema=SCHEMA)
    yield store
    store.close()


class TestLadybugGraph(GraphStoreContract):
    pass


def test_what_was_added_is_there_after_a_restart_and_under_a_larger_schema(tmp_path: Path) -> None:
    first = LadybugGraph(tmp_path / "graph", schema=DOCUMENTS)
    first.replace([graph(1, ALERT)])
    first.close()
    second = LadybugGraph(tmp_path / "graph", schema=SCHEMA)
    assert second.versions(COLLECTION) == {stored(1)}
    assert second.find("db-1", label="Host", scope=HERE) == []
    second.close()


def test_the_file_of_an_older_release_is_outdated_until_something_is_written(tmp_path: Path) -> None:
    (tmp_path / "graph.lbug").write_bytes(b"of another time")
    (tmp_path / "graph.lbug.wal").write_bytes(b"its log")
    store = LadybugGraph(tmp_path, schema=DOCUMENTS)
    assert store.outdated()
    assert store.find(ALERT, scope=HERE) == []
    assert store.outdated()
    store.replace([graph(1, ALERT)])
    assert not store.outdated()
    assert not list(tmp_path.glob("graph.lbug*"))
    store.close()


@pytest.mark.parametrize(
    ("labels", "edges"),
    [
        ([NodeLabel(name="Host) DELETE n //")], []),
        ([NodeLabel(name="Host", properties={"collection": str})], []),
        ([NodeLabel(name="Host", shared=True)], []),
        ([NodeLabel(name="Chunk", properties={"other": str})], []),
        ([], [EdgeType(name="RUNS", source="Host", target="Chunk")]),
    ],
)
def test_a_schema_that_does_not_hold_together_is_refused(labels: list[NodeLabel], edges: list[EdgeType]) -> None:
    with pytest.raises(ValueError, match=r"Host|collection|Chunk"):
        DOCUMENTS.with_(labels, edges)
    assert isinstance(DOCUMENTS, GraphSchema)


def page(uri: str, text: str) -> DocumentGraph:
    """A page as the ingest puts it into the graph; its version is its URI."""
    parsed = loaders.load(text.encode(), "page.md")
    version = Version(collection=COLLECTION, document=uri.replace("/", "."), version="0" * 32, chunks=0)
    splitter = Splitter(chunk_tokens=20, overlap_tokens=0, count=lambda texts: [len(one.split()) for one in texts])
    chunks = splitter.split(parsed, collection=COLLECTION, document_id=version.document, version=version.version)
    return document_graph(version, uri=uri, title=parsed.title, parsed=parsed, chunks=tuple(chunks))


def first_chunk(uri: str) -> str:
    return f"{uri.replace('/', '.')}#{'0' * 12}-0"


def near(store: LadybugGraph, uri: str) -> list[str]:
    return [match.chunk_id for match in graph_expansion.near(store, [first_chunk(uri)], scope=HERE, limit=9)]


def test_chunks_are_named_by_things_in_any_case_and_rarer_things_weigh_more(graph_store: LadybugGraph) -> None:
    pages = [page("1.md", f"# A\n\nIt fires {ALERT} by {METRIC}.\n")]
    graph_store.replace([*pages, *(page(f"{n}.md", f"# B\n\nWatch {METRIC}.\n") for n in (2, 3))])
    found = graph_expansion.naming(graph_store, [ALERT.lower(), METRIC.upper()], scope=HERE, limit=5)
    assert found[0].chunk_id == first_chunk("1.md")
    assert len(found) == 3
    assert found[0].score > found[1].score > 0


def test_chunks_that_share_a_rare_thing_are_near(graph_store: LadybugGraph) -> None:
    graph_store.replace([page(f"{n}.md", f"# A\n\nSee {name}.\n") for n, name in ((1, ALERT), (2, ALERT), (3, METRIC))])
    assert near(graph_store, "1.md") == [first_chunk("2.md")]


def test_the_next_chunk_of_the_section_is_near_and_that_of_the_next_section_is_not(graph_store: LadybugGraph) -> None:
    words = " ".join(f"word{number}" for number in range(60))
    graph_store.replace([page("1.md", f"# A\n\n{words}.\n\n## B\n\nOther words.\n")])
    (beside,) = near(graph_store, "1.md")
    assert beside == first_chunk("1.md")[:-1] + "1"


def test_a_link_holds_when_its_target_comes_later(graph_store: LadybugGraph) -> None:
    graph_store.replace([page("1.md", "# A\n\n[b](2.md)\n")])
    assert near(graph_store, "1.md") == []
    graph_store.replace([page("2.md", "# B\n\nText.\n")])
    assert near(graph_store, "1.md") == [first_chunk("2.md")]


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("guide/disk.md", "guide/disk.md"),
        ("guide/disk", "guide/disk.md"),
        ("guide", "guide/index.md"),
        ("guide", "guide/_index.md"),
        ("guide/", "guide/README.md"),
    ],
)
def test_a_link_may_leave_the_ending_out_or_lead_to_a_folder(graph_store: LadybugGraph, target: str, uri: str) -> None:
    graph_store.replace([page("1.md", f"# A\n\n[b]({target})\n"), page(uri, "# B\n\nText.\n")])
    assert near(graph_store, "1.md") == [first_chunk(uri)]
    graph_store.delete([page(uri, "# B\n\nText.\n").version])
    assert near(graph_store, "1.md") == []
