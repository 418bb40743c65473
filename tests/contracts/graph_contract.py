"""What every graph store does."""

from collections.abc import Mapping, Sequence

import pytest
from contracts.chunks import version

from devops_chatbot.errors import BadRequest
from knowledge.graph import (
    CHUNK,
    DOCUMENT,
    DOCUMENTS,
    ENTITY,
    MENTIONS,
    NEXT,
    DocumentGraph,
    Edge,
    EdgeType,
    GraphSchema,
    Node,
    NodeLabel,
    node_id,
    shared_id,
)
from knowledge.model import Scope
from knowledge.stores.graph import GraphStore

COLLECTION = "kbase1"
HERE = Scope(principal="test", collections=(COLLECTION,))
ELSEWHERE = Scope(principal="test", collections=("another",))
HOST, RUNS = "Host", "RUNS"
SCHEMA: GraphSchema = DOCUMENTS.with_(
    [NodeLabel(name=HOST, properties={"name": str, "cores": int, "load": float, "up": bool}, shared=True)],
    [
        EdgeType(name=MENTIONS, source=CHUNK, target=HOST),
        EdgeType(name=RUNS, source=HOST, target=ENTITY, properties={"since": str}),
    ],
)
"""What documents have, and a label and a type of a source kind of its own."""
ALERT, METRIC = "KubePodCrashLooping", "kube_pod_status_phase"


def chunk_node(number: int) -> str:
    return node_id(CHUNK, f"{version(number).key}-0")


def entity(name: str) -> Node:
    return Node(id=shared_id(ENTITY, COLLECTION, name), properties={"name": name, "kind": "alert"})


def host(name: str) -> Node:
    return Node(id=shared_id(HOST, COLLECTION, name), properties={"name": name, "cores": 8, "load": 0.5, "up": True})


def graph(number: int, *named: str, more: Sequence[Node] = (), edges: Sequence[Edge] = ()) -> DocumentGraph:
    """A document with one chunk that mentions entities of these names."""
    own = version(number)
    document, chunk = node_id(DOCUMENT, own.key), chunk_node(number)
    return DocumentGraph(
        version=own,
        nodes=(
            Node(id=document, properties={"document": own.document, "uri": f"{number}.md", "title": f"Page {number}"}),
            Node(id=chunk, properties={"ordinal": 0}),
            *map(entity, named),
            *more,
        ),
        edges=(*(Edge(source=chunk, target=entity(name).id, type=MENTIONS) for name in named), *edges),
    )


def names(nodes: Sequence[Node]) -> list[tuple[str, Mapping[str, object]]]:
    return [(node.label, node.properties) for node in nodes]


def stored(number: int) -> tuple[str, str]:
    return version(number).document, version(number).version


