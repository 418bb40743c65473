"""What a document's graph is in tables: nodes and relations as columns."""

import bisect
from collections.abc import Sequence
from typing import Any

from knowledge.model import DocumentGraph, Section

Columns = dict[str, list[Any]]
_PAGES_OF_FOLDERS = frozenset({"index", "_index", "readme"})


def version_key(document: str, version: str) -> str:
    """The primary key of a version of a document."""
    return f"{document}@{version}"


def entity_key(knowledge_base: str, name: str) -> str:
    """Entities of one name, whatever the case, are one node of a knowledge base."""
    return f"{knowledge_base}|{name.lower()}"


def place_key(knowledge_base: str, uri: str) -> str:
    """A place is a source URI, whether a document is there or not."""
    return f"{knowledge_base}|{uri}"


def places_of(uri: str) -> list[str]:
    """The source URIs under which links mean a document: its own, without its ending, and the folder that it is the page of."""
    folder, slash, name = uri.rpartition("/")
    stem = name.rpartition(".")[0]
    found = [uri, f"{folder}{slash}{stem}"] if stem else [uri]
    return [*found, folder] if folder and stem.lower() in _PAGES_OF_FOLDERS else found


def tables(graphs: Sequence[DocumentGraph]) -> dict[str, Columns]:
    """The rows of these graphs by table, nodes first, each relation once."""
    documents: list[tuple[Any, ...]] = []
    sections: list[tuple[Any, ...]] = []
    chunks: list[tuple[Any, ...]] = []
    entities: dict[str, tuple[Any, ...]] = {}
    places: dict[str, tuple[Any, ...]] = {}
    edges: dict[str, dict[tuple[str, str], None]] = {
        name: {} for name in ("HAS_SECTION", "SUBSECTION", "HAS_CHUNK", "MENTIONS", "AT", "LINKS")
    }
    for graph in graphs:
        kb, key = graph.knowledge_base, version_key(graph.document, graph.version)
        documents.append((key, kb, graph.document, graph.version, graph.source_uri, graph.title))
        own_places = places_of(graph.source_uri)
        for uri in (*own_places, *graph.links):
            places.setdefault(place_key(kb, uri), (place_key(kb, uri), kb, uri))
        for uri in own_places:
            edges["AT"][key, place_key(kb, uri)] = None
        for uri in graph.links:
            edges["LINKS"][key, place_key(kb, uri)] = None
        own = graph.sections or (Section(heading_path=(), level=0, start=0, end=0),)
        keys = [f"{key}/{index}" for index in range(len(own))]
        parents: list[int] = []
        for index, section in enumerate(own):
            sections.append((keys[index], section.heading_path[-1] if section.heading_path else "", section.level))
            edges["HAS_SECTION"][key, keys[index]] = None
            parents = [
                above for above in parents if own[above].end > section.start and own[above].level < section.level
            ]
            if parents:
                edges["SUBSECTION"][keys[parents[-1]], keys[index]] = None
            parents.append(index)
        starts = [section.start for section in own]
        for chunk in graph.chunks:
            chunks.append((chunk.id, kb, chunk.ordinal))
            inside = max(0, bisect.bisect_right(starts, chunk.start) - 1)
            edges["HAS_CHUNK"][keys[inside], chunk.id] = None
        for chunk_id, entity in graph.mentions:
            named = entity_key(kb, entity.name)
            entities.setdefault(named, (named, kb, entity.kind, entity.name, 0))
            edges["MENTIONS"][chunk_id, named] = None
    found = {
        "Document": _columns(documents, "key", "kb", "document", "version", "uri", "title"),
        "Section": _columns(sections, "key", "heading", "level"),
        "Chunk": _columns(chunks, "id", "kb", "ordinal"),
        "Entity": _columns(list(entities.values()), "key", "kb", "kind", "name", "mentions"),
        "Place": _columns(list(places.values()), "key", "kb", "uri"),
    }
    return found | {name: _columns(list(pairs), "source", "target") for name, pairs in edges.items()}


def _columns(rows: Sequence[tuple[Any, ...]], *names: str) -> Columns:
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}
