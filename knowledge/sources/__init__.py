"""Where documents come from: one file a kind of source, registered by its name."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from devops_chatbot.i18n import Reason
from knowledge.graph import DOCUMENTS, Edge, EdgeType, GraphSchema, Node, NodeLabel
from knowledge.model import Chunk, ParsedDocument, Source, Version
from knowledge.registry import Registry, registry

BUILT_IN = {"folder": "knowledge.sources.folder:FolderSources"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDocument:
    """A document that a source holds now: its URI within the source, and what opens it there (a path, a URL, a key).

    `size` (bytes) and `mtime_ns` tell without reading whether it changed; a time of 0 means that only its content does. A
    `reason` says why it cannot be taken in; that of a URI that ends in a slash is for everything below it, which then stays.
    """

    uri: str
    path: str
    size: int = 0
    mtime_ns: int = 0
    reason: Reason | None = None


class SourceKind(Protocol):
    """Lists and opens the documents of the sources of one kind, and says what they add to the graph.

    What it registers is a class without arguments. Raises `NotFound` when a source is not there, so that nothing of it is
    taken for deleted; `Unavailable` when that may pass.
    """

    labels: Sequence[NodeLabel]
    edges: Sequence[EdgeType]
    """What its documents bring beside `knowledge.graph.DOCUMENTS`."""

    def documents(self, source: Source) -> Iterator[SourceDocument]:
        """Everything that the source holds now, in any order."""

    def open(self, source: Source, path: str) -> BinaryIO:
        """The bytes of a document; the loader is chosen by its URI. Raises `OSError`."""

    def graph(
        self, source: Source, version: Version, parsed: ParsedDocument, chunks: Sequence[Chunk]
    ) -> tuple[Iterable[Node], Iterable[Edge]]:
        """What a document adds beside its sections, chunks and the entities that it names."""


def source_kinds() -> Registry[SourceKind]:
    """The kinds of sources by name."""
    schema = DOCUMENTS

    def check(kind: type[SourceKind]) -> SourceKind:
        nonlocal schema
        made = kind()
        schema = schema.with_(made.labels, made.edges)
        return made

    return registry("source kind", BUILT_IN, check=check)


def graph_schema(kinds: Iterable[SourceKind]) -> GraphSchema:
    """What every document has in the graph, and what these kinds of sources add."""
    schema = DOCUMENTS
    for kind in kinds:
        schema = schema.with_(kind.labels, kind.edges)
    return schema
