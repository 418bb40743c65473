"""The three stores as one: what is done to all of them, in the order that keeps them repairable."""

from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.model import Version
from knowledge.stores.graph import GraphStore
from knowledge.stores.lexical import LexicalIndex
from knowledge.stores.vector import VectorStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What each store holds of a collection."""

    vectors: frozenset[str]
    lexical: frozenset[str]
    graph: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Vectors, words and graph. Everything raises `StoreUnavailable`."""

    vectors: VectorStore
    lexical: LexicalIndex
    graph: GraphStore

    def delete(self, versions: Sequence[Version]) -> None:
        """Take versions out of every store; what is not there is no error."""
        self.vectors.delete(versions)
        self.lexical.delete(versions)
        self.graph.delete(versions)

    def drop(self, collection: str) -> None:
        """Forget a collection."""
        self.vectors.drop(collection)
        self.lexical.drop(collection)
        self.graph.drop(collection)

    def contents(self, collection: str) -> Contents:
        """Everything that is stored of a collection, for checks."""
        return Contents(
            vectors=frozenset(self.vectors.ids(collection)),
            lexical=frozenset(self.lexical.ids(collection)),
            graph=frozenset(self.graph.versions(collection)),
        )

    def close(self) -> None:
        self.vectors.close()
        self.lexical.close()
        self.graph.close()


def differences(stored: Contents, versions: Sequence[Version]) -> list[str]:
    """What the stores have too much or too little of, in words; empty when they hold exactly these versions."""
    ids = frozenset(chunk for version in versions for chunk in version.chunk_ids)
    keys = frozenset((version.document, version.version) for version in versions)
    found: list[str] = []
    for name, has, should in (
        ("vector", stored.vectors, ids),
        ("word", stored.lexical, ids),
        ("graph", stored.graph, keys),
    ):
        if missing := len(should - has):
            found.append(f"the {name} index lacks {missing} of {len(should)} entries")
        if surplus := len(has - should):
            found.append(f"the {name} index holds {surplus} entries of versions that are gone")
    return found
