"""The original files as they came, kept by content: two documents with equal bytes share one file."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from devops_chatbot.db.blobs import BlobStore
from devops_chatbot.errors import NotFound


def content_of(data: bytes) -> str:
    """The SHA-256 in hex, the name of a content."""
    return hashlib.sha256(data).hexdigest()


class Originals:
    """Files named by their SHA-256. Safe for concurrent use."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self.sweep = blobs.sweep

    def put(self, files: Iterable[bytes]) -> None:
        """Keep files; they are on disk when this returns. Raises `StoreUnavailable`; then some may be kept already."""
        by_content = {content_of(data): data for data in files}
        self._blobs.put((_key(each), data) for each, data in by_content.items() if not self._blobs.path(_key(each)))

    def path(self, content: str) -> Path:
        """Where a kept file lies. Raises `NotFound`."""
        path = self._blobs.path(_key(content)) if content else None
        if path is None:
            raise NotFound("document.no_original")
        return path

    def discard(self, contents: Iterable[str]) -> None:
        """Remove files; what is not there is no error."""
        self._blobs.delete(*map(_key, contents))

    def kept(self) -> Iterator[str]:
        """Every content that is kept."""
        return (key.rpartition("/")[2] for key in self._blobs.keys_below())


def _key(content: str) -> str:
    return f"{content[:2]}/{content}"
