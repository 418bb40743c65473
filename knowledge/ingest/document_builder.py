"""A file on its way to the stores: read, compared with what is known, split, and described for the graph."""

import hashlib
import logging
import posixpath
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from sqlalchemy import Engine, select

from devops_chatbot.db.transactions import reading
from devops_chatbot.errors import BadRequest, TooLarge, UnsupportedFile
from knowledge.catalog import tables, versions
from knowledge.catalog.blobs import content_of
from knowledge.catalog.versions import NewVersion
from knowledge.chunking.splitter import Splitter
from knowledge.entities import entities_in
from knowledge.ingest.job_items import Item, Result
from knowledge.loaders import VERSIONS
from knowledge.model import Chunk, DocumentGraph, Entity, ParsedDocument, document_id, document_version

PIPELINE = "3"
"""Raise it when this module gives other chunks for the same file, so that the next sync reads everything anew."""
SETTLED_NS = 2_000_000_000
"""A file that changed this shortly before it was read may change again within the clock's resolution."""
LOOK_UP = 500
"""Chunks after which somebody may have asked to stop."""
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
class Prepared:
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


class Preparation:
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
    ) -> None:
        self._engine = engine
        self._knowledge_base = knowledge_base
        self._reader = reader
        self._splitter = splitter
        self._model = embedder.shape
        self._max_file_mb = max_file_mb
        self._shapes = {
            loader: "\n".join((PIPELINE, f"{loader}/{version}", splitter.shape, embedder.shape))
            for loader, version in VERSIONS.items()
        }
        self.shapes = {
            loader: hashlib.sha256(shape.encode()).hexdigest()[:16] for loader, shape in self._shapes.items()
        }
        """By loader: a digest of every setting that shapes a version of what it reads."""

    def prepare(self, item: Item, *, stop: Callable[[], bool] = lambda: False) -> Prepared | Result:
        """A new version, or why there is none: nothing changed, or the file cannot be read. Once `stop()` is true, what it
        gives is of no use.

        Raises `Unavailable` when it is not the file's fault.
        """
        if item.reason is not None:
            return Result(item=item, outcome="failed", reason=item.reason)
        try:
            read_ns = time.time_ns()
            data = self._bytes(item)
        except FileNotFoundError:
            reason = "The file was deleted while the job ran."
            return Result(item=item, outcome="failed", reason=reason)
        except OSError as error:
            return Result(item=item, outcome="failed", reason=f"The file cannot be read: {error.strerror or error}.")
        except TooLarge as error:
            return Result(item=item, outcome="failed", reason=str(error))
        if read_ns - item.mtime_ns < SETTLED_NS or len(data) != item.size:
            item = replace(item, mtime_ns=0, size=len(data))
        document = document_id(self._knowledge_base, item.source_uri)
        active, generation, loader = self._known(document)
        if item.anew and active:
            generation += 1
        if active and self._version(data, loader, generation) == active:
            return Result(item=item, outcome="unchanged")
        try:
            parsed = self._reader.load(data, posixpath.basename(item.source_uri))
            version = self._version(data, parsed.loader, generation)
            return self._prepared(
                item, data, parsed, document=document, version=version, generation=generation, stop=stop
            )
        except BadRequest as error:
            return Result(item=item, outcome="failed", reason=str(error), data=data)
        except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
            # A file that our own code stumbles over must be one failed row, not a failed job; the log has the rest.
            _log.exception("preparing %s", item.source_uri)
            reason = f"The file could not be prepared ({type(error).__name__}: {error}). Please report this."
            return Result(item=item, outcome="failed", reason=reason, data=data)

    def _bytes(self, item: Item) -> bytes:
        path = Path(item.path)
        limit = self._max_file_mb * MEGABYTE
        with path.open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            size = path.stat().st_size / MEGABYTE
            raise TooLarge("file.too_large", mb=size, most_mb=self._max_file_mb)
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

    def _prepared(
        self,
        item: Item,
        data: bytes,
        parsed: ParsedDocument,
        *,
        document: str,
        version: str,
        generation: int,
        stop: Callable[[], bool],
    ) -> Prepared:
        chunks = tuple(
            self._splitter.split(
                parsed, knowledge_base=self._knowledge_base, document_id=document, version=version, stop=stop
            )
        )
        if not chunks:
            raise UnsupportedFile("file.no_text")
        digests = tuple(self._digest(chunk) for chunk in chunks)
        stored = {} if item.anew else versions.digests(self._engine, document)
        return Prepared(
            item=item,
            data=data,
            version=NewVersion(
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
            ),
            graph=DocumentGraph(
                knowledge_base=self._knowledge_base,
                document=document,
                version=version,
                source_uri=item.source_uri,
                title=parsed.title or posixpath.basename(item.source_uri),
                sections=parsed.sections,
                chunks=chunks,
                mentions=tuple(_mentions(chunks, stop)),
                links=tuple(linked(item.source_uri, [link.target for link in parsed.links])),
            ),
            reuse={number: stored[digest] for number, digest in enumerate(digests) if digest in stored},
        )

    def _digest(self, chunk: Chunk) -> bytes:
        return hashlib.blake2b(f"{self._model}\0{chunk.embeddable}".encode(), digest_size=16).digest()


def linked(source_uri: str, targets: Sequence[str]) -> Iterator[str]:
    """The source URIs that links of a document lead to, each once, without their anchors. One that begins with a slash may
    count from the top of the knowledge base or of the folder that the document came with.
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
            uri = re.sub(r"^(\.\./)+", "", posixpath.normpath(posixpath.join(base, path.lstrip("/"))))
            if uri not in seen and uri not in (".", ".."):
                seen.add(uri)
                yield uri


def _mentions(chunks: Sequence[Chunk], stop: Callable[[], bool]) -> Iterator[tuple[str, Entity]]:
    for number, chunk in enumerate(chunks):
        if number % LOOK_UP == 0 and stop():
            return
        for entity in dict.fromkeys(entities_in(chunk.searchable)):
            yield chunk.id, entity
