"""What every graph store does."""

from dataclasses import replace

import pytest
from contracts.chunks import chunk

from devops_chatbot.errors import BadRequest
from knowledge.model import DocumentGraph, Entity, GraphStore, Scope, Section

KNOWLEDGE_BASE = "kbase1"
HERE = Scope(knowledge_bases=(KNOWLEDGE_BASE,))
ALERT = Entity(kind="alert", name="KubePodCrashLooping")
METRIC = Entity(kind="metric", name="kube_pod_status_phase")


def graph(number: int, *entities: Entity, links: tuple[str, ...] = ()) -> DocumentGraph:
    """A document of one section and one chunk."""
    own = chunk(number, "Any text.")
    return DocumentGraph(
        knowledge_base=KNOWLEDGE_BASE,
        document=own.document,
        version=own.version,
        source_uri=f"{number}.md",
        title=f"Page {number}",
        sections=(Section(heading_path=(f"Page {number}",), level=1, start=0, end=9),),
        chunks=(own,),
        mentions=tuple((own.id, entity) for entity in entities),
        links=links,
    )


def version_of(number: int) -> tuple[str, str]:
    own = chunk(number)
    return own.document, own.version


class GraphStoreContract:
    """A backend adopts it with a fixture `graph_store`: an empty graph."""

    def test_an_empty_graph_finds_nothing(self, graph_store: GraphStore) -> None:
        assert graph_store.find_chunks(["anything"], scope=HERE, limit=5) == []
        assert graph_store.neighbours(["d1#x-0"], scope=HERE, limit=5) == []
        assert graph_store.versions(KNOWLEDGE_BASE) == set()

    def test_chunks_are_found_by_names_in_any_case_and_rarer_names_weigh_more(self, graph_store: GraphStore) -> None:
        graph_store.add([graph(1, ALERT, METRIC), graph(2, METRIC), graph(3, METRIC)])
        matches = graph_store.find_chunks(["kubepodcrashlooping", "KUBE_POD_STATUS_PHASE"], scope=HERE, limit=5)
        assert matches[0].chunk_id == chunk(1, "").id
        assert len(matches) == 3
        assert matches[0].score > matches[1].score > 0

    def test_the_scope_hides_other_knowledge_bases(self, graph_store: GraphStore) -> None:
        graph_store.add([graph(1, ALERT), graph(2, ALERT)])
        elsewhere = Scope(knowledge_bases=("another",))
        assert graph_store.find_chunks([ALERT.name], scope=elsewhere, limit=5) == []
        assert graph_store.neighbours([chunk(1, "").id], scope=elsewhere, limit=5) == []

    def test_chunks_that_share_a_rare_entity_are_neighbours(self, graph_store: GraphStore) -> None:
        graph_store.add([graph(1, ALERT), graph(2, ALERT), graph(3, METRIC)])
        near = graph_store.neighbours([chunk(1, "").id], scope=HERE, limit=5)
        assert [match.chunk_id for match in near] == [chunk(2, "").id]

    def test_a_link_holds_when_its_target_comes_later(self, graph_store: GraphStore) -> None:
        graph_store.add([graph(1, links=("2.md",))])
        assert graph_store.neighbours([chunk(1, "").id], scope=HERE, limit=5) == []
        graph_store.add([graph(2)])
        near = graph_store.neighbours([chunk(1, "").id], scope=HERE, limit=5)
        assert [match.chunk_id for match in near] == [chunk(2, "").id]

    @pytest.mark.parametrize("target", ["guide/disk.md", "guide/disk"])
    def test_a_link_may_leave_the_ending_out(self, graph_store: GraphStore, target: str) -> None:
        graph_store.add([graph(1, links=(target,)), replace(graph(2), source_uri="guide/disk.md")])
        near = graph_store.neighbours([chunk(1, "").id], scope=HERE, limit=5)
        assert [match.chunk_id for match in near] == [chunk(2, "").id]
        graph_store.remove(KNOWLEDGE_BASE, [version_of(2)])
        assert graph_store.neighbours([chunk(1, "").id], scope=HERE, limit=5) == []

    @pytest.mark.parametrize("page", ["index.md", "_index.md", "README.md"])
    def test_a_link_to_a_folder_leads_to_its_page(self, graph_store: GraphStore, page: str) -> None:
        graph_store.add([graph(1, links=("guide",)), replace(graph(2), source_uri=f"guide/{page}")])
        near = graph_store.neighbours([chunk(1, "").id], scope=HERE, limit=5)
        assert [match.chunk_id for match in near] == [chunk(2, "").id]

    def test_a_second_add_changes_nothing(self, graph_store: GraphStore) -> None:
        graph_store.add([graph(1, ALERT)])
        before = graph_store.find_chunks([ALERT.name], scope=HERE, limit=5)
        graph_store.add([graph(1, ALERT)])
        assert graph_store.find_chunks([ALERT.name], scope=HERE, limit=5) == before

    def test_removing_leaves_no_entity_that_nothing_mentions(self, graph_store: GraphStore) -> None:
        graph_store.add([graph(1, ALERT, METRIC), graph(2, METRIC)])
        graph_store.remove(KNOWLEDGE_BASE, [version_of(1), ("d9", "never there")])
        assert graph_store.versions(KNOWLEDGE_BASE) == {version_of(2)}
        assert graph_store.find_chunks([ALERT.name], scope=HERE, limit=5) == []
        names = graph_store.query("MATCH (e:Entity) RETURN e.name AS name", {})
        assert names == [{"name": METRIC.name}]

    def test_dropping_forgets_everything(self, graph_store: GraphStore) -> None:
        graph_store.add([graph(1, ALERT)])
        graph_store.drop(KNOWLEDGE_BASE)
        assert graph_store.versions(KNOWLEDGE_BASE) == set()
        assert graph_store.query("MATCH (n) RETURN count(*) AS count", {}) == [{"count": 0}]

    @pytest.mark.parametrize(
        "statement", ["CREATE (:Place {key: 'x'})", "MATCH (n) DETACH DELETE n", "MATCH", "DROP TABLE Chunk"]
    )
    def test_a_statement_that_writes_or_does_not_parse_is_refused(
        self, graph_store: GraphStore, statement: str
    ) -> None:
        graph_store.add([graph(1, ALERT)])
        with pytest.raises(BadRequest):
            graph_store.query(statement, {})
        assert graph_store.versions(KNOWLEDGE_BASE) == {version_of(1)}

    def test_a_query_gives_at_most_its_limit(self, graph_store: GraphStore) -> None:
        graph_store.add([graph(number, ALERT) for number in range(1, 6)])
        rows = graph_store.query(
            "MATCH (d:Document) WHERE d.title <> $title RETURN d.title AS title", {"title": "Page 1"}, limit=3
        )
        assert len(rows) == 3
