"""Joins what several indexes found into one ranking, so that a weak index never drags a strong one down.

A convex combination of normalised scores (Bruch, Gai and Ingber 2023, "An Analysis of Fusion Functions for Hybrid
Retrieval") instead of reciprocal ranks: ranks throw away how sure an index is. The vectors count as far as the embedding
model understands the query's language, the words as far as the documents use the query's own. A chunk shares what its
document's best chunk has in each index, because words and meaning often point at different places of the right document.
Chunks that name the query's identifiers come first, and the best candidates are compared once more by how their sections
and titles word the query.

The weights are round numbers from the middle of a plateau: halving or doubling one costs at most the points of nDCG@10
that docs/benchmarks.md gives, which also says on which queries they were chosen.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from devops_chatbot.chat import FoundBy, IndexName
from knowledge.model import Match, document_of
from knowledge.retrieval.lexical_rerank import Overlap

VECTORS = 0.6
"""The vectors' share beside the words', for a query in a language that the embedding model understands."""
LEAST_VECTORS = 0.02
"""Their share when it does not: enough to order what the words leave equal."""
DOCUMENT = 0.5
"""How much of a chunk's score in an index is its document's best one there."""
NEAR = 0.05
"""What the graph adds to a chunk for its nearness to the best ones."""
SECTION = 1.0
"""How well a chunk's whole section words the query, beside the candidate whose section does it best (or `SURE`)."""
TITLE = 0.5
"""How much of the query the title of a chunk's document covers."""
NAMED = 1.0
"""A chunk that names a rare identifier of the query."""
TITLED = 1.0
"""On top of it where the identifier is the document's title: it is about it, and does not just mention it."""
AHEAD = 0.01
"""How far certain chunks are lifted above the best of the others at least."""
RARE = 20
"""An identifier that this many chunks mention counts half."""
SURE = 0.3
"""The words are sure when the best match has this share of the query's weight; the little words of a question that asks
in other words than the documents would otherwise count in full."""
BM25_CEILING = 2.2
"""What BM25 gives at most for a word, as a multiple of its inverse document frequency: k1 + 1, in tantivy."""
DEPTH = 60
"""The rank whose vector score counts as nothing in common, so that asking for more hits does not change their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """A chunk with its score in [0, 1] and where it was found."""

    chunk_id: str
    score: float
    found_by: tuple[FoundBy, ...]


def vectors_share(understood: float, *, lexical: bool, vector: bool) -> float:
    """The vectors' share when `understood` (in [0, 1]) of the query is in a language that the model understands."""
    if lexical and vector:
        return LEAST_VECTORS + (VECTORS - LEAST_VECTORS) * understood
    return 1.0 if vector else 0.0


def words_sureness(lexical: Sequence[Match], rarity: Mapping[str, float]) -> float:
    """How sure the words are, in [0, 1], where `rarity` gives the inverse document frequency of the query's words."""
    wanted = SURE * BM25_CEILING * sum(rarity.values())
    return min(1.0, lexical[0].score / wanted) if lexical and wanted > 0 else 1.0


def combined(legs: Mapping[IndexName, Sequence[Match]], *, share: float, sure: float = 1.0) -> dict[str, float]:
    """The chunks of all legs with their scores in [0, 1 + NEAR]; `share` is the vectors', `sure` how sure the words are."""
    near = _normalised("graph", legs.get("graph", ()))
    scores = {match.chunk_id: 0.0 for matches in legs.values() for match in matches}
    scores |= {chunk_id: NEAR * score for chunk_id, score in near.items()}
    documents = {chunk_id: document_of(chunk_id) for chunk_id in scores}
    shares: tuple[tuple[IndexName, float], ...] = (("vector", share), ("lexical", sure * (1.0 - share)))
    for name, weight in shares:
        own = _normalised(name, legs.get(name, ()))
        best: dict[str, float] = {}
        for chunk_id, score in own.items():
            document = documents[chunk_id]
            if score > best.get(document, 0.0):
                best[document] = score
        for chunk_id, document in documents.items():
            scores[chunk_id] += weight * ((1 - DOCUMENT) * own.get(chunk_id, 0.0) + DOCUMENT * best.get(document, 0.0))
    return scores


def naming_bonus(naming: Sequence[Match], *, titled: Mapping[str, float]) -> dict[str, float]:
    """What chunks get for naming the query's identifiers, by their rarity; `titled` is the share of identifiers that
    are the title of a chunk's document.
    """
    return {
        match.chunk_id: NAMED * match.score / (match.score + 1 / RARE) + TITLED * titled.get(match.chunk_id, 0.0)
        for match in naming
    }


def ranked(
    scores: Mapping[str, float],
    *,
    legs: Mapping[IndexName, Sequence[Match]],
    worded: Mapping[str, Overlap] | None = None,
    bonus: Mapping[str, float] | None = None,
    certain: Collection[str] = (),
) -> list[Fused]:
    """The chunks of `scores`, best first; `worded` says how each words the query. Those that are `certain` come before all
    others, with scores to match.
    """
    most = (
        1.0
        + (NEAR if worded is not None else 0.0)
        + (SECTION + TITLE if worded else 0.0)
        + (NAMED + TITLED if bonus else 0.0)
    )
    totals = dict(scores)
    for chunk_id, extra in (bonus or {}).items():
        totals[chunk_id] += extra
    most_worded = max([SURE, *(found.section for found in (worded or {}).values())])
    for chunk_id, found in (worded or {}).items():
        totals[chunk_id] += SECTION * found.section / most_worded + TITLE * found.title
    above = max((total for chunk_id, total in totals.items() if chunk_id not in certain), default=0.0)
    low = min((totals[chunk_id] for chunk_id in certain if chunk_id in totals), default=above)
    for chunk_id in certain:
        if chunk_id in totals and low <= above:
            totals[chunk_id] += above - low + AHEAD
    where = _found_by(legs)
    return [
        Fused(chunk_id=chunk_id, score=min(1.0, totals[chunk_id] / most), found_by=where.get(chunk_id, ()))
        for chunk_id in sorted(totals, key=lambda chunk_id: (-totals[chunk_id], chunk_id))
    ]


def _normalised(name: IndexName, matches: Sequence[Match]) -> dict[str, float]:
    """Scores in [0, 1]: the top is 1; 0 is nothing in common for words, and the score at rank `DEPTH` for vectors."""
    if not matches:
        return {}
    top = matches[0].score
    bottom = matches[min(len(matches), DEPTH) - 1].score if name == "vector" and len(matches) > 1 else 0.0
    width = top - bottom
    return {match.chunk_id: max(0.0, match.score - bottom) / width if width > 0 else 1.0 for match in matches}


def _found_by(legs: Mapping[IndexName, Sequence[Match]]) -> dict[str, tuple[FoundBy, ...]]:
    found: dict[str, tuple[FoundBy, ...]] = {}
    for name, matches in legs.items():
        for rank, match in enumerate(matches, 1):
            found[match.chunk_id] = (*found.get(match.chunk_id, ()), FoundBy(index=name, rank=rank, score=match.score))
    return found
