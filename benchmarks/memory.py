"""How much memory a process holds while it takes in more and more pages, and what of it is the indexes' own.

Three processes take in the same pages: the whole ingest; the ingest with stores that keep nothing, which shows whether
documents pile up anywhere; and, as the reference, Chroma alone with as many vectors, because its index lives in memory.
Vectors are made up, so that no embedding model is loaded. Free memory is given back before each look, as the server does.
"""

import argparse
import ctypes
import multiprocessing
import resource
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from benchmarks.library import Library, SpreadVectors, pages_of, write_pages
from benchmarks.table import Cell, report
from devops_chatbot.server.malloc import bound_arenas
from knowledge.graph import DocumentGraph, Node, Subgraph
from knowledge.model import Chunk, Match, Scope, Version
from knowledge.stores.indexes import Stores

PAGES = 200
COPIES = 5
"""Each page is written so often a step, every time with a line of its own."""
BATCH = 500


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--steps", type=int, default=6, help=f"how often {PAGES * COPIES} pages are taken in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memory-") as name:
        folder = Path(name)
        steps = [_written(folder / f"pages-{step}", arguments.data) for step in range(arguments.steps)]
        whole = _apart(partial(_taken_in, folder / "whole", steps, keep=True))
        alone = _apart(partial(_taken_in, folder / "alone", steps, keep=False))
        chroma = _apart(partial(_chroma_alone, folder / "chroma", [chunks for chunks, _ in whole]))
    rows: list[dict[str, Cell]] = [
        {
            "documents so far": PAGES * COPIES * (step + 1),
            "chunks so far": chunks,
            "whole ingest": round(mb),
            "ingest, stores that keep nothing": round(alone[step][1]),
            "reference: Chroma alone": round(chroma[step][1]),
        }
        for step, (chunks, mb) in enumerate(whole)
    ]
    report("memory", "Resident memory in MB", rows, command=f"python -m benchmarks.memory --data {arguments.data.name}")


def _written(folder: Path, data: Path) -> Path:
    pages = list(islice(pages_of(data), PAGES))
    named = [
        (f"{copy}/{name}", f"{text}\n\n{folder.name}, copy {copy}.") for copy in range(COPIES) for name, text in pages
    ]
    return write_pages(folder, named)


def _apart(work: Callable[[], list[tuple[int, float]]]) -> list[tuple[int, float]]:
    """What `work` gives in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work)


def _taken_in(folder: Path, steps: Sequence[Path], *, keep: bool) -> list[tuple[int, float]]:
    """Chunks so far and resident memory in MB after each step."""
    bound_arenas()
    stores = None if keep else Stores(vectors=_NoVectors(), lexical=_NoWords(), graph=_NoGraph())
    library = Library(folder, embedder=SpreadVectors(), stores=stores)
    base = library.catalog.create("Pages", embedding="bundled").id
    found = []
    for docs in steps:
        library.sync(base, docs)
        found.append((library.catalog.get(base).chunks, _resident_mb()))
    library.close()
    return found


def _chroma_alone(folder: Path, counts: Sequence[int]) -> list[tuple[int, float]]:
    import chromadb
    from chromadb.config import Settings

    bound_arenas()
    client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
    collection = client.create_collection("plain", embedding_function=None, configuration={"hnsw": {"space": "cosine"}})
    vectors, written, found = SpreadVectors(), 0, []
    for count in counts:
        while written < count:
            more = min(BATCH, count - written)
            ids = [str(number) for number in range(written, written + more)]
            collection.add(ids=ids, embeddings=vectors.embed_documents(ids))  # type: ignore[arg-type]
            written += more
        found.append((count, _resident_mb()))
    return found


def _resident_mb() -> float:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1024 / 1024


class _NoStore:
    """A store that takes everything and keeps nothing."""

    def delete(self, versions: Sequence[Version]) -> None: ...

    def drop(self, collection: str) -> None: ...

    def close(self) -> None: ...


class _NoVectors(_NoStore):
    def add(self, collection: str, chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]]) -> None: ...

    def vectors(self, collection: str, chunk_ids: Sequence[str]) -> dict[str, list[float]]:  # noqa: ARG002
        return {}

    def search(self, vector: Sequence[float], *, scope: Scope, limit: int) -> list[Match]:  # noqa: ARG002
        return []

    def ids(self, collection: str) -> set[str]:  # noqa: ARG002
        return set()

    def damaged(self) -> list[str]:
        return []


class _NoWords(_NoStore):
    def add(self, collection: str, chunks: Sequence[Chunk]) -> None: ...

    def search(self, text: str, *, scope: Scope, limit: int) -> list[Match]:  # noqa: ARG002
        return []

    def rarity(self, text: str, *, scope: Scope) -> dict[str, float]:  # noqa: ARG002
        return {}

    def having(self, word: str, *, scope: Scope, limit: int) -> list[str]:  # noqa: ARG002
        return []

    def ids(self, collection: str) -> set[str]:  # noqa: ARG002
        return set()


class _NoGraph(_NoStore):
    def replace(self, graphs: Sequence[DocumentGraph]) -> None: ...

    def find(self, text: str, *, scope: Scope, label: str | None = None) -> list[Node]:  # noqa: ARG002
        return []

    def neighbours(
        self,
        ids: Sequence[str],  # noqa: ARG002
        *,
        edges: Sequence[str],  # noqa: ARG002
        scope: Scope,  # noqa: ARG002
        depth: int = 1,  # noqa: ARG002
        limit: int = 200,  # noqa: ARG002
    ) -> Subgraph:
        return Subgraph()

    def path(self, source: str, target: str, *, scope: Scope, longest: int = 6) -> Subgraph:  # noqa: ARG002
        return Subgraph()

    def query(
        self,
        cypher: str,  # noqa: ARG002
        parameters: Mapping[str, object],  # noqa: ARG002
        *,
        scope: Scope,  # noqa: ARG002
        limit: int = 1000,  # noqa: ARG002
    ) -> list[dict[str, object]]:
        return []

    def outdated(self) -> bool:
        return False

    def versions(self, collection: str) -> set[tuple[str, str]]:  # noqa: ARG002
        return set()


if __name__ == "__main__":
    main()
