"""What every embedding model looks like to the product: LangChain's `Embeddings` and a few facts about the model."""

from collections.abc import Sequence
from typing import Protocol


class Embedder(Protocol):
    """Texts to vectors of unit length. Safe for concurrent use; the model is loaded on the first call.

    The two `embed_…` methods are LangChain's `Embeddings`. A text longer than `max_tokens` is cut. An empty list of
    texts gives an empty list. Raises `ModelUnavailable` when the model cannot be reached or loaded.
    """

    @property
    def name(self) -> str:
        """For people: which model this is."""

    @property
    def shape(self) -> str:
        """Two embedders of one shape give the same vectors; part of a document's version."""

    @property
    def english(self) -> bool:
        """True for a model that reads English only, so that its vectors of other texts say little."""

    @property
    def max_tokens(self) -> int: ...

    @property
    def dimension(self) -> int:
        """Length of a vector (may load the model)."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]: ...

    def embed_query(self, text: str) -> list[float]: ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens left out, not cut at `max_tokens`."""

    def close(self) -> None: ...
