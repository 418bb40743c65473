"""Nodes and edges that documents bring, with the schema that their sources have registered."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from knowledge.graph import DocumentGraph, Node, Subgraph
from knowledge.model import Scope, Version

NEIGHBOURS = 200
"""Edges of one node that are followed, unless told otherwise."""
LONGEST_PATH = 6
"""Edges of a path, at most, unless told otherwise."""


class GraphStore(Protocol):
    """The graph of the documents in every collection. Concurrent readers beside one writer. Raises `StoreUnavailable`.

    **Schema.** The store is opened with a `GraphSchema`: labels with typed properties, and types of edges between two
    labels; `knowledge.graph.DOCUMENTS` says which every document has, a source kind may register more. Each node
    has its label, the property `id` (see `node_id` and `shared_id`), the property `collection`, and its own. A node of a
    label that is not shared belongs to one version of a document. A shared node is one for its name in a collection; the
    first version that brings it gives its properties, and it goes with the last edge that touches it. No edge leaves a
    collection.

    No ranking here: which neighbour counts how much is the retriever's to say.
    """

    def replace(self, graphs: Sequence[DocumentGraph]) -> None:
        """Write these versions in one transaction. The same version, which has the same content, is left as it is; another
        version of the same document stays beside it until it is deleted.
        """

    def delete(self, versions: Sequence[Version]) -> None:
        """Take versions out in one transaction, with every edge that they brought. What is not there is no error."""

    def find(self, text: str, *, scope: Scope, label: str | None = None) -> list[Node]:
        """The shared nodes of this name, whatever its case; of one label or of all."""

    def neighbours(
        self, ids: Sequence[str], *, edges: Sequence[str], scope: Scope, depth: int = 1, limit: int = NEIGHBOURS
    ) -> Subgraph:
        """The nodes of `ids` that are in scope and what is at most `depth` edges of these types away, in either direction.

        Of each node at most `limit` edges are followed a type, whichever they are; a shared node's `degree` tells
        whether there are more.
        """

    def path(self, source: str, target: str, *, scope: Scope, longest: int = LONGEST_PATH) -> Subgraph:
        """A shortest path between two nodes over edges of any type and direction, in its order; empty when there is none."""

    def query(
        self, cypher: str, parameters: Mapping[str, object], *, scope: Scope, limit: int = 1000
    ) -> list[dict[str, object]]:
        """Rows of a read-only statement, at most `limit`. `$collections` holds the scope's; what the statement looks at is
        in its own hands, so it is for statements of ours. Raises `BadRequest` for one that writes, does not parse or does not
        use `$collections`.
        """

    def versions(self, collection: str) -> set[tuple[str, str]]:
        """Every (document, version) stored (for checks and repair)."""

    def outdated(self) -> bool:
        """Whether what an older release wrote cannot be used, so that every document is to be read anew. Cheap."""

    def drop(self, collection: str) -> None:
        """Forget a collection."""

    def close(self) -> None: ...
