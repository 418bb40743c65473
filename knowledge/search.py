"""Search over vectors, words and the graph, fused into one list of hits."""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from devops_chatbot.chat import IndexName, SearchMode
from devops_chatbot.errors import BadQuestion
from knowledge.entities import SPECIFIC, entities_in
from knowledge.fusion import EXACT, TITLED, Fused, fuse
from knowledge.model import GraphStore, Hit, LexicalIndex, Match, Scope, VectorStore
from knowledge.passages import Passage

POOL = 60
"""Chunks that each index gives, at least; enough for ten documents of several chunks each."""
SEEDS = 3
"""Best chunks whose neighbours the graph is asked for."""
A_DOCUMENT = 3
"""Chunks of one document among the hits before the others have had their turn."""
LONGEST_QUERY = 4000
"""Characters of a query that are looked at."""

_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_WORD = re.compile(r"[^\W\d_]+")


class PassageSource(Protocol):
    """Where the texts of chunks are; only chunks of active versions are given."""

    def passages(self, refs: Sequence[str]) -> dict[str, Passage]: ...


class QueryEmbedder(Protocol):
    """What search needs of an embedding model. `shape` tells apart models; `english` says that it reads nothing else."""

    @property
    def shape(self) -> str: ...

    @property
    def english(self) -> bool: ...

    def embed_query(self, text: str) -> list[float]: ...


class HybridRetriever:
    """A `Retriever`; its legs run side by side. `embedder_of` gives the embedding model of a knowledge base."""

    def __init__(
        self,
        *,
        catalogue: PassageSource,
        vectors: VectorStore,
        words: LexicalIndex,
        graph: GraphStore,
        embedder_of: Callable[[str], QueryEmbedder],
    ) -> None:
        self._catalogue = catalogue
        self._vectors = vectors
        self._words = words
        self._graph = graph
        self._embedder_of = embedder_of
        self._pool = ThreadPoolExecutor(3, thread_name_prefix="search")

    def search(
        self, query: str, *, scope: Scope, limit: int, mode: SearchMode = "hybrid", score_threshold: float = 0.0
    ) -> list[Hit]:
        text = query.strip()[:LONGEST_QUERY]
        if not text:
            raise BadQuestion("The query is empty. Write what you are looking for.")
        if not scope.knowledge_bases or limit < 1:
            return []
        pool = max(POOL, 4 * limit)
        names = [entity.name for entity in entities_in(text) if entity.kind in SPECIFIC]
        legs: dict[IndexName, list[Match]] = {}
        running: dict[IndexName, Future[list[Match]]] = {}
        if mode in ("hybrid", "vector"):
            running["vector"] = self._pool.submit(self._nearest, text, scope, pool)
        if mode in ("hybrid", "graph"):
            running["graph"] = self._pool.submit(self._named, text, names, scope, pool)
        if mode in ("hybrid", "lexical"):
            legs["lexical"] = self._words.search(text, scope=scope, limit=pool)
        legs |= {name: future.result() for name, future in running.items()}
        naming = legs.get("graph", [])
        if mode != "vector" and mode != "lexical":
            legs["graph"] = self._around(legs, naming, scope, pool)
        candidates = list(dict.fromkeys(match.chunk_id for matches in legs.values() for match in matches))
        known = self._catalogue.passages(candidates)
        living: dict[IndexName, list[Match]] = {
            name: [match for match in matches if match.chunk_id in known] for name, matches in legs.items()
        }
        exact = _exact(names, naming, known) if mode in ("hybrid", "graph") else {}
        if mode == "hybrid":
            ranked = fuse(living, readable=self._readable(text, scope), exact=exact)
        else:
            ranked = fuse({mode: living.get(mode, [])}, readable=1.0, exact=exact)
        kept = [one for one in ranked if one.score >= score_threshold]
        return [_hit(known[one.chunk_id], one) for one in _spread(kept, known)[:limit]]

    def _nearest(self, text: str, scope: Scope, limit: int) -> list[Match]:
        """By meaning; knowledge bases that share an embedding model share the query's vector."""
        groups: dict[str, tuple[QueryEmbedder, list[str]]] = {}
        for knowledge_base in scope.knowledge_bases:
            embedder = self._embedder_of(knowledge_base)
            groups.setdefault(embedder.shape, (embedder, []))[1].append(knowledge_base)
        found = [
            match
            for embedder, ids in groups.values()
            for match in self._vectors.search(
                embedder.embed_query(text), scope=Scope(knowledge_bases=tuple(ids)), limit=limit
            )
        ]
        return sorted(found, key=lambda match: (-match.score, match.chunk_id))[:limit]

    def _named(self, text: str, names: Sequence[str], scope: Scope, limit: int) -> list[Match]:
        """Chunks that mention what the query names; every single word of a short query counts as a name."""
        words = text.split()
        asked = [*names, *(words if len(words) == 1 else [])]
        return self._graph.find_chunks(list(dict.fromkeys(asked)), scope=scope, limit=limit)

    def _around(
        self, legs: Mapping[IndexName, Sequence[Match]], naming: Sequence[Match], scope: Scope, limit: int
    ) -> list[Match]:
        """What names the query's things, then what is near the best hits of the other legs."""
        seeds = [match.chunk_id for name in ("lexical", "vector") for match in legs.get(name, [])[:SEEDS]]
        seeds += [match.chunk_id for match in naming[:SEEDS]]
        near = self._graph.neighbours(list(dict.fromkeys(seeds)), scope=scope, limit=limit) if seeds else []
        given = {match.chunk_id for match in naming}
        most = max((match.score for match in near), default=1.0)
        floor = naming[-1].score if naming else 1.0
        later = [Match(chunk_id=m.chunk_id, score=floor * m.score / most / 2) for m in near if m.chunk_id not in given]
        return [*naming, *later][:limit]

    def _readable(self, text: str, scope: Scope) -> float:
        """The share of the query in a language that the embedding model reads."""
        if not any(self._embedder_of(knowledge_base).english for knowledge_base in scope.knowledge_bases):
            return 1.0
        foreign = len(_CJK.findall(text))
        words = sum(1 for word in _WORD.findall(_CJK.sub(" ", text)) if len(word) > 1)
        return words / (words + foreign / 2) if foreign else 1.0


