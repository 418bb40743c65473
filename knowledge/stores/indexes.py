"""The three stores as one: what is done to all of them, in the order that keeps them repairable."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knowledge.catalog.versions import Version
from knowledge.model import GraphStore, LexicalIndex, VectorStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What each store holds of a knowledge base."""

    vectors: frozenset[str]
    words: frozenset[str]
    graph: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Vectors, words and graph. Everything raises `StoreUnavailable`."""

    vectors: VectorStore
    words: LexicalIndex
    graph: GraphStore

    def remove(self, versions: Iterable[Version]) -> None:
        """Take versions out of every store; what is not there is no error."""
        by_base: dict[str, list[Version]] = defaultdict(list)
        for version in versions:
            by_base[version.knowledge_base].append(version)
        for base, found in by_base.items():
            ids = [chunk for version in found for chunk in version.chunk_ids]
            if ids:
                self.vectors.remove(base, ids)
                self.words.remove(base, ids)
            self.graph.remove(base, [(version.document, version.version) for version in found])

    def drop(self, knowledge_base: str) -> None:
        """Forget a knowledge base."""
        self.vectors.drop(knowledge_base)
        self.words.drop(knowledge_base)
        self.graph.drop(knowledge_base)

    def contents(self, knowledge_base: str) -> Contents:
        """Everything that is stored of a knowledge base, for checks."""
        return Contents(
            vectors=frozenset(self.vectors.ids(knowledge_base)),
            words=frozenset(self.words.ids(knowledge_base)),
            graph=frozenset(self.graph.versions(knowledge_base)),
        )

    def close(self) -> None:
        self.vectors.close()
        self.words.close()
        self.graph.close()


def differences(stored: Contents, versions: Sequence[Version]) -> list[str]:
    """What the stores have too much or too little of, in words; empty when they hold exactly these versions."""
    ids = frozenset(chunk for version in versions for chunk in version.chunk_ids)
    keys = frozenset((version.document, version.version) for version in versions)
    found: list[str] = []
    for name, has, should in (
        ("vector", stored.vectors, ids),
        ("word", stored.words, ids),
        ("graph", stored.graph, keys),
    ):
        if missing := len(should - has):
            found.append(f"the {name} index lacks {missing} of {len(should)} entries")
        if surplus := len(has - should):
            found.append(f"the {name} index holds {surplus} entries of versions that are gone")
    return found
