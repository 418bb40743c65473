"""How a document changes version: the bookkeeping that makes three stores and the catalog look like one.

1. `begin` notes the new version as pending. Whatever of it reaches a store can be found again by that note.
2. The caller writes the new version to every store. Nobody sees it: searches are resolved through the catalog.
3. `activate` makes it the active version and notes the old one as retired, in one transaction. This is the moment of
   change; there is no other.
4. The caller removes the retired version from every store, then calls `forget`.

A crash before 3 leaves a pending note (the version is removed or written again), a crash after it a retired one (the
version is removed). Chunk ids follow from document, version and number, so each step can be repeated without harm.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, Engine, Row, Table, delete, insert, select, tuple_, update

from devops_chatbot.db.transactions import reading, writing
from devops_chatbot.i18n import Reason
from knowledge.catalog import tables
from knowledge.catalog.tables import BLOCK
from knowledge.model import Chunk, Version

AT_ONCE = 500
"""Values in one SQL statement."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """Everything the catalog keeps of a document once this version is active.

    `content` is the SHA-256 of the original, `mtime_ns` its time in the folder `source` (0: not to be trusted);
    `digests[i]` tells whether chunk i of another version would get the same vector.
    """

    knowledge_base: str
    document: str
    source_uri: str
    source: str
    title: str
    loader: str
    splitter: str
    version: str
    generation: int
    shape: str
    content: str
    size: int
    mtime_ns: int
    text: str
    chunks: tuple[Chunk, ...]
    digests: tuple[bytes, ...]
    notes: tuple[Reason, ...] = ()

    @property
    def key(self) -> Version:
        return Version(
            collection=self.knowledge_base,
            document=self.document,
            version=self.version,
            chunks=len(self.chunks),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """What `activate` did: documents that are active now (True: for the first time), versions to remove from the
    stores, and contents that may have lost their last document.
    """

    active: dict[str, bool]
    leftover: tuple[Version, ...]
    contents: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What a crash, or a store that failed, left behind."""

    pending: tuple[Version, ...]
    retired: tuple[Version, ...]
    dropped: tuple[str, ...]
    """Ids of knowledge bases."""


def begin(engine: Engine, versions: Sequence[NewVersion]) -> None:
    """Note versions as pending and their documents as being indexed."""
    with writing(engine) as connection:
        _note(connection, tables.pending, [version.key for version in versions])
        for part in _parts([version.document for version in versions]):
            found = tables.documents.c.id.in_(part)
            connection.execute(update(tables.documents).where(found).values(state="indexing"))


def activate(connection: Connection, versions: Sequence[NewVersion]) -> Activation:
    """Make pending versions the active ones. A document deleted in the meantime stays deleted: its version is a
    leftover.
    """
    known = {row.id: row for row in _rows(connection, [version.document for version in versions])}
    wanted = [version for version in versions if version.document in known]
    old = [
        Version(collection=row.knowledge_base, document=row.id, version=row.version, chunks=row.chunks)
        for row in known.values()
        if row.version
    ]
    _note(connection, tables.retired, [*old, *(v.key for v in versions if v.document not in known)])
    _clear(connection, [version.document for version in old])
    _unnote(connection, tables.pending, [version.key for version in versions])
    now = time.time()
    for version in wanted:
        connection.execute(
            update(tables.documents)
            .where(tables.documents.c.id == version.document)
            .values(
                title=version.title,
                state="ready",
                loader=version.loader,
                splitter=version.splitter,
                version=version.version,
                generation=version.generation,
                shape=version.shape,
                content=version.content,
                bytes=version.size,
                mtime_ns=version.mtime_ns,
                chunks=len(version.chunks),
                error=None,
                notes=version.notes,
                source=version.source,
                updated_at=now,
            )
        )
        connection.execute(insert(tables.chunks), [*_chunk_rows(version)])
        blocks = enumerate(version.text[start : start + BLOCK] for start in range(0, len(version.text), BLOCK))
        texts = [{"document": version.document, "block": block, "text": text} for block, text in blocks]
        connection.execute(insert(tables.texts), texts)
    return Activation(
        active={version.document: not known[version.document].version for version in wanted},
        leftover=(*old, *(version.key for version in versions if version.document not in known)),
        contents=frozenset(row.content for row in known.values() if row.content),
    )


def empty(connection: Connection, documents: Sequence[str]) -> Activation:
    """Documents that have no words any more: their rows stay, their versions are noted as retired."""
    rows = [row for row in _rows(connection, documents) if row.version]
    old = [
        Version(collection=row.knowledge_base, document=row.id, version=row.version, chunks=row.chunks) for row in rows
    ]
    _note(connection, tables.retired, old)
    ids = [row.id for row in rows]
    _clear(connection, ids)
    for part in _parts(ids):
        found = tables.documents.c.id.in_(part)
        values = {"version": "", "chunks": 0, "notes": (), "content": ""}
        connection.execute(update(tables.documents).where(found).values(values))
    contents = frozenset(row.content for row in rows if row.content)
    return Activation(active=dict.fromkeys(ids, False), leftover=tuple(old), contents=contents)


def delete_documents(connection: Connection, knowledge_base: str, documents: Sequence[str]) -> Activation:
    """Documents out of the catalog, their versions noted as retired."""
    rows = [row for row in _rows(connection, documents) if row.knowledge_base == knowledge_base]
    old = [
        Version(collection=knowledge_base, document=row.id, version=row.version, chunks=row.chunks)
        for row in rows
        if row.version
    ]
    _note(connection, tables.retired, old)
    ids = [row.id for row in rows]
    _clear(connection, ids)
    for part in _parts(ids):
        connection.execute(delete(tables.documents).where(tables.documents.c.id.in_(part)))
    contents = frozenset(row.content for row in rows if row.content)
    return Activation(active=dict.fromkeys(ids, False), leftover=tuple(old), contents=contents)


