"""The words of the knowledge layer: what a file becomes on its way into the indexes, and what a search gives back."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from devops_chatbot.chat import FoundBy, Location, SearchMode
from knowledge.text.identifiers import in_words


def document_id(knowledge_base_id: str, source_uri: str) -> str:
    """A document is (knowledge base, source URI); 16 hex digits of their SHA-256 behind a `d`."""
    return "d" + hashlib.sha256(f"{knowledge_base_id}\0{source_uri}".encode()).hexdigest()[:16]


def document_version(data: bytes, shape: str) -> str:
    """The SHA-256 (32 hex digits) of a file's bytes and of `shape`, a text of every setting that shapes its chunks."""
    digest = hashlib.sha256(shape.encode())
    digest.update(b"\0")
    digest.update(data)
    return digest.hexdigest()[:32]


def chunk_id(document: str, version: str, ordinal: int) -> str:
    """`<document id>#<first 12 of the version>-<ordinal>`; it is the `ref` that a citation carries."""
    return f"{document}#{version[:12]}-{ordinal}"


def document_of(ref: str) -> str:
    """The document id inside a chunk id."""
    return ref.partition("#")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and what stands below it, up to the next heading of the same or a higher level.

    `start` and `end` are character offsets into `ParsedDocument.text`; `heading_path` ends in this section's own
    heading (empty for what stands before the first heading). Sections nest by `level` (1 is the top).
    """

    heading_path: tuple[str, ...]
    level: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link as written in a document: its target (a relative path, an anchor or a URL) and its words."""

    target: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDocument:
    """A file as text. Every offset in the product (sections, chunks, highlights) counts characters of `text`.

    `text` is Markdown for formats with structure (headings, lists, tables, fenced code stay such) and the file's own
    text otherwise. `page_starts[i]` is the offset where page i + 1 begins (empty for formats without pages).
    `has_lines` says that lines of `text` are lines of the file, so that a line number means something to a person.
    `code_language` is set for source code. `sections` are in reading order.
    """

    text: str
    title: str
    loader: str
    sections: tuple[Section, ...] = ()
    page_starts: tuple[int, ...] = ()
    links: tuple[Link, ...] = ()
    has_lines: bool = False
    code_language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A small piece of a document, the unit that is matched: `text == document.text[start:end]`.

    `section_start`/`section_end` bound the section given to the writer as context (at most a few thousand characters).
    `title` and `heading_path` go in front of the text when it is indexed or embedded: see `searchable`, `embeddable`.
    """

    id: str
    knowledge_base: str
    document: str
    version: str
    ordinal: int
    text: str
    title: str
    start: int
    end: int
    section_start: int
    section_end: int
    heading_path: tuple[str, ...] = ()
    location: Location = Location()

    @property
    def searchable(self) -> str:
        """What is indexed: title and headings, then the text."""
        return f"{self._path}\n{self.text}" if self._path else self.text

    @property
    def embeddable(self) -> str:
        """What is embedded: `searchable` with the identifiers in title and headings written as words."""
        return f"{in_words(self._path)}\n{self.text}" if self._path else self.text

    @property
    def _path(self) -> str:
        return " > ".join(dict.fromkeys((self.title, *self.heading_path)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a search may see: ids of knowledge bases. An empty scope sees nothing.

    The scope goes into the store, so that what a person may not see is never fetched.
    """

    knowledge_bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A chunk id that one index found, with that index's own score (higher is better)."""

    chunk_id: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chunk that a search found.

    `score` is in [0, 1], comparable within one search; `context` is its section's text.
    """

    ref: str
    knowledge_base: str
    document: str
    source_uri: str
    title: str
    heading_path: tuple[str, ...]
    text: str
    context: str
    location: Location
    score: float
    found_by: tuple[FoundBy, ...]


class VectorStore(Protocol):
    """Vectors of chunks. Safe for concurrent readers beside one writer. Raises `StoreUnavailable`.

    A second `add` of the same chunk id overwrites. Removing what is not there is no error. A knowledge base that
    nothing was added to has no matches. Vectors have unit length; `score` is the cosine.
    """

    def add(self, knowledge_base: str, chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]]) -> None:
        """Write chunks; durable on return."""

    def remove(self, knowledge_base: str, chunk_ids: Sequence[str]) -> None:
        """Delete chunks by id; durable on return."""

    def vectors(self, knowledge_base: str, chunk_ids: Sequence[str]) -> dict[str, list[float]]:
        """The stored vectors of those ids that exist; an id may be given more than once."""

    def search(self, vector: Sequence[float], *, scope: Scope, limit: int) -> list[Match]:
        """Nearest chunks, best first, over all knowledge bases of the scope."""

    def ids(self, knowledge_base: str) -> set[str]:
        """Every chunk id stored (for checks and repair)."""

    def drop(self, knowledge_base: str) -> None:
        """Forget a knowledge base and free its files."""

    def damaged(self) -> list[str]:
        """Knowledge bases whose files a crash or a full disk cut off, so that nothing but `drop` works on them. Cheap."""

    def close(self) -> None: ...


class LexicalIndex(Protocol):
    """Words of chunks, ranked by BM25. Safe for concurrent readers beside one writer. Raises `StoreUnavailable`.

    Same rules as `VectorStore`. The analysis of text (camelCase, Chinese bigrams) is the index's own.
    """

    def add(self, knowledge_base: str, chunks: Sequence[Chunk]) -> None: ...

    def remove(self, knowledge_base: str, chunk_ids: Sequence[str]) -> None: ...

    def search(self, text: str, *, scope: Scope, limit: int) -> list[Match]: ...

    def rarity(self, text: str, *, scope: Scope) -> dict[str, float]:
        """The words of `text`, as the index takes them apart, with their inverse document frequency over the scope."""

    def ids(self, knowledge_base: str) -> set[str]: ...

    def drop(self, knowledge_base: str) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A thing named in a text: its kind (`alert`, `metric`, `kubernetes_kind`, `kubernetes_object`, `host`, `path`,
    `identifier`, `command`) and its name as written."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentGraph:
    """What one version of a document adds to the graph.

    Nodes: the document, its sections, its chunks, the entities its chunks mention. Edges: document → section →
    section → chunk, chunk → entity (mentions), document → document (links, by source URI with or without its ending, and by
    the folder whose index or README it is; a link to a document that is not there yet starts to hold when it comes).
    """

    knowledge_base: str
    document: str
    version: str
    source_uri: str
    title: str
    sections: tuple[Section, ...]
    chunks: tuple[Chunk, ...]
    mentions: tuple[tuple[str, Entity], ...]
    """(chunk id, entity)"""
    links: tuple[str, ...] = ()
    """Source URIs, already resolved against the document's own."""


