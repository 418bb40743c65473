"""Answers in the documents' own words: the writer for want of a language model."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Protocol

from devops_chatbot.answer.brief import Brief, Cited, WriterEvent, Written
from devops_chatbot.answer.extractive.choosing import Group, chosen, once
from devops_chatbot.answer.extractive.confidence import sureness
from devops_chatbot.answer.extractive.documents import documents
from devops_chatbot.answer.extractive.fitting import fits
from devops_chatbot.answer.extractive.quoting import written
from devops_chatbot.answer.extractive.relevance import Relevance
from devops_chatbot.chat import Citation, Token, Usage
from devops_chatbot.i18n import Reason
from knowledge.model import Scope
from knowledge.text.language import language_of, terms

NAME = "extractive"
PIECE = re.compile(r"(?:\S+\s*|\s+){1,6}")
"""What a token holds."""


class Words(Protocol):
    """The part of the word index that weighs words."""

    def rarity(self, text: str, *, scope: Scope) -> Mapping[str, float]: ...


class ExtractiveWriter:
    """A `Writer` that quotes. The same question and evidence give the same answer. Safe for concurrent use."""

    name = NAME

    def __init__(self, words: Words) -> None:
        self._words = words

    async def write(self, brief: Brief) -> AsyncGenerator[WriterEvent]:
        begun = time.perf_counter()
        text, citations = await asyncio.to_thread(self.compose, brief)
        yield Cited(citations=citations)
        for piece in PIECE.findall(text):
            yield Token(text=piece)
            await asyncio.sleep(0)  # lets a stop come through between two pieces
        usage = Usage(seconds=time.perf_counter() - begun)
        yield Written(text=text, citations=citations, model=NAME, usage=usage, extractive=True)

    def compose(self, brief: Brief) -> tuple[str, tuple[Citation, ...]]:
        """The answer and its citations; it says so when nothing fits, or when nothing was looked for."""
        language = language_of(brief.query)
        if not brief.scenario.grounded:
            return brief.reply or Reason("extract.talk").text(language), ()
        found = documents(brief.evidence)
        if not found:
            return Reason("extract.nothing").text(language), ()
        searched = tuple({one.collection: None for one in brief.evidence if one.collection})
        scope = Scope(principal=brief.principal.id, collections=searched)
        groups: list[Group] = []
        unanswered: list[str] = []
        surest = "nothing"
        for part in brief.parts or (brief.query,):
            rarity = self._words.rarity(f"{part} {' '.join(terms(part))}", scope=scope)
            relevance = Relevance(part, rarity=rarity)
            ranked = fits(found, relevance)
            sure = sureness(ranked, relevance)
            if sure == "nothing":
                unanswered.append(part)
                continue
            groups += chosen(ranked, relevance, sure=sure == "quotes")
            surest = "quotes" if "quotes" in (sure, surest) else sure
        if surest == "nothing":
            return Reason("extract.nothing").text(language), ()
        text, citations = written(once(groups), more=Reason("extract.goes_on").text(language))
        introduction = Reason("extract.quotes") if surest == "quotes" else Reason("extract.closest")
        paragraphs = [introduction.text(language), text]
        paragraphs += [Reason("extract.unanswered", question=part).text(language) for part in unanswered]
        return "\n\n".join(paragraphs), citations
