"""An embedding model whose weights a package brings, on onnxruntime, without torch.

Speed comes from four things: products of 8 bits (`knowledge.embed.onnx_export`), batches of texts of one length, so that nothing
is padded, batches bounded by tokens, so that their activations stay in the processor's cache, and a thread a batch instead of
threads that share the work of one and wait for each other at every operator.
"""

import hashlib
import os
import platform
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from langchain_core.embeddings import Embeddings

from devops_chatbot.errors import ConfigError, ModelUnavailable
from knowledge.embed.onnx_export import FORMAT, Shape, write_graph

BATCH_TOKENS = 1024
"""Tokens of one batch: the best of 256 to 8192 by CPU time; 512 is 2 % slower, 2048 9 %, 8192 80 %."""


class Tokens(Protocol):
    """A tokenizer. Safe for concurrent use."""

    def ids(self, text: str) -> list[int]:
        """The tokens of a text, without those that frame it."""

    def framed(self, text: str, most: int) -> list[int]:
        """What a model is given: at most `most` tokens, the first and last ones included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedModel:
    """A BERT encoder that a Python package brings. `name` and `shape` are as in `Embedder`, `tensors` as `write_graph` takes
    them; `query` and `passage` stand before every text of the kind. The two functions get the path of `file`.
    """

    package: str
    file: str
    name: str
    shape: str
    english: bool
    dimension: int
    max_tokens: int
    bert: Shape
    tensors: Callable[[Path], Mapping[str, Any]]
    tokenizer: Callable[[Path], Tokens]
    query: str = ""
    passage: str = ""


class PackagedEncoder(Embeddings):
    """The graph is built once into `cache` and loaded on first use.

    A call with many texts works on `threads` batches at once (all cores when it is not given). A vector does not depend on
    what else is embedded with it.
    """

    def __init__(self, model: PackagedModel, cache: Path, *, threads: int | None = None) -> None:
        self._model = model
        self._cache = cache
        self._threads = threads or _cores()
        self._loading = threading.Lock()
        self._session: Any = None
        self._pool: ThreadPoolExecutor | None = None
        self._tokens: Tokens | None = None
        self.name = model.name
        self.shape = model.shape
        self.english = model.english
        self.max_tokens = model.max_tokens
        self.dimension = model.dimension

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._embedded([self._model.passage + text for text in texts])

    def embed_query(self, text: str) -> list[float]:
        return self._embedded([self._model.query + text])[0]

    def count(self, texts: Sequence[str]) -> list[int]:
        with self._loading:
            tokens = self._tokenizer()
        return [len(tokens.ids(text)) for text in texts]

    def close(self) -> None:
        with self._loading:
            if self._pool is not None:
                self._pool.shutdown()
            self._session = self._pool = None

    def _embedded(self, texts: Sequence[str]) -> list[list[float]]:
        import numpy as np

        tokenizer, session, pool = self._loaded()
        tokens = [tokenizer.framed(text, self.max_tokens) for text in texts]
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

    def _loaded(self) -> tuple[Tokens, Any, ThreadPoolExecutor]:
        with self._loading:
            tokens = self._tokenizer()
            if self._session is None:
                self._session = self._open()
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="embed")
            return tokens, self._session, self._pool

    def _tokenizer(self) -> Tokens:
        if self._tokens is None:
            self._tokens = self._model.tokenizer(self._weights())
        return self._tokens

    def _weights(self) -> Path:
        found = find_spec(self._model.package)
        if found is None or not found.submodule_search_locations:
            raise ConfigError("embedding.no_package", package=self._model.package.replace("_", "-"))
        return Path(found.submodule_search_locations[0]) / self._model.file

    def _open(self) -> Any:
        weights = self._weights()
        stamp = weights.stat()
        signed = _multiplies_int8()
        source = hashlib.sha256(f"{FORMAT}/{signed}/{stamp.st_size}/{stamp.st_mtime_ns}".encode()).hexdigest()[:12]
        path = self._cache / f"{self._model.package}-{source}.onnx"
        if not path.exists():
            self._build(weights, path, signed=signed)
        try:
            return _session_of(path)
        except Exception as error:  # noqa: BLE001 onnxruntime's errors share no class of their own
            self._build(weights, path, signed=signed)  # a damaged file: build it anew, once
            try:
                return _session_of(path)
            except Exception:  # noqa: BLE001
                raise ModelUnavailable("embedding.bundled_broken", error=error) from error

    def _build(self, weights: Path, path: Path, *, signed: bool) -> None:
        try:
            write_graph(self._model.tensors(weights), path, self._model.bert, signed=signed)
        except OSError as error:
            raise ModelUnavailable("embedding.cannot_build", folder=path.parent, error=error) from error


def _session_of(path: Path) -> Any:
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