class GraphStoreContract:
    """A backend adopts it with a fixture `graph_store`: an empty graph of `SCHEMA`."""

    def test_an_empty_graph_finds_nothing(self, graph_store: GraphStore) -> None:
        assert graph_store.find("anything", scope=HERE) == []
        assert graph_store.neighbours([chunk_node(1)], edges=(MENTIONS,), scope=HERE).nodes == ()
        assert graph_store.path(chunk_node(1), chunk_node(2), scope=HERE).nodes == ()
        assert graph_store.versions(COLLECTION) == set()
        assert not graph_store.outdated()
        graph_store.delete([version(1)])
        graph_store.drop(COLLECTION)
        graph_store.replace([])

    def test_a_shared_node_is_found_by_its_name_in_any_case(self, graph_store: GraphStore) -> None:
        graph_store.replace([graph(1, ALERT, more=[host("DB-1")]), graph(2, ALERT.lower())])
        for text in (ALERT, ALERT.upper()):
            assert names(graph_store.find(text, scope=HERE)) == [(ENTITY, {"name": ALERT, "kind": "alert"})]
        assert names(graph_store.find("db-1", label=HOST, scope=HERE)) == names([host("DB-1")])
        assert graph_store.find("db-1", label=ENTITY, scope=HERE) == []
        assert graph_store.find("no such label", label="Nothing", scope=HERE) == []

    def test_a_shared_node_tells_how_many_edges_touch_it(self, graph_store: GraphStore) -> None:
        graph_store.replace([graph(1, ALERT), graph(2, ALERT, METRIC)])
        graph_store.replace([graph(3, ALERT)])
        assert [node.degree for node in graph_store.find(ALERT, scope=HERE)] == [3]
        graph_store.delete([version(2)])
        assert [node.degree for node in graph_store.find(ALERT, scope=HERE)] == [2]

    def test_the_scope_hides_other_collections(self, graph_store: GraphStore) -> None:
        graph_store.replace([graph(1, ALERT), graph(2, ALERT)])
        assert graph_store.find(ALERT, scope=ELSEWHERE) == []
        assert graph_store.neighbours([chunk_node(1)], edges=(MENTIONS,), scope=ELSEWHERE).nodes == ()
        assert graph_store.path(chunk_node(1), chunk_node(2), scope=ELSEWHERE).nodes == ()
        assert graph_store.neighbours([chunk_node(1)], edges=(MENTIONS,), scope=Scope(principal="test")).nodes == ()
        counting = "MATCH (c:Chunk) WHERE c.collection IN $collections RETURN count(*) AS chunks"
        assert graph_store.query(counting, {}, scope=ELSEWHERE) == [{"chunks": 0}]
        assert graph_store.query(counting, {}, scope=HERE) == [{"chunks": 2}]

    def test_neighbours_are_those_over_the_asked_edges_in_either_direction(self, graph_store: GraphStore) -> None:
        graph_store.replace([graph(1, ALERT, METRIC), graph(2, ALERT)])
        from_chunk = graph_store.neighbours([chunk_node(1)], edges=(MENTIONS,), scope=HERE)
        assert {node.id for node in from_chunk.nodes} == {chunk_node(1), entity(ALERT).id, entity(METRIC).id}
        assert Edge(source=chunk_node(1), target=entity(ALERT).id, type=MENTIONS) in from_chunk.edges
        from_entity = graph_store.neighbours([entity(ALERT).id], edges=(MENTIONS,), scope=HERE)
        assert {edge.source for edge in from_entity.edges} == {chunk_node(1), chunk_node(2)}
        assert graph_store.neighbours([chunk_node(1)], edges=(NEXT,), scope=HERE).edges == ()

    def test_neighbours_reach_as_far_as_asked_and_give_at_most_the_limit(self, graph_store: GraphStore) -> None:
        graph_store.replace([graph(number, ALERT) for number in range(1, 6)])
        far = graph_store.neighbours([chunk_node(1)], edges=(MENTIONS,), depth=2, scope=HERE)
        assert {chunk_node(number) for number in range(1, 6)} < {node.id for node in far.nodes}
        few = graph_store.neighbours([entity(ALERT).id], edges=(MENTIONS,), limit=2, scope=HERE)
        assert len(few.edges) == 2
        assert [node.degree for node in few.nodes if node.label == ENTITY] == [5]

    def test_a_shortest_path_is_given_in_its_order(self, graph_store: GraphStore) -> None:
        graph_store.replace([graph(1, ALERT), graph(2, ALERT, METRIC), graph(3, METRIC), graph(4)])
        found = graph_store.path(chunk_node(1), chunk_node(3), scope=HERE)
        expected = [chunk_node(1), entity(ALERT).id, chunk_node(2), entity(METRIC).id, chunk_node(3)]
        assert [node.id for node in found.nodes] == expected
        assert [(edge.source, edge.target) for edge in found.edges] == [
            (chunk_node(1), entity(ALERT).id),
            (chunk_node(2), entity(ALERT).id),
            (chunk_node(2), entity(METRIC).id),
            (chunk_node(3), entity(METRIC).id),
        ]
        assert graph_store.path(chunk_node(1), chunk_node(3), longest=3, scope=HERE).nodes == ()
        assert graph_store.path(chunk_node(1), chunk_node(4), scope=HERE).nodes == ()
        assert [node.id for node in graph_store.path(chunk_node(4), chunk_node(4), scope=HERE).nodes] == [chunk_node(4)]

    def test_the_same_version_again_changes_nothing(self, graph_store: GraphStore) -> None:
        graph_store.replace([graph(1, ALERT)])
        before = graph_store.find(ALERT, scope=HERE)
        graph_store.replace([graph(1, ALERT)])
        assert graph_store.find(ALERT, scope=HERE) == before

    def test_deleting_leaves_no_shared_node_that_nothing_touches(self, graph_store: GraphStore) -> None:
        graph_store.replace([graph(1, ALERT, METRIC), graph(2, METRIC)])
        graph_store.delete([version(1), version(9)])
        assert graph_store.versions(COLLECTION) == {stored(2)}
        assert graph_store.find(ALERT, scope=HERE) == []
        everything = "MATCH (e:Entity) WHERE e.collection IN $collections RETURN e.name AS name"
        assert graph_store.query(everything, {}, scope=HERE) == [{"name": METRIC}]

    def test_an_edge_between_shared_nodes_goes_with_the_version_that_brought_it(self, graph_store: GraphStore) -> None:
        def inventory(number: int, *edges: Edge) -> DocumentGraph:
            mention = Edge(source=chunk_node(number), target=host("db-1").id, type=MENTIONS)
            return graph(number, ALERT, more=[host("db-1")], edges=(mention, *edges))

        runs = Edge(source=host("db-1").id, target=entity(ALERT).id, type=RUNS, properties={"since": "2026"})
        graph_store.replace([inventory(1, runs), inventory(2)])
        assert graph_store.neighbours([host("db-1").id], edges=(RUNS,), scope=HERE).edges == (runs,)
        assert [edge.properties for edge in graph_store.path(runs.source, runs.target, scope=HERE).edges] == [
            {"since": "2026"}
        ]
        graph_store.delete([version(1)])
        assert graph_store.neighbours([host("db-1").id], edges=(RUNS,), scope=HERE).edges == ()
        assert [node.degree for node in graph_store.find("db-1", scope=HERE)] == [1]

    def test_dropping_forgets_everything(self, graph_store: GraphStore) -> None:
        graph_store.replace([graph(1, ALERT)])
        graph_store.drop(COLLECTION)
        assert graph_store.versions(COLLECTION) == set()
        everything = "MATCH (n) WHERE n.collection IN $collections RETURN count(*) AS count"
        assert graph_store.query(everything, {}, scope=HERE) == [{"count": 0}]

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE (:Place {id: $collections[1]})",
            "MATCH (n) WHERE n.collection IN $collections DETACH DELETE n",
            "MATCH $collections",
            "DROP TABLE Chunk // $collections",
            "MATCH (n) RETURN n",
        ],
    )
    def test_a_statement_that_writes_or_does_not_parse_is_refused(
        self, graph_store: GraphStore, statement: str
    ) -> None:
        graph_store.replace([graph(1, ALERT)])
        with pytest.raises(BadRequest):
            graph_store.query(statement, {}, scope=HERE)
        assert graph_store.versions(COLLECTION) == {stored(1)}

    def test_a_query_gives_at_most_its_limit(self, graph_store: GraphStore) -> None:
        graph_store.replace([graph(number, ALERT) for number in range(1, 6)])
        rows = graph_store.query(
            "MATCH (d:Document) WHERE d.collection IN $collections AND d.title <> $title RETURN d.title AS title",
            {"title": "Page 1"},
            scope=HERE,
            limit=3,
        )
        assert len(rows) == 3
