"""The backends of the three stores by name, and the chosen ones opened."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from knowledge.graph import GraphSchema
from knowledge.registry import Registry, registry
from knowledge.stores.graph import GraphStore
from knowledge.stores.indexes import Stores
from knowledge.stores.lexical import LexicalIndex
from knowledge.stores.vector import VectorStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """What opens each store by its name; nothing is read or made before the first use."""

    vectors: Registry[Callable[[Path], VectorStore]]
    lexical: Registry[Callable[[Path], LexicalIndex]]
    graph: Registry[Callable[[Path, GraphSchema], GraphStore]]

    def open(
        self, folder: Callable[[str], Path], *, vectors: str, lexical: str, graph: str, schema: GraphSchema
    ) -> Stores:
        """The stores of these names, each with a folder of its own. Raises `ConfigError`."""
        return Stores(
            vectors=self.vectors.get(vectors)(folder("vectors")),
            lexical=self.lexical.get(lexical)(folder("words")),
            graph=self.graph.get(graph)(folder("graph"), schema),
        )


def backends() -> Backends:
    """Every backend that is installed."""
    return Backends(
        vectors=registry("vector store", {"chroma": "knowledge.stores.vector.chroma:ChromaVectors"}),
        lexical=registry("lexical store", {"tantivy": "knowledge.stores.lexical.tantivy:TantivyWords"}),
        graph=registry("graph store", {"ladybug": "knowledge.stores.graph.ladybug:LadybugGraph"}),
    )
