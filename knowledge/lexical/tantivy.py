"""Words in tantivy: one index folder a knowledge base, BM25, a writer only while something is written."""

import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devops_chatbot.errors import StoreUnavailable
from knowledge.lexical.words import words
from knowledge.model import Chunk, Match, Scope

WRITER_BYTES = 30_000_000
"""Memory of a writer, in bytes; tantivy wants at least 15 MB."""
MOST_TERMS = 256
"""Words of one query that are searched; the rest of a very long query is left out."""


class TantivyWords:
    """A `LexicalIndex` below the folder `path`, opened on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._indexes: dict[str, Any] = {}

    def add(self, knowledge_base: str, chunks: Sequence[Chunk]) -> None:
        if not chunks:
            return
        import tantivy

        with self._writer(knowledge_base) as writer:
            for chunk in chunks:
                writer.delete_documents("id", chunk.id)
                writer.add_document(tantivy.Document(id=[chunk.id], words=[" ".join(words(chunk.searchable))]))

    def remove(self, knowledge_base: str, chunk_ids: Sequence[str]) -> None:
        if not chunk_ids or self._index(knowledge_base) is None:
            return
        with self._writer(knowledge_base) as writer:
            for chunk_id in chunk_ids:
                writer.delete_documents("id", chunk_id)

    def search(self, text: str, *, scope: Scope, limit: int) -> list[Match]:
        counted = Counter(words(text)).most_common(MOST_TERMS)
        if not counted or limit < 1:
            return []
        with self._translated():
            matches = [match for kb in scope.knowledge_bases for match in self._search_one(kb, counted, limit)]
        return sorted(matches, key=lambda match: (-match.score, match.chunk_id))[:limit]

    def ids(self, knowledge_base: str) -> set[str]:
        import tantivy

        with self._translated():
            index = self._index(knowledge_base)
            if index is None:
                return set()
            searcher = index.searcher()
            if not searcher.num_docs:
                return set()
            found = searcher.search(tantivy.Query.all_query(), limit=searcher.num_docs)
            return {searcher.doc(address)["id"][0] for _, address in found.hits}

    def drop(self, knowledge_base: str) -> None:
        with self._writing, self._translated():
            self._indexes.pop(knowledge_base, None)
            if (self._path / knowledge_base).exists():
                shutil.rmtree(self._path / knowledge_base)

    def close(self) -> None:
        with self._lock:
            self._indexes.clear()

    def _search_one(self, knowledge_base: str, counted: list[tuple[str, int]], limit: int) -> list[Match]:
        import tantivy

        index = self._index(knowledge_base)
        if index is None:
            return []
        terms = []
        for word, times in counted:
            term = tantivy.Query.term_query(index.schema, "words", word, index_option="freq")
            terms.append((tantivy.Occur.Should, term if times == 1 else tantivy.Query.boost_query(term, float(times))))
        searcher = index.searcher()
        found = searcher.search(tantivy.Query.boolean_query(terms), limit=limit, count=False)
        return [Match(chunk_id=searcher.doc(address)["id"][0], score=float(score)) for score, address in found.hits]

    @contextmanager
    def _writer(self, knowledge_base: str) -> Iterator[Any]:
        """A writer whose changes are on disk and seen by readers when the block ends; nothing is kept when it fails."""
        with self._writing, self._translated():
            index = self._index(knowledge_base, create=True)
            writer = index.writer(heap_size=WRITER_BYTES, num_threads=1)
            try:
                yield writer
                writer.commit()
            except BaseException:
                writer.rollback()
                raise
            finally:
                writer.wait_merging_threads()
            index.reload()

    def _has(self, knowledge_base: str) -> bool:
        return (self._path / knowledge_base / "meta.json").exists()

    def _index(self, knowledge_base: str, *, create: bool = False) -> Any:
        with self._lock:
            if knowledge_base in self._indexes:
                return self._indexes[knowledge_base]
            if not create and not self._has(knowledge_base):
                return None
            import tantivy

            folder = self._path / knowledge_base
            folder.mkdir(parents=True, exist_ok=True)
            schema = tantivy.SchemaBuilder()
            schema.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
            schema.add_text_field("words", stored=False, tokenizer_name="whitespace", index_option="freq")
            index = tantivy.Index(schema.build(), path=str(folder), reuse=True)
            index.config_reader("manual")
            self._indexes[knowledge_base] = index
            return index

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable:
            raise
        except (OSError, ValueError, RuntimeError) as error:
            raise StoreUnavailable(
                f"the word index in {self._path} failed: {error}. Check the free disk space and that no other program "
                "uses this folder."
            ) from error
