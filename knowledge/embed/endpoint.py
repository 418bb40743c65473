"""An OpenAI-compatible embeddings endpoint (vLLM, TEI, Ollama, hosted services)."""

import math
import threading
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

import httpx
from langchain_core.embeddings import Embeddings
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

from devops_chatbot.errors import ModelUnavailable
from devops_chatbot.i18n import Reason

MAX_TOKENS = 512
"""What nearly every served embedding model reads; a longer text is cut by the server."""
CHARACTERS_A_TOKEN = 4
"""Rough, and on the safe side for English; a Chinese character counts as a token."""
BUSY = (429, 502, 503, 504)
"""Statuses of a server that is there and will answer later; `Retry-After` says when."""
PATIENCE_S = 30.0
"""How long documents wait for a busy server; a job tries again after that."""
QUERY_PATIENCE_S = 4.0
"""How long a person who asks waits for a busy server."""


class EndpointEmbedder(Embeddings):
    """Posts to `base_url`/embeddings in batches; vectors are scaled to unit length here."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key: str | None,
        batch: int = 64,
        timeout_s: float = 60,
        english: bool = False,
    ) -> None:
        self.english = english
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

    max_tokens = MAX_TOKENS

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = []
        for start in range(0, len(texts), self._batch):
            vectors += self._post(texts[start : start + self._batch], PATIENCE_S)
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self._post([text], QUERY_PATIENCE_S)[0]

    def count(self, texts: Sequence[str]) -> list[int]:
        return [sum(1 for c in text if c >= "\u2e80") + len(text) // CHARACTERS_A_TOKEN + 1 for text in texts]

    @property
    def dimension(self) -> int:
        with self._asking:
            if not self._dimension:
                self._dimension = len(self._post(["dimension"], QUERY_PATIENCE_S)[0])
            return self._dimension

    def close(self) -> None:
        self._http.close()

    def _post(self, texts: Sequence[str], patience_s: float) -> list[list[float]]:
        asked = time.monotonic()
        again = Retrying(retry=retry_if_exception(_busy), wait=_pause, stop=stop_before_delay(patience_s), reraise=True)
        try:
            response: httpx.Response = again(self._ask, texts)
            rows = sorted(response.json()["data"], key=lambda row: row["index"])
            vectors = [_unit([float(value) for value in row["embedding"]]) for row in rows]
        except httpx.HTTPStatusError as error:
            answer = Reason("embedding.answer", status=error.response.status_code, text=error.response.text[:300])
            if not _busy(error):
                raise ModelUnavailable("embedding.refuses", name=self.name, answer=answer) from error
            tried_s, wait_s = time.monotonic() - asked, _retry_after(error.response)
            when = Reason("embedding.in_seconds", seconds=wait_s) if wait_s else Reason("embedding.later")
            raise ModelUnavailable(
                "embedding.busy", name=self.name, answer=answer, tried_s=tried_s, when=when
            ) from error
        except httpx.HTTPError as error:
            said = str(error) or type(error).__name__
            raise ModelUnavailable("embedding.unreachable", name=self.name, error=said) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelUnavailable("embedding.strange_answer", name=self.name, error=repr(error)) from error
        if len(vectors) != len(texts):
            raise ModelUnavailable("embedding.wrong_count", name=self.name, vectors=len(vectors), texts=len(texts))
        return vectors

    def _ask(self, texts: Sequence[str]) -> httpx.Response:
        asked = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        return self._http.post(self._url, json=asked).raise_for_status()


def _busy(error: BaseException) -> bool:
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code in BUSY


def _pause(state: RetryCallState) -> float:
    """Seconds until a busy server is asked again: as it wishes, else doubled each time."""
    error = state.outcome.exception() if state.outcome else None
    wished = _retry_after(error.response) if isinstance(error, httpx.HTTPStatusError) else None
    return wait_random_exponential(multiplier=0.5, max=10)(state) if wished is None else wished


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds of the header `Retry-After` (a number or a date, RFC 9110); None without a usable one."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _unit(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else vector
