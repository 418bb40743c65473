"""What a document adds to the graph: its sections and chunks, what they name, and where it links to."""

import bisect
import posixpath
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import unquote, urlsplit

from knowledge.graph import (
    AT,
    CHUNK,
    DOCUMENT,
    ENTITY,
    HAS_CHUNK,
    HAS_SECTION,
    LINKS,
    MENTIONS,
    NEXT,
    PLACE,
    SECTION,
    SUBSECTION,
    DocumentGraph,
    Edge,
    Node,
    node_id,
    shared_id,
)
from knowledge.model import Chunk, ParsedDocument, Section, Version
from knowledge.text.entities import entities_in

LOOK_UP = 500
"""Chunks after which somebody may have asked to stop."""
_PAGES_OF_FOLDERS = frozenset({"index", "_index", "readme"})


def document_graph(
    version: Version,
    *,
    uri: str,
    title: str,
    parsed: ParsedDocument,
    chunks: Sequence[Chunk],
    stop: Callable[[], bool] = lambda: False,
) -> DocumentGraph:
    """The graph of one version of a document, by `knowledge.graph.DOCUMENTS`; of no use once `stop()` is true."""
    document = node_id(DOCUMENT, version.key)
    nodes = {document: Node(id=document, properties={"document": version.document, "uri": uri, "title": title})}
    edges: list[Edge] = []

    def join(source: str, edge: str, target: Node) -> None:
        nodes.setdefault(target.id, target)
        edges.append(Edge(source=source, target=target.id, type=edge))

    def place(name: str) -> Node:
        return Node(id=shared_id(PLACE, version.collection, name), properties={"name": name})

    for name in places_of(uri):
        join(document, AT, place(name))
    for name in linked(uri, [link.target for link in parsed.links]):
        join(document, LINKS, place(name))
    sections = parsed.sections or (Section(heading_path=(), level=0, start=0, end=0),)
    keys = [node_id(SECTION, f"{version.key}/{index}") for index in range(len(sections))]
    parents: list[int] = []
    for index, section in enumerate(sections):
        heading = section.heading_path[-1] if section.heading_path else ""
        own = Node(id=keys[index], properties={"heading": heading, "level": section.level})
        join(document, HAS_SECTION, own)
        parents = [
            above for above in parents if sections[above].end > section.start and sections[above].level < section.level
        ]
        if parents:
            join(keys[parents[-1]], SUBSECTION, own)
        parents.append(index)
    starts = [section.start for section in sections]
    before = (-1, "")
    for number, chunk in enumerate(chunks):
        if number % LOOK_UP == 0 and stop():
            break
        inside = max(0, bisect.bisect_right(starts, chunk.start) - 1)
        own = Node(id=node_id(CHUNK, chunk.id), properties={"ordinal": chunk.ordinal})
        join(keys[inside], HAS_CHUNK, own)
        if before[0] == inside:
            join(before[1], NEXT, own)
        before = (inside, own.id)
        for entity in dict.fromkeys(entities_in(chunk.searchable)):
            properties = {"name": entity.name, "kind": entity.kind}
            join(own.id, MENTIONS, Node(id=shared_id(ENTITY, version.collection, entity.name), properties=properties))
    return DocumentGraph(version=version, nodes=tuple(nodes.values()), edges=tuple(edges))


def places_of(uri: str) -> list[str]:
    """The source URIs under which links mean a document: its own, without its ending, and the folder that it is the page of."""
    folder, slash, name = uri.rpartition("/")
    stem = name.rpartition(".")[0]
    found = [uri, f"{folder}{slash}{stem}"] if stem else [uri]
    return [*found, folder] if folder and stem.lower() in _PAGES_OF_FOLDERS else found


def linked(source_uri: str, targets: Sequence[str]) -> Iterator[str]:
    """The source URIs that links of a document lead to, each once, without their anchors. One that begins with a slash may
    count from the top of the collection or of the folder that the document came with.
    """
    seen = {source_uri}
    top = source_uri.partition("/")[0]
    for target in targets:
        try:
            parts = urlsplit(target.strip())
        except ValueError:
            continue
        if parts.scheme or parts.netloc or not parts.path:
            continue
        path = unquote(parts.path)
        bases = ("", top) if path.startswith("/") else (posixpath.dirname(source_uri),)
        for base in bases:
            uri = posixpath.normpath(posixpath.join("/", base, path.lstrip("/")))[1:]  # nothing lies above the top
            if uri and uri not in seen:
                seen.add(uri)
                yield uri
