"""The product's own stores and ingest below a folder, and pages to fill them with: what the benchmarks of ingest share."""

import gzip
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from devops_chatbot.db.blobs import FolderBlobs
from devops_chatbot.db.engine import open_database
from knowledge.catalog.blobs import Originals
from knowledge.catalog.catalog import Catalog
from knowledge.graph import DOCUMENTS
from knowledge.ingest.document_builder import TextEmbedder
from knowledge.ingest.ingest import Ingest
from knowledge.loaders.process import ParserProcess
from knowledge.sources import source_kinds
from knowledge.stores.graph.ladybug import LadybugGraph
from knowledge.stores.indexes import Stores
from knowledge.stores.lexical.tantivy import TantivyWords
from knowledge.stores.vector.chroma import ChromaVectors

DIMENSION = 384


class SpreadVectors:
    """An embedding model that costs next to nothing: vectors of unit length in all directions, the same every time."""

    def __init__(self) -> None:
        import numpy as np

        self._chance = np.random.default_rng(3)

    @property
    def shape(self) -> str:
        return "spread"

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 4 for text in texts]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        import numpy as np

        vectors = self._chance.normal(size=(len(texts), DIMENSION))
        return [[float(each) for each in row] for row in vectors / np.linalg.norm(vectors, axis=1, keepdims=True)]


class Library:
    """The product's stores and ingest below `folder`, or its ingest with other stores."""

    def __init__(self, folder: Path, *, embedder: TextEmbedder, stores: Stores | None = None) -> None:
        folder.mkdir(parents=True)
        self.embedder = embedder
        self.catalog = Catalog(open_database(folder / "records.db"))
        self._reader = ParserProcess(timeout_s=60, memory_mb=1024)
        self._stores = stores or Stores(
            vectors=ChromaVectors(folder / "vectors"),
            lexical=TantivyWords(folder / "words"),
            graph=LadybugGraph(folder / "graph", schema=DOCUMENTS),
        )
        self._ingest = Ingest(
            catalog=self.catalog,
            stores=self._stores,
            originals=Originals(FolderBlobs(folder / "files")),
            reader=self._reader,
            embedder_of=lambda _: embedder,
            kinds=source_kinds(),
        )
        self._runs = 0

    def sync(self, base: str, docs: Path) -> float:
        """Follow a folder; gives the seconds."""
        self._runs += 1
        run, start = f"run{self._runs}", time.perf_counter()
        source = self._ingest.follow(base, "folder", str(docs)).id
        self._ingest.plan(run, base, kind="sync", argument=source)
        while self._ingest.step(run, base):
            pass
        self._ingest.finish(run, base, kind="sync", argument=source)
        progress = self._ingest.progress(run)
        if progress.errors:
            print(f"{progress.counts['failed']} failed, first: {progress.errors[0]}", file=sys.stderr)
        return time.perf_counter() - start

    def close(self) -> None:
        self._stores.close()
        self._reader.close()


def pages_of(data: Path) -> Iterator[tuple[str, str]]:
    """The pages of the AWS documentation below the folder of the public data sets: name and text of each."""
    with gzip.open(data / "rag" / "awsdocs_qa" / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["_id"].replace("\\", "/"), row["text"]


def write_pages(folder: Path, pages: Sequence[tuple[str, str]]) -> Path:
    """Write pages as files below `folder`; gives the folder."""
    for name, text in pages:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder
