"""The original files as they came, kept by content: two documents with equal bytes share one file."""

import errno
import hashlib
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

    def put(self, data: bytes) -> str:
        """Keep a file; gives its content's name. Raises `StoreUnavailable`."""
        content = content_of(data)
        path = self._path(content)
        if path.exists():
            return content
        new = path.with_name(f"{content}.{secrets.token_hex(4)}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(data)
            new.replace(path)  # a killed process leaves the whole file or none
        except OSError as error:
            new.unlink(missing_ok=True)
            remedy = "Free some space" if error.errno in FULL else "Check the rights and the disk of the data directory"
            raise StoreUnavailable(f"An original file cannot be kept: {error.strerror}. {remedy}.") from error
        return content

    def path(self, content: str) -> Path:
        """Where a kept file lies. Raises `NotFound`."""
        path = self._path(content)
        if not content or not path.is_file():
            raise NotFound("The original of this document is not kept any more. Upload it again.")
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
