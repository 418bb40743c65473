"""The model that needs no language model: it composes an answer out of the evidence's own sentences.

LangChain's messages carry text; the evidence and the question reach this model beside the text, in the last message's
`additional_kwargs` (providers' clients do not send those). So the writer builds one prompt for whichever model answers.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from devops_chatbot.chat import Citation, Evidence
from devops_chatbot.errors import ChatbotError, ModelUnavailable

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

EVIDENCE = "devops_chatbot_evidence"
"""`additional_kwargs` of the question's message: a tuple of `Evidence`, numbered from 1."""
QUERY = "devops_chatbot_query"
"""The same: the question as it stands on its own."""
CITATIONS = "devops_chatbot_citations"
"""`additional_kwargs` of the answer's last chunk: a tuple of `Citation`, each with the very words that were taken."""


class BuiltIn:
    """The connection to the extractive model: nothing to reach, nothing to go wrong with."""

    def open(self) -> "BaseChatModel":
        from devops_chatbot.llm.extract.model import ExtractiveModel

        return ExtractiveModel()

    def foreign(self) -> tuple[type[Exception], ...]:
        return ()

    def translate(self, error: Exception, *, begun: bool) -> ChatbotError:  # noqa: ARG002 the protocol's signature
        return ModelUnavailable("model.broke_off", name="extractive", error=error)


def evidence_of(messages: Sequence["BaseMessage"]) -> tuple[str, tuple[Evidence, ...] | None]:
    """The query and the evidence that the last message carries; without them, its text and None (nothing was looked
    for).
    """
    if not messages:
        return "", None
    beside = messages[-1].additional_kwargs
    query, evidence = beside.get(QUERY), beside.get(EVIDENCE)
    if not isinstance(query, str) or not isinstance(evidence, (tuple, list)):
        return str(messages[-1].text), None
    return query, tuple(one for one in evidence if isinstance(one, Evidence))


def citations_of(beside: dict[str, object]) -> tuple[Citation, ...]:
    """The citations in the `additional_kwargs` of an answer's chunk, when it has any."""
    found = beside.get(CITATIONS, ())
    return tuple(one for one in found if isinstance(one, Citation)) if isinstance(found, tuple) else ()
