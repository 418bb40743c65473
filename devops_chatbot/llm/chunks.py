"""What LangChain's chunks carry beside their text, by our names for it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk

REFUSAL = "refusal"
"""`additional_kwargs`: the next piece of the words with which an OpenAI-protocol model refuses."""
THOUGHT = "reasoning_content"
"""`additional_kwargs`: the next piece of a thought, where the provider tells it from the answer."""


def thought_of(chunk: "AIMessageChunk") -> str:
    """The thought in a chunk: beside the content, or (Anthropic's) among its blocks."""
    beside = chunk.additional_kwargs.get(THOUGHT)
    if isinstance(beside, str):
        return beside
    if isinstance(chunk.content, str):
        return ""
    blocks: list[dict[str, Any]] = [block for block in chunk.content if isinstance(block, dict)]
    thoughts = (block.get("thinking") or block.get("reasoning") or "" for block in blocks)
    return "".join(thought for thought in thoughts if isinstance(thought, str))


def refusal_of(chunk: "AIMessageChunk") -> str:
    """The next words of a refusal: OpenAI's beside the content, Anthropic's in `stop_details`."""
    words = chunk.additional_kwargs.get(REFUSAL)
    details = chunk.response_metadata.get("stop_details")
    explained = details.get("explanation") if isinstance(details, dict) else None
    return "".join(text for text in (words, explained) if isinstance(text, str))
