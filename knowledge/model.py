"""The words of the knowledge layer: what a file becomes on its way into the indexes, and what a search gives back."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from devops_chatbot.chat import FoundBy, Location, SearchMode
from devops_chatbot.i18n import Reason
from knowledge.text.identifiers import in_words


def document_id(collection: str, source_uri: str) -> str:
    """A document is (collection, source URI); 16 hex digits of their SHA-256 behind a `d`."""
    return "d" + hashlib.sha256(f"{collection}\0{source_uri}".encode()).hexdigest()[:16]


def source_id(collection: str, kind: str, location: str) -> str:
    """A source is (collection, kind, location), so that one which is followed again is the one it was."""
    return "s" + hashlib.sha256(f"{collection}\0{kind}\0{location}".encode()).hexdigest()[:16]


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
class Source:
    """Where documents of a collection come from: a registered kind, where it is, and what that kind wants to know beside,
    which is plain JSON.

    The URIs of its documents begin with `prefix`, which no other source of the collection has.
    """

    id: str
    kind: str
    location: str
    prefix: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a document as the stores know it; it has `chunks` chunks."""

    collection: str
    document: str
    version: str
    chunks: int

    @property
    def key(self) -> str:
        """What its chunks' ids begin with."""
        return f"{self.document}#{self.version[:12]}"

    @property
    def chunk_ids(self) -> list[str]:
        return [chunk_id(self.document, self.version, number) for number in range(self.chunks)]


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
    `code_language` is set for source code. `sections` are in reading order. `notes` say what of the file is not in `text`,
    where that is worth telling.
    """

    text: str
    title: str
    loader: str
    sections: tuple[Section, ...] = ()
    page_starts: tuple[int, ...] = ()
    links: tuple[Link, ...] = ()
    has_lines: bool = False
    code_language: str | None = None
    notes: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A small piece of a document, the unit that is matched: `text == document.text[start:end]`.

    `section_start`/`section_end` bound the section given to the writer as context (at most a few thousand characters).
    `title` and `heading_path` go in front of the text when it is indexed or embedded: see `searchable`, `embeddable`.
    """

    id: str
    collection: str
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
    """Who searches, and the collections that this principal may see and has chosen. One without collections sees nothing.

    The scope goes into the store, so that what a person may not see is never fetched. A collection is a set of documents
    that are searched together by one embedding model; a knowledge base is one.
    """

    principal: str
    collections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A chunk id that one index found, with that index's own score (higher is better)."""

    chunk_id: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chunk that a search found.

    `score` is in [0, 1], comparable within one search; `context` is its section's text; `also_in` are the URIs of other
    documents that hold the same passage below the same headings.
    """

    ref: str
    collection: str
    document: str
    source_uri: str
    title: str
    heading_path: tuple[str, ...]
    text: str
    context: str
    location: Location
    score: float
    found_by: tuple[FoundBy, ...]
    also_in: tuple[str, ...] = ()


class Retriever(Protocol):
    """Search over every index, fused."""

    def search(
        self, query: str, *, scope: Scope, limit: int, mode: SearchMode = "hybrid", score_threshold: float = 0.0
    ) -> list[Hit]:
        """At most `limit` hits, best first; an empty list for an empty scope.

        Raises `BadQuestion` for an empty query.
        """


DocumentState = Literal["waiting", "indexing", "ready", "failed", "removing"]
DocumentOrder = Literal["source_uri", "state", "chunks", "bytes", "updated_at"]
"""What the file table can be sorted by."""
HIDDEN = "h"
"""What the ids of knowledge bases begin with that serve one conversation and stand in no list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeBase:
    """A named set of documents with one embedding model. `searchable` counts the documents that can be found now, `bytes` the
    originals.
    """

    id: str
    name: str
    description: str
    embedding: str
    created_at: datetime
    documents: int
    searchable: int
    chunks: int
    bytes: int

    @property
    def hidden(self) -> bool:
        """Whether it stands in no list, and is searched only when it is named."""
        return self.id.startswith(HIDDEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A row of the file table.

    `version`, `chunks` and `notes` are those of the version that can be found now: the notes say what of the file is not
    in it. `error` says why a newer one could not be read.
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
    error: Reason | None
    updated_at: datetime
    notes: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChunk:
    """A chunk with its text as it stands in a list; offsets count characters of the document."""

    ref: str
    document: str
    collection: str
    source_uri: str
    title: str
    heading_path: tuple[str, ...] = ()
    text: str
    location: Location = Location()
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkInContext(StoredChunk):
    """A chunk with its section's text as `context`, which begins at `context_start` of the document."""

    context: str
    context_start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedChunk:
    """A citation opened: `text` is the chunk's surroundings, `text[start:end]` the chunk or the quote in it.

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
    """The sample knowledge base: its id once it is built."""

    knowledge_base: str | None = None
