"""The graph in LadybugDB, embedded: one database file for all collections, one process that writes.

A batch of documents is one transaction of a few statements over lists. An edge between two nodes takes two MATCH clauses,
not one with a comma: only then are both ends looked up by primary key (0.03 ms an edge against 15 ms). Reading starts at
one node by its key each time (0.03 ms): UNWIND over keys with a relation behind it scans whole tables, an end without a
label is looked for in all of them, and a LIMIT that is a parameter costs 0.25 ms.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from devops_chatbot.errors import BadRequest
from knowledge.graph import DocumentGraph, Edge, EdgeType, GraphSchema, Node, Property, Subgraph, label_of, shared_id
from knowledge.model import Scope, Version
from knowledge.stores.graph import LONGEST_PATH, NEIGHBOURS
from knowledge.stores.graph.ladybug_file import LadybugFile, rows_of

FILE = "graph-2.lbug"
"""Another name when what stands in the file changes, so that an older one is never taken for it."""
TYPES: dict[type[Property], str] = {str: "STRING", int: "INT64", float: "DOUBLE", bool: "BOOL"}
STORED = "StoredVersion"
"""The table of versions: the nodes that each owns, and how many edges it gave to which shared node."""


class LadybugGraph:
    """A `GraphStore` in the folder `path`, opened on first use; `buffer_mb` bounds its page cache."""

    def __init__(self, path: Path, schema: GraphSchema, *, buffer_mb: int = 256) -> None:
        self._path = path / FILE
        self._schema = schema
        self._labels = {label.name: label for label in schema.labels}
        self._columns = {
            name: ("id", "collection", *label.properties, *(("degree",) if label.shared else ()))
            for name, label in self._labels.items()
        }
        self._between_shared = {
            edge for edge in schema.edges if self._labels[edge.source].shared and self._labels[edge.target].shared
        }
        self._file = LadybugFile(self._path, tables=[*self._tables()], buffer_mb=buffer_mb)

    def replace(self, graphs: Sequence[DocumentGraph]) -> None:
        by_key = {graph.version.key: graph for graph in graphs}
        with self._file.transaction() as connection:
            for key in self._existing(connection, STORED, list(by_key)):
                del by_key[key]
            if not by_key:
                return
            nodes: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
            edges: dict[EdgeType, list[dict[str, Any]]] = defaultdict(list)
            degrees: Counter[str] = Counter()
            stored = []
            for key, graph in by_key.items():
                own_degrees: Counter[str] = Counter()
                for edge in {(edge.type, edge.source, edge.target): edge for edge in graph.edges}.values():
                    kind = self._schema.type_of(edge)
                    edges[kind].append(
                        {"source": edge.source, "target": edge.target, "version": key, **edge.properties}
                    )
                    own_degrees.update(end for end in (edge.source, edge.target) if self._labels[label_of(end)].shared)
                for node in graph.nodes:
                    row = {"id": node.id, "collection": graph.version.collection, **node.properties}
                    nodes[node.label].setdefault(node.id, row)
                owned = [node.id for node in graph.nodes if not self._labels[node.label].shared]
                stored.append(
                    {
                        "id": key,
                        "collection": graph.version.collection,
                        "document": graph.version.document,
                        "version": graph.version.version,
                        "owned": owned,
                        "shared": list(own_degrees),
                        "degrees": list(own_degrees.values()),
                    }
                )
                degrees += own_degrees
            self._create_nodes(connection, STORED, stored)
            for label, rows in nodes.items():
                if self._labels[label].shared:
                    for node_id in self._existing(connection, label, list(rows)):
                        del rows[node_id]
                    for row in rows.values():
                        row["degree"] = 0
                self._create_nodes(connection, label, list(rows.values()))
            for kind, pairs in edges.items():
                self._create_edges(connection, kind, pairs)
            self._add_degrees(connection, degrees)

    def delete(self, versions: Sequence[Version]) -> None:
        if not versions or not self._file.exists():
            return
        with self._file.transaction() as connection:
            found = rows_of(
                connection,
                f"UNWIND $ids AS i MATCH (v:{STORED} {{id: i}}) RETURN v.id, v.owned, v.shared, v.degrees",
                {"ids": [version.key for version in versions]},
            )
            keys = [row[0] for row in found]
            less = Counter[str]()
            for _, _, shared, degrees in found:
                less.update(dict(zip(shared, degrees, strict=True)))
            for label, ids in _by_label(node for row in found for node in row[1]).items():
                connection.execute(f"UNWIND $ids AS i MATCH (n:{label} {{id: i}}) DETACH DELETE n", {"ids": ids})
            shared_by_label = _by_label(less)
            for kind in self._schema.edges:  # the others went with the node that the version owned
                for start in shared_by_label.get(kind.source, ()) if kind in self._between_shared else ():
                    connection.execute(
                        f"MATCH (a:{kind.source} {{id: $id}})-[e:{kind.name}]->(:{kind.target}) "
                        f"WHERE e.version IN $versions DELETE e",
                        {"id": start, "versions": keys},
                    )
            self._add_degrees(connection, Counter({node: -times for node, times in less.items()}))
            for label, ids in shared_by_label.items():
                connection.execute(
                    f"UNWIND $ids AS i MATCH (n:{label} {{id: i}}) WHERE n.degree <= 0 DETACH DELETE n", {"ids": ids}
                )
            connection.execute(f"UNWIND $ids AS i MATCH (v:{STORED} {{id: i}}) DELETE v", {"ids": keys})

    def find(self, text: str, *, scope: Scope, label: str | None = None) -> list[Node]:
        wanted = [
            shared_id(name, collection, text)
            for name in self._schema.shared(label)
            for collection in dict.fromkeys(scope.collections)
        ]
        return self._nodes(wanted, scope)

    def neighbours(
        self, ids: Sequence[str], *, edges: Sequence[str], scope: Scope, depth: int = 1, limit: int = NEIGHBOURS
    ) -> Subgraph:
        nodes = {node.id: node for node in self._nodes(ids, scope)}
        found: dict[tuple[str, str, str], Edge] = {}
        frontier = list(nodes)
        for _ in range(depth):
            beyond: list[str] = []
            for start in frontier:
                for node, edge in self._around(start, edges, limit):
                    found.setdefault((edge.type, edge.source, edge.target), edge)
                    if node.id not in nodes:
                        nodes[node.id] = node
                        beyond.append(node.id)
            frontier = beyond
        return Subgraph(nodes=tuple(nodes.values()), edges=tuple(found.values()))

    def path(self, source: str, target: str, *, scope: Scope, longest: int = LONGEST_PATH) -> Subgraph:
        ends = {node.id: node for node in self._nodes((source, target), scope)}
        if len(ends) < len({source, target}) or source == target:
            return Subgraph(nodes=tuple(ends.values()) if source in ends and target in ends else ())
        rows = self._file.read(
            f"MATCH p = (a:{label_of(source)} {{id: $source}})-[* SHORTEST 1..{int(longest)}]-"
            f"(b:{label_of(target)} {{id: $target}}) RETURN nodes(p), rels(p) LIMIT 1",
            {"source": source, "target": target},
        )
        if not rows:
            return Subgraph()
        passed, steps = rows[0]
        names = {_internal(one["_ID"]): one["id"] for one in passed}
        properties = {kind.name: kind.properties for kind in reversed(self._schema.edges)}
        return Subgraph(
            nodes=tuple(self._node(one) for one in passed),
            edges=tuple(
                Edge(
                    source=names[_internal(step["_SRC"])],
                    target=names[_internal(step["_DST"])],
                    type=step["_LABEL"],
                    properties={name: step[name] for name in properties[step["_LABEL"]]},
                )
                for step in steps
            ),
        )

    def query(
        self, cypher: str, parameters: Mapping[str, object], *, scope: Scope, limit: int = 1000
    ) -> list[dict[str, object]]:
        if "$collections" not in cypher:
            raise BadRequest("graph.no_scope")
        return self._file.read_only(cypher, {**parameters, "collections": list(scope.collections)}, limit)

    def versions(self, collection: str) -> set[tuple[str, str]]:
        found = self._file.read(
            f"MATCH (v:{STORED}) WHERE v.collection = $c RETURN v.document, v.version", {"c": collection}
        )
        return {(document, version) for document, version in found}

    def outdated(self) -> bool:
        return not self._path.exists() and any(self._path.parent.glob("*.lbug"))

    def drop(self, collection: str) -> None:
        if not self._file.exists():
            return
        with self._file.transaction() as connection:
            for label in (*self._labels, STORED):
                connection.execute(f"MATCH (n:{label}) WHERE n.collection = $c DETACH DELETE n", {"c": collection})

    def close(self) -> None:
        self._file.close()

    def _nodes(self, ids: Iterable[str], scope: Scope) -> list[Node]:
        """Those of `ids` that exist in scope."""
        found: list[Node] = []
        for label, keys in _by_label(dict.fromkeys(ids)).items():
            if label in self._labels and scope.collections:
                columns = self._columns[label]
                rows = self._file.read(
                    f"UNWIND $ids AS i MATCH (n:{label} {{id: i}}) WHERE n.collection IN $collections "
                    f"RETURN {', '.join(f'n.{name}' for name in columns)}",
                    {"ids": keys, "collections": list(scope.collections)},
                )
                found += [self._node(dict(zip(columns, row, strict=True))) for row in rows]
        return found

    def _around(self, start: str, types: Sequence[str], limit: int) -> Iterator[tuple[Node, Edge]]:
        """What the edges of these types lead to from a node, with each edge."""
        label = label_of(start)
        for kind in self._schema.edges:
            if kind.name not in types:
                continue
            for here, arrow, there in (
                (kind.source, "-[e:{}]->", kind.target),
                (kind.target, "<-[e:{}]-", kind.source),
            ):
                if here != label:
                    continue
                columns = self._columns[there]
                given = ", ".join([*(f"n.{name}" for name in columns), *(f"e.{name}" for name in kind.properties)])
                for row in self._file.read(
                    f"MATCH (:{here} {{id: $id}}){arrow.format(kind.name)}(n:{there}) RETURN {given} LIMIT {int(limit)}",
                    {"id": start},
                ):
                    node = self._node(dict(zip(columns, row, strict=False)))
                    source, target = (start, node.id) if arrow.endswith(">") else (node.id, start)
                    properties = dict(zip(kind.properties, row[len(columns) :], strict=True))
                    yield node, Edge(source=source, target=target, type=kind.name, properties=properties)

    def _node(self, row: Mapping[str, Any]) -> Node:
        label = self._labels[label_of(row["id"])]
        properties = {name: row[name] for name in label.properties if row[name] is not None}
        return Node(id=row["id"], properties=properties, degree=row["degree"] if label.shared else 0)

    def _existing(self, connection: Any, label: str, ids: list[str]) -> list[str]:
        found = rows_of(connection, f"UNWIND $ids AS i MATCH (n:{label} {{id: i}}) RETURN n.id", {"ids": ids})
        return [row[0] for row in found]

    def _create_nodes(self, connection: Any, label: str, rows: list[dict[str, Any]]) -> None:
        if rows:
            properties = ", ".join(f"{name}: r.{name}" for name in rows[0])
            connection.execute(f"UNWIND $rows AS r CREATE (:{label} {{{properties}}})", {"rows": rows})

    def _create_edges(self, connection: Any, kind: EdgeType, rows: list[dict[str, Any]]) -> None:
        names = [*kind.properties, *(["version"] if kind in self._between_shared else [])]
        properties = f" {{{', '.join(f'{name}: r.{name}' for name in names)}}}" if names else ""
        connection.execute(
            f"UNWIND $rows AS r MATCH (a:{kind.source} {{id: r.source}}) MATCH (b:{kind.target} {{id: r.target}}) "
            f"CREATE (a)-[:{kind.name}{properties}]->(b)",
            {"rows": rows},
        )

    def _add_degrees(self, connection: Any, more: Counter[str]) -> None:
        for label, ids in _by_label(more).items():
            connection.execute(
                f"UNWIND $rows AS r MATCH (n:{label} {{id: r.id}}) SET n.degree = n.degree + r.more",
                {"rows": [{"id": node, "more": more[node]} for node in ids]},
            )

    def _tables(self) -> Iterator[str]:
        """What makes a new file, and adds to an older one what was registered since."""
        yield (
            f"CREATE NODE TABLE IF NOT EXISTS {STORED}(id STRING PRIMARY KEY, collection STRING, document STRING, "
            "version STRING, owned STRING[], shared STRING[], degrees INT64[])"
        )
        for label in self._schema.labels:
            degree = ", degree INT64" if label.shared else ""
            yield f"CREATE NODE TABLE IF NOT EXISTS {label.name}(id STRING PRIMARY KEY, collection STRING{degree})"
            for name, kind in label.properties.items():
                yield f"ALTER TABLE {label.name} ADD IF NOT EXISTS {name} {TYPES[kind]}"
        for edge in self._schema.edges:
            yield f"CREATE REL TABLE IF NOT EXISTS {edge.name}(FROM {edge.source} TO {edge.target})"
            yield f"ALTER TABLE {edge.name} ADD IF NOT EXISTS FROM {edge.source} TO {edge.target}"
            for name, kind in (
                *edge.properties.items(),
                *((("version", str),) if edge in self._between_shared else ()),
            ):
                yield f"ALTER TABLE {edge.name} ADD IF NOT EXISTS {name} {TYPES[kind]}"


def _by_label(ids: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in ids:
        found[label_of(one)].append(one)
    return found


def _internal(id: Mapping[str, int]) -> tuple[int, int]:  # noqa: A002
    return id["table"], id["offset"]
