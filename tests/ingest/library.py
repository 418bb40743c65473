"""A whole knowledge layer in a folder, for tests: real catalog and pipeline, on stores in memory or the real ones."""

import hashlib
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from patience import wait_until

from devops_chatbot.db.blobs import FolderBlobs
from devops_chatbot.db.engine import open_database
from devops_chatbot.db.reserve import Reserve
from devops_chatbot.errors import StoreUnavailable
from devops_chatbot.learning import Learning
from devops_chatbot.runs import Runs
from devops_chatbot.work import Run
from knowledge import loaders
from knowledge.catalog.blobs import Originals
from knowledge.catalog.catalog import Catalog, Document
from knowledge.graph import DocumentGraph, Node, Subgraph
from knowledge.ingest.document_builder import SETTLED_NS
from knowledge.ingest.ingest import Ingest, IngestOptions
from knowledge.model import Chunk, Match, ParsedDocument, Scope, Version
from knowledge.sources import graph_schema, source_kinds
from knowledge.stores.indexes import Stores


class InProcess:
    """Reads files in this process; what the bounded child process does is tested beside it."""

    def load(self, data: bytes, name: str) -> ParsedDocument:
        return loaders.load(data, name)


class Hashed:
    """An embedding model of eight numbers that follow from the text; counts what it was asked for."""

    shape = "hashed/8"
    english = False

    def __init__(self) -> None:
        self.texts = 0
        self.pause_s = 0.0
        self.before: Callable[[], None] = lambda: None

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.before()
        time.sleep(self.pause_s)
        self.texts += len(texts)
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        raw = [byte + 1.0 for byte in hashlib.sha256(text.encode()).digest()[:8]]
        length = math.sqrt(sum(each * each for each in raw))
        return [each / length for each in raw]


@dataclass
class _Breaking:
    """A store that stops working after so many writes, as on a full disk."""

    writes_left: int | None = None

    def _write(self) -> None:
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise StoreUnavailable("disk.full")
            self.writes_left -= 1


@dataclass
class MemoryVectors(_Breaking):
    stored: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, collection: str, chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]]) -> None:
        self._write()
        assert len(chunks) == len(vectors)
        self.stored[collection].update({c.id: list(v) for c, v in zip(chunks, vectors, strict=True)})

    def delete(self, versions: Sequence[Version]) -> None:
        self._write()
        for version in versions:
            for each in version.chunk_ids:
                self.stored[version.collection].pop(each, None)

    def vectors(self, collection: str, chunk_ids: Sequence[str]) -> dict[str, list[float]]:
        known = self.stored[collection]
        return {each: known[each] for each in chunk_ids if each in known}

    def search(self, vector: Sequence[float], *, scope: Scope, limit: int) -> list[Match]:
        return []

    def ids(self, collection: str) -> set[str]:
        return set(self.stored[collection])

    def drop(self, collection: str) -> None:
        self.stored.pop(collection, None)

    def damaged(self) -> list[str]:
        return []

    def close(self) -> None: ...


@dataclass
class MemoryWords(_Breaking):
    stored: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, collection: str, chunks: Sequence[Chunk]) -> None:
        self._write()
        self.stored[collection].update({chunk.id: chunk.searchable for chunk in chunks})

    def delete(self, versions: Sequence[Version]) -> None:
        self._write()
        for version in versions:
            for each in version.chunk_ids:
                self.stored[version.collection].pop(each, None)

    def search(self, text: str, *, scope: Scope, limit: int) -> list[Match]:
        return [
            Match(chunk_id=ref, score=1.0)
            for base in scope.collections
            for ref, words in list(self.stored[base].items())
            if text in words
        ][:limit]

    def having(self, word: str, *, scope: Scope, limit: int) -> list[str]:
        return [match.chunk_id for match in self.search(word, scope=scope, limit=limit)]

    def ids(self, collection: str) -> set[str]:
        return set(self.stored[collection])

    def drop(self, collection: str) -> None:
        self.stored.pop(collection, None)

    def close(self) -> None: ...


@dataclass
class MemoryGraph(_Breaking):
    stored: dict[tuple[str, str, str], DocumentGraph] = field(default_factory=dict)

    def replace(self, graphs: Sequence[DocumentGraph]) -> None:
        self._write()
        self.stored.update({_key(each.version): each for each in graphs})

    def delete(self, versions: Sequence[Version]) -> None:
        self._write()
        for version in versions:
            self.stored.pop(_key(version), None)

    def find(self, text: str, *, scope: Scope, label: str | None = None) -> list[Node]:
        return []

    def neighbours(
        self, ids: Sequence[str], *, edges: Sequence[str], scope: Scope, depth: int = 1, limit: int = 200
    ) -> Subgraph:
        return Subgraph()

    def path(self, source: str, target: str, *, scope: Scope, longest: int = 6) -> Subgraph:
        return Subgraph()

    def query(
        self, cypher: str, parameters: Mapping[str, object], *, scope: Scope, limit: int = 1000
    ) -> list[dict[str, object]]:
        return []

    def versions(self, collection: str) -> set[tuple[str, str]]:
        return {(document, version) for base, document, version in self.stored if base == collection}

    def outdated(self) -> bool:
        return False

    def drop(self, collection: str) -> None:
        for key in [key for key in self.stored if key[0] == collection]:
            del self.stored[key]

    def close(self) -> None: ...