def delete_knowledge_base(engine: Engine, knowledge_base: str) -> frozenset[str]:
    """A knowledge base out of the catalog, noted as still to be dropped from the stores. Gives its contents."""
    document, base = tables.documents.c, tables.knowledge_bases.c
    with writing(engine) as connection:
        owned = select(document.id).where(document.knowledge_base == knowledge_base).scalar_subquery()
        contents = connection.execute(select(document.content).where(document.knowledge_base == knowledge_base))
        found = frozenset(content for content in contents.scalars() if content)
        if connection.execute(select(base.id).where(base.id == knowledge_base)).first() is not None:
            connection.execute(insert(tables.dropped).values(id=knowledge_base))
        connection.execute(delete(tables.chunks).where(tables.chunks.c.document.in_(owned)))
        connection.execute(delete(tables.texts).where(tables.texts.c.document.in_(owned)))
        for notes in (tables.pending, tables.retired):
            connection.execute(delete(notes).where(notes.c.knowledge_base == knowledge_base))
        connection.execute(delete(tables.documents).where(document.knowledge_base == knowledge_base))
        connection.execute(delete(tables.sources).where(tables.sources.c.knowledge_base == knowledge_base))
        connection.execute(delete(tables.knowledge_bases).where(base.id == knowledge_base))
    return found


def leftovers(engine: Engine, knowledge_base: str | None = None) -> Leftovers:
    """What is still to be removed from the stores, everywhere or in one knowledge base."""

    def notes(connection: Connection, table: Table) -> tuple[Version, ...]:
        statement = select(table)
        if knowledge_base is not None:
            statement = statement.where(table.c.knowledge_base == knowledge_base)
        rows = connection.execute(statement)
        return tuple(
            Version(collection=row.knowledge_base, document=row.document, version=row.version, chunks=row.chunks)
            for row in rows
        )

    with reading(engine) as connection:
        dropped = connection.execute(select(tables.dropped.c.id)).scalars().all()
        return Leftovers(
            pending=notes(connection, tables.pending),
            retired=notes(connection, tables.retired),
            dropped=tuple(base for base in dropped if knowledge_base in (None, base)),
        )


def forget(engine: Engine, versions: Sequence[Version]) -> None:
    """These versions are in no store any more. A document that was being indexed is what it was before."""
    with writing(engine) as connection:
        for notes in (tables.pending, tables.retired):
            _unnote(connection, notes, versions)
        document = tables.documents.c
        for part in _parts([version.document for version in versions]):
            indexing = document.id.in_(part) & (document.state == "indexing")
            connection.execute(
                update(tables.documents).where(indexing & (document.version == "")).values(state="waiting")
            )
            connection.execute(
                update(tables.documents).where(indexing & (document.version != "")).values(state="ready")
            )


def forget_dropped(engine: Engine, knowledge_base: str) -> None:
    """The knowledge base is in no store any more."""
    with writing(engine) as connection:
        connection.execute(delete(tables.dropped).where(tables.dropped.c.id == knowledge_base))


def unused(engine: Engine, contents: Sequence[str]) -> list[str]:
    """Those contents that no document has."""
    used: set[str] = set()
    with reading(engine) as connection:
        for part in _parts(contents):
            content = tables.documents.c.content
            used.update(connection.execute(select(content).where(content.in_(part))).scalars())
    return [content for content in contents if content not in used]


def digests(engine: Engine, document: str) -> dict[bytes, str]:
    """Chunk ids of the active version by digest: whose vectors another version may take over."""
    chunk = tables.chunks.c
    with reading(engine) as connection:
        rows = connection.execute(select(chunk.digest, chunk.id).where(chunk.document == document))
        return {row.digest: row.id for row in rows}


def _chunk_rows(version: NewVersion) -> Iterator[dict[str, object]]:
    for chunk, digest in zip(version.chunks, version.digests, strict=True):
        yield {
            "id": chunk.id,
            "document": chunk.document,
            "ordinal": chunk.ordinal,
            "char_start": chunk.start,
            "char_end": chunk.end,
            "section_start": chunk.section_start,
            "section_end": chunk.section_end,
            "heading_path": json.dumps(chunk.heading_path, ensure_ascii=False),
            "line_start": chunk.location.line_start,
            "line_end": chunk.location.line_end,
            "page": chunk.location.page,
            "digest": digest,
        }


def _note(connection: Connection, notes: Table, versions: Sequence[Version]) -> None:
    _unnote(connection, notes, versions)
    if versions:
        connection.execute(
            insert(notes),
            [
                {
                    "document": version.document,
                    "version": version.version,
                    "knowledge_base": version.collection,
                    "chunks": version.chunks,
                }
                for version in versions
            ],
        )


def _unnote(connection: Connection, notes: Table, versions: Sequence[Version]) -> None:
    for part in _parts([(version.document, version.version) for version in versions]):
        connection.execute(delete(notes).where(tuple_(notes.c.document, notes.c.version).in_(part)))


def _clear(connection: Connection, documents: Sequence[str]) -> None:
    for part in _parts(documents):
        connection.execute(delete(tables.chunks).where(tables.chunks.c.document.in_(part)))
        connection.execute(delete(tables.texts).where(tables.texts.c.document.in_(part)))


def _rows(connection: Connection, documents: Sequence[str]) -> list[Row[tuple[object, ...]]]:
    found: list[Row[tuple[object, ...]]] = []
    for part in _parts(documents):
        found.extend(connection.execute(select(tables.documents).where(tables.documents.c.id.in_(part))))
    return found


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]
