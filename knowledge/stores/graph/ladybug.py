"""The graph in LadybugDB, embedded: one database file for all knowledge bases, one process that writes.

A batch of documents is one transaction of a few statements over lists. An edge between two nodes takes two MATCH clauses,
not one with a comma: only then are both ends looked up by primary key (0.03 ms an edge against 15 ms).
"""

import ctypes
import errno
import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devops_chatbot.errors import BadRequest
from devops_chatbot.i18n import Reason
from knowledge.model import DocumentGraph, Match, Scope, chunk_id
from knowledge.stores.errors import has_room, unavailable
from knowledge.stores.graph import rows

NAME = Reason("store.graph")
SCHEMA = (
    "CREATE NODE TABLE IF NOT EXISTS Document(key STRING PRIMARY KEY, kb STRING, document STRING, version STRING, uri STRING, "
    "title STRING)",
    "CREATE NODE TABLE IF NOT EXISTS Section(key STRING PRIMARY KEY, heading STRING, level INT64)",
    "CREATE NODE TABLE IF NOT EXISTS Chunk(id STRING PRIMARY KEY, kb STRING, ordinal INT64)",
    "CREATE NODE TABLE IF NOT EXISTS Entity(key STRING PRIMARY KEY, kb STRING, kind STRING, name STRING, mentions INT64)",
    "CREATE NODE TABLE IF NOT EXISTS Place(key STRING PRIMARY KEY, kb STRING, uri STRING)",
    "CREATE REL TABLE IF NOT EXISTS HAS_SECTION(FROM Document TO Section)",
    "CREATE REL TABLE IF NOT EXISTS SUBSECTION(FROM Section TO Section)",
    "CREATE REL TABLE IF NOT EXISTS HAS_CHUNK(FROM Section TO Chunk)",
    "CREATE REL TABLE IF NOT EXISTS MENTIONS(FROM Chunk TO Entity)",
    "CREATE REL TABLE IF NOT EXISTS AT(FROM Document TO Place)",
    "CREATE REL TABLE IF NOT EXISTS LINKS(FROM Document TO Place)",
)
ENDS = {
    "HAS_SECTION": ("Document", "key", "Section", "key"),
    "SUBSECTION": ("Section", "key", "Section", "key"),
    "HAS_CHUNK": ("Section", "key", "Chunk", "id"),
    "MENTIONS": ("Chunk", "id", "Entity", "key"),
    "AT": ("Document", "key", "Place", "key"),
    "LINKS": ("Document", "key", "Place", "key"),
}
"""For each relation: the label and the primary key of its two ends."""
CHECKPOINT_BYTES = 64 * 1024 * 1024
"""The write-ahead log is folded into the file when it is this long; doing it each 16 MB doubles the cost of a batch."""
COMMON = 40
"""An entity that more chunks mention says nothing about nearness."""
RAREST = 8
"""Entities that two chunks may share to count as near, the rarest first."""
FOUND = 200
"""Of a name that more chunks mention, only so many chunks are given, whichever they are."""
# Reading starts at one node by its key each time (0.03 ms); UNWIND over keys with a relation behind it scans whole tables,
# and a LIMIT that is a parameter costs 0.25 ms.
FIND = "MATCH (e:Entity {key: $key})<-[:MENTIONS]-(c:Chunk) RETURN e.mentions, c.id LIMIT "
NAMED = "MATCH (a:Chunk {id: $key})-[:MENTIONS]->(e:Entity) RETURN e.key, e.mentions"
VISIBLE = "UNWIND $keys AS k MATCH (a:Chunk {id: k}) WHERE a.kb IN $kbs RETURN a.id"
BESIDE = """
    MATCH (a:Chunk {id: $key})<-[:HAS_CHUNK]-(:Section)-[:HAS_CHUNK]->(c:Chunk)
    WHERE c.ordinal = a.ordinal + 1 OR c.ordinal + 1 = a.ordinal RETURN c.id
"""
LINKED = """
    MATCH (:Chunk {id: $key})<-[:HAS_CHUNK]-(:Section)<-[:HAS_SECTION]-(:Document)-[:LINKS]->(:Place)<-[:AT]-(d:Document)
    RETURN DISTINCT d.document, d.version LIMIT 50
"""
OWN_CHUNKS = "MATCH (:Document {key: $key})-[:HAS_SECTION]->(:Section)-[:HAS_CHUNK]->(c:Chunk) RETURN c.id"
OWN_SECTIONS = "MATCH (:Document {key: $key})-[:HAS_SECTION]->(s:Section) RETURN s.key"
OWN_PLACES = "MATCH (:Document {key: $key})-[:LINKS|:AT]->(p:Place) RETURN p.key"
QUERY_TIMEOUT_MS = 10_000
REOPENING_BYTES = 16 * 1024 * 1024
"""After a full disk the file is opened anew, and written to, only with so much room."""
_WRITES = ("read-only", "read only", "write")

