"""How a model's answer ends, in one set of words for every provider: whole, cut at its limit, or refused."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk

REFUSAL = "refusal"
"""`additional_kwargs` of a chunk: the next piece of the words with which an OpenAI-protocol model refuses."""

_REASONS = ("finish_reason", "stop_reason", "done_reason")  # OpenAI, Anthropic, Ollama
_CUT = ("length", "max_tokens")
_REFUSED = ("refusal", "content_filter")


@dataclass(slots=True)
class Ending:
    """Collects, chunk by chunk, what the provider says about the end of an answer."""

    refusal: str = ""
    cut: bool = False
    _refused: bool = False

    def add(self, chunk: "AIMessageChunk") -> None:
        """Takes the next chunk into account."""
        words = chunk.additional_kwargs.get(REFUSAL)
        self.refusal += words if isinstance(words, str) else ""
        details = chunk.response_metadata.get("stop_details")  # Anthropic's
        explained = details.get("explanation") if isinstance(details, dict) else None
        self.refusal += explained if isinstance(explained, str) else ""
        for reason in (chunk.response_metadata.get(name) for name in _REASONS):
            self.cut = self.cut or reason in _CUT
            self._refused = self._refused or reason in _REFUSED

    @property
    def refused(self) -> bool:
        """Whether the model, or a filter in front of it, would not answer."""
        return self._refused or bool(self.refusal.strip())
