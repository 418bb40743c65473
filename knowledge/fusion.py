"""Joins what several indexes found into one ranking, so that a weak index never drags a strong one down.

A convex combination of normalised scores (Bruch, Gai and Ingber 2023, "An Analysis of Fusion Functions for Hybrid
Retrieval") instead of reciprocal ranks: ranks throw away how sure an index is. The weight of the vectors is set for each
query by how much of it the embedding model can read; exact identifiers come first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devops_chatbot.chat import FoundBy, IndexName
from knowledge.model import Match

VECTOR_WEIGHT = 0.5
"""Of a query in a language that the embedding model reads."""
FOREIGN_WEIGHT = 0.04
"""Of a query in a language that it does not read: enough to order what the words leave equal."""
EXACT = 1.0
"""Added to a chunk that names an identifier of the query, in share of the identifiers that it names."""
TITLED = 1.0
"""Added on top where the document's title is that identifier: it is about it, and does not just mention it."""
NEAR = 0.05
"""What the graph adds to a chunk for its nearness to the best ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """A chunk with its score in [0, 1] and where it was found."""

    chunk_id: str
    score: float
    found_by: tuple[FoundBy, ...]


def fuse(
    legs: Mapping[IndexName, Sequence[Match]], *, readable: float, exact: Mapping[str, float] | None = None
) -> list[Fused]:
    """The chunks of all legs, best first.

    `readable` in [0, 1] is the share of the query that the embedding model reads; `exact` gives a bonus to chunks that name
    the query's identifiers.
    """
    weight = FOREIGN_WEIGHT + (VECTOR_WEIGHT - FOREIGN_WEIGHT) * readable
    if not legs.get("lexical"):
        weight = 1.0
    elif not legs.get("vector"):
        weight = 0.0
    shares = {"vector": weight, "lexical": 1.0 - weight, "graph": NEAR}
    scores: dict[str, float] = {}
    for name, matches in legs.items():
        for chunk_id, score in _normalised(name, matches).items():
            scores[chunk_id] = scores.get(chunk_id, 0.0) + shares[name] * score
    for chunk_id, bonus in (exact or {}).items():
        scores[chunk_id] = scores.get(chunk_id, 0.0) + bonus
    found = _found_by(legs)
    most = 1.0 + NEAR + (EXACT + TITLED if exact else 0.0)
    ordered = sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))
    return [Fused(chunk_id=one, score=min(1.0, scores[one] / most), found_by=found.get(one, ())) for one in ordered]


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
