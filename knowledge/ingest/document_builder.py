"""A file on its way to the stores: read, compared with what is known, split, and described for the graph."""

import hashlib
import logging
import posixpath
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine, select

from devops_chatbot.db.transactions import reading
from devops_chatbot.errors import BadRequest, TooLarge, UnsupportedFile
from devops_chatbot.i18n import Reason
from knowledge.catalog import tables, versions
from knowledge.catalog.blobs import content_of
from knowledge.catalog.versions import NewVersion
from knowledge.chunking.splitter import Splitter
from knowledge.graph import DocumentGraph, GraphSchema
from knowledge.ingest.document_graph import document_graph
from knowledge.ingest.run_items import Item, Result
from knowledge.loaders import loaders
from knowledge.model import ParsedDocument, Source, document_id, document_version
from knowledge.sources import SourceKind

PIPELINE = "4"
"""Raise it when this module gives other chunks for the same file, so that the next sync reads everything anew."""
SETTLED_NS = 2_000_000_000
"""A file that changed this shortly before it was read may change again within the clock's resolution."""
EMPTIED = frozenset({"file.empty", "file.no_text"})
"""Of a file in a followed folder these say that its words are gone, and not that it cannot be read for a while."""
MEGABYTE = 1024 * 1024

_log = logging.getLogger(__name__)


class Reader(Protocol):
    """Turns a file's bytes into text. Safe for concurrent use. Raises `UnsupportedFile`, `TooLarge`."""

    def load(self, data: bytes, name: str) -> ParsedDocument: ...


