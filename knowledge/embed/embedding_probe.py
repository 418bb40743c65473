"""How an embedding model places its cosines: 0.8 is the same sentence to one of them and any two sentences to another.

Where several models search together, each one's cosines are read on the scale of sentences of which we know what they share.

What all questions of a language have in common says nothing about one of them, but a multilingual model gives it a great part of
a vector: a Chinese question is nearest to the few English pages that are near to every Chinese question. So that part is
taken out (Libovický et al. 2020, "On the language neutrality of pre-trained multilingual representations").
"""

import math
from importlib.resources import files
from typing import Protocol

PARAPHRASES = (
    ("The disk is full", "No space is left on the device"),
    ("Why does the service not start?", "The program fails to launch"),
    ("How do I change my password?", "Setting new login credentials"),
    ("Network latency is high", "The connection has become very slow"),
    ("Finding a memory leak", "A process uses more and more RAM"),
    ("When does the certificate expire?", "How long the TLS cert stays valid"),
    ("Ways to back up the database", "Making a copy of the stored data"),
    ("Increase the number of servers", "Scaling out to more machines"),
)
"""Sentences that mean the same in other words."""
NARROWEST = 0.05
"""A model that tells paraphrases from other sentences by less is taken to tell them by this much."""


COMMON = 0.8
"""How much of what Chinese questions have in common is taken out of one. On English runbooks, vectors alone, it makes hit@10 85
instead of 57 (0.7: 84, 0.9: 83); on Chinese pages nDCG@10 98.1 instead of 98.7.
"""


class TextEmbedder(Protocol):
    """The part of an embedding model that is examined."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]: ...

    def embed_query(self, text: str) -> list[float]: ...


def cosine_scale(embedder: TextEmbedder) -> tuple[float, float]:
    """The mean cosine of unrelated English sentences under this model, and how far above it that of paraphrases lies."""
    vectors = embedder.embed_documents([sentence for pair in PARAPHRASES for sentence in pair])
    left, right = vectors[::2], vectors[1::2]
    likeness = [[sum(a * b for a, b in zip(one, other, strict=True)) for other in right] for one in left]
    count = len(likeness)
    alike = sum(likeness[index][index] for index in range(count)) / count
    others = (sum(map(sum, likeness)) - alike * count) / (count * (count - 1))
    return others, max(NARROWEST, alike - others)


def usual_question(embedder: TextEmbedder) -> list[float]:
    """The mean vector of Chinese questions about all kinds of things."""
    questions = files("knowledge.embed").joinpath("usual_questions.txt").read_text("utf-8").splitlines()
    vectors = [embedder.embed_query(question) for question in questions]
    return [sum(values) / len(vectors) for values in zip(*vectors, strict=True)]


def without_the_usual(vector: list[float], usual: list[float]) -> list[float]:
    """A question's vector without `COMMON` of the usual one, of unit length."""
    rest = [value - COMMON * mean for value, mean in zip(vector, usual, strict=True)]
    length = math.hypot(*rest)
    return [value / length for value in rest]
