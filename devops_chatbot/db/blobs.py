"""Files that belong to rows of the database: originals, uploads on their way, attachments, what runs of code made."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

from devops_chatbot.errors import StoreUnavailable

Blob = bytes | Iterable[bytes] | Path
"""Content, at once or in pieces; a path is a file or folder of this machine that the store takes over as it is."""
FULL = (errno.ENOSPC, errno.EDQUOT)
HALF = ".new"
"""The end of the name of what is not wholly written."""


class BlobStore(Protocol):
    """Files by key: a relative path with slashes, or the digest of the content. Safe for concurrent use.

    A blob is there whole or not at all, and on disk once `put` returns; one of the same key is replaced. What writing fails
    for is left out, the other blobs of the same call may be there. Raises `StoreUnavailable`.
    """

    def put(self, blobs: Iterable[tuple[str, Blob]]) -> None:
        """Also raises what the pieces raise, which keeps that blob out."""

    def path(self, key: str) -> Path | None:
        """Where the blob, or the folder of the blobs below, lies on this machine; None when there is nothing."""

    def delete(self, *keys: str) -> None:
        """These blobs and all below them; what is not there is no error."""

    def keys_below(self, below: str = "") -> Iterator[str]:
        """Of every blob below a key, in no order."""

    def sweep(self) -> None:
        """Remove what writing left half done when the process was killed; before anything is put."""


class FolderBlobs:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, blobs: Iterable[tuple[str, Blob]]) -> None:
        new: dict[Path, Path] = {}
        folders: set[Path] = set()
        try:
            for key, blob in blobs:
                path = self._at(key)
                if not path.parent.is_dir():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    folders.add(path.parent.parent)
                folders.add(path.parent)
                if isinstance(blob, Path):
                    shutil.move(blob, path)
                    continue
                new[path] = beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}{HALF}")
                with beside.open("wb") as file:
                    file.writelines((blob,) if isinstance(blob, bytes) else blob)
            for path, beside in new.items():  # all are written by then: one flush of the disk serves many
                _flush(beside)
                beside.replace(path)
            for folder in folders:
                _flush(folder)
        except OSError as error:
            if error.errno in FULL:
                raise StoreUnavailable("disk.full") from error
            raise StoreUnavailable("blob.not_kept", error=error.strerror) from error
        finally:
            for beside in new.values():
                beside.unlink(missing_ok=True)

    def path(self, key: str) -> Path | None:
        path = self._at(key)
        return path if path.exists() else None

    def delete(self, *keys: str) -> None:
        for key in keys:
            path = self._at(key)
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def keys_below(self, below: str = "") -> Iterator[str]:
        return (path.relative_to(self._folder).as_posix() for path in self._files(below) if path.suffix != HALF)

    def sweep(self) -> None:
        for path in self._files(""):
            if path.suffix == HALF:
                path.unlink(missing_ok=True)

    def _at(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise ValueError(f"{key!r} is no key")
        return self._folder / key

    def _files(self, below: str) -> Iterator[Path]:
        for folder, _, names in os.walk(self._at(below) if below else self._folder):
            yield from (Path(folder, name) for name in names)


def _flush(path: Path) -> None:
    """Until a file's content, or a folder's names, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
