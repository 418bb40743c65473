"""Embedding models: the bundled one, any sentence-transformers model, any OpenAI-compatible endpoint."""

from pathlib import Path

from knowledge.embed.embedder import Embedder

__all__ = ["Embedder", "open_bundled", "open_endpoint", "open_sentence_transformers"]


def open_bundled(cache: Path, *, threads: int | None = None) -> Embedder:
    """The bundled all-MiniLM-L6-v2; its graph is built once into `cache`."""
    from knowledge.embed.minilm import MiniLm

    return MiniLm(cache, threads=threads)


def open_sentence_transformers(model: str, *, batch: int = 64) -> Embedder:
    """A folder or a locally cached name of a model. Raises `ConfigError` when the extra is not installed."""
    from knowledge.embed.transformers import TransformersEmbedder

    return TransformersEmbedder(model, batch=batch)


def open_endpoint(
    model: str, *, base_url: str, api_key: str | None = None, batch: int = 64, timeout_s: float = 60
) -> Embedder:
    """A model behind `base_url`/embeddings."""
    from knowledge.embed.endpoint import EndpointEmbedder

    return EndpointEmbedder(model, base_url=base_url, api_key=api_key, batch=batch, timeout_s=timeout_s)
