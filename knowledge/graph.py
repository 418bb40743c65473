"""The words of the graph: nodes and edges, which labels and types there are, and what every document has of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from knowledge.model import Version

Property = str | int | float | bool
RESERVED = frozenset({"id", "collection", "degree", "version"})
"""Properties that the stores keep themselves."""


def node_id(label: str, key: str) -> str:
    """The id of a node that one version of a document owns; `key` is unique under its label."""
    return f"{label}:{key}"


def shared_id(label: str, collection: str, name: str) -> str:
    """The id of a node that documents share: one for a name, whatever its case, in a collection."""
    return f"{label}:{collection}|{name.lower()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node; what stands before the colon of its id is its label.

    `degree`, which the store gives, is how many edges touch it; 0 for a node that is not shared.
    """

    id: str
    properties: Mapping[str, Property] = field(default_factory=dict)
    degree: int = 0

    @property
    def label(self) -> str:
        return label_of(self.id)

    @property
    def key(self) -> str:
        return self.id.partition(":")[2]


def label_of(node: str) -> str:
    """The label in the id of a node."""
    return node.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """An edge between the nodes of two ids."""

    source: str
    target: str
    type: str
    properties: Mapping[str, Property] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgraph:
    """Nodes and edges that were found, each once."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentGraph:
    """What one version of a document adds to the graph; both ends of every edge are among the nodes."""

    version: Version
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def with_(self, nodes: Iterable[Node], edges: Iterable[Edge]) -> "DocumentGraph":
        """This graph with more in it."""
        known = {node.id: node for node in (*nodes, *self.nodes)}
        return DocumentGraph(version=self.version, nodes=tuple(known.values()), edges=(*self.edges, *edges))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLabel:
    """A label with the types of its properties. A `shared` node has a `name` and is found by it."""

    name: str
    properties: Mapping[str, type[Property]] = field(default_factory=dict, hash=False)
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeType:
    """A type of edges between two labels. One name may join several pairs of labels, with the same properties."""

    name: str
    source: str
    target: str
    properties: Mapping[str, type[Property]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSchema:
    """Every label and type that a store knows. Raises `ValueError` when they do not fit together."""

    labels: tuple[NodeLabel, ...]
    edges: tuple[EdgeType, ...]

    def __post_init__(self) -> None:
        names = [label.name for label in self.labels]
        words = [word for label in self.labels for word in (label.name, *label.properties)]
        words += [word for edge in self.edges for word in (edge.name, *edge.properties)]
        for word in words:
            if not (word.isidentifier() and word.isascii()) or word in RESERVED:
                raise ValueError(f"{word!r} cannot be a label, a type or a property of the graph")
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"the label {min(twice)} is registered twice")
        for label in self.labels:
            if label.shared and label.properties.get("name") is not str:
                raise ValueError(f"nodes of the shared label {label.name} need a name")
        for edge in self.edges:
            if missing := {edge.source, edge.target} - set(names):
                raise ValueError(f"{edge.name} joins {min(missing)}, which is no label")

    def with_(self, labels: Iterable[NodeLabel], edges: Iterable[EdgeType]) -> "GraphSchema":
        """This schema with more labels and types; those that it has already may be given again."""
        return GraphSchema(
            labels=(*self.labels, *(label for label in labels if label not in self.labels)),
            edges=(*self.edges, *(edge for edge in edges if edge not in self.edges)),
        )

    def check(self, graph: DocumentGraph) -> None:
        """Raises `ValueError` for what no store could keep."""
        labels = {label.name: label for label in self.labels}
        known = {node.id for node in graph.nodes}
        for node in graph.nodes:
            if node.label not in labels:
                raise ValueError(f"the label {node.label!r} is not registered")
            _check_properties(node.id, node.properties, labels[node.label].properties)
        for edge in graph.edges:
            if not {edge.source, edge.target} <= known:
                raise ValueError(f"an end of {edge.type} is no node of the document: {edge.source} to {edge.target}")
            _check_properties(edge.type, edge.properties, self.type_of(edge).properties)

    def type_of(self, edge: Edge) -> EdgeType:
        """Raises `ValueError` where there is none."""
        ends = (edge.type, label_of(edge.source), label_of(edge.target))
        for kind in self.edges:
            if (kind.name, kind.source, kind.target) == ends:
                return kind
        raise ValueError(f"no {ends[0]} from {ends[1]} to {ends[2]} is registered")

    def shared(self, label: str | None = None) -> Sequence[str]:
        """The shared labels, or that one if it is."""
        return [each.name for each in self.labels if each.shared and label in (None, each.name)]


def _check_properties(what: str, given: Mapping[str, Property], wanted: Mapping[str, type[Property]]) -> None:
    if {name: type(value) for name, value in given.items()} != dict(wanted):
        names = ", ".join(f"{name} ({kind.__name__})" for name, kind in wanted.items())
        raise ValueError(f"{what} has the properties {given!r}; expected {names or 'none'}")


DOCUMENT, SECTION, CHUNK, ENTITY, PLACE = "Document", "Section", "Chunk", "Entity", "Place"
HAS_SECTION, SUBSECTION, HAS_CHUNK, NEXT = "HAS_SECTION", "SUBSECTION", "HAS_CHUNK", "NEXT"
MENTIONS, AT, LINKS = "MENTIONS", "AT", "LINKS"

DOCUMENTS = GraphSchema(
    labels=(
        NodeLabel(name=DOCUMENT, properties={"document": str, "uri": str, "title": str}),
        NodeLabel(name=SECTION, properties={"heading": str, "level": int}),
        NodeLabel(name=CHUNK, properties={"ordinal": int}),
        NodeLabel(name=ENTITY, properties={"name": str, "kind": str}, shared=True),
        NodeLabel(name=PLACE, properties={"name": str}, shared=True),
    ),
    edges=(
        EdgeType(name=HAS_SECTION, source=DOCUMENT, target=SECTION),
        EdgeType(name=SUBSECTION, source=SECTION, target=SECTION),
        EdgeType(name=HAS_CHUNK, source=SECTION, target=CHUNK),
        EdgeType(name=NEXT, source=CHUNK, target=CHUNK),
        EdgeType(name=MENTIONS, source=CHUNK, target=ENTITY),
        EdgeType(name=AT, source=DOCUMENT, target=PLACE),
        EdgeType(name=LINKS, source=DOCUMENT, target=PLACE),
    ),
)
"""What every document brings: its sections, its chunks (`NEXT` leads to the next one of the same section), the things that they
name (of a `kind`: alert, metric, host …), the places at which links find it, and the places that it links to.
A place is a source URI, whether a document is there or not, so that a link to a document that comes later starts to hold then.
"""
