"""What a model's reply is made of, chunk by chunk: words, thoughts, usage, and how it ends."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from devops_chatbot.llm.chunks import refusal_of, thought_of
from devops_chatbot.llm.finish_reason import REASONS, Ending, ending_of
from devops_chatbot.llm.named import NamedModel
from devops_chatbot.llm.thoughts import Piece, ThoughtFilter

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk, BaseMessage

BYTES_A_TOKEN = 8
"""More than any ordinary answer has (English 4, indented YAML 6): what goes on beyond it is not limited by its provider."""
THOUGHTS_TO_ANSWER = 4
"""How much longer than an answer its thoughts may be, which some providers do not count."""


class Reply:
    """Collects one reply; `limit` is the most tokens of its answer."""

    def __init__(self, *, limit: int) -> None:
        self.ending: Ending | None = None
        """None while, and when, the provider has not said that the reply is over."""
        self.reason = ""
        """The provider's own word for it."""
        self.refusal = ""
        self.tool = ""
        """The tool that the model wants called."""
        self.overran = False
        """Whether we have cut the reply at our own bound, for it went on beyond every limit."""
        self.input_tokens = self.output_tokens = 0
        self.thought = False
        """Whether it has thought."""
        self._filter = ThoughtFilter()
        self._room = limit * BYTES_A_TOKEN
        self._room_to_think = limit * BYTES_A_TOKEN * THOUGHTS_TO_ANSWER

    async def read(self, model: NamedModel, messages: Sequence["BaseMessage"]) -> AsyncGenerator[Piece]:
        """The pieces of the model's reply as they come; it is left where it overruns its bound. Raises as
        `NamedModel.stream` does.
        """
        async with aclosing(model.stream(messages)) as chunks:
            async for chunk in chunks:
                for piece in self._add(chunk):
                    yield piece
                if self.overran:
                    break
        for piece in self._bounded(self._filter.end()):
            yield piece

    def _add(self, chunk: "AIMessageChunk") -> list[Piece]:
        if usage := chunk.usage_metadata:  # counted up by some providers with each chunk, told in two parts by others
            self.input_tokens = max(self.input_tokens, usage["input_tokens"])
            self.output_tokens = max(self.output_tokens, usage["output_tokens"])
        self._take_end(chunk)
        if not self.tool:
            self.tool = next((call["name"] for call in chunk.tool_call_chunks if call["name"]), "")
        thought = thought_of(chunk)
        pieces = [Piece(thought=thought)] if thought else []
        text = str(chunk.text)
        return self._bounded([*pieces, *self._filter.add(text)] if text else pieces)

    def _take_end(self, chunk: "AIMessageChunk") -> None:
        self.refusal += refusal_of(chunk)
        for reason in map(chunk.response_metadata.get, REASONS):
            if isinstance(reason, str) and reason.strip():
                self.ending, self.reason = ending_of(reason), reason
        if self.refusal.strip():
            self.ending = "refused"

    def _bounded(self, pieces: list[Piece]) -> list[Piece]:
        """Without what is over the bounds."""
        kept: list[Piece] = []
        for piece in pieces:
            self.thought = self.thought or bool(piece.thought) or piece.recant
            text, self._room = _within(piece.text, self._room)
            thought, self._room_to_think = _within(piece.thought, self._room_to_think)
            kept.append(Piece(text=text, thought=thought, recant=piece.recant))
            if len(text) < len(piece.text) or len(thought) < len(piece.thought):
                self.overran, self.ending = True, "cut"
                break
        return kept


def _within(text: str, room: int) -> tuple[str, int]:
    """What of the text fits into so many bytes of UTF-8, and the room that is left."""
    raw = text.encode("utf-8", "replace")
    return (text, room - len(raw)) if len(raw) <= room else (raw[:room].decode("utf-8", "ignore"), 0)
