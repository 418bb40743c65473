"""Search over vectors, words and the graph, fused into one list of hits."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from devops_chatbot.chat import IndexName, SearchMode
from devops_chatbot.errors import BadQuestion
from knowledge.embed.embedding_probe import cosine_scale, usual_question, without_the_usual
from knowledge.model import ChunkInContext, Hit, Match, Scope, document_of
from knowledge.retrieval import fusion, graph_expansion
from knowledge.retrieval.fusion import Fused
from knowledge.retrieval.lexical_rerank import LexicalReranker
from knowledge.stores.graph import GraphStore
from knowledge.stores.lexical import LexicalIndex
from knowledge.stores.vector import VectorStore
from knowledge.text.entities import SPECIFIC, entities_in
from knowledge.text.identifiers import in_words
from knowledge.text.language import foreign_share, language_of
from knowledge.text.normal import normalised
from knowledge.text.tokens import is_name

POOL = 60
"""Chunks that each index gives, at least; enough for ten documents of several chunks each."""
COMPARED = 32
"""Best candidates whose sections are compared with the query."""
SEEDS = 2
"""Best chunks whose neighbours the graph is asked for."""
DEEPER = (1, 4, 16)
"""Where copies of one passage leave too few hits, so many times as many are looked for."""
A_DOCUMENT = 3
"""Chunks of one document among the hits before the others have had their turn."""
LONGEST_QUERY = 4000
"""Characters of a query that are looked at."""

T = TypeVar("T")


class ChunkSource(Protocol):
    """Where the texts of chunks are; only chunks of active versions are given."""

    def chunks_by_ref(self, refs: Sequence[str]) -> dict[str, ChunkInContext]: ...


class QueryEmbedder(Protocol):
    """What search needs of an embedding model; `shape` tells models apart."""

    @property
    def shape(self) -> str: ...

    @property
    def english(self) -> bool: ...

    def embed_query(self, text: str) -> list[float]: ...

    def embed_documents(self, texts: list[str]) -> list[list[float]]: ...


class HybridRetriever:
    """A `Retriever`; its legs run side by side. `embedder_of` gives the embedding model of a collection."""

    def __init__(
        self,
        *,
        catalog: ChunkSource,
        vectors: VectorStore,
        lexical: LexicalIndex,
        graph: GraphStore,
        embedder_of: Callable[[str], QueryEmbedder],
    ) -> None:
        self._catalogue = catalog
        self._vectors = vectors
        self._lexical = lexical
        self._graph = graph
        self._embedder_of = embedder_of
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="search")
        self._scales: dict[str, tuple[float, float]] = {}
        self._usual: dict[str, list[float]] = {}

    def search(
        self, query: str, *, scope: Scope, limit: int, mode: SearchMode = "hybrid", score_threshold: float = 0.0
    ) -> list[Hit]:
        text = normalised(query).strip()[:LONGEST_QUERY]
        if not text:
            raise BadQuestion("search.empty")
        if not scope.collections or limit < 1:
            return []
        hits: list[Hit] = []
        for deeper in DEEPER:
            wanted = deeper * limit
            find = self._hybrid if mode == "hybrid" else partial(self._single, mode)
            found, known = find(text, scope, wanted)
            kept = [one for one in found if one.chunk_id in known and one.score >= score_threshold]
            apart = spread(kept, of=lambda one: known[one.chunk_id].document)  # noqa: B023 used at once
            hits = folded([_hit(known[one.chunk_id], one) for one in apart])[:limit]
            if len(hits) == limit or len(known) < wanted:
                break
        return hits

    def _single(
        self, mode: IndexName, text: str, scope: Scope, limit: int
    ) -> tuple[list[Fused], dict[str, ChunkInContext]]:
        """What one index alone finds, in its own order."""
        pool = max(POOL, 2 * limit)
        if mode == "vector":
            matches = self._nearest(text, scope, pool)
        elif mode == "lexical":
            matches = self._lexical.search(text, scope=scope, limit=pool)
        else:
            naming = self._named(text, scope, pool)
            matches = self._with_neighbours(
                naming, naming or self._lexical.search(text, scope=scope, limit=SEEDS), scope, pool
            )
        known = self._catalogue.chunks_by_ref([match.chunk_id for match in matches])
        legs: dict[IndexName, list[Match]] = {mode: [match for match in matches if match.chunk_id in known]}
        scores = {match.chunk_id: match.score for match in legs[mode]}
        most = max(scores.values(), default=1.0)
        if mode != "vector" and most > 0:
            scores = {chunk_id: score / most for chunk_id, score in scores.items()}
        scores = {chunk_id: min(1.0, max(0.0, score)) for chunk_id, score in scores.items()}
        return fusion.ranked(scores, legs=legs), known

    def _hybrid(self, text: str, scope: Scope, limit: int) -> tuple[list[Fused], dict[str, ChunkInContext]]:
        """All indexes together; the best candidates compared with the query once more."""
        pool = max(POOL, 3 * limit)
        nearest = self._pool.submit(self._nearest, text, scope, pool)
        named = self._pool.submit(self._named, text, scope, pool)
        lexical = self._lexical.search(text, scope=scope, limit=pool)
        naming = named.result()
        near = self._with_neighbours(naming, [*naming[:SEEDS], *lexical[:SEEDS]], scope, pool)
        vector = nearest.result()
        legs: dict[IndexName, list[Match]] = {"vector": vector, "lexical": lexical, "graph": near}
        share = fusion.vectors_share(self._understood(text, scope), lexical=bool(lexical), vector=bool(vector))
        rarity = self._lexical.rarity(text, scope=scope)
        scores = fusion.combined(legs, share=share, sure=fusion.words_sureness(lexical, rarity))
        bonus = fusion.naming_bonus(naming, titled={})
        exact = self._naming_exactly(rarity, scope)
        scores |= dict.fromkeys(exact - scores.keys(), 0.0)
        first = sorted(scores, key=lambda one: (one not in exact, -scores[one] - bonus.get(one, 0.0), one))
        ordered = spread(first, of=document_of)
        known = self._chunks(ordered, max(COMPARED, 2 * limit))
        scores = {chunk_id: scores[chunk_id] for chunk_id in known}
        bonus = fusion.naming_bonus(
            [match for match in naming if match.chunk_id in known], titled=_titled(_names(text), known)
        )
        best = [chunk_id for chunk_id in ordered if chunk_id in known][:COMPARED]
        compared = LexicalReranker(rarity).compare(
            [(known[chunk_id].title, known[chunk_id].context) for chunk_id in best]
        )
        worded = dict(zip(best, compared, strict=True))
        return fusion.ranked(scores, worded=worded, bonus=bonus, legs=legs, certain=exact & known.keys()), known

    def _naming_exactly(self, rarity: Mapping[str, float], scope: Scope) -> set[str]:
        """Chunks that hold the rarest name of the query as it is: no likeness in meaning weighs more."""
        names = [word for word in rarity if is_name(word)]
        found = [self._lexical.having(name, scope=scope, limit=fusion.RARE + 1) for name in names]
        rare = [set(chunks) for chunks in found if 0 < len(chunks) <= fusion.RARE]
        both = set.intersection(*rare) if rare else set()
        return both or (set.union(*rare) if rare else set())

    def _nearest(self, text: str, scope: Scope, limit: int) -> list[Match]:
        """By meaning; collections that share an embedding model share the query's vector. Where there are several
        models, a score is not the cosine but where it lies between unrelated sentences (0) and paraphrases (1).
        """
        groups: dict[str, tuple[QueryEmbedder, list[str]]] = {}
        for collection in scope.collections:
            embedder = self._embedder_of(collection)
            groups.setdefault(embedder.shape, (embedder, []))[1].append(collection)
        spoken = in_words(text)
        found: list[Match] = []
        for embedder, ids in groups.values():
            vector = self._meaning(spoken, embedder)
            matches = self._vectors.search(vector, scope=replace(scope, collections=tuple(ids)), limit=limit)
            found += matches if len(groups) == 1 else self._rescaled(matches, embedder)
        return sorted(found, key=lambda match: (-match.score, match.chunk_id))[:limit]

    def _meaning(self, query: str, embedder: QueryEmbedder) -> list[float]:
        """The vector of a query; of a Chinese one without what Chinese questions have in common, so that English pages that
        answer it come before those that are near to any of them.
        """
        vector = embedder.embed_query(query)
        if embedder.english or language_of(query) != "zh":
            return vector
        if embedder.shape not in self._usual:
            self._usual[embedder.shape] = usual_question(embedder)
        return without_the_usual(vector, self._usual[embedder.shape])

    def _rescaled(self, matches: Sequence[Match], embedder: QueryEmbedder) -> list[Match]:
        if embedder.shape not in self._scales:
            self._scales[embedder.shape] = cosine_scale(embedder)
        zero, width = self._scales[embedder.shape]
        return [Match(chunk_id=match.chunk_id, score=(match.score - zero) / width) for match in matches]

    def _named(self, text: str, scope: Scope, limit: int) -> list[Match]:
        """Chunks that mention what the query names; a query of one word is a name."""
        names = _names(text)
        return graph_expansion.naming(self._graph, names, scope=scope, limit=limit) if names else []

    def _with_neighbours(
        self, naming: Sequence[Match], seeds: Sequence[Match], scope: Scope, limit: int
    ) -> list[Match]:
        """What names the query's things, then what is near the seeds."""
        ids = list(dict.fromkeys(match.chunk_id for match in seeds))
        near = graph_expansion.near(self._graph, ids, scope=scope, limit=limit)
        given = {match.chunk_id for match in naming}
        most = max((match.score for match in near), default=1.0)
        floor = naming[-1].score if naming else 1.0
        later = [Match(chunk_id=m.chunk_id, score=floor * m.score / most / 2) for m in near if m.chunk_id not in given]
        return [*naming, *later][:limit]

    def _chunks(self, ordered: Sequence[str], wanted: int) -> dict[str, ChunkInContext]:
        """The first `wanted` chunks that are still active."""
        known: dict[str, ChunkInContext] = {}
        for start in range(0, len(ordered), wanted):
            known |= self._catalogue.chunks_by_ref(ordered[start : start + wanted])
            if len(known) >= wanted // 2:
                break
        return known

    def _understood(self, text: str, scope: Scope) -> float:
        """The share of the query that every embedding model of the scope understands."""
        foreign = foreign_share(text)
        if not foreign or not any(self._embedder_of(collection).english for collection in scope.collections):
            return 1.0
        return 1.0 - foreign


