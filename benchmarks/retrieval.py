"""How well the product finds documents: every BEIR-shaped set below a folder, through its own ingest and search.

Prints hit@1, hit@10 and nDCG@10 (linear gain, as trec_eval has it) of the documents behind the chunks found: by the
hybrid, and beside it, on the same knowledge base, by words alone, by vectors alone, and by plain reciprocal rank fusion of
these two (Cormack et al. 2009, k 60). Queries without a `text` have several fields; each is a row of its own. The English
runbooks are also asked the Chinese questions of `chinese_on_english.tsv`, which were written before anything was measured. With
`--linked` there are also queries made out of the links between a set's own pages, to tune by (`benchmarks.linked`).
"""

import argparse
import csv
import gzip
import json
import math
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from benchmarks.linked import linked_sentences
from benchmarks.table import Cell, report
from devops_chatbot.bootstrap import Product, build
from devops_chatbot.chat import SearchMode
from devops_chatbot.config.data_directory import open_data_directory
from devops_chatbot.config.settings import BUNDLED, KnowledgeSettings, Settings
from knowledge.loaders import loader_for
from knowledge.model import Scope

TEXT_FIELDS = ("text", "description", "summary", "alert", "question", "title")
"""Fields of a query that are asked, where they exist; a `text` is asked alone."""
CHUNKS = 100
"""Chunks that each search gives; documents are ranked by their first chunk."""
RRF_K = 60
RUNBOOKS = "k8s_alert_runbooks"
CHINESE = Path(__file__).with_name("chinese_on_english.tsv")
"""Chinese questions on those runbooks, each with the names of the alerts whose runbooks answer it."""
MODES: tuple[SearchMode, ...] = ("hybrid", "lexical", "vector")
NAMES = {"hybrid": "hybrid", "lexical": "BM25", "vector": "vectors", "rrf": "plain RRF"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question and its right documents with their grades; documents of `without` are struck out of what is found."""

    text: str
    gold: Mapping[str, int]
    without: frozenset[str] = frozenset()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--set", action="append", help="name of a set (its folder); all without")
    parser.add_argument("--keep", type=Path, help="keep the knowledge bases here and use those that are there already")
    parser.add_argument("--embedding", default=BUNDLED, help="the embedding model; `fast` for the English one")
    parser.add_argument("--misses", action="store_true", help="print the queries whose right document is not first")
    parser.add_argument("--linked", action="store_true", help="also ask sentences that link one page to another")
    arguments = parser.parse_args()
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory(prefix="retrieval-") as scratch:
        for folder in sorted(path.parent for path in arguments.data.rglob("qrels.tsv")):
            if not arguments.set or folder.name in arguments.set:
                keep = (arguments.keep or Path(scratch)) / arguments.embedding
                rows += measure(
                    folder, keep, embedding=arguments.embedding, misses=arguments.misses, linked=arguments.linked
                )
    if not rows:
        raise SystemExit(f"there is no corpus.jsonl with a qrels.tsv below {arguments.data}")
    command = f"python -m benchmarks.retrieval --data {arguments.data.name}"
    report("retrieval", "Documents found, percent", rows, command=command)


def measure(
    folder: Path, keep: Path, *, embedding: str = BUNDLED, misses: bool = False, linked: bool = False
) -> list[dict[str, Cell]]:
    """The rows of one set; its data directory lies below `keep`."""
    data = open_data_directory(keep / folder.name)
    product = build(Settings(knowledge=KnowledgeSettings(embedding=embedding)), data)
    try:
        uris = ingested(product, folder, keep / f"{folder.name}-files")
        scope = Scope(principal="benchmark", collections=product.ids_of([folder.name]))
        rows: list[dict[str, Cell]] = []
        asked = _queries(folder) | _chinese(folder)
        for field, queries in (asked | _linked(folder, asked) if linked else asked).items():
            found, seconds = _search(product, queries, scope, uris)
            for name in ("hybrid", "lexical", "vector", "rrf"):
                scores = [metrics(documents, query.gold) for documents, query in zip(found[name], queries, strict=True)]
                means = [100 * sum(column) / len(scores) for column in zip(*scores, strict=True)]
                rows.append(
                    {
                        "set": folder.name,
                        "query": field,
                        "queries": len(queries),
                        "by": NAMES[name],
                        "hit@1": round(means[0], 1),
                        "hit@10": round(means[1], 1),
                        "nDCG@10": round(means[2], 1),
                        "ms": round(seconds[name] * 1000 / len(queries), 1) if name in seconds else None,
                    }
                )
            if misses:
                _print_misses(field, queries, found["hybrid"])
        return rows
    finally:
        product.close()
        data.close()


def metrics(documents: Sequence[str], gold: Mapping[str, int]) -> tuple[float, float, float]:
    """hit@1, hit@10 and nDCG@10 of a ranking of documents."""
    gains = [gold.get(document, 0) for document in documents[:10]]
    best = sorted(gold.values(), reverse=True)[:10]
    dcg, ideal = (sum(gain / math.log2(rank + 2) for rank, gain in enumerate(row)) for row in (gains, best))
    return float(any(gains[:1])), float(any(gains)), dcg / ideal if ideal else 0.0


def reciprocal_ranks(rankings: Iterable[Sequence[str]]) -> list[str]:
    """Plain reciprocal rank fusion of rankings of documents."""
    scores: dict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, document in enumerate(ranking, 1):
            scores[document] += 1 / (RRF_K + rank)
    return sorted(scores, key=lambda document: -scores[document])


def ingested(product: Product, folder: Path, files: Path, *, only: Collection[str] = ()) -> dict[str, str]:
    """Take the corpus in as a folder of files, or `only` some of its documents; gives the set's own id of each document's
    URI.
    """
    ids: dict[str, str] = {}
    start = time.perf_counter()
    for row in rows_of(folder, "corpus.jsonl"):
        if only and row["_id"] not in only:
            continue
        name = row["_id"].replace("\\", "/")
        uri = name if loader_for(PurePosixPath(name).name) else f"{name}.md"
        ids[f"{files.name}/{uri}"] = row["_id"]
        title, text = row.get("title") or "", row["text"]
        path = files / uri
        path.parent.mkdir(parents=True, exist_ok=True)
        wanted = text if title in text[:600] else f"# {title}\n\n{text}"
        if not path.exists() or path.read_text("utf-8") != wanted:
            path.write_text(wanted, "utf-8")
    if folder.name not in {base.name for base in product.catalog.list()}:
        product.catalog.create(folder.name, embedding=product.settings.knowledge.embedding)
    base, run = product.catalog.get(folder.name).id, f"run{time.time_ns()}"
    source = product.ingest.follow(base, "folder", str(files)).id
    product.ingest.plan(run, base, kind="sync", argument=source)
    while product.ingest.step(run, base):
        pass
    product.ingest.finish(run, base, kind="sync", argument=source)
    progress = product.ingest.progress(run)
    found = product.catalog.get(base)
    print(
        f"{folder.name}: {found.documents} documents, {found.chunks} chunks, {time.perf_counter() - start:.0f} s",
        *(f"failed: {error}" for error in progress.errors[:3]),
        file=sys.stderr,
        flush=True,
    )
    return ids


def _search(
    product: Product, queries: Sequence[Query], scope: Scope, uris: Mapping[str, str]
) -> tuple[dict[str, list[list[str]]], dict[str, float]]:
    """Rankings of documents by each way, and the seconds that all queries took."""
    found: dict[str, list[list[str]]] = {}
    seconds: dict[str, float] = {}
    for mode in MODES:
        product.retriever.search("warm up", scope=scope, limit=10, mode=mode)
        start = time.perf_counter()
        hits = [product.retriever.search(query.text, scope=scope, limit=CHUNKS, mode=mode) for query in queries]
        seconds[mode] = time.perf_counter() - start
        rankings = [list(dict.fromkeys(uris[hit.source_uri] for hit in row)) for row in hits]
        found[mode] = [
            [document for document in ranking if document not in query.without]
            for ranking, query in zip(rankings, queries, strict=True)
        ]
    found["rrf"] = [reciprocal_ranks(pair) for pair in zip(found["lexical"], found["vector"], strict=True)]
    return found, seconds


def _queries(folder: Path) -> dict[str, list[Query]]:
    """The queries by field, each text once."""
    gold: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (folder / "qrels.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        gold[query][document] = int(grade)
    found: dict[str, dict[str, Query]] = defaultdict(dict)
    for row in rows_of(folder, "queries.jsonl"):
        fields = ("text",) if row.get("text") else TEXT_FIELDS
        for field in fields:
            if row["_id"] in gold and row.get(field):
                found[field].setdefault(row[field], Query(text=row[field], gold=gold[row["_id"]]))
    return {field: list(queries.values()) for field, queries in found.items()}


def _chinese(folder: Path) -> dict[str, list[Query]]:
    """The Chinese questions, where the set is the English runbooks; every runbook of a named alert is right."""
    if folder.name != RUNBOOKS:
        return {}
    ids = [row["_id"] for row in rows_of(folder, "corpus.jsonl")]
    with CHINESE.open(encoding="utf-8", newline="") as lines:
        asked = list(csv.DictReader(lines, delimiter="\t"))
    found = []
    for row in asked:
        names = row["runbooks"].split(",")
        found.append(Query(text=row["question"], gold={name: 1 for name in ids if PurePosixPath(name).stem in names}))
    return {"Chinese question": found}


def _linked(folder: Path, asked: Mapping[str, Sequence[Query]]) -> dict[str, list[Query]]:
    """The queries that the set's own links give; none for pages that link nowhere."""
    texts = {row["_id"]: row["text"] for row in rows_of(folder, "corpus.jsonl")}
    gold = {document for queries in asked.values() for query in queries for document in query.gold}
    found = [
        Query(text=one.text, gold={one.target: 1}, without=one.pages) for one in linked_sentences(texts, asked=gold)
    ]
    return {"linked sentence": found} if found else {}


def rows_of(folder: Path, name: str) -> Iterator[dict[str, str]]:
    plain, packed = folder / name, folder / f"{name}.gz"
    with plain.open("rb") if plain.exists() else gzip.open(packed) as lines:
        for line in lines:
            yield json.loads(line)


def _print_misses(field: str, queries: Sequence[Query], found: Sequence[Sequence[str]]) -> None:
    for query, documents in zip(queries, found, strict=True):
        if not documents or documents[0] not in query.gold:
            rank = next((rank for rank, one in enumerate(documents, 1) if one in query.gold), None)
            print(f"{field}: {query.text[:100]!r} right at {rank}; first: {documents[:2]}", file=sys.stderr)


if __name__ == "__main__":
    main()
