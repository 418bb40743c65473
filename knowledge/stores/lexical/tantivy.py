"""Words in tantivy: one index folder a knowledge base, BM25, a writer only while something is written."""

import contextlib
import math
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devops_chatbot.i18n import Reason
from knowledge.model import Chunk, Match, Scope, Version
from knowledge.stores.errors import translated
from knowledge.text.tokens import is_single, words

NAME = Reason("store.words")
WRITER_BYTES = 30_000_000
"""Memory of a writer, in bytes; tantivy wants at least 15 MB."""
MOST_TERMS = 256
"""Words of one query that are searched; the rest of a very long query is left out."""
DROPPED = ".dropped-"
"""A folder on its way out is renamed first, so that a crash leaves no half index."""


class TantivyWords:
    """A `LexicalIndex` below the folder `path`, opened on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._indexes: dict[str, Any] = {}

    def add(self, collection: str, chunks: Sequence[Chunk]) -> None:
        if not chunks:
            return
        import tantivy

        with self._writer(collection) as writer:
            for chunk in {chunk.id: chunk for chunk in chunks}.values():
                writer.delete_documents_by_term("id", chunk.id)
                writer.add_document(tantivy.Document(id=[chunk.id], words=[" ".join(words(chunk.searchable))]))

    def delete(self, versions: Sequence[Version]) -> None:
        for collection in dict.fromkeys(version.collection for version in versions):
            with translated(NAME, self._path):
                if self._index(collection) is None:
                    continue
            with self._writer(collection) as writer:
                for version in versions:
                    for chunk in version.chunk_ids if version.collection == collection else ():
                        writer.delete_documents_by_term("id", chunk)

    def search(self, text: str, *, scope: Scope, limit: int) -> list[Match]:
        counted = Counter(words(text)).most_common(MOST_TERMS)
        if not counted or limit < 1:
            return []
        with translated(NAME, self._path):
            collections = dict.fromkeys(scope.collections)
            matches = [match for one in collections for match in self._search_one(one, counted, limit)]
        return sorted(matches, key=lambda match: (-match.score, match.chunk_id))[:limit]

    def rarity(self, text: str, *, scope: Scope) -> dict[str, float]:
        wanted = list(dict.fromkeys(words(text)))[:MOST_TERMS]
        total, counts = 0, dict.fromkeys(wanted, 0)
        with translated(NAME, self._path):
            for collection in dict.fromkeys(scope.collections):
                index = self._index(collection)
                if index is None:
                    continue
                searcher = index.searcher()
                total += searcher.num_docs
                for word in wanted:
                    counts[word] += searcher.doc_freq("words", word)
        # a deleted chunk counts until its segment is merged, so a word may have more chunks than there are
        return {word: math.log1p((max(total - n, 0) + 0.5) / (n + 0.5)) for word, n in counts.items()}

    def having(self, word: str, *, scope: Scope, limit: int) -> list[str]:
        import tantivy

        chunks: list[str] = []
        with translated(NAME, self._path):
            for collection in dict.fromkeys(scope.collections):
                index = self._index(collection)
                if index is None:
                    continue
                searcher = index.searcher()
                term = tantivy.Query.term_query(index.schema, "words", word, index_option="basic")
                found = searcher.search(term, limit=limit, count=False)
                chunks += [searcher.doc(address)["id"][0] for _, address in found.hits]
        return chunks[:limit]

    def ids(self, collection: str) -> set[str]:
        import tantivy

        with translated(NAME, self._path):
            index = self._index(collection)
            if index is None:
                return set()
            searcher = index.searcher()
            if not searcher.num_docs:
                return set()
            found = searcher.search(tantivy.Query.all_query(), limit=searcher.num_docs)
            return {searcher.doc(address)["id"][0] for _, address in found.hits}

    def drop(self, collection: str) -> None:
        with self._writing, translated(NAME, self._path):
            self._sweep()
            folder = self._path / collection
            with self._lock:
                self._indexes.pop(collection, None)
                if folder.exists():
                    folder.rename(self._path / f"{DROPPED}{collection}")
            self._sweep()

    def close(self) -> None:
        with self._lock:
            self._indexes.clear()

    def _sweep(self) -> None:
        for left in self._path.glob(f"{DROPPED}*"):
            shutil.rmtree(left)

    def _search_one(self, collection: str, counted: list[tuple[str, int]], limit: int) -> list[Match]:
        import tantivy

        index = self._index(collection)
        if index is None:
            return []
        terms = []
        for word, times in counted:
            if is_single(word):
                term = tantivy.Query.regex_query(index.schema, "words", f".?{word}.?")
            else:
                term = tantivy.Query.term_query(index.schema, "words", word, index_option="freq")
            terms.append((tantivy.Occur.Should, term if times == 1 else tantivy.Query.boost_query(term, float(times))))
        searcher = index.searcher()
        found = searcher.search(tantivy.Query.boolean_query(terms), limit=limit, count=False)
        return [Match(chunk_id=searcher.doc(address)["id"][0], score=float(score)) for score, address in found.hits]

    @contextmanager
    def _writer(self, collection: str) -> Iterator[Any]:
        """A writer whose changes are on disk and seen by readers when the block ends; nothing is kept when it fails."""
        with self._writing, translated(NAME, self._path):
            index = self._index(collection, create=True)
            writer = index.writer(heap_size=WRITER_BYTES, num_threads=1)
            try:
                writer.garbage_collect_files()  # of a killed commit: this one would give its files the same names
                yield writer
                writer.commit()
            except BaseException:
                with contextlib.suppress(ValueError, OSError, RuntimeError):  # the first error is the one to tell
                    writer.rollback()
                raise
            finally:
                with contextlib.suppress(ValueError, OSError, RuntimeError):  # what counts is committed
                    writer.wait_merging_threads()
            index.reload()

    def _index(self, collection: str, *, create: bool = False) -> Any:
        with self._lock:
            if collection in self._indexes:
                return self._indexes[collection]
            folder = self._path / collection
            if not create and not (folder / "meta.json").exists():
                return None
            import tantivy

            folder.mkdir(parents=True, exist_ok=True)
            schema = tantivy.SchemaBuilder()
            schema.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
            schema.add_text_field("words", stored=False, tokenizer_name="whitespace", index_option="freq")
            index = tantivy.Index(schema.build(), path=str(folder), reuse=True)
            index.config_reader("manual")
            self._indexes[collection] = index
            return index
