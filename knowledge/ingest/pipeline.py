"""One step of an ingest: three threads share the work, so that the embedding model never waits.

One prepares files, the calling thread embeds, one writes. Chunks travel in pieces, so that a huge document needs no
more memory than many small ones.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from knowledge.ingest.bounded_queue import BoundedQueue, Closed
from knowledge.ingest.document_builder import BuiltDocument, DocumentBuilder, TextEmbedder
from knowledge.ingest.index_writer import IndexWriter, Piece
from knowledge.ingest.run_items import Item, Result
from knowledge.model import Chunk
from knowledge.stores.vector import VectorStore

PIECE = 256
"""Chunks given to the embedding model at once: enough to sort them by length, little enough to show progress."""
WRITE = 1024
"""Chunks written at once, at most."""
LINGER_S = 1.0
"""How long a write waits to become larger; each costs a commit in every store."""
PREPARED_BYTES = 64 * 1024 * 1024
"""Bytes of files and texts that wait to be embedded, beyond one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """Chunks `start` to `end` of a built document."""

    built: BuiltDocument
    start: int
    end: int

    @property
    def chunks(self) -> Sequence[Chunk]:
        return self.built.version.chunks[self.start : self.end]


class Pipeline:
    """Takes files of one knowledge base in."""

    def __init__(
        self, *, writer: IndexWriter, vectors: VectorStore, builder: DocumentBuilder, embedder: TextEmbedder
    ) -> None:
        self._writer = writer
        self._vectors = vectors
        self._builder = builder
        self._embedder = embedder

    def run(self, run: str, knowledge_base: str, items: Sequence[Item], *, stop: Callable[[], bool]) -> None:
        """Every item is settled on return, except when `stop()` became true: then a document may be left half written,
        for `IndexWriter.repair`. Raises what any of the threads raised.
        """
        ready: BoundedQueue[BuiltDocument | Result] = BoundedQueue(PREPARED_BYTES)
        embedded: BoundedQueue[Piece | Result] = BoundedQueue(WRITE)
        failures: list[BaseException] = []

        def guarded(work: Callable[[], None]) -> None:
            try:
                work()
            except Closed:
                pass  # the thread that closed the channel says why
            except BaseException as error:  # noqa: BLE001 it is raised again in the calling thread
                failures.append(error)
                ready.close()
                embedded.close()

        def prepare() -> None:
            for item in items:
                if stop():
                    break
                built = self._builder.build(item, stop=stop)
                if stop():
                    break
                ready.put(built, built.weight if isinstance(built, BuiltDocument) else 1)
            ready.finish()

        def embed() -> None:
            for batch in _batches(ready):
                if stop():
                    ready.close()
                    break
                for piece in self._embedded(knowledge_base, batch):
                    embedded.put(piece, len(piece.chunks) if isinstance(piece, Piece) else 1)
            embedded.finish()

        def write() -> None:
            while batch := embedded.take(WRITE, linger_s=LINGER_S):
                pieces = [piece for piece in batch if isinstance(piece, Piece)]
                self._writer.write(run, knowledge_base, pieces, [each for each in batch if isinstance(each, Result)])

        threads = [
            threading.Thread(target=guarded, args=(work,), name=f"ingest-{name}", daemon=True)
            for name, work in (("prepare", prepare), ("write", write))
        ]
        for thread in threads:
            thread.start()
        guarded(embed)
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _embedded(self, knowledge_base: str, batch: Sequence[_Slice | Result]) -> Iterator[Piece | Result]:
        """The batch with vectors: taken over from the stored version where the words are the same."""
        slices = [each for each in batch if isinstance(each, _Slice)]
        stored = self._vectors.vectors(
            knowledge_base,
            [
                each.built.reuse[number]
                for each in slices
                for number in range(each.start, each.end)
                if number in each.built.reuse
            ],
        )
        known = {
            chunk.id: stored[old]
            for each in slices
            for number, chunk in enumerate(each.chunks, each.start)
            if (old := each.built.reuse.get(number)) in stored
        }
        new = [chunk for each in slices for chunk in each.chunks if chunk.id not in known]
        if new:
            vectors = self._embedder.embed_documents([chunk.embeddable for chunk in new])
            known.update(zip((chunk.id for chunk in new), vectors, strict=True))
        for each in batch:
            if isinstance(each, Result):
                yield each
            else:
                yield Piece(
                    built=each.built,
                    chunks=each.chunks,
                    vectors=[known[chunk.id] for chunk in each.chunks],
                    first=each.start == 0,
                    last=each.end == len(each.built.version.chunks),
                )


def _batches(ready: BoundedQueue[BuiltDocument | Result]) -> Iterator[list[_Slice | Result]]:
    """Full pieces as long as there is enough; what is there when the next file takes long to prepare."""
    batch: list[_Slice | Result] = []
    size = 0
    while taken := ready.take(1):
        for thing in taken:
            if isinstance(thing, Result):
                batch.append(thing)
                size += 1
                continue
            start, count = 0, len(thing.version.chunks)
            while start < count:
                end = min(count, start + PIECE - size)
                batch.append(_Slice(built=thing, start=start, end=end))
                size += end - start
                start = end
                if size >= PIECE:
                    yield batch
                    batch, size = [], 0
        if batch and (size >= PIECE or ready.empty()):
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