class TextEmbedder(Protocol):
    """What the pipeline needs of an embedding model. Safe for concurrent use. Raises `ModelUnavailable`."""

    @property
    def shape(self) -> str:
        """The model's identity, part of every document's version."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltDocument:
    """A new version of a document, ready to be embedded. `reuse[i]` is the stored chunk with the vector of chunk i."""

    item: Item
    data: bytes
    version: NewVersion
    graph: DocumentGraph
    reuse: dict[int, str]

    @property
    def weight(self) -> int:
        """Characters and bytes that it keeps in memory."""
        return len(self.data) + 3 * len(self.version.text)


class DocumentBuilder:
    """Prepares the files of one knowledge base with its splitter and its embedding model."""

    def __init__(
        self,
        engine: Engine,
        knowledge_base: str,
        *,
        reader: Reader,
        splitter: Splitter,
        embedder: TextEmbedder,
        max_file_mb: int,
        sources: Mapping[str, tuple[Source, SourceKind]],
        schema: GraphSchema,
    ) -> None:
        self._engine = engine
        self._knowledge_base = knowledge_base
        self._reader = reader
        self._splitter = splitter
        self._model = embedder.shape
        self._max_file_mb = max_file_mb
        self._sources = sources
        self._schema = schema
        self._shapes = {
            name: "\n".join((PIPELINE, f"{name}/{loader.version}", splitter.shape, embedder.shape))
            for name, loader in loaders().found.items()
        }
        self.shapes = {
            loader: hashlib.sha256(shape.encode()).hexdigest()[:16] for loader, shape in self._shapes.items()
        }
        """By loader: a digest of every setting that shapes a version of what it reads."""

    def build(self, item: Item, *, stop: Callable[[], bool] = lambda: False) -> BuiltDocument | Result:
        """A new version, or why there is none: nothing changed, or the file cannot be read. Once `stop()` is true, what it
        gives is of no use.

        Raises `Unavailable` when it is not the file's fault.
        """
        if item.reason is not None:
            return Result(item=item, outcome="failed", reason=item.reason)
        data = b""
        try:
            read_ns = time.time_ns()
            try:
                data = self._bytes(item)
            except FileNotFoundError:
                return Result(item=item, outcome="failed", reason=Reason("file.deleted"))
            except OSError as error:
                reason = Reason("file.unreadable", error=error.strerror or error)
                return Result(item=item, outcome="failed", reason=reason)
            if read_ns - item.mtime_ns < SETTLED_NS or len(data) != item.size:
                item = replace(item, mtime_ns=0, size=len(data))
            document = document_id(self._knowledge_base, item.source_uri)
            active, generation, loader = self._known(document)
            if item.anew and active:
                generation += 1
            if active and self._version(data, loader, generation) == active:
                return Result(item=item, outcome="unchanged")
            parsed = self._reader.load(data, posixpath.basename(item.source_uri))
            version = self._version(data, parsed.loader, generation)
            return self._built(item, data, parsed, document=document, version=version, generation=generation, stop=stop)
        except BadRequest as error:
            emptied = bool(item.source) and error.reason.code in EMPTIED
            return Result(item=item, outcome="failed", reason=error.reason, data=data, emptied=emptied)
        except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
            # A file that our own code or a plugin stumbles over must be one failed row, not a failed run; the log has the rest.
            _log.exception("preparing %s", item.source_uri)
            reason = Reason("file.not_prepared", error=f"{type(error).__name__}: {error}")
            return Result(item=item, outcome="failed", reason=reason, data=data)

    def _bytes(self, item: Item) -> bytes:
        limit = self._max_file_mb * MEGABYTE
        followed = None if item.anew else self._sources.get(item.source)  # what is read anew is our own copy
        with followed[1].open(followed[0], item.path) if followed else Path(item.path).open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise TooLarge("file.too_large", mb=max(item.size, len(data)) / MEGABYTE, most_mb=self._max_file_mb)
        return data

    def _version(self, data: bytes, loader: str, generation: int) -> str:
        """The version that a loader would give; empty for one that there is no more."""
        shape = self._shapes.get(loader)
        if shape is None:
            return ""
        return document_version(data, f"{shape}\n{generation}" if generation else shape)

    def _known(self, document: str) -> tuple[str, int, str]:
        """The active version, its generation and its loader."""
        row = tables.documents.c
        with reading(self._engine) as connection:
            found = connection.execute(
                select(row.version, row.generation, row.loader).where(row.id == document)
            ).first()
        return (found.version, found.generation, found.loader) if found else ("", 0, "")

    def _built(
        self,
        item: Item,
        data: bytes,
        parsed: ParsedDocument,
        *,
        document: str,
        version: str,
        generation: int,
        stop: Callable[[], bool],
    ) -> BuiltDocument:
        chunks = tuple(
            self._splitter.split(
                parsed, collection=self._knowledge_base, document_id=document, version=version, stop=stop
            )
        )
        if not chunks:
            raise UnsupportedFile("file.no_text")
        digests = tuple(
            hashlib.blake2b(f"{self._model}\0{chunk.embeddable}".encode(), digest_size=16).digest() for chunk in chunks
        )
        stored = {} if item.anew else versions.digests(self._engine, document)
        new = NewVersion(
            knowledge_base=self._knowledge_base,
            document=document,
            source_uri=item.source_uri,
            source=item.source,
            title=parsed.title or posixpath.basename(item.source_uri),
            loader=parsed.loader,
            splitter=self._splitter.shape,
            version=version,
            generation=generation,
            shape=self.shapes[parsed.loader],
            content=content_of(data),
            size=len(data),
            mtime_ns=item.mtime_ns,
            text=parsed.text,
            chunks=chunks,
            digests=digests,
            notes=parsed.notes,
        )
        graph = document_graph(new.key, uri=item.source_uri, title=new.title, parsed=parsed, chunks=chunks, stop=stop)
        if item.source in self._sources:
            source, kind = self._sources[item.source]
            graph = graph.with_(*kind.graph(source, new.key, parsed, chunks))
            self._schema.check(graph)
        return BuiltDocument(
            item=item,
            data=data,
            version=new,
            graph=graph,
            reuse={number: stored[digest] for number, digest in enumerate(digests) if digest in stored},
        )
