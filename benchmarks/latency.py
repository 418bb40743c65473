"""How long a search takes in a knowledge base of 100,000 chunks, the query's embedding included, beside Chroma's own query.

The pages are made up: Zipf-distributed words (real word frequencies follow that law), alert and metric names, links. They go
through the product's own ingest with vectors around a few hundred topics instead of embedded ones, because embedding them
all would take half an hour and changes nothing about the time of a search. Queries are embedded by the bundled model.
"""

import argparse
import itertools
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.table import Cell, percentile, report
from devops_chatbot.chat import SearchMode
from devops_chatbot.db.blobs import FolderBlobs
from devops_chatbot.db.engine import open_database
from knowledge import loaders
from knowledge.catalog.blobs import Originals
from knowledge.catalog.catalog import Catalog
from knowledge.embed import Embedder, open_bundled
from knowledge.graph import DOCUMENTS
from knowledge.ingest.ingest import Ingest
from knowledge.model import ParsedDocument, Scope
from knowledge.retrieval.hybrid import HybridRetriever
from knowledge.sources import source_kinds
from knowledge.stores.graph.ladybug import LadybugGraph
from knowledge.stores.indexes import Stores
from knowledge.stores.lexical.tantivy import TantivyWords
from knowledge.stores.vector.chroma import ChromaVectors

CHUNKS_A_PAGE = 10
WORDS_A_CHUNK = 45
"""A made-up word has about four tokens."""
VOCABULARY = 30_000
TOPICS = 300
QUERIES = 300
MODES: tuple[SearchMode, ...] = ("hybrid", "vector", "lexical", "graph")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--data", type=Path, help="ignored: this benchmark makes its own pages")
    parser.add_argument("--chunks", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        rows = measure(Path(folder), arguments.chunks)
    report(
        "latency", f"Milliseconds of a search, {rows[0]['chunks']} chunks", rows, command="python -m benchmarks.latency"
    )


def measure(folder: Path, chunks: int) -> list[dict[str, Cell]]:
    """Fill a knowledge base below `folder`, which is the caller's to remove, and time searches in it."""
    chance = random.Random(3)  # noqa: S311
    words = _vocabulary(chance)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    catalog = Catalog(open_database(folder / "records.db"))
    vectors = ChromaVectors(folder / "vectors")
    stores = Stores(
        vectors=vectors, lexical=TantivyWords(folder / "words"), graph=LadybugGraph(folder / "graph", schema=DOCUMENTS)
    )
    model = open_bundled(folder / "model")
    base = catalog.create("Pages", embedding="bundled").id
    _ingest(
        folder,
        catalog,
        stores,
        base,
        model,
        [_page(chance, words, weights, n) for n in range(chunks // CHUNKS_A_PAGE)],
    )
    scope = Scope(principal="test", collections=(base,))
    retriever = HybridRetriever(
        catalog=catalog, vectors=vectors, lexical=stores.lexical, graph=stores.graph, embedder_of=lambda _: model
    )
    queries = [_query(chance, words, weights) for _ in range(QUERIES)]
    held = catalog.get(base).chunks
    rows = []
    for mode in MODES:
        times = _timed(partial(retriever.search, scope=scope, limit=10, mode=mode), queries)
        rows.append(_row(f"search, {mode}", held, times))
    rows.append(_row("reference: embedding the query", held, _timed(model.embed_query, queries)))
    embedded = dict(zip(queries, model.embed_documents(queries), strict=True))
    nearest = _timed(lambda query: vectors.search(embedded[query], scope=scope, limit=10), queries)
    rows.append(_row("reference: Chroma's query, top 10", held, nearest))
    stores.close()
    return rows


class _Topics:
    """Vectors around a few hundred centres, in no time."""

    shape = "topics"

    def __init__(self, model: Embedder) -> None:
        import numpy as np

        self._model = model
        self._chance = np.random.default_rng(3)
        self._centres = self._chance.normal(size=(TOPICS, model.dimension))

    def count(self, texts: Sequence[str]) -> list[int]:
        return self._model.count(texts)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        import numpy as np

        centres = self._centres[self._chance.integers(0, TOPICS, len(texts))]
        vectors = centres + 0.7 * self._chance.normal(size=centres.shape)
        return [[float(each) for each in row] for row in vectors / np.linalg.norm(vectors, axis=1, keepdims=True)]


class _InProcess:
    def load(self, data: bytes, name: str) -> ParsedDocument:
        return loaders.load(data, name)


def _ingest(folder: Path, catalog: Catalog, stores: Stores, base: str, model: Embedder, pages: Sequence[str]) -> None:
    files = folder / "pages"
    files.mkdir()
    for number, page in enumerate(pages):
        (files / f"{number}.md").write_text(page)
    topics = _Topics(model)
    ingest = Ingest(
        catalog=catalog,
        stores=stores,
        originals=Originals(FolderBlobs(folder / "files")),
        reader=_InProcess(),
        embedder_of=lambda _: topics,
        kinds=source_kinds(),
    )
    source = ingest.follow(base, "folder", str(files)).id
    ingest.plan("fill", base, kind="sync", argument=source)
    while ingest.step("fill", base):
        pass
    ingest.finish("fill", base, kind="sync", argument=source)


def _vocabulary(chance: random.Random) -> list[str]:
    letters = "aeioubcdfghklmnprstvw"
    return ["".join(chance.choices(letters, k=chance.randint(2, 10))) for _ in range(VOCABULARY)]


def _name(chance: random.Random) -> str:
    """An alert or a metric; there are 4,000 of each."""
    number = chance.randrange(4000)
    parts = ("Kube", "Node", "Disk", "Pod", "Quota", "Latency", "Queue", "Error", "Token", "Cache")
    humps = [parts[number // 10**place % 10] for place in range(4)]
    return "".join(humps) if chance.random() < 0.5 else "_".join(hump.lower() for hump in humps) + "_total"


def _page(chance: random.Random, words: list[str], weights: list[float], number: int) -> str:
    sections = []
    for section in range(CHUNKS_A_PAGE):
        text = chance.choices(words, cum_weights=weights, k=WORDS_A_CHUNK)
        text.insert(20, _name(chance))
        link = f" See [more]({chance.randrange(number + 1)}.md)." if section == 0 else ""
        sections.append(f"## {' '.join(text[:3])}\n\n{' '.join(text)}.{link}\n")
    return f"# {_name(chance)} {number}\n\n" + "\n".join(sections)


def _query(chance: random.Random, words: list[str], weights: list[float]) -> str:
    """Eight words; every fourth query names an alert or a metric."""
    asked = chance.choices(words, cum_weights=weights, k=8)
    return " ".join([*asked, _name(chance)] if chance.random() < 0.25 else asked)


def _timed(work: Callable[[str], object], queries: Sequence[str]) -> list[float]:
    """Milliseconds of each, after a few to warm up."""
    for query in queries[:20]:
        work(query)
    times = []
    for query in queries:
        start = time.perf_counter()
        work(query)
        times.append((time.perf_counter() - start) * 1000)
    return times


def _row(what: str, chunks: int, times: Sequence[float]) -> dict[str, Cell]:
    return {
        "what": what,
        "chunks": chunks,
        "p50": round(percentile(times, 0.5), 1),
        "p90": round(percentile(times, 0.9), 1),
        "p99": round(percentile(times, 0.99), 1),
    }


if __name__ == "__main__":
    main()