def _names(text: str) -> list[str]:
    """The names in a query that point at something; a query of one word is a name."""
    words = text.split()
    names = [entity.name for entity in entities_in(text) if entity.kind in SPECIFIC]
    return list(dict.fromkeys([*names, *(words if len(words) == 1 else [])]))


def _titled(names: Sequence[str], known: Mapping[str, ChunkInContext]) -> dict[str, float]:
    """The share of the names that are the title of each chunk's document."""
    wanted = {name.lower() for name in names}
    return {
        chunk_id: sum(chunk.title.lower() in (name, name.rsplit("/", 1)[-1]) for name in wanted) / len(wanted)
        for chunk_id, chunk in known.items()
        if wanted
    }


def spread(ordered: Sequence[T], *, of: Callable[[T], str]) -> list[T]:
    """The same order with at most `A_DOCUMENT` chunks of a document before every other document has been seen."""
    first: list[T] = []
    later: list[T] = []
    taken: dict[str, int] = {}
    for one in ordered:
        document = of(one)
        taken[document] = taken.get(document, 0) + 1
        (first if taken[document] <= A_DOCUMENT else later).append(one)
    return first + later


def folded(hits: Sequence[Hit]) -> list[Hit]:
    """Equal passages below equal headings as one hit, the best one, which knows where else they stand."""
    first: dict[tuple[str, tuple[str, ...]], Hit] = {}
    for hit in hits:
        key = ("".join(hit.text.split()), hit.heading_path)
        best = first.get(key)
        if best is None:
            first[key] = hit
        elif hit.source_uri not in (best.source_uri, *best.also_in):
            first[key] = replace(best, also_in=(*best.also_in, hit.source_uri))
    return list(first.values())


def _hit(chunk: ChunkInContext, fused: Fused) -> Hit:
    return Hit(
        ref=chunk.ref,
        collection=chunk.collection,
        document=chunk.document,
        source_uri=chunk.source_uri,
        title=chunk.title,
        heading_path=chunk.heading_path,
        text=chunk.text,
        context=chunk.context,
        location=chunk.location,
        score=round(fused.score, 4),
        found_by=fused.found_by,
    )
