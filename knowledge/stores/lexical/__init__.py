"""Words of chunks, searched by BM25."""

from collections.abc import Sequence
from typing import Protocol

from knowledge.model import Chunk, Match, Scope, Version


class LexicalIndex(Protocol):
    """Words of chunks, ranked by BM25. Safe for concurrent readers beside one writer. Raises `StoreUnavailable`.

    Same rules as `VectorStore`. The analysis of text (camelCase, Chinese bigrams) is the index's own.
    """

    def add(self, collection: str, chunks: Sequence[Chunk]) -> None: ...

    def delete(self, versions: Sequence[Version]) -> None: ...

    def search(self, text: str, *, scope: Scope, limit: int) -> list[Match]: ...

    def rarity(self, text: str, *, scope: Scope) -> dict[str, float]:
        """The words of `text`, as the index takes them apart, with their inverse document frequency over the scope."""

    def having(self, word: str, *, scope: Scope, limit: int) -> list[str]:
        """At most `limit` ids of chunks that hold this very word, as `rarity` gives words, in any order."""

    def ids(self, collection: str) -> set[str]: ...

    def drop(self, collection: str) -> None: ...

    def close(self) -> None: ...
