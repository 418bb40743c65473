"""Vectors of chunks, searched by nearness."""

from collections.abc import Sequence
from typing import Protocol

from knowledge.model import Chunk, Match, Scope, Version


class VectorStore(Protocol):
    """Vectors of chunks. Safe for concurrent readers beside one writer. Raises `StoreUnavailable`.

    A second `add` of the same chunk id overwrites. Deleting what is not there is no error. A collection that nothing was
    added to has no matches. Vectors have unit length; `score` is the cosine.
    """

    def add(self, collection: str, chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]]) -> None:
        """Write chunks; durable on return. A large document comes in several calls."""

    def delete(self, versions: Sequence[Version]) -> None:
        """Delete every chunk of these versions; durable on return."""

    def vectors(self, collection: str, chunk_ids: Sequence[str]) -> dict[str, list[float]]:
        """The stored vectors of those ids that exist; an id may be given more than once."""

    def search(self, vector: Sequence[float], *, scope: Scope, limit: int) -> list[Match]:
        """Nearest chunks, best first, over all collections of the scope."""

    def ids(self, collection: str) -> set[str]:
        """Every chunk id stored (for checks and repair)."""

    def drop(self, collection: str) -> None:
        """Forget a collection and free its files."""

    def damaged(self) -> list[str]:
        """Collections whose files a crash or a full disk cut off, so that nothing but `drop` works on them. Cheap."""

    def close(self) -> None: ...