def _key(version: Version) -> tuple[str, str, str]:
    return version.collection, version.document, version.version


class Library:
    """Catalog, ingest and stores below a folder, and the few calls that tests make again and again."""

    def __init__(self, folder: Path, *, real: bool = False, options: IngestOptions | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.engine = open_database(folder / "records.db")
        self.catalog = Catalog(self.engine)
        self.stores = (
            _real(folder) if real else Stores(vectors=MemoryVectors(), lexical=MemoryWords(), graph=MemoryGraph())
        )
        self.originals = Originals(FolderBlobs(folder / "files"))
        self.embedder = Hashed()
        self.ingest = Ingest(
            catalog=self.catalog,
            stores=self.stores,
            originals=self.originals,
            reader=InProcess(),
            embedder_of=lambda _: self.embedder,
            kinds=source_kinds(),
            options=options or IngestOptions(chunk_tokens=60, overlap_tokens=8),
        )
        self._runs = 0

    def new_base(self, name: str = "Runbooks") -> str:
        return self.catalog.create(name, embedding="hashed").id

    def upload(self, base: str, files: dict[str, bytes | str]) -> str:
        """Take files in, the whole way; gives the run's id, whose list is kept."""
        self._runs += 1
        staged = self.folder / "staged" / str(self._runs)
        write_files(staged, files)
        return self.run(base, "upload", str(staged))

    def sync(self, base: str, folder: Path) -> str:
        return self.run(base, "sync", self.ingest.follow(base, "folder", str(folder)).id)

    def run(self, base: str, kind: str, argument: str) -> str:
        self._runs += 1
        run = f"run{self._runs}"
        self.ingest.plan(run, base, kind=kind, argument=argument)
        while self.ingest.step(run, base):
            pass
        self.ingest.finish(run, base, kind=kind, argument=argument)
        return run

    def outcomes(self, run: str) -> dict[str, int]:
        """What became of the files."""
        return dict(self.ingest.progress(run).counts)

    def documents(self, base: str) -> dict[str, Document]:
        return {document.source_uri: document for document in self.catalog.documents(base, limit=10_000).items}

    def texts(self, base: str) -> dict[str, str]:
        return {uri: self.catalog.document_text(document.id) for uri, document in self.documents(base).items()}

    def originals_kept(self) -> int:
        return sum(1 for path in (self.folder / "files").rglob("*") if path.is_file())

    def close(self) -> None:
        self.stores.close()
        self.engine.dispose()


class Working:
    """The runs of a library, on the real DBOS."""

    def __init__(
        self,
        library: Library,
        *,
        patience_s: Sequence[float] = (0.1, 0.1),
        permitted: Mapping[str, Callable[[str], str]] | None = None,
    ) -> None:
        folder = library.folder / "runs"
        self.uploads = FolderBlobs(folder / "staging")
        incoming = folder / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        self.runs = Runs(
            library.engine,
            database=folder / "dbos.sqlite",
            reserve=Reserve(library.folder / "reserve"),
            patience_s=patience_s,
        )
        self.learning = Learning(
            self.runs,
            library.ingest,
            library.catalog,
            uploads=self.uploads,
            incoming=incoming,
            permitted=permitted,
        )

    def upload(self, base: str, files: dict[str, bytes | str]) -> Run:
        folder = self.learning.new_upload()
        write_files(folder, files)
        return self.learning.upload(base, folder)

    def ended(self, run: Run) -> Run:
        """That run once it has ended."""
        return wait_until(lambda: found if (found := self.runs.get(run.id)).ended else None)

    def staged(self) -> list[str]:
        return list(self.uploads.keys_below())

    def close(self) -> None:
        self.runs.close(timeout_s=5)


def counts(run: Run) -> dict[str, int]:
    """What became of its files."""
    return dict(run.progress.counts)


def write_files(folder: Path, files: dict[str, bytes | str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def page(topic: str, *, paragraphs: int = 4) -> str:
    """A runbook of several chunks."""
    body = "\n\n".join(
        f"## Step {number}\n\n" + " ".join(f"{topic} word{number}x{each}" for each in range(25)) + "."
        for number in range(paragraphs)
    )
    return f"# {topic}\n\nWhat to do about {topic}.\n\n{body}\n"


def threads_alive() -> Iterator[str]:
    return (thread.name for thread in threading.enumerate() if thread.name.startswith("ingest-"))


def _real(folder: Path) -> Stores:
    from knowledge.stores.graph.ladybug import LadybugGraph
    from knowledge.stores.lexical.tantivy import TantivyWords
    from knowledge.stores.vector.chroma import ChromaVectors

    return Stores(
        vectors=ChromaVectors(folder / "vectors"),
        lexical=TantivyWords(folder / "words"),
        graph=LadybugGraph(folder / "graph", schema=graph_schema(source_kinds().found.values())),
    )


OLD = 1_000_000_000
"""A time of modification long ago (s)."""


def settle(folder: Path) -> None:
    """Wait until no file was touched just now."""
    newest = max(path.stat().st_ctime_ns for path in folder.rglob("*") if path.is_file())
    while time.time_ns() - newest < SETTLED_NS:
        time.sleep(0.1)
