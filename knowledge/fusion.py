"""Joins what several indexes found into one ranking, so that a weak index never drags a strong one down.

A convex combination of normalised scores (Bruch, Gai and Ingber 2023, "An Analysis of Fusion Functions for Hybrid
Retrieval") instead of reciprocal ranks: ranks throw away how sure an index is. The vectors count as far as the embedding
model understands the query's language, chunks that name the query's identifiers come first, and the best candidates are
compared once more by how their sections and headings word the query.

The weights are round numbers from a plateau: halving or doubling one moves nDCG@10 by at most 1.1 points on each of six
development sets, except that half of `VECTORS` costs 3 points on descriptions of alerts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devops_chatbot.chat import FoundBy, IndexName
from knowledge.model import Match
from knowledge.wording import Worded

VECTORS = 0.4
"""The vectors' share beside the words', for a query in a language that the embedding model understands."""
LEAST_VECTORS = 0.02
"""Their share when it does not: enough to order what the words leave equal."""
NEAR = 0.05
"""What the graph adds to a chunk for its nearness to the best ones."""
SECTION = 2.0
"""How well a chunk's whole section words the query."""
HEADING = 1.0
"""How much of the query the headings above a chunk cover."""
NAMED = 1.0
"""A chunk that names a rare identifier of the query."""
TITLED = 1.0
"""On top of it where the identifier is the document's title: it is about it, and does not just mention it."""
RARE = 20
"""An identifier that this many chunks mention counts half."""


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


def combined(legs: Mapping[IndexName, Sequence[Match]], *, share: float) -> dict[str, float]:
    """The chunks of all legs with their scores in [0, 1 + NEAR]; `share` is the vectors'."""
    shares = {"vector": share, "lexical": 1.0 - share, "graph": NEAR}
    scores: dict[str, float] = {}
    for name, matches in legs.items():
        for chunk_id, score in _normalised(name, matches).items():
            scores[chunk_id] = scores.get(chunk_id, 0.0) + shares[name] * score
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
    worded: Mapping[str, Worded] | None = None,
    bonus: Mapping[str, float] | None = None,
) -> list[Fused]:
    """The chunks of `scores`, best first; `worded` says how each words the query."""
    most = 1.0 + NEAR + (SECTION + HEADING if worded else 0.0) + (NAMED + TITLED if bonus else 0.0)
    totals = dict(scores)
    for chunk_id, extra in (bonus or {}).items():
        totals[chunk_id] += extra
    for chunk_id, found in (worded or {}).items():
        totals[chunk_id] += SECTION * found.section + HEADING * found.heading
    where = _found_by(legs)
    return [
        Fused(chunk_id=chunk_id, score=min(1.0, totals[chunk_id] / most), found_by=where.get(chunk_id, ()))
        for chunk_id in sorted(totals, key=lambda chunk_id: (-totals[chunk_id], chunk_id))
    ]


def _normalised(name: IndexName, matches: Sequence[Match]) -> dict[str, float]:
    """Scores in [0, 1]: the top is 1; the bottom is 0 for words (nothing in common) and the leg's last for vectors."""
    if not matches:
        return {}
    top = matches[0].score
    bottom = matches[-1].score if name == "vector" and len(matches) > 1 else 0.0
    width = top - bottom
    return {match.chunk_id: (match.score - bottom) / width if width > 0 else 1.0 for match in matches}


def _found_by(legs: Mapping[IndexName, Sequence[Match]]) -> dict[str, tuple[FoundBy, ...]]:
    found: dict[str, tuple[FoundBy, ...]] = {}
    for name, matches in legs.items():
        for rank, match in enumerate(matches, 1):
            found[match.chunk_id] = (*found.get(match.chunk_id, ()), FoundBy(index=name, rank=rank, score=match.score))
    return found
