"""Vectors in Chroma's persistent client.

One collection a knowledge base, because a filter inside one costs 20 times more.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from devops_chatbot.errors import StoreUnavailable
from knowledge.model import Chunk, Match, Scope

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

BATCH = 5000
"""Chroma refuses more than 5,461 rows at once."""
PARALLEL = 4
PREFIX = "kb-"

T = TypeVar("T")


class ChromaVectors:
    """A `VectorStore` below the folder `path`, opened on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opening = threading.Lock()
        self._client: ClientAPI | None = None
        self._collections: dict[str, Collection] = {}
        self._pool: ThreadPoolExecutor | None = None

    def add(self, knowledge_base: str, chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]]) -> None:
        if not chunks:
            return
        with self._translated():
            collection = self._collection(knowledge_base, create=True)
            assert collection is not None  # noqa: S101 `create` makes it
            for start in range(0, len(chunks), BATCH):
                rows = slice(start, start + BATCH)
                collection.upsert(ids=[chunk.id for chunk in chunks[rows]], embeddings=list(vectors[rows]))

    def remove(self, knowledge_base: str, chunk_ids: Sequence[str]) -> None:
        with self._translated():
            collection = self._collection(knowledge_base)
            if collection is None:
                return
            for start in range(0, len(chunk_ids), BATCH):
                collection.delete(ids=list(chunk_ids[start : start + BATCH]))

    def vectors(self, knowledge_base: str, chunk_ids: Sequence[str]) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        with self._translated():
            collection = self._collection(knowledge_base)
            if collection is None or not chunk_ids:
                return found
            for start in range(0, len(chunk_ids), BATCH):
                rows = collection.get(ids=list(chunk_ids[start : start + BATCH]), include=["embeddings"])
                stored = rows["embeddings"]
                if stored is not None:
                    found |= {key: [float(v) for v in row] for key, row in zip(rows["ids"], stored, strict=True)}
        return found

    def search(self, vector: Sequence[float], *, scope: Scope, limit: int) -> list[Match]:
        if limit < 1:
            return []
        with self._translated():
            found = self._each(lambda kb: self._search_one(kb, vector, limit), scope.knowledge_bases)
        matches = [match for part in found for match in part]
        return sorted(matches, key=lambda match: (-match.score, match.chunk_id))[:limit]

    def ids(self, knowledge_base: str) -> set[str]:
        with self._translated():
            collection = self._collection(knowledge_base)
            return set() if collection is None else set(collection.get(include=[])["ids"])

    def drop(self, knowledge_base: str) -> None:
        from chromadb.errors import NotFoundError

        with self._translated():
            self._collections.pop(knowledge_base, None)
            try:
                self._opened().delete_collection(PREFIX + knowledge_base)
            except NotFoundError:
                return

    def close(self) -> None:
        with self._opening:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None
            if self._client is not None:
                from chromadb.api.client import Client

                if isinstance(self._client, Client):
                    self._client.close()
                self._client = None
            self._collections.clear()

    def _search_one(self, knowledge_base: str, vector: Sequence[float], limit: int) -> list[Match]:
        import numpy as np

        collection = self._collection(knowledge_base)
        if collection is None:
            return []
        rows = collection.query(
            query_embeddings=np.asarray([vector], np.float32), n_results=limit, include=["distances"]
        )
        distances = rows["distances"]
        if not distances:
            return []
        return [
            Match(chunk_id=key, score=1.0 - distance)
            for key, distance in zip(rows["ids"][0], distances[0], strict=True)
        ]

    def _each(self, search: Callable[[str], T], knowledge_bases: Sequence[str]) -> list[T]:
        if len(knowledge_bases) < 2:
            return [search(knowledge_base) for knowledge_base in knowledge_bases]
        with self._opening:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="vectors")
        return list(self._pool.map(search, knowledge_bases))

    def _collection(self, knowledge_base: str, *, create: bool = False) -> "Collection | None":
        from chromadb.errors import NotFoundError

        known = self._collections.get(knowledge_base)
        if known is not None:
            return known
        name = PREFIX + knowledge_base
        try:
            if create:
                opened = self._opened().get_or_create_collection(
                    name, embedding_function=None, configuration={"hnsw": {"space": "cosine", "ef_search": 100}}
                )
            else:
                opened = self._opened().get_collection(name, embedding_function=None)
        except NotFoundError:
            return None
        self._collections[knowledge_base] = opened
        return opened

    def _opened(self) -> "ClientAPI":
        with self._opening:
            if self._client is None:
                import chromadb
                from chromadb.config import Settings

                self._path.mkdir(parents=True, exist_ok=True)
                self._client = chromadb.PersistentClient(
                    path=str(self._path), settings=Settings(anonymized_telemetry=False, allow_reset=False)
                )
            return self._client

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            raise StoreUnavailable(f"the vector store in {self._path} failed: {error}") from error
        except Exception as error:
            if type(error).__module__.startswith(("chromadb", "pyo3")):
                raise StoreUnavailable(
                    f"the vector store in {self._path} failed: {error}. Check the free disk space and that no "
                    "other program uses this folder."
                ) from error
            raise
