"""Taking documents in: load → split → embed → every store → one activation in the catalog → the old version out."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from devops_chatbot.db.transactions import reading
from devops_chatbot.errors import BadRequest, NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.work import Progress
from knowledge.catalog import tables
from knowledge.catalog.blobs import Originals
from knowledge.catalog.catalog import Catalog
from knowledge.chunking.splitter import Splitter
from knowledge.ingest import discovery, run_items
from knowledge.ingest.document_builder import DocumentBuilder, Reader, TextEmbedder
from knowledge.ingest.index_writer import IndexWriter
from knowledge.ingest.pipeline import Pipeline
from knowledge.ingest.run_items import Item
from knowledge.model import Source, Version
from knowledge.registry import Registry
from knowledge.sources import SourceKind, graph_schema
from knowledge.sources.archives import ArchiveLimits
from knowledge.stores.indexes import Stores, differences

STEP = 512
"""Files of one step."""
REMOVE = 256
"""Documents removed in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """What the settings say about chunks and files."""

    chunk_tokens: int = 220
    overlap_tokens: int = 30
    max_file_mb: int = 64
    archives: ArchiveLimits = field(
        default_factory=lambda: ArchiveLimits(total_mb=1024, files=20_000, ratio=200, file_mb=64)
    )


class Ingest:
    """Changes what a knowledge base holds. Safe for concurrent use, as long as runs on one knowledge base come one
    after the other.

    Everything raises `StoreUnavailable`, and what embeds `ModelUnavailable`; the run may be repeated after that.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        stores: Stores,
        originals: Originals,
        reader: Reader,
        embedder_of: Callable[[str], TextEmbedder],
        kinds: Registry[SourceKind],
        options: IngestOptions | None = None,
    ) -> None:
        self._catalogue = catalog
        self._engine = catalog.engine
        self._stores = stores
        self._originals = originals
        self._reader = reader
        self._embedder_of = embedder_of
        self._kinds = kinds
        self._options = options or IngestOptions()
        self._writer = IndexWriter(self._engine, stores, originals)
        self._stepping: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def follow(
        self, knowledge_base: str, kind: str, location: str, options: Mapping[str, object] | None = None
    ) -> Source:
        """Have the knowledge base follow a source, of which a `sync` then learns. Raises `BadRequest` for a kind that there is
        not, `NotFound`.
        """
        base = self._catalogue.get(knowledge_base).id
        if kind not in self._kinds.found:
            raise BadRequest("source.unknown_kind", kind=kind, known=list(self._kinds.found))
        return self._catalogue.follow(base, kind, location, name=Path(location).name or "files", options=options)

    # --- a run's way: plan, then step until nothing is left, then finish

    def plan(self, run: str, knowledge_base: str, *, kind: str, argument: str) -> None:
        """List the files of a run: of an `upload` (`argument` is its path), of a source (`sync`; `argument` is its id), or
        originals to be read anew (`reindex`; `argument` is a JSON list of document ids; `reembed`: all of them, for the embedding
        model that `argument` names; their vectors are removed first, and until they are read anew they are found by their
        words alone). Raises `NotFound` when something named is gone.
        """
        base = self._catalogue.get(knowledge_base).id
        try:
            run_items.plan(self._engine, run, base, self._files(base, kind, argument))
        except IntegrityError:
            raise NotFound("knowledge_base.deleted") from None
        shapes = self._builder(base, self._embedder_of(base)).shapes
        run_items.settle_unchanged(self._engine, run, base, shapes)

    def step(self, run: str, knowledge_base: str, *, stop: Callable[[], bool] = lambda: False) -> bool:
        """Take in the next files of a run; False when none is left, or `stop()` became true, which ends it early.

        Raises `NotFound` when the knowledge base is gone.
        """
        items = run_items.todo(self._engine, run, STEP)
        if not items:
            return False
        embedder = self._embedder_of(knowledge_base)
        pipeline = Pipeline(
            writer=self._writer,
            vectors=self._stores.vectors,
            builder=self._builder(knowledge_base, embedder),
            embedder=embedder,
        )
        with self._stepping[knowledge_base]:
            self._writer.repair(knowledge_base)
            pipeline.run(run, knowledge_base, items, stop=stop)
        return len(items) == STEP and not stop()

    def finish(
        self, run: str, knowledge_base: str, *, kind: str, argument: str, stop: Callable[[], bool] = lambda: False
    ) -> None:
        """Remove the documents of a source that the run did not find. Raises `NotFound` when it found none at all: a folder
        that is empty all at once is more often one that is not mounted.
        """
        if kind != "sync":
            return
        if not run_items.progress(self._engine, run).total:
            if run_items.gone(self._engine, run, knowledge_base, argument, 1):
                raise NotFound("source.empty", location=self._catalogue.source(knowledge_base, argument).location)
            return
        while not stop() and (documents := run_items.gone(self._engine, run, knowledge_base, argument, REMOVE)):
            self._writer.remove(knowledge_base, documents, run=run)

    def deleted(self, knowledge_base: str) -> bool:
        """True when there is no such knowledge base any more."""
        return not self._catalogue.exists(knowledge_base)

    def abandon(self, run: str, knowledge_base: str, *, reason: Reason | None) -> None:
        """Leave a run where it is: files not read yet fail with `reason`, or are forgotten without one. What another run
        is writing into the knowledge base at the same time is left to it.
        """
        with self._stepping[knowledge_base]:
            self._writer.repair(knowledge_base)
        run_items.abandon(self._engine, run, knowledge_base, reason)

    def progress(self, run: str) -> Progress:
        """How far a run is."""
        return run_items.progress(self._engine, run)

    def forget(self, run: str) -> None:
        """Drop the list of a run's files."""
        run_items.forget(self._engine, run)

    # --- removal

    def remove_document(self, knowledge_base: str, document: str) -> None:
        """Remove one document from everywhere. Raises `NotFound`."""
        self._catalogue.document(knowledge_base, document)
        self._writer.remove(knowledge_base, [document])

    def remove_documents(self, knowledge_base: str, documents: Sequence[str]) -> int:
        """Remove documents from everywhere; gives how many there were. Unknown ids are no error."""
        parts = (documents[start : start + REMOVE] for start in range(0, len(documents), REMOVE))
        return sum(self._writer.remove(knowledge_base, part) for part in parts)

    def drop_knowledge_base(self, id_or_name: str) -> None:
        """Delete a knowledge base with everything in it. A run that is at work on it ends. Raises `NotFound`."""
        self._writer.drop(self._catalogue.get(id_or_name).id)

    def original(self, knowledge_base: str, document: str) -> Path:
        """Where the original file of a document lies. Raises `NotFound`."""
        self._catalogue.document(knowledge_base, document)
        row = tables.documents.c
        with reading(self._engine) as connection:
            content = connection.execute(select(row.content).where(row.id == document)).scalar()
        return self._originals.path(content or "")

    # --- repair

    def damaged(self) -> dict[str, list[str]]:
        """The documents, by knowledge base, whose vectors are lost with a damaged file, or whose graph is of an older release."""
        outdated = self._stores.graph.outdated()
        bases = [base.id for base in self._catalogue.list(hidden=True)] if outdated else self._stores.vectors.damaged()
        return {base: self._active(base) for base in bases}

    def repair(self) -> None:
        """Put right what a crash left behind; call it at the start, before any run begins. What `damaged` gives has no vectors
        after that, until it is read anew.
        """
        for base in self._stores.vectors.damaged():
            self._stores.vectors.drop(base)
        self._originals.sweep()
        self._writer.repair()

    def check(self, knowledge_base: str) -> list[str]:
        """What the stores have too much or too little of; empty when all is well and no run is at work."""
        row = tables.documents.c
        statement = select(row.id, row.version, row.chunks).where(row.knowledge_base == knowledge_base)
        with reading(self._engine) as connection:
            active = [
                Version(collection=knowledge_base, document=found.id, version=found.version, chunks=found.chunks)
                for found in connection.execute(statement.where(row.version != ""))
            ]
        return differences(self._stores.contents(knowledge_base), active)

    def _files(self, knowledge_base: str, kind: str, argument: str) -> Iterable[Item]:
        match kind:
            case "upload":
                return discovery.files_of_upload(Path(argument), self._options.archives)
            case "sync":
                source = self._catalogue.source(knowledge_base, argument)
                return discovery.files_of_source(source, self._kinds.get(source.kind))
            case "reindex":
                return discovery.files_again(self._engine, self._originals, knowledge_base, json.loads(argument))
            case "reembed":
                self._stores.vectors.drop(knowledge_base)
                self._catalogue.set_embedding(knowledge_base, argument)
                return discovery.files_again(
                    self._engine, self._originals, knowledge_base, self._active(knowledge_base)
                )
            case _:
                raise BadRequest("work.unknown_kind", kind=kind)

    def _active(self, knowledge_base: str) -> list[str]:
        """The documents of a knowledge base that can be found."""
        row = tables.documents.c
        with reading(self._engine) as connection:
            found = connection.execute(select(row.id).where(row.knowledge_base == knowledge_base, row.version != ""))
            return list(found.scalars())

    def _builder(self, knowledge_base: str, embedder: TextEmbedder) -> DocumentBuilder:
        splitter = Splitter(
            chunk_tokens=self._options.chunk_tokens,
            overlap_tokens=self._options.overlap_tokens,
            count=embedder.count,
        )
        return DocumentBuilder(
            self._engine,
            knowledge_base,
            reader=self._reader,
            splitter=splitter,
            embedder=embedder,
            max_file_mb=self._options.max_file_mb,
            sources={
                source.id: (source, self._kinds.found[source.kind])
                for source in self._catalogue.sources(knowledge_base)
                if source.kind in self._kinds.found
            },
            schema=graph_schema(self._kinds.found.values()),
        )
