"""What is said to greetings, thanks and questions about the assistant, where there is no language model."""

from collections.abc import Sequence
from typing import Protocol

from devops_chatbot.access.principals import Principal
from devops_chatbot.chat import Question, Scenario
from devops_chatbot.i18n import Language, Reason
from devops_chatbot.routing.examples import small_talk
from knowledge.text.language import language_of


class Suggest(Protocol):
    """Questions that the documents answer."""

    def __call__(self, principal: Principal, knowledge_bases: Sequence[str], language: Language) -> Sequence[str]: ...


def reply(question: Question, scenario: Scenario, suggest: Suggest) -> str:
    """What the scenario says to small talk, and what can be asked now; empty to anything else."""
    kind = small_talk(question.text)
    if kind is None or kind not in scenario.replies:
        return ""
    language = language_of(question.text)
    said = scenario.replies[kind].get(language, scenario.replies[kind]["en"])
    questions = suggest(question.principal, question.chosen, language)
    tries = "\n".join(f"- {one}" for one in questions)
    follows = Reason("reply.questions", questions=tries) if tries else Reason("reply.no_documents")
    return f"{said} {follows.text(language)}"
