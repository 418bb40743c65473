"""Chunks as passages with their text and context, and a citation opened in its surroundings."""

import json
import re
from collections.abc import Sequence

from sqlalchemy import Engine, Row, Select, func, select

from devops_chatbot.chat import Location
from devops_chatbot.db.transactions import reading
from devops_chatbot.errors import NotFound
from knowledge.catalog import tables
from knowledge.catalog.tables import BLOCK
from knowledge.model import ChunkInContext, OpenedChunk, document_of
from knowledge.text.markdown import path_at, places_of

WINDOW = 2000
"""Characters shown on each side of a chunk that has no section of a readable size."""
LONGEST_SECTION = 8000


def chunks_by_ref(engine: Engine, refs: Sequence[str]) -> dict[str, ChunkInContext]:
    """Those refs that are chunks of an active version, in one query."""
    if not refs:
        return {}
    chunk, block = tables.chunks.c, tables.texts.c
    least, greatest = ("min", "max") if engine.dialect.name == "sqlite" else ("least", "greatest")
    first = getattr(func, least)(chunk.section_start, chunk.char_start)
    last = getattr(func, greatest)(chunk.section_end, chunk.char_end)
    statement = (
        _chunk_rows()
        .add_columns(block.block, block.text)
        .join(tables.texts, (block.document == chunk.document) & block.block.between(first // BLOCK, last // BLOCK))
        .where(chunk.id.in_(refs))
        .order_by(block.block)
    )
    found: dict[str, tuple[Row[tuple[object, ...]], int, list[str]]] = {}
    with reading(engine) as connection:
        for row in connection.execute(statement):
            _, _, parts = found.setdefault(row.id, (row, row.block * BLOCK, []))
            parts.append(row.text)
    return {ref: _chunk(row, "".join(parts), offset) for ref, (row, offset, parts) in found.items()}


def chunks_of(engine: Engine, document: str) -> list[ChunkInContext]:
    """Every chunk of a document's active version, in reading order."""
    chunk = tables.chunks.c
    with reading(engine) as connection:
        rows = connection.execute(_chunk_rows().where(chunk.document == document).order_by(chunk.ordinal)).all()
    text = read_text(engine, document, 0, None)
    return [_chunk(row, text, 0) for row in rows]


def short_document(engine: Engine, document: str, longest: int) -> list[ChunkInContext]:
    """See `Catalog.short_document`."""
    chunk = tables.chunks.c
    with reading(engine) as connection:
        length = connection.execute(select(func.max(chunk.char_end)).where(chunk.document == document)).scalar()
    return chunks_of(engine, document) if length is not None and length <= longest else []


def read_text(engine: Engine, document: str, start: int, end: int | None) -> str:
    """`text[start:end]` of a document's active version; `start` is not negative."""
    block = tables.texts.c
    first = start // BLOCK
    statement = select(block.text).where(block.document == document, block.block >= first)
    if end is not None:
        statement = statement.where(block.block <= end // BLOCK)
    with reading(engine) as connection:
        text = "".join(connection.execute(statement.order_by(block.block)).scalars())
    return text[start - first * BLOCK : None if end is None else end - first * BLOCK]


def open_chunk(engine: Engine, ref: str, quote: str, heading_path: tuple[str, ...] = ()) -> OpenedChunk:
    """See `Catalog.open_chunk`."""
    cited = chunks_by_ref(engine, [ref]).get(ref)
    if cited is not None:
        start, end = _cited_words(cited, quote, heading_path)
        beside = not cited.start <= start < cited.end
        holder = (_chunk_at(engine, cited.document, start) if beside else None) or cited
        return _opened(engine, holder, start, end, changed=False)
    document = document_of(ref)
    text = read_text(engine, document, 0, None)
    start, end = _below(text, quote, heading_path) or find_quote(text, quote) or (0, 0)
    nearest = _chunk_at(engine, document, start)
    if nearest is None:
        raise NotFound("document.cited_deleted")
    return _opened(engine, nearest, start, end, changed=True)


def find_quote(text: str, quote: str) -> tuple[int, int] | None:
    """Where `quote` stands in `text`: as it is, else with any white space between its words, else its longest line."""
    words = quote.split()
    if not words:
        return None
    whole = _whole_quote(text, quote)
    if whole:
        return whole
    lines = [line.strip() for line in quote.splitlines() if line.strip()]
    return find_quote(text, max(lines, key=len)) if len(lines) > 1 else None


def _whole_quote(text: str, quote: str) -> tuple[int, int] | None:
    start = text.find(quote)
    if start >= 0:
        return start, start + len(quote)
    found = re.search(r"\s+".join(map(re.escape, quote.split())), text, re.IGNORECASE)
    return found.span() if found else None


def _below(text: str, quote: str, heading_path: tuple[str, ...], above: tuple[str, ...] = ()) -> tuple[int, int] | None:
    """Where the quote stands below these headings, as far as the text tells."""
    for start in places_of(text, quote) if heading_path else ():
        if path_at(text, start, above)[-1:] == heading_path[-1:]:
            return start, start + len(quote)
    return None


def _cited_words(cited: ChunkInContext, quote: str, heading_path: tuple[str, ...]) -> tuple[int, int]:
    """Where the quote stands in the document: in the chunk, else in the section around it (the writer has read both), below
    the headings that it was cited with where it stands there, else the chunk itself.
    """
    for text, offset in ((cited.text, cited.start), (cited.context, cited.context_start)):
        if found := _below(text, quote, heading_path, cited.heading_path):
            return offset + found[0], offset + found[1]
    places = ((cited.text, cited.start), (cited.context, cited.context_start))
    for find in (_whole_quote, find_quote):
        for text, offset in places if quote.split() else ():
            found = find(text, quote)
            if found:
                return offset + found[0], offset + found[1]
    return cited.start, cited.end


def _opened(engine: Engine, chunk: ChunkInContext, start: int, end: int, *, changed: bool) -> OpenedChunk:
    """The surroundings of `[start, end)`, which stands in `chunk`: its section when that is of a readable size and
    holds all of it, else a window cut at line ends.
    """
    first, text = chunk.context_start, chunk.context
    if len(text) > LONGEST_SECTION or start < first or end > first + len(text):
        first, text = _window(engine, chunk.document, start, end)
    return OpenedChunk(
        document=chunk.document,
        title=chunk.title,
        source_uri=chunk.source_uri,
        heading_path=chunk.heading_path,
        location=chunk.location,
        text=text,
        start=start - first,
        end=end - first,
        changed=changed,
    )


def _window(engine: Engine, document: str, start: int, end: int) -> tuple[int, str]:
    """The text around `[start, end)` and the offset where it begins."""
    low = max(0, start - WINDOW)
    text = read_text(engine, document, low, end + WINDOW)
    first = text.find("\n", 0, start - low) + 1 if low else 0
    behind = text.rfind("\n", end - low)
    complete = len(text) < end + WINDOW - low  # the document ends before the window does
    return low + first, text[first : len(text) if complete or behind < 0 else behind]


def _chunk_at(engine: Engine, document: str, offset: int) -> ChunkInContext | None:
    """The last chunk that begins at or before `offset`, else the first one."""
    chunk = tables.chunks.c
    of_document = select(chunk.id).where(chunk.document == document)
    before = of_document.where(chunk.char_start <= offset).order_by(chunk.ordinal.desc()).limit(1)
    with reading(engine) as connection:
        ref = connection.execute(before).scalar() or connection.execute(of_document.order_by(chunk.ordinal)).scalar()
    return chunks_by_ref(engine, [ref]).get(ref) if ref else None


def _chunk_rows() -> Select[tuple[object, ...]]:
    chunk, document = tables.chunks.c, tables.documents.c
    return select(
        chunk.id,
        chunk.document,
        chunk.char_start,
        chunk.char_end,
        chunk.section_start,
        chunk.section_end,
        chunk.heading_path,
        chunk.line_start,
        chunk.line_end,
        chunk.page,
        document.knowledge_base,
        document.source_uri,
        document.title,
    ).join_from(tables.chunks, tables.documents, chunk.document == document.id)


def _chunk(row: Row[tuple[object, ...]], text: str, offset: int) -> ChunkInContext:
    """From a row of `_chunk_rows` and a part of the document's text that begins at `offset` and covers the section."""
    start, end = row.char_start - offset, row.char_end - offset
    first, last = min(row.section_start - offset, start), max(row.section_end - offset, end)
    return ChunkInContext(
        ref=row.id,
        document=row.document,
        collection=row.knowledge_base,
        source_uri=row.source_uri,
        title=row.title,
        heading_path=tuple(json.loads(row.heading_path)),
        text=text[start:end],
        context=text[first:last],
        location=Location(line_start=row.line_start, line_end=row.line_end, page=row.page),
        start=row.char_start,
        end=row.char_end,
        context_start=offset + first,
    )