_log = logging.getLogger(__name__)


class LadybugGraph:
    """A `GraphStore` in the folder `path`, opened on first use; `buffer_mb` bounds its page cache."""

    def __init__(self, path: Path, *, buffer_mb: int = 256) -> None:
        self._path = path / "graph.lbug"
        self._buffer = buffer_mb
        self._opening = threading.Lock()
        self._writing = threading.Lock()
        self._database: Any = None
        self._ready = False
        self._torn = False
        self._local = threading.local()

    def add(self, graphs: Sequence[DocumentGraph]) -> None:
        with self._transaction() as connection:
            known = {row[0] for row in self._rows(
                connection,
                "UNWIND $keys AS k MATCH (d:Document {key: k}) RETURN d.key",
                {"keys": [rows.version_key(graph.document, graph.version) for graph in graphs]},
            )}  # fmt: skip
            fresh = {
                key: graph for graph in graphs if (key := rows.version_key(graph.document, graph.version)) not in known
            }
            if not fresh:
                return
            tables = rows.tables(list(fresh.values()))
            for label in ("Entity", "Place"):
                keys = list(tables[label]["key"])
                there = {row[0] for row in self._rows(
                    connection, f"UNWIND $keys AS k MATCH (n:{label} {{key: k}}) RETURN n.key", {"keys": keys}
                )}  # fmt: skip
                keep = [index for index, key in enumerate(keys) if key not in there]
                tables[label] = {name: [column[i] for i in keep] for name, column in tables[label].items()}
            for label, columns in tables.items():
                self._create(connection, label, columns)
            self._count_mentions(connection, Counter(tables["MENTIONS"]["target"]))

    def remove(self, knowledge_base: str, versions: Sequence[tuple[str, str]]) -> None:  # noqa: ARG002 a version has one
        if not versions:
            return
        with self._transaction() as connection:
            self._remove(connection, [rows.version_key(document, version) for document, version in versions])

    def find_chunks(self, names: Sequence[str], *, scope: Scope, limit: int) -> list[Match]:
        keys = [rows.entity_key(kb, name) for kb in scope.knowledge_bases for name in names]
        if not keys or limit < 1:
            return []
        scores: dict[str, float] = defaultdict(float)
        for key in dict.fromkeys(keys):
            for mentions, chunk in self._read(FIND + str(FOUND), {"key": key}):
                scores[chunk] += 1.0 / mentions
        return _best(scores, limit)

    def neighbours(self, chunk_ids: Sequence[str], *, scope: Scope, limit: int) -> list[Match]:
        if not chunk_ids or not scope.knowledge_bases or limit < 1:
            return []
        # whatever is near a chunk is of its own knowledge base, so it is enough to look at the scope once
        visible = self._read(VISIBLE, {"keys": list(dict.fromkeys(chunk_ids)), "kbs": list(scope.knowledge_bases)})
        seeds = [chunk for (chunk,) in visible]
        named = {key: mentions for one in seeds for key, mentions in self._read(NAMED, {"key": one})}
        rare = sorted((mentions, key) for key, mentions in named.items() if 1 < mentions <= COMMON)[:RAREST]
        scores: dict[str, float] = defaultdict(float)
        for mentions, key in rare:
            for _, chunk in self._read(FIND + str(COMMON), {"key": key}):
                scores[chunk] += 1.0 / mentions
        for chunk in {chunk for one in seeds for (chunk,) in self._read(BESIDE, {"key": one})}:
            scores[chunk] += 0.5
        a_document = {one.rpartition("-")[0]: one for one in seeds}.values()
        linked = {(document, version) for one in a_document for document, version in self._read(LINKED, {"key": one})}
        for document, version in linked:
            scores[chunk_id(document, version, 0)] += 0.25
        given = set(chunk_ids)
        return _best({chunk: score for chunk, score in scores.items() if chunk not in given}, limit)

    def query(self, cypher: str, parameters: dict[str, object], *, limit: int = 1000) -> list[dict[str, object]]:
        with self._translated():
            connection = self._connection()
            connection.execute("BEGIN TRANSACTION READ ONLY")
            try:
                found = connection.execute(cypher, parameters)
                if isinstance(found, list):
                    raise BadRequest("graph.several_statements")
                names = found.get_column_names()
                return [dict(zip(names, row, strict=True)) for row in found.get_n(limit)]
            except RuntimeError as error:
                said = str(error)
                if "transaction" in said.lower() and any(word in said.lower() for word in _WRITES):
                    raise BadRequest("graph.writes") from error
                raise BadRequest("graph.bad_statement", error=said) from error
            finally:
                connection.execute("ROLLBACK")

    def versions(self, knowledge_base: str) -> set[tuple[str, str]]:
        found = self._read("MATCH (d:Document) WHERE d.kb = $kb RETURN d.document, d.version", {"kb": knowledge_base})
        return {(document, version) for document, version in found}

    def drop(self, knowledge_base: str) -> None:
        with self._transaction() as connection:
            found = self._rows(connection, "MATCH (d:Document) WHERE d.kb = $kb RETURN d.key", {"kb": knowledge_base})
            self._remove(connection, [key for (key,) in found])
            for label in ("Entity", "Place", "Chunk"):
                connection.execute(f"MATCH (n:{label}) WHERE n.kb = $kb DETACH DELETE n", {"kb": knowledge_base})

    def close(self) -> None:
        with self._opening:
            if self._database is not None and not self._torn:
                self._database.close()
            self._forget()

    def _forget(self) -> None:
        self._database = None
        self._torn = False
        self._ready = False
        self._local = threading.local()

    def _remove(self, connection: Any, keys: list[str]) -> None:
        """Delete versions, and the entities and places that nothing refers to any more."""
        by_keys: dict[str, object] = {"keys": keys}
        chunks, sections, places = (
            list(dict.fromkeys(own for key in keys for (own,) in self._rows(connection, statement, {"key": key})))
            for statement in (OWN_CHUNKS, OWN_SECTIONS, OWN_PLACES)
        )
        entities = Counter(key for one in chunks for key, _ in self._rows(connection, NAMED, {"key": one}))
        if chunks:
            connection.execute("UNWIND $ids AS i MATCH (c:Chunk {id: i}) DETACH DELETE c", {"ids": chunks})
        if sections:
            connection.execute("UNWIND $keys AS k MATCH (s:Section {key: k}) DETACH DELETE s", {"keys": sections})
        connection.execute("UNWIND $keys AS k MATCH (d:Document {key: k}) DETACH DELETE d", by_keys)
        if entities:
            self._count_mentions(connection, Counter({key: -times for key, times in entities.items()}))
            connection.execute(
                "UNWIND $keys AS k MATCH (e:Entity {key: k}) WHERE e.mentions <= 0 DELETE e", {"keys": list(entities)}
            )
        if places:
            connection.execute(
                "UNWIND $keys AS k MATCH (p:Place {key: k}) "
                "WHERE NOT EXISTS { MATCH (p)<-[:LINKS]-(:Document) } AND NOT EXISTS { MATCH (p)<-[:AT]-(:Document) } DELETE p",
                {"keys": places},
            )

    def _count_mentions(self, connection: Any, more: Counter[str]) -> None:
        """Keep with each entity how many chunks mention it, so that common ones are never walked through."""
        changes = [{"key": key, "more": times} for key, times in more.items()]
        if changes:
            connection.execute(
                "UNWIND $rows AS r MATCH (e:Entity {key: r.key}) SET e.mentions = e.mentions + r.more",
                {"rows": changes},
            )

    def _create(self, connection: Any, label: str, columns: dict[str, list[Any]]) -> None:
        created = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        if not created:
            return
        if label in ENDS:
            source, source_key, target, target_key = ENDS[label]
            statement = (
                f"UNWIND $rows AS r MATCH (a:{source} {{{source_key}: r.source}}) MATCH (b:{target} {{{target_key}: r.target}}) "
                f"CREATE (a)-[:{label}]->(b)"
            )
        else:
            properties = ", ".join(f"{name}: r.{name}" for name in columns)
            statement = f"UNWIND $rows AS r CREATE (:{label} {{{properties}}})"
        connection.execute(statement, {"rows": created})

    def _rows(self, connection: Any, cypher: str, parameters: dict[str, object]) -> list[list[Any]]:
        return list(connection.execute(cypher, parameters).get_all())

    def _read(self, cypher: str, parameters: dict[str, object]) -> list[list[Any]]:
        if self._database is None and not self._path.exists():
            return []
        with self._translated():
            return self._rows(self._connection(), cypher, parameters)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._writing, self._translated():
            with self._opening:
                if self._torn and not has_room(self._path.parent, REOPENING_BYTES):
                    raise OSError(errno.ENOSPC, "it could not be written to, and there is still too little room")
                if self._torn:
                    self._forget()
            connection = self._connection()
            connection.execute("BEGIN TRANSACTION")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _connection(self) -> Any:
        """This thread's own connection."""
        with self._opening:
            import ladybug

            if self._database is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._database = self._opened()
            if not self._ready:
                opened = ladybug.Connection(self._database)
                for statement in SCHEMA:
                    opened.execute(statement)
                self._local = threading.local()
                self._ready = True
            if getattr(self._local, "connection", None) is None:
                self._local.connection = ladybug.Connection(self._database, num_threads=1)
                self._local.connection.set_query_timeout(QUERY_TIMEOUT_MS)
            return self._local.connection

    def _opened(self) -> Any:
        import ladybug

        def database(*, whole: bool) -> Any:
            return ladybug.Database(
                self._path,
                buffer_pool_size=self._buffer * 1024 * 1024,
                checkpoint_threshold=CHECKPOINT_BYTES,
                throw_on_wal_replay_failure=whole,
            )

        try:
            return database(whole=True)
        except RuntimeError as error:
            if "WAL file is corrupted" not in str(error):
                raise
            _log.warning(
                "The log of %s breaks off, as when a disk was full: what was written whole is kept.", self._path
            )
            return database(whole=False)

    def _keep_open(self) -> None:
        """Never close a database whose log could not be written; its file, opened anew, has all that was committed before.

        Closing it on a full disk aborts the process, closing it later would write into the file that the next one uses, and
        the next COMMIT in it would never return.
        """
        with self._opening:
            if self._database is not None and not self._torn:
                self._torn = True
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._database))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, OSError) as error:
            if "Cannot write to file" in str(error):
                self._keep_open()
            raise unavailable(NAME, self._path, error) from error


def _best(scores: Mapping[str, float], limit: int) -> list[Match]:
    ordered = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    return [Match(chunk_id=chunk, score=score) for chunk, score in ordered[:limit]]
