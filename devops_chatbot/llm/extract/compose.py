"""Composes an answer out of evidence."""

from collections.abc import Sequence
from dataclasses import dataclass

from devops_chatbot.chat import Citation, Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """An answer's text (Markdown) and the words behind each of its citations."""

    text: str
    citations: tuple[Citation, ...]


def compose(query: str, evidence: Sequence[Evidence] | None) -> Extract:
    """The answer; it says so when nothing fits (no evidence), or when nothing was looked for (None)."""
    if not evidence:
        return Extract(text=f"No language model is connected. Nothing fits: {query}", citations=())
    best = evidence[0]
    citation = Citation(number=1, ref=best.ref, quote=best.text, title=best.title, source_uri=best.source_uri)
    return Extract(text=f"{best.text} [1]", citations=(citation,))
