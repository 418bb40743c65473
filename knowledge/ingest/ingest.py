"""Taking documents in: load → split → embed → every store → one activation in the catalog → the old version out."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
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
from knowledge.ingest import discovery, job_items
from knowledge.ingest.document_builder import DocumentBuilder, Reader, TextEmbedder
from knowledge.ingest.index_writer import IndexWriter
from knowledge.ingest.job_items import Item
from knowledge.ingest.pipeline import Pipeline
from knowledge.model import Version
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
    """Changes what a knowledge base holds. Safe for concurrent use, as long as jobs on one knowledge base come one
    after the other.

    Everything raises `StoreUnavailable`, and what embeds `ModelUnavailable`; the job may be run again after that.
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

    # --- a job's way: plan, then step until nothing is left, then finish

    def plan(self, job: str, knowledge_base: str, *, kind: str, argument: str) -> None:
        """List the files of a job: of an `upload` (`argument` is its path), of a source (`folder`; `argument` is its location,
        a folder unless it is followed already), or originals to be read anew (`reindex`; `argument` is a JSON list of document
        ids). Raises `NotFound` when something named is gone.
        """
        base = self._catalogue.get(knowledge_base).id
        try:
            job_items.plan(self._engine, job, base, self._files(base, kind, argument))
        except IntegrityError:
            raise NotFound("knowledge_base.deleted") from None
        shapes = self._builder(base, self._embedder_of(base)).shapes
        job_items.settle_unchanged(self._engine, job, base, shapes)

    def step(self, job: str, knowledge_base: str, *, stop: Callable[[], bool] = lambda: False) -> bool:
        """Take in the next files of a job; False when none is left, or `stop()` became true, which ends it early.

        Raises `NotFound` when the knowledge base is gone.
        """
        items = job_items.todo(self._engine, job, STEP)
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
            pipeline.run(job, knowledge_base, items, stop=stop)
        return len(items) == STEP and not stop()

    def finish(
        self, job: str, knowledge_base: str, *, kind: str, argument: str, stop: Callable[[], bool] = lambda: False
    ) -> None:
        """Remove the documents of a folder whose file the job did not find. Raises `NotFound` when it found none at all:
        a folder that is empty all at once is more often one that is not mounted.
        """
        if kind == "folder" and not job_items.progress(self._engine, job).total:
            if job_items.gone(self._engine, job, knowledge_base, argument, 1):
                raise NotFound("folder.empty", folder=argument)
            return
        while kind == "folder" and not stop():
            documents = job_items.gone(self._engine, job, knowledge_base, argument, REMOVE)
            if not documents:
                return
            self._writer.remove(knowledge_base, documents, job=job)

    def deleted(self, knowledge_base: str) -> bool:
        """True when there is no such knowledge base any more."""
        return not self._catalogue.exists(knowledge_base)

    def abandon(self, job: str, knowledge_base: str, *, reason: Reason | None) -> None:
        """Leave a job where it is: files not read yet fail with `reason`, or are forgotten without one. What another job
        is writing into the knowledge base at the same time is left to it.
        """
        with self._stepping[knowledge_base]:
            self._writer.repair(knowledge_base)
        job_items.abandon(self._engine, job, knowledge_base, reason)

    def progress(self, job: str) -> Progress:
        """How far a job is."""
        return job_items.progress(self._engine, job)

    def forget(self, job: str) -> None:
        """Drop the list of a job's files."""
        job_items.forget(self._engine, job)

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
        """Delete a knowledge base with everything in it. A job that runs on it ends. Raises `NotFound`."""
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
        row = tables.documents.c
        outdated = self._stores.graph.outdated()
        bases = [base.id for base in self._catalogue.list(hidden=True)] if outdated else self._stores.vectors.damaged()
        with reading(self._engine) as connection:
            return {
                base: list(
                    connection.execute(select(row.id).where(row.knowledge_base == base, row.version != "")).scalars()
                )
                for base in bases
            }

    def repair(self) -> None:
        """Put right what a crash left behind; call it at the start, before any job runs. What `damaged` gives has no vectors
        after that, until it is read anew.
        """
        for base in self._stores.vectors.damaged():
            self._stores.vectors.drop(base)
        self._originals.sweep()
        self._writer.repair()

    def check(self, knowledge_base: str) -> list[str]:
        """What the stores have too much or too little of; empty when all is well and no job is running."""
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
            case "folder":
                source = self._catalogue.follow(knowledge_base, argument, name=Path(argument).name or "files")
                return discovery.files_of_source(source, self._kinds.get(source.kind))
            case "reindex":
                return discovery.files_again(self._engine, self._originals, knowledge_base, json.loads(argument))
            case _:
                raise BadRequest("work.unknown_kind", kind=kind)

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
                source.location: (source, self._kinds.found[source.kind])
                for source in self._catalogue.sources(knowledge_base)
                if source.kind in self._kinds.found
            },
            schema=graph_schema(self._kinds.found.values()),
        )
