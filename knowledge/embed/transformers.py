"""Any sentence-transformers model, on the processor; needs the extra `sentence-transformers`."""

import copy
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings

from devops_chatbot.errors import ConfigError, ModelUnavailable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class TransformersEmbedder(Embeddings):
    """`model` is a folder, or the name of a model that the local hub cache already holds: nothing is downloaded."""

    def __init__(self, model: str, *, batch: int = 64, english: bool = False) -> None:
        self.english = english
        self._model = model
        self._batch = batch
        self._loading = threading.Lock()
        self._encoding = threading.Lock()
        self._counting = threading.Lock()
        self._loaded: SentenceTransformer | None = None
        self._counter: Any = None  # a tokenizer that is set for cutting cannot count at the same time

    @property
    def name(self) -> str:
        return f"{self._model} (sentence-transformers)"

    @property
    def shape(self) -> str:
        return f"sentence-transformers/{self._model}"

    @property
    def max_tokens(self) -> int:
        return int(self._open().get_max_seq_length() or 512)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if not texts:
            return []
        model = self._open()
        with self._encoding:
            vectors = model.encode_document(
                list(texts), batch_size=self._batch, normalize_embeddings=True, show_progress_bar=False
            )
        return [vector.tolist() for vector in vectors]

    def embed_query(self, text: str) -> list[float]:
        """With the prompt for queries, where the model has one."""
        model = self._open()
        with self._encoding:
            vector = model.encode_query(text, normalize_embeddings=True, show_progress_bar=False)
        return [float(value) for value in vector]

    def count(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        self._open()
        with self._counting:
            tokenizer = self._counter
            return [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]]

    @property
    def dimension(self) -> int:
        return len(self.embed_query("dimension"))

    def close(self) -> None:
        with self._loading:
            self._loaded = None

    def _open(self) -> "SentenceTransformer":
        with self._loading:
            if self._loaded is None:
                os.environ.setdefault("HF_HUB_OFFLINE", "1")
                os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
                try:
                    from sentence_transformers import SentenceTransformer
                except ImportError as error:
                    raise ConfigError("embedding.no_extra", name=self._model) from error
                try:
                    self._loaded = SentenceTransformer(self._model, device="cpu", local_files_only=True)
                except (OSError, ValueError) as error:
                    raise ModelUnavailable("embedding.does_not_load", name=self._model, error=error) from error
                self._counter = copy.deepcopy(self._loaded.tokenizer)
            return self._loaded
