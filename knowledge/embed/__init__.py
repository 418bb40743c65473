"""Embedding models: the two bundled ones, any sentence-transformers model, any OpenAI-compatible endpoint."""

from pathlib import Path

from knowledge.embed.embedder import Embedder

__all__ = ["Embedder", "open_bundled", "open_endpoint", "open_fast", "open_sentence_transformers"]


def open_bundled(cache: Path, *, threads: int | None = None) -> Embedder:
    """The bundled multilingual-e5-small; its graph is built once into `cache`."""
    from knowledge.embed.encoder import PackagedEncoder
    from knowledge.embed.multilingual_e5 import E5

    return PackagedEncoder(E5, cache, threads=threads)


def open_fast(cache: Path, *, threads: int | None = None) -> Embedder:
    """The bundled all-MiniLM-L6-v2, for English only; its graph is built once into `cache`."""
    from knowledge.embed.encoder import PackagedEncoder
    from knowledge.embed.minilm import MINILM

    return PackagedEncoder(MINILM, cache, threads=threads)


def open_sentence_transformers(model: str, *, batch: int = 64, english: bool = False) -> Embedder:
    """A folder or a locally cached name of a model; `english` is as in `Embedder`.

    Raises `ConfigError` when the extra is not installed.
    """
    from knowledge.embed.transformers import TransformersEmbedder

    return TransformersEmbedder(model, batch=batch, english=english)


def open_endpoint(
    model: str,
    *,
    base_url: str,
    api_key: str | None = None,
    batch: int = 64,
    timeout_s: float = 60,
    english: bool = False,
) -> Embedder:
    """A model behind `base_url`/embeddings; `english` is as in `Embedder`."""
    from knowledge.embed.endpoint import EndpointEmbedder

    return EndpointEmbedder(
        model, base_url=base_url, api_key=api_key, batch=batch, timeout_s=timeout_s, english=english
    )
