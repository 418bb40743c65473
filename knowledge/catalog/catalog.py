"""The catalog: which knowledge bases and documents there are, and the text behind every chunk that may be found.

It decides what is true: the stores may hold more (a version being written, or one not removed yet), but only chunks of
a document's active version come back from here. `knowledge.catalog.versions` changes that, in one transaction a batch.
"""

import json
import secrets
import time
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Engine, Row, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from devops_chatbot.access.ownership import owner_of_new, seen_by
from devops_chatbot.access.principals import Principal
from devops_chatbot.db.transactions import reading, writing
from devops_chatbot.errors import BadRequest, Conflict, NotFound
from devops_chatbot.values import Page
from knowledge.catalog import chunks, tables
from knowledge.model import (
    HIDDEN,
    ChunkInContext,
    Document,
    DocumentOrder,
    DocumentState,
    KnowledgeBase,
    OpenedChunk,
    Source,
    document_of,
    source_id,
)

LONGEST_NAME = 100
LONGEST_DESCRIPTION = 2000


class Catalog:
    """Knowledge bases, documents and chunks on the records' engine. Safe for concurrent use.

    Of a principal, or without one all of them: what belongs to somebody else is not there. Everything raises
    `StoreUnavailable` when the records cannot be used, and `NotFound` for what is not there.
    """

    def __init__(self, engine: Engine, principal: Principal | None = None) -> None:
        self.engine = engine
        self._principal = principal

    def of(self, principal: Principal) -> "Catalog":
        """The same, as this principal sees it; what is created there is theirs."""
        return Catalog(self.engine, principal)

    # --- knowledge bases

    def create(
        self, name: str, *, description: str = "", embedding: str, hidden: bool = False, owner: str | None = None
    ) -> KnowledgeBase:
        """A new, empty knowledge base, the principal's unless the product makes it for another `owner`.

        Raises `Conflict` for a name that its owner has given already (case does not count), and `BadRequest`.
        """
        owner = owner or owner_of_new(self._principal)
        row = {
            "owner": owner,
            "id": (HIDDEN if hidden else "k") + secrets.token_hex(6),
            "name": _checked_name(name),
            "name_key": _name_key(owner, name),
            "description": _checked_description(description),
            "embedding": embedding,
            "created_at": time.time(),
        }
        try:
            with writing(self.engine) as connection:
                connection.execute(insert(tables.knowledge_bases).values(row))
        except IntegrityError:
            raise _taken(name) from None
        return self.get(str(row["id"]))

    def get(self, id_or_name: str) -> KnowledgeBase:
        """By id, else by name (case does not count)."""
        named = tables.knowledge_bases.c
        found = self._knowledge_bases(
            or_(named.id == id_or_name, named.name_key == _name_key(owner_of_new(self._principal), id_or_name))
        )
        if not found:
            raise NotFound("knowledge_base.not_found", name=id_or_name)
        return next((base for base in found if base.id == id_or_name), found[0])

    def list(self, *, hidden: bool = False) -> Sequence[KnowledgeBase]:
        """All of them, oldest first; hidden ones only when asked."""
        return [base for base in self._knowledge_bases(None) if hidden or not base.hidden]

    def change(self, id: str, *, name: str | None = None, description: str | None = None) -> KnowledgeBase:  # noqa: A002
        """Rename or describe anew. Raises `Conflict` for a taken name."""
        base, values = self.get(id), dict[str, str]()
        if name is not None:
            values |= {"name": _checked_name(name), "name_key": _name_key(self.owner(base.id), name)}
        if description is not None:
            values["description"] = _checked_description(description)
        if values:
            try:
                with writing(self.engine) as connection:
                    found = tables.knowledge_bases.c.id == base.id
                    connection.execute(update(tables.knowledge_bases).where(found).values(values))
            except IntegrityError:
                raise _taken(name or "") from None
        return self.get(base.id)

    def exists(self, knowledge_base: str) -> bool:
        """Whether that id is (still) there."""
        known = tables.knowledge_bases.c.id
        with reading(self.engine) as connection:
            return connection.execute(select(known).where(known == knowledge_base)).first() is not None

    def owner(self, knowledge_base: str) -> str:
        """The id of the principal whose it is."""
        base = tables.knowledge_bases.c
        with reading(self.engine) as connection:
            found = connection.execute(select(base.owner).where(base.id == knowledge_base)).scalar()
        if found is None:
            raise NotFound("knowledge_base.not_found", name=knowledge_base)
        return str(found)

    def embedding(self, knowledge_base: str) -> str:
        """The name of its embedding model."""
        base = tables.knowledge_bases.c
        with reading(self.engine) as connection:
            found = connection.execute(select(base.embedding).where(base.id == knowledge_base)).scalar()
        if found is None:
            raise NotFound("knowledge_base.not_found", name=knowledge_base)
        return str(found)

    def set_embedding(self, knowledge_base: str, embedding: str) -> None:
        """From now on its chunks get the vectors of this model; those that it has are of no use any more."""
        found = tables.knowledge_bases.c.id == knowledge_base
        with writing(self.engine) as connection:
            connection.execute(update(tables.knowledge_bases).where(found).values(embedding=embedding))

    def _knowledge_bases(self, condition: ColumnElement[bool] | None) -> Sequence[KnowledgeBase]:
        base, document = tables.knowledge_bases.c, tables.documents.c
        statement = (
            select(
                base.id,
                base.name,
                base.description,
                base.embedding,
                base.created_at,
                func.count(document.id),
                func.count(document.id).filter(document.chunks > 0),
                func.coalesce(func.sum(document.chunks), 0),
                func.coalesce(func.sum(document.bytes), 0),
            )
            .join_from(tables.knowledge_bases, tables.documents, isouter=True)
            .where(seen_by(self._principal, base.owner))
            .group_by(base.id)
            .order_by(base.created_at, base.id)
        )
        if condition is not None:
            statement = statement.where(condition)
        with reading(self.engine) as connection:
            return [
                KnowledgeBase(
                    id=row[0],
                    name=row[1],
                    description=row[2],
                    embedding=row[3],
                    created_at=_moment(row[4]),
                    documents=row[5],
                    searchable=row[6],
                    chunks=row[7],
                    bytes=row[8],
                )
                for row in connection.execute(statement)
            ]

    # --- sources

    def sources(self, knowledge_base: str) -> Sequence[Source]:
        """What a knowledge base follows."""
        known = tables.sources.c
        statement = select(tables.sources).where(known.knowledge_base == knowledge_base).order_by(known.prefix)
        with reading(self.engine) as connection:
            return [
                Source(
                    id=row.id, kind=row.kind, location=row.location, prefix=row.prefix, options=json.loads(row.options)
                )
                for row in connection.execute(statement)
            ]

    def source(self, knowledge_base: str, source: str) -> Source:
        """One that it follows, by its id. Raises `NotFound`."""
        for each in self.sources(knowledge_base):
            if each.id == source:
                return each
        raise NotFound("source.not_followed", name=self.get(knowledge_base).name, source=source)

    def follow(
        self, knowledge_base: str, kind: str, location: str, *, name: str, options: Mapping[str, object] | None = None
    ) -> Source:
        """Remember a source, in place of what was known of it; the prefix of a new one is `name`, with a number behind it when
        that is taken.
        """
        source, said = source_id(knowledge_base, kind, location), json.dumps(options or {})
        with writing(self.engine) as connection:
            known = tables.sources.c
            rows = connection.execute(
                select(known.id, known.prefix).where(known.knowledge_base == knowledge_base)
            ).all()
            prefixes = {row.id: row.prefix for row in rows}
            if source in prefixes:
                connection.execute(update(tables.sources).where(known.id == source).values(options=said))
            else:
                names = (name, *(f"{name}-{number}" for number in range(2, len(rows) + 3)))
                row = {
                    "id": source,
                    "knowledge_base": knowledge_base,
                    "kind": kind,
                    "location": location,
                    "prefix": next(f"{each}/" for each in names if f"{each}/" not in prefixes.values()),
                    "options": said,
                }
                connection.execute(insert(tables.sources).values(row))
        return self.source(knowledge_base, source)

    def forget_source(self, knowledge_base: str, source: str) -> None:
        """Follow a source no longer; its documents stay."""
        known = tables.sources.c
        with writing(self.engine) as connection:
            connection.execute(delete(tables.sources).where(known.knowledge_base == knowledge_base, known.id == source))

    # --- documents

    def documents(
        self,
        knowledge_base: str,
        *,
        state: DocumentState | None = None,
        text: str | None = None,
        sort: DocumentOrder = "source_uri",
        descending: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> Page[Document]:
        """The file table, rows that sort alike in order of URI; `text` is looked for in URIs and titles, without case."""
        document = tables.documents.c
        conditions = [document.knowledge_base == knowledge_base]
        if state is not None:
            conditions.append(document.state == state)
        if text:
            conditions.append(
                or_(
                    document.source_uri.icontains(text, autoescape=True),
                    document.title.icontains(text, autoescape=True),
                )
            )
        order = document[sort].desc() if descending else document[sort]
        rows = (
            select(tables.documents).where(*conditions).order_by(order, document.source_uri).offset(offset).limit(limit)
        )
        count = select(func.count()).select_from(tables.documents).where(*conditions)
        with reading(self.engine) as connection:
            total = connection.execute(count).scalar_one()
            return Page(items=tuple(_document(row) for row in connection.execute(rows)), total=total)

    def document(self, knowledge_base: str, document_id: str) -> Document:
        """One row of the file table."""
        document = tables.documents.c
        found = select(tables.documents).where(document.id == document_id, document.knowledge_base == knowledge_base)
        with reading(self.engine) as connection:
            row = connection.execute(found).first()
        if row is None:
            raise NotFound("document.not_found")
        return _document(row)

    # --- chunks

    def document_text(self, document_id: str) -> str:
        """The whole text of the active version (empty when there is none yet)."""
        return chunks.read_text(self.engine, document_id, 0, None)

    def chunks(self, document_id: str) -> Sequence[ChunkInContext]:
        """Every chunk of the active version, in reading order."""
        return chunks.chunks_of(self.engine, document_id)

    def short_document(self, document_id: str, *, longest: int) -> Sequence[ChunkInContext]:
        """Every chunk of a document of at most `longest` characters, in reading order; nothing of a longer one."""
        return chunks.short_document(self.engine, document_id, longest)

    def chunks_by_ref(self, refs: Sequence[str]) -> dict[str, ChunkInContext]:
        """Those refs that are chunks of an active version; the others are left out."""
        return chunks.chunks_by_ref(self.engine, refs)

    def open_chunk(self, ref: str, quote: str = "", heading_path: Sequence[str] = ()) -> OpenedChunk:
        """A citation opened: the chunk, or the quote inside it below these headings, in its surroundings.

        When the cited version is gone, the quote is looked up in the current text and `changed` is true. Raises
        `NotFound` when the document is gone.
        """
        base, document = tables.knowledge_bases.c, tables.documents.c
        theirs = (
            select(document.id)
            .join_from(tables.documents, tables.knowledge_bases)
            .where(document.id == document_of(ref), seen_by(self._principal, base.owner))
        )
        with reading(self.engine) as connection:
            if connection.execute(theirs).first() is None:
                raise NotFound("document.cited_deleted")
        return chunks.open_chunk(self.engine, ref, quote, tuple(heading_path))


def _document(row: Row[tuple[object, ...]]) -> Document:
    return Document(
        id=row.id,
        knowledge_base=row.knowledge_base,
        source_uri=row.source_uri,
        title=row.title,
        state=row.state,
        loader=row.loader,
        splitter=row.splitter,
        version=row.version,
        bytes=row.bytes,
        chunks=row.chunks,
        error=row.error,
        notes=row.notes,
        updated_at=_moment(row.updated_at),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def _name_key(owner: str, name: str) -> str:
    return f"{owner}/{unicodedata.normalize('NFKC', name).strip().casefold()}"


def _checked_name(name: str) -> str:
    clean = unicodedata.normalize("NFC", name).strip()
    if not clean:
        raise BadRequest("knowledge_base.no_name")
    if len(clean) > LONGEST_NAME:
        raise BadRequest("knowledge_base.name_too_long", length=len(clean), most=LONGEST_NAME)
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in clean):
        raise BadRequest("knowledge_base.bad_name")
    return clean


def _checked_description(description: str) -> str:
    clean = description.strip()
    if len(clean) > LONGEST_DESCRIPTION:
        raise BadRequest("knowledge_base.description_too_long", length=len(clean), most=LONGEST_DESCRIPTION)
    return clean


def _taken(name: str) -> Conflict:
    return Conflict("knowledge_base.name_taken", name=name.strip())
