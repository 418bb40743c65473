"""The embedding models by name, each opened on first use."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from devops_chatbot.errors import NotFound
from devops_chatbot.i18n import Reason
from devops_chatbot.status import EmbeddingInfo
from knowledge.embed import Embedder


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """How to open an embedding model, and what is missing for it (None: nothing that can be known beforehand)."""

    provider: str
    model: str
    open: Callable[[], Embedder]
    missing: Reason | None = None
    remote: bool = False


class Embeddings:
    """Opens each model once and keeps it. Safe for use from many threads."""

    def __init__(self, offers: Mapping[str, Offer], *, default: str) -> None:
        self._offers = offers
        self._default = default
        self._opened: dict[str, Embedder] = {}
        self._locks = {name: threading.Lock() for name in offers}

    def known(self, name: str | None) -> str:
        """The name itself, or the default's. Raises `NotFound`."""
        chosen = name or self._default
        if chosen not in self._offers:
            raise NotFound("embedding.not_found", name=chosen, known=list(self._offers))
        return chosen

    def of(self, name: str) -> Embedder:
        """The model of this name. Raises `NotFound`, `ConfigError` or `ModelUnavailable`."""
        chosen = self.known(name)
        with self._locks[chosen]:
            if chosen not in self._opened:
                self._opened[chosen] = self._offers[chosen].open()
            return self._opened[chosen]

    def infos(self) -> Sequence[EmbeddingInfo]:
        return [
            EmbeddingInfo(
                name=name,
                provider=offer.provider,
                model=offer.model,
                default=name == self._default,
                state="disabled" if offer.missing else "unknown" if offer.remote else "ready",
                why=offer.missing or (Reason("model.not_tried") if offer.remote and name not in self._opened else None),
            )
            for name, offer in self._offers.items()
        ]

    def close(self) -> None:
        for name, lock in self._locks.items():
            with lock:
                embedder = self._opened.pop(name, None)
            if embedder is not None:
                embedder.close()
