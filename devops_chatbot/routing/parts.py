"""The questions of a question: "How severe is it, how do I replace the disk, and how do I prevent it?" asks three things."""

import re
from collections.abc import Sequence

from devops_chatbot.routing.query_rewriting import stands_alone, subject_of
from knowledge.text.entities import identifiers
from knowledge.text.language import terms

MOST = 4
_ENGLISH = r"(?:how|what|where|when|who|which|why|is|are|can|do|does|should)\b"
_CHINESE = r"怎么|怎样|如何|什么|为什么|哪|谁|多久|多少|有多|是否"
_BETWEEN = re.compile(
    rf"[?？]\s*(?=\S)|\s*[,;，；、]\s*(?:and\s+|then\s+|以及|并且|还有|另外)*(?={_ENGLISH}|{_CHINESE})"
    r"|\s+and\s+(?=(?:how|what|where|when|who|which|why)\b)",
    re.IGNORECASE,
)
_ASKING = re.compile(rf"\b{_ENGLISH}|{_CHINESE}|吗$", re.IGNORECASE)


def parts(query: str) -> Sequence[str]:
    """What is asked, each part with what the question is about; the query alone where it asks one thing."""
    pieces = [piece.strip(" ?？,;，；、") for piece in _BETWEEN.split(query)]
    asked = [piece for piece in pieces if _ASKING.search(piece) and terms(piece)]
    if len(asked) < 2:
        return (query,)
    about = " ".join(identifiers(query)) or (pieces[0] if pieces[0] not in asked else subject_of(asked[0], ""))
    return tuple(piece if about in piece or stands_alone(piece) else f"{about}: {piece}" for piece in asked[:MOST])