class GraphStore(Protocol):
    """Documents, sections, chunks and entities with their relations. Concurrent readers beside one writer.

    Raises `StoreUnavailable`; `query` raises `BadRequest` for a statement that writes or does not parse.
    """

    def add(self, graphs: Sequence[DocumentGraph]) -> None:
        """Write these versions in one transaction; a second `add` of the same version changes nothing.

        Another version of the same document may stay beside it until `remove`.
        """

    def remove(self, knowledge_base: str, versions: Sequence[tuple[str, str]]) -> None:
        """Delete (document, version) pairs and every entity that nothing mentions any more, in one transaction."""

    def find_chunks(self, names: Sequence[str], *, scope: Scope, limit: int) -> list[Match]:
        """Chunks that mention entities of these names (any case), best first; rarer names weigh more."""

    def neighbours(self, chunk_ids: Sequence[str], *, scope: Scope, limit: int) -> list[Match]:
        """Chunks near these: sharing rare entities, in linked documents, or next in the same section; best first."""

    def query(self, cypher: str, parameters: dict[str, object], *, limit: int = 1000) -> list[dict[str, object]]:
        """Rows of a read-only statement."""

    def versions(self, knowledge_base: str) -> set[tuple[str, str]]:
        """Every (document, version) stored (for checks and repair)."""

    def drop(self, knowledge_base: str) -> None: ...

    def close(self) -> None: ...


class Retriever(Protocol):
    """Search over every index, fused."""

    def search(
        self, query: str, *, scope: Scope, limit: int, mode: SearchMode = "hybrid", score_threshold: float = 0.0
    ) -> list[Hit]:
        """At most `limit` hits, best first; an empty list for an empty scope.

        Raises `BadQuestion` for an empty query.
        """


DocumentState = Literal["waiting", "indexing", "ready", "failed", "removing"]
HIDDEN = "h"
"""What the ids of knowledge bases begin with that serve one conversation and stand in no list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeBase:
    """A named set of documents with one embedding model; `bytes` counts the originals."""

    id: str
    name: str
    description: str
    embedding: str
    created_at: datetime
    documents: int
    chunks: int
    bytes: int

    @property
    def hidden(self) -> bool:
        """Whether it stands in no list, and is searched only when it is named."""
        return self.id.startswith(HIDDEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A row of the file table.

    `version` and `chunks` are those of the version that can be found now; `error` says why a newer one could not be
    read.
    """

    id: str
    knowledge_base: str
    source_uri: str
    title: str
    state: DocumentState
    loader: str
    splitter: str
    version: str
    bytes: int
    chunks: int
    error: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A folder that a knowledge base follows; its documents' URIs begin with `prefix`."""

    kind: Literal["folder"]
    location: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageSummary:
    """A chunk with its text as it stands in a list; offsets count characters of the document."""

    ref: str
    document: str
    knowledge_base: str
    source_uri: str
    title: str
    heading_path: tuple[str, ...] = ()
    text: str
    location: Location = Location()
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage(PassageSummary):
    """A chunk with its section's text as `context`, which begins at `context_start` of the document."""

    context: str
    context_start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedPassage:
    """A citation opened: `text` is the passage's surroundings, `text[start:end]` the passage or the quote in it.

    `changed` says that the cited version is gone; then the words stand where they were found in the current text
    (`start == end` when they were not).
    """

    document: str
    title: str
    source_uri: str
    heading_path: tuple[str, ...]
    location: Location
    text: str
    start: int
    end: int
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search found, best first, and how long it took."""

    hits: tuple[Hit, ...]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The sample knowledge base: its id once it is built, and questions to try by language."""

    knowledge_base: str | None = None
    questions: Mapping[str, tuple[str, ...]]
