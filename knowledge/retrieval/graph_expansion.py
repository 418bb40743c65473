"""What the graph adds to a search: chunks that mention what the query names, and chunks near the best ones."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from knowledge.graph import CHUNK, DOCUMENT, MENTIONS, NEXT, node_id
from knowledge.model import Match, Scope
from knowledge.stores.graph import GraphStore

COMMON = 40
"""A thing that more chunks mention says nothing about nearness."""
RAREST = 8
"""Things that two chunks may share to count as near, the rarest first."""
BESIDE = 0.5
"""How near the next chunk of the same section is, where a shared thing counts one by the number of chunks that mention it."""
LINKED = 0.25
"""How near the beginning of a linked document is."""
MOST_LINKS = 50
LINKED_DOCUMENTS = (
    "MATCH (:Document {id: $id})-[:LINKS]->(:Place)<-[:AT]-(d:Document) WHERE d.collection IN $collections "
    "RETURN DISTINCT d.id AS id"
)


def naming(graph: GraphStore, names: Sequence[str], *, scope: Scope, limit: int) -> list[Match]:
    """Chunks that mention things of these names (any case), best first; rarer things weigh more."""
    found = {node.id: node for name in names for node in graph.find(name, scope=scope)}
    scores: dict[str, float] = defaultdict(float)
    for edge in graph.neighbours(list(found), edges=(MENTIONS,), scope=scope).edges if found else ():
        scores[_chunk(edge.source)] += 1.0 / found[edge.target].degree
    return _best(scores, limit)


def near(graph: GraphStore, chunks: Sequence[str], *, scope: Scope, limit: int) -> list[Match]:
    """Chunks that share rare things with these, are next to them in their section, or begin a linked document; best first."""
    if not chunks:
        return []
    scores: dict[str, float] = defaultdict(float)
    seeds = {node_id(CHUNK, chunk) for chunk in chunks}
    around = graph.neighbours(list(seeds), edges=(MENTIONS, NEXT), scope=scope)
    rare = sorted((node.degree, node.id) for node in around.nodes if 1 < node.degree <= COMMON)[:RAREST]
    degrees = {thing: degree for degree, thing in rare}
    for edge in graph.neighbours(list(degrees), edges=(MENTIONS,), scope=scope, limit=COMMON).edges if rare else ():
        scores[_chunk(edge.source)] += 1.0 / degrees[edge.target]
    for chunk in {end for edge in around.edges if edge.type == NEXT for end in (edge.source, edge.target)}:
        scores[_chunk(chunk)] += BESIDE
    documents = dict.fromkeys(chunk.rpartition("-")[0] for chunk in chunks)
    for linked in _linked(graph, documents, scope):
        scores[f"{linked.partition(':')[2]}-0"] += LINKED
    return _best({chunk: score for chunk, score in scores.items() if chunk not in chunks}, limit)


def _linked(graph: GraphStore, documents: Iterable[str], scope: Scope) -> set[str]:
    return {
        str(row["id"])
        for document in documents
        for row in graph.query(LINKED_DOCUMENTS, {"id": node_id(DOCUMENT, document)}, scope=scope, limit=MOST_LINKS)
    }


def _chunk(node: str) -> str:
    return node.partition(":")[2]


def _best(scores: Mapping[str, float], limit: int) -> list[Match]:
    ordered = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    return [Match(chunk_id=chunk, score=score) for chunk, score in ordered[:limit]]
