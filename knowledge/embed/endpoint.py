"""An OpenAI-compatible embeddings endpoint (vLLM, TEI, Ollama, hosted services)."""

import math
import threading
from collections.abc import Sequence

import httpx
from langchain_core.embeddings import Embeddings

from devops_chatbot.errors import ModelUnavailable

MAX_TOKENS = 512
"""What nearly every served embedding model reads; a longer text is cut by the server."""
CHARACTERS_A_TOKEN = 4
"""Rough, and on the safe side for English; a Chinese character counts as a token."""


class EndpointEmbedder(Embeddings):
    """Posts to `base_url`/embeddings in batches; vectors are scaled to unit length here."""

    def __init__(
        self, model: str, *, base_url: str, api_key: str | None, batch: int = 64, timeout_s: float = 60
    ) -> None:
        self._model = model
        self._url = base_url.rstrip("/") + "/embeddings"
        self._batch = batch
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(headers=headers, timeout=timeout_s, trust_env=False)
        self._dimension = 0
        self._asking = threading.Lock()

    @property
    def name(self) -> str:
        return f"{self._model} at {self._url}"

    @property
    def shape(self) -> str:
        return f"endpoint/{self._model}"

    english = False
    max_tokens = MAX_TOKENS

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = []
        for start in range(0, len(texts), self._batch):
            vectors += self._post(texts[start : start + self._batch])
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self._post([text])[0]

    def count(self, texts: Sequence[str]) -> list[int]:
        return [sum(1 for c in text if c >= "\u2e80") + len(text) // CHARACTERS_A_TOKEN + 1 for text in texts]

    @property
    def dimension(self) -> int:
        with self._asking:
            if not self._dimension:
                self._dimension = len(self._post(["dimension"])[0])
            return self._dimension

    def close(self) -> None:
        self._http.close()

    def _post(self, texts: Sequence[str]) -> list[list[float]]:
        try:
            response = self._http.post(
                self._url, json={"model": self._model, "input": list(texts), "encoding_format": "float"}
            )
            response.raise_for_status()
            rows = sorted(response.json()["data"], key=lambda row: row["index"])
            vectors = [_unit([float(value) for value in row["embedding"]]) for row in rows]
        except httpx.HTTPStatusError as error:
            detail = error.response.text[:300]
            raise ModelUnavailable(f"{self.name} answered {error.response.status_code}: {detail}") from error
        except httpx.HTTPError as error:
            raise ModelUnavailable(f"{self.name} cannot be reached: {error or type(error).__name__}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelUnavailable(
                f"{self.name} did not answer like an OpenAI embeddings endpoint: {error!r}"
            ) from error
        if len(vectors) != len(texts):
            raise ModelUnavailable(f"{self.name} gave {len(vectors)} vectors for {len(texts)} texts")
        return vectors


def _unit(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else vector
