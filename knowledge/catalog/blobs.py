"""The original files as they came, kept by content: two documents with equal bytes share one file."""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from devops_chatbot.errors import NotFound, StoreUnavailable

FULL = (errno.ENOSPC, errno.EDQUOT)


def content_of(data: bytes) -> str:
    """The SHA-256 in hex, the name of a content."""
    return hashlib.sha256(data).hexdigest()


class Originals:
    """A folder of files named by their SHA-256. Safe for concurrent use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, files: Iterable[bytes]) -> None:
        """Keep files; they are on disk when this returns. Raises `StoreUnavailable`; then some may be kept already."""
        new: dict[Path, Path] = {}
        folders: set[Path] = set()
        try:
            for data in files:
                path = self._path(content_of(data))
                if path in new or path.exists():
                    continue
                if not path.parent.is_dir():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    folders.add(self._folder)
                beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
                new[path] = beside
                beside.write_bytes(data)
            for path, beside in new.items():  # all are written by then: one flush of the disk serves many
                _flush(beside)
                beside.replace(path)  # a killed process leaves the whole file or none
                folders.add(path.parent)
            for folder in folders:
                _flush(folder)
        except OSError as error:
            for beside in new.values():
                beside.unlink(missing_ok=True)
            raise StoreUnavailable("document.not_kept", error=error.strerror) from error

    def path(self, content: str) -> Path:
        """Where a kept file lies. Raises `NotFound`."""
        path = self._path(content)
        if not content or not path.is_file():
            raise NotFound("document.no_original")
        return path

    def discard(self, contents: Iterable[str]) -> None:
        """Remove files; what is not there is no error."""
        for content in contents:
            self._path(content).unlink(missing_ok=True)

    def kept(self) -> Iterator[str]:
        """Every content that is kept."""
        return (path.name for path in self._folder.glob("*/*") if not path.suffix)

    def sweep(self) -> None:
        """Remove what writing left half done when the process was killed; call it before anything is put."""
        for new in self._folder.glob("*/*.new"):
            new.unlink(missing_ok=True)

    def _path(self, content: str) -> Path:
        return self._folder / content[:2] / content


def _flush(path: Path) -> None:
    """Until a file's content, or a folder's names, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