def _exact(names: Sequence[str], naming: Sequence[Match], known: Mapping[str, Passage]) -> dict[str, float]:
    """The bonus of each chunk that mentions the query's identifiers, more where they are its document's title."""
    bonus: dict[str, float] = {}
    wanted = {name.lower() for name in names}
    if not wanted:
        return bonus
    for match in naming:
        passage = known.get(match.chunk_id)
        if passage is None:
            continue
        text = passage.text.lower()
        title = passage.title.lower()
        share = sum(1 for name in wanted if name in text or name in title) / len(wanted)
        about = any(name in (title, title.rsplit("/", 1)[-1]) for name in wanted)
        bonus[match.chunk_id] = EXACT * share + (TITLED if about else 0.0)
    return bonus


def _spread(ranked: Sequence[Fused], known: Mapping[str, Passage]) -> list[Fused]:
    """The ranking with at most `A_DOCUMENT` chunks of a document before every other document has been seen."""
    first: list[Fused] = []
    later: list[Fused] = []
    taken: dict[str, int] = {}
    for one in ranked:
        document = known[one.chunk_id].document
        taken[document] = taken.get(document, 0) + 1
        (first if taken[document] <= A_DOCUMENT else later).append(one)
    return first + later


def _hit(passage: Passage, fused: Fused) -> Hit:
    return Hit(
        ref=passage.ref,
        knowledge_base=passage.knowledge_base,
        document=passage.document,
        source_uri=passage.source_uri,
        title=passage.title,
        heading_path=passage.heading_path,
        text=passage.text,
        context=passage.context,
        location=passage.location,
        score=round(fused.score, 4),
        found_by=fused.found_by,
    )
