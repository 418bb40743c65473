"""Changes the stores and the catalog together, by the protocol of `knowledge.catalog.versions`."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, select

from devops_chatbot.db.transactions import reading, writing
from devops_chatbot.errors import NotFound
from devops_chatbot.i18n import Reason
from knowledge.catalog import tables, versions
from knowledge.catalog.blobs import Originals
from knowledge.catalog.versions import Activation
from knowledge.ingest import run_items
from knowledge.ingest.document_builder import BuiltDocument
from knowledge.ingest.run_items import Result
from knowledge.model import Chunk, document_id
from knowledge.stores.indexes import Stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Chunks of one document with their vectors; the `first` one begins it, the `last` one completes it."""

    built: BuiltDocument
    chunks: Sequence[Chunk]
    vectors: Sequence[Sequence[float]]
    first: bool
    last: bool


class IndexWriter:
    """Lets one thread at a time change what the stores hold. Raises `StoreUnavailable`; what it had begun then is put
    right by `repair`.
    """

    def __init__(self, engine: Engine, stores: Stores, originals: Originals) -> None:
        self._engine = engine
        self._stores = stores
        self._originals = originals
        self._lock = threading.RLock()

    def write(self, run: str, knowledge_base: str, pieces: Sequence[Piece], results: Sequence[Result]) -> None:
        """Bring pieces into the stores, make the documents that are complete the active versions, and write down
        what became of every file. Raises `NotFound` when the knowledge base is gone; then nothing is written.
        """
        begun = [piece.built.version for piece in pieces if piece.first]
        complete = [piece.built for piece in pieces if piece.last]
        with self._lock:
            known = tables.knowledge_bases.c.id
            with reading(self._engine) as connection:
                if connection.execute(select(known).where(known == knowledge_base)).first() is None:
                    raise NotFound("knowledge_base.deleted")
            if begun:
                versions.begin(self._engine, begun)
            if pieces:
                chunks = [chunk for piece in pieces for chunk in piece.chunks]
                self._stores.vectors.add(knowledge_base, chunks, [v for piece in pieces for v in piece.vectors])
                self._stores.lexical.add(knowledge_base, chunks)
            if complete:
                self._stores.graph.replace([built.graph for built in complete])
            originals = (*(built.data for built in complete), *(result.data for result in results))
            self._originals.put(filter(None, originals))
            with writing(self._engine) as connection:
                emptied = [document_id(knowledge_base, result.item.source_uri) for result in results if result.emptied]
                gone = versions.empty(connection, emptied)
                activation = versions.activate(connection, [built.version for built in complete])
                outcomes = [_outcome(built, activation) for built in complete]
                run_items.settle(connection, run, knowledge_base, [*outcomes, *results])
            self._clean_up(activation)
            self._clean_up(gone)

    def remove(self, knowledge_base: str, documents: Sequence[str], *, run: str | None = None) -> int:
        """Remove documents from everywhere; gives how many there were."""
        with self._lock:
            with writing(self._engine) as connection:
                activation = versions.delete_documents(connection, knowledge_base, documents)
                if run is not None:
                    run_items.count_removed(connection, run, list(activation.active))
            self._clean_up(activation)
        return len(activation.active)

    def drop(self, knowledge_base: str) -> None:
        """Remove a knowledge base from everywhere."""
        with self._lock:
            contents = versions.delete_knowledge_base(self._engine, knowledge_base)
            self._stores.drop(knowledge_base)
            self._discard(contents)
            versions.forget_dropped(self._engine, knowledge_base)

    def repair(self, knowledge_base: str | None = None) -> None:
        """Put right what was begun and not finished, everywhere or in one knowledge base. No run may be at work
        there.
        """
        with self._lock:
            left = versions.leftovers(self._engine, knowledge_base)
            for base in left.dropped:
                self._stores.drop(base)
            stale = (*left.pending, *left.retired)
            if stale or left.dropped:
                self._stores.delete(stale)
                self._discard(self._originals.kept())
                versions.forget(self._engine, stale)
                for base in left.dropped:
                    versions.forget_dropped(self._engine, base)

    def _clean_up(self, activation: Activation) -> None:
        """What is noted as left over goes first, its note last: so `repair` knows whether anything may be left."""
        self._stores.delete(activation.leftover)
        self._discard(activation.contents)
        if activation.leftover:
            versions.forget(self._engine, activation.leftover)

    def _discard(self, contents: Iterable[str]) -> None:
        found = list(contents)
        if found:
            self._originals.discard(versions.unused(self._engine, found))


def _outcome(built: BuiltDocument, activation: Activation) -> Result:
    first = activation.active.get(built.version.document)
    if first is None:
        return Result(item=built.item, outcome="failed", reason=Reason("document.deleted"))
    return Result(item=built.item, outcome="added" if first else "changed")
