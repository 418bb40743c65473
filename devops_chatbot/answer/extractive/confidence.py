"""Whether what was found answers a question: a logistic regression over features of the best document."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from devops_chatbot.answer.extractive.constants import ANSWERS, CLOSE, WEIGHTS
from devops_chatbot.answer.extractive.fitting import Fit
from devops_chatbot.answer.extractive.relevance import Relevance
from knowledge.text.language import language_of

Sureness = Literal["quotes", "closest", "nothing"]


def features(ranked: Sequence[Fit], relevance: Relevance) -> Mapping[str, float]:
    """What is known of the best document: how much of the question its best section, its best sentence there and its title
    hold, and the rarest word that it lacks.
    """
    best = ranked[0]
    return {
        "section": best.best,
        "part": best.part,
        "missing": best.missing,
        "title": relevance.share(best.document.title, topic=True),
        "constant": 1.0,
    }


def sureness(ranked: Sequence[Fit], relevance: Relevance) -> Sureness:
    """Whether the best document is quoted as what the documents say, as the closest there is, or not at all."""
    if ranked[0].named:
        return "quotes"
    language = language_of(relevance.question)
    known = features(ranked, relevance)
    probability = 1 / (1 + math.exp(-sum(weight * known[name] for name, weight in WEIGHTS[language].items())))
    if probability < CLOSE[language]:
        return "nothing"
    return "quotes" if probability >= ANSWERS[language] else "closest"
