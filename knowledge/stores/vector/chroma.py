"""Vectors in Chroma's persistent client.

One collection a knowledge base, because a filter inside one costs 20 times more.
"""

import contextlib
import errno
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from devops_chatbot.errors import ConfigError, StoreUnavailable
from devops_chatbot.i18n import Reason
from knowledge.model import Chunk, Match, Scope, Version
from knowledge.stores.errors import has_room, translated, unavailable

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

NAME = Reason("store.vectors")
BATCH = 5000
"""Chroma refuses more than 5,461 rows at once."""
PARALLEL = 4
PREFIX = "kb-"
EF_SEARCH = 100
"""Candidates that HNSW keeps while it searches: recall 0.99 of the nearest 100 (measured on clustered vectors)."""

ROOM_BYTES = 16 << 20
"""Nothing is added with less free space: Chroma writes a collection's index anew over the old one, and a disk that fills in the
middle of that leaves neither."""

_SEGMENT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

T = TypeVar("T")


class ChromaVectors:
    """A `VectorStore` below the folder `path`, opened on first use.

    Raises `ConfigError` for vectors of another length than those that are stored: the embedding model is another one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opening = threading.Lock()
        self._client: ClientAPI | None = None
        self._openings = 0
        self._collections: dict[str, Collection] = {}
        self._pool: ThreadPoolExecutor | None = None

    def add(self, collection: str, chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]]) -> None:
        import numpy as np

        if not chunks:
            return
        matrix = np.asarray(vectors, np.float32)
        ids = [chunk.id for chunk in chunks]
        if len(matrix) != len(ids):
            raise ValueError(f"{len(ids)} chunks with {len(matrix)} vectors")

        self._path.mkdir(parents=True, exist_ok=True)
        if not has_room(self._path, ROOM_BYTES):
            raise unavailable(NAME, self._path, OSError(errno.ENOSPC, "less than 16 MB are free"))

        def write(collection: "Collection") -> None:
            for start in range(0, len(ids), BATCH):
                collection.upsert(ids=ids[start : start + BATCH], embeddings=matrix[start : start + BATCH])

        self._with(collection, write, missing=None, create=True)

    def delete(self, versions: Sequence[Version]) -> None:
        for name in dict.fromkeys(version.collection for version in versions):
            ids = [chunk for version in versions if version.collection == name for chunk in version.chunk_ids]

            def remove(collection: "Collection", ids: list[str] = ids) -> None:
                for start in range(0, len(ids), BATCH):
                    collection.delete(ids=ids[start : start + BATCH])

            self._with(name, remove, missing=None)

    def vectors(self, collection: str, chunk_ids: Sequence[str]) -> dict[str, list[float]]:
        import numpy as np

        distinct = list(dict.fromkeys(chunk_ids))  # Chroma refuses an id that is asked for twice

        def read(collection: "Collection") -> dict[str, list[float]]:
            found: dict[str, list[float]] = {}
            for start in range(0, len(distinct), BATCH):
                rows = collection.get(ids=distinct[start : start + BATCH], include=["embeddings"])
                found.update(zip(rows["ids"], np.asarray(rows["embeddings"]).tolist(), strict=True))
            return found

        return self._with(collection, read, missing={}) if distinct else {}

    def search(self, vector: Sequence[float], *, scope: Scope, limit: int) -> list[Match]:
        if limit < 1:
            return []
        parts = self._each(lambda kb: self._search_one(kb, vector, limit), list(dict.fromkeys(scope.collections)))
        matches = [match for part in parts for match in part]
        return sorted(matches, key=lambda match: (-match.score, match.chunk_id))[:limit]

    def ids(self, collection: str) -> set[str]:
        return self._with(collection, lambda collection: set(collection.get(include=[])["ids"]), missing=set())

    def drop(self, collection: str) -> None:
        from chromadb.errors import NotFoundError

        with self._translated():
            client = self._opened()
            self._collections.pop(collection, None)
            with contextlib.suppress(NotFoundError):
                client.delete_collection(PREFIX + collection)
            self._free()

    def damaged(self) -> list[str]:
        broken = [
            folder.name for folder in self._path.glob("*") if _SEGMENT.fullmatch(folder.name) and _is_torn(folder)
        ]
        if not broken:
            return []
        with translated(NAME, self._path), self._records() as records:
            rows = records.execute(
                "SELECT s.id, c.name FROM segments s JOIN collections c ON s.collection = c.id ORDER BY c.name"
            )
            return [name.removeprefix(PREFIX) for segment, name in rows if segment in broken]

    def close(self) -> None:
        with self._opening:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None
        self._let_go()

    def _let_go(self) -> None:
        from chromadb.api.client import Client

        with self._opening:
            client, self._client = self._client, None
            self._collections.clear()
            if isinstance(client, Client):
                client.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Also opens the store anew after a fault: a connection that failed within a transaction keeps its lock, and
        the next call would wait for it for ever.
        """
        try:
            with translated(NAME, self._path):
                yield
        except StoreUnavailable:
            self._let_go()
            raise

    def _search_one(self, collection: str, vector: Sequence[float], limit: int) -> list[Match]:
        import numpy as np

        def query(collection: "Collection") -> list[Match]:
            rows = collection.query(
                query_embeddings=np.asarray([vector], np.float32), n_results=limit, include=["distances"]
            )
            distances = rows["distances"] or [[]]
            return [
                Match(chunk_id=key, score=1.0 - distance)
                for key, distance in zip(rows["ids"][0], distances[0], strict=True)
            ]

        return self._with(collection, query, missing=[])

    def _each(self, search: Callable[[str], T], collections: Sequence[str]) -> list[T]:
        if len(collections) < 2:
            return [search(collection) for collection in collections]
        with self._opening:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="vectors")
            pool = self._pool
        return list(pool.map(search, collections))

    def _with(self, collection: str, work: Callable[["Collection"], T], *, missing: T, create: bool = False) -> T:
        """What `work` makes of the collection; `missing` when there is none, also when it is dropped meanwhile."""
        from chromadb.errors import InvalidArgumentError, NotFoundError

        gone: Exception
        with self._translated():
            for _ in range(2):  # a collection that is remembered may have been dropped: look again once
                opening = self._openings
                try:
                    return work(self._collection(collection, create=create))
                except NotFoundError as error:
                    gone = error
                    self._collections.pop(collection, None)
                except (
                    AttributeError
                ) as error:  # Chroma's word for a client that was closed, after a fault in another thread
                    if opening == self._openings and self._client is not None:
                        raise
                    gone = error
                    self._collections.pop(collection, None)
                except InvalidArgumentError as error:
                    if "dimension" not in str(error):
                        raise
                    raise ConfigError("embedding.changed", error=error) from error
            if isinstance(gone, NotFoundError) and not create:
                return missing
            raise unavailable(NAME, self._path, gone)

    def _collection(self, collection: str, *, create: bool) -> "Collection":
        known = self._collections.get(collection)
        if known is not None:
            return known
        name = PREFIX + collection
        if create:
            opened = self._opened().get_or_create_collection(
                name, embedding_function=None, configuration={"hnsw": {"space": "cosine", "ef_search": EF_SEARCH}}
            )
        else:
            opened = self._opened().get_collection(name, embedding_function=None)
        self._collections[collection] = opened
        return opened

    def _opened(self) -> "ClientAPI":
        with self._opening:
            if self._client is None:
                from chromadb.api import ServerAPI
                from chromadb.api.client import Client
                from chromadb.config import Settings, System

                self._path.mkdir(parents=True, exist_ok=True)
                settings = Settings(
                    is_persistent=True,
                    persist_directory=str(self._path),
                    anonymized_telemetry=False,
                    allow_reset=False,
                )
                # chromadb.PersistentClient would remember a system that did not start, and go on with it next time
                system = System(settings)
                system.instance(ServerAPI)  # type: ignore[type-abstract]
                system.start()
                self._client = Client.from_system(system)
                self._openings += 1
            return self._client

    def _free(self) -> None:
        """Remove the folders of vectors that Chroma leaves behind when it deletes a collection."""
        with self._records() as records:
            living = {row[0] for row in records.execute("SELECT id FROM segments")}
        for folder in self._path.iterdir():
            if _SEGMENT.fullmatch(folder.name) and folder.name not in living:
                shutil.rmtree(folder)

    def _records(self) -> contextlib.closing[sqlite3.Connection]:
        """Chroma's own tables, to be read only."""
        return contextlib.closing(sqlite3.connect(f"file:{self._path / 'chroma.sqlite3'}?mode=ro", uri=True))


def _is_torn(folder: Path) -> bool:
    """True for an index whose files were cut off while Chroma wrote them: the pickle of its ids does not end in its last sign, or
    the vectors are not of one size each (`length.bin` has four bytes a vector).
    """
    try:
        with (folder / "index_metadata.pickle").open("rb") as pickle:
            pickle.seek(max(0, pickle.seek(0, 2) - 1))
            last = pickle.read()
        vectors, lengths = (folder / "data_level0.bin").stat().st_size, (folder / "length.bin").stat().st_size
    except FileNotFoundError:
        return False  # nothing was written yet
    return last != b"." or lengths % 4 != 0 or (vectors % (lengths // 4) if lengths else vectors) != 0
