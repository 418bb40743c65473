"""Files on their way out of this machine."""

import os
from pathlib import Path
from typing import BinaryIO


class FileOnDemand:
    """A file that is open only while it is sent, so that an upload may have more files than a process may open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._file: BinaryIO | None = None

    def tell(self) -> int:
        return self._file.tell() if self._file else 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Only the start and the end are ever asked for: to read anew, and to know the size."""
        self._close()
        return self._size + offset if whence == os.SEEK_END else offset

    def read(self, count: int) -> bytes:
        if self._file is None:
            self._file = self._path.open("rb")
        data = self._file.read(min(count, self._size - self._file.tell()))  # it may grow while it is sent
        if not data:
            self._close()
        return data

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
